/**
 * Plugins that see everything and change nothing: with them, no conversation may go another way.
 *
 * @module
 */

import { concat } from "../../src/base/bytes.ts";
import { HookChain, type Subscriber } from "../../src/hooks/chain.ts";
import { HookSwitch } from "../../src/hooks/hook_switch.ts";
import { HOOKS } from "../../src/hooks/hooks.ts";
import { FORWARD } from "../../src/hooks/verdict.ts";
import type { Actor } from "./actor.ts";
import { AUTH_OK, type Bytes, ready } from "./messages.ts";

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
 * Who looks on in tests: nobody, or as SLUICE_TEST_HOOKS says: `all` for a plugin with every hook,
 * `query` for one with those that keep messages back until a query is whole, `ask` for one that is
 * only asked about queries, for which what comes alone goes a short way.
 *
 * What may differ then is how bytes are cut, and when they come: what a client says ahead of its
 * login's end waits for that, a Parse and its Bind for their Execute, and a large message that is
 * looked at comes as a whole.
 */
export const LOOKING_ON = whoLooksOn();

/** @throws {Error} If it says anything else: a typing error must not look like a success. */
function whoLooksOn(): "nobody" | "ask" | "query" | "all" {
  const named = Deno.env.get("SLUICE_TEST_HOOKS");
  if (named === undefined) return "nobody";
  if (named === "all" || named === "query" || named === "ask") return named;
  throw new Error(`SLUICE_TEST_HOOKS: no "${named}"`);
}

/** Whether a Parse and its Bind are kept back until it is known what becomes of their Execute. */
export const KEEPS_UNITS = LOOKING_ON === "query" || LOOKING_ON === "ask";

/** Whether somebody looks on. */
export const IS_LOOKED_AT = LOOKING_ON !== "nobody";

/** The hooks that tests run with. */
export function hooksToTest(): HookSwitch {
  const hooks = new HookSwitch();
  if (!IS_LOOKED_AT) return hooks;
  const ends = ["onError", "onQueryEnd", "onTransactionEnd"];
  const names = LOOKING_ON === "ask" ? ["onQuery"] : ["onQuery", ...ends];
  const numbers = HOOKS.filter(({ name }) => LOOKING_ON === "all" || names.includes(name));
  hooks.chain = new HookChain([onlooker(numbers.map(({ number }) => number))]);
  return hooks;
}

/**
 * A server hears a StartupMessage, and what its client has said behind it: at once, or when it has
 * let the client in, if somebody looks on.
 */
export async function hearsEarly(server: Actor, startup: Bytes, ...early: Bytes[]): Promise<void> {
  if (!IS_LOOKED_AT) return await server.hearsBytes(concat(startup, ...early));
  await server.hearsBytes(startup);
  await server.says(AUTH_OK, ready());
  await server.hearsBytes(concat(...early));
}
