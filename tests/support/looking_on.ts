/**
 * Plugins that see everything and change nothing: with them, no conversation may go another way.
 *
 * @module
 */

import { HookChain, type Subscriber } from "../../src/hooks/chain.ts";
import { HookSwitch } from "../../src/hooks/hook_switch.ts";
import { HOOKS } from "../../src/hooks/hooks.ts";
import { FORWARD } from "../../src/hooks/verdict.ts";

/** One that reads every field of every event, and forwards. */
export function onlooker(hooks = HOOKS.map(({ number }) => number)): Subscriber {
  const all = new Uint8Array(256).fill(1);
  return {
    name: "onlooker",
    priority: 100,
    hooks,
    mayRespond: true,
    messageTypes: () => all,
    call(event) {
      for (let field = 0; field < 30; field++) event.field(field);
      return FORWARD;
    },
  };
}

/**
 * The hooks that tests run with: none, or onlookers if SLUICE_TEST_HOOKS says so: `all` for every
 * hook, `query` for those that keep messages back until a query is whole.
 *
 * @throws {Error} If it says anything else: a typing error must not look like a success.
 */
export function hooksToTest(): HookSwitch {
  const named = Deno.env.get("SLUICE_TEST_HOOKS");
  const hooks = new HookSwitch();
  if (named === undefined) return hooks;
  if (named !== "all" && named !== "query") throw new Error(`SLUICE_TEST_HOOKS: no "${named}"`);
  const names = ["onQuery", "onError", "onQueryEnd", "onTransactionEnd"];
  const numbers = HOOKS.filter(({ name }) => named === "all" || names.includes(name));
  hooks.chain = new HookChain([onlooker(numbers.map(({ number }) => number))]);
  return hooks;
}
