/**
 * What plugins' hooks add to a query of pgbench's, without any plugin: nobody looks, somebody is
 * called for each query, or for its rows. Prints CPU time.
 *
 *     deno run -A bench/hooks_bench.ts
 *
 * @module
 */

import process from "node:process";
import { print } from "../src/cli/terminal.ts";
import { HookChain } from "../src/hooks/chain.ts";
import { HookSwitch } from "../src/hooks/hook_switch.ts";
import { HOOK } from "../src/hooks/hooks.ts";
import { FORWARD } from "../src/hooks/verdict.ts";
import { openSession, runQueries } from "./memory_session.ts";
import { type Exchange, extendedQuery, preparedQuery, simpleQuery } from "./messages.ts";
import { spreadOf } from "./statistics.ts";

/** Enough for the compiler to have done all it does. */
const WARM_UP_QUERIES = 200_000;

const QUERIES = 300_000;
const ROUNDS = 5;

const CASES = { "no hook": [], "onQuery": [HOOK.onQuery], "onRow": [HOOK.onRow] } as const;

function chainOf(hooks: readonly number[], onCall: () => void): HookChain {
  const types = new Uint8Array(256).fill(1);
  const call = () => {
    onCall();
    return FORWARD;
  };
  const one = { name: "bench", priority: 0, hooks, mayRespond: true, call };
  return new HookChain(hooks.length === 0 ? [] : [{ ...one, messageTypes: () => types }]);
}

async function measure(
  name: string,
  numbers: readonly number[],
  exchange: Exchange,
  callsEach = 1,
): Promise<void> {
  let calls = 0;
  const hooks = new HookSwitch();
  hooks.chain = chainOf(numbers, () => calls += 1);
  const pair = await openSession(hooks);
  runQueries(pair, 1, preparedQuery().preparing);
  calls = 0;
  runQueries(pair, WARM_UP_QUERIES, exchange);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    runQueries(pair, QUERIES, exchange);
    return process.cpuUsage(before).user / QUERIES;
  });
  const expected = numbers.length * callsEach * (WARM_UP_QUERIES + ROUNDS * QUERIES);
  if (calls !== expected) throw new Error(`${name}: ${calls} of ${expected} calls were made`);
  const { median, min, max } = spreadOf(rounds);
  print(`${name}: ${median.toFixed(2)} us (${min.toFixed(2)}..${max.toFixed(2)})\n`);
}

if (import.meta.main) {
  for (const [name, hooks] of Object.entries(CASES)) {
    await measure(`${name}, simple`, hooks, simpleQuery());
    await measure(`${name}, prepared`, hooks, preparedQuery().running);
    await measure(`${name}, extended`, hooks, extendedQuery(), name === "onQuery" ? 2 : 1);
  }
  Deno.exit(0); // the login timer of sessions that never end
}
