/**
 * What Sluice's own logic costs for a simple query, without any socket: one Query up, and down
 * RowDescription, DataRow, CommandComplete and ReadyForQuery. Prints CPU time and bytes of garbage.
 *
 *     deno run -A bench/session_bench.ts
 *
 * @module
 */

import process from "node:process";
import { print, printError } from "../src/cli/terminal.ts";
import { openSession, type Pair, runQueries } from "./memory_session.ts";
import { spreadOf } from "./statistics.ts";

/** Enough for the compiler to have done all it does. */
const WARM_UP_QUERIES = 300_000;

const QUERIES = 500_000;
const ROUNDS = 7;

/** All garbage of this many fits in the young generation below: nothing is collected meanwhile. */
const GARBAGE_QUERIES = 100_000;

/** Makes `gc` callable, and the young generation large (MB), so that its growth is the garbage. */
const V8_FLAGS = "--expose-gc,--min-semi-space-size=128,--max-semi-space-size=128";

/** Our own goal: below what the kernel charges for a single system call. */
const GOAL_MICROSECONDS = 2;

/** Microseconds of user CPU for one query, a round each; the compiler's threads count, too. */
function measureCpu(pair: Pair): number[] {
  return Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    runQueries(pair, QUERIES);
    return process.cpuUsage(before).user / QUERIES;
  });
}

function measureGarbage(pair: Pair, collect: () => void): number {
  collect();
  const before = Deno.memoryUsage().heapUsed;
  runQueries(pair, GARBAGE_QUERIES);
  return (Deno.memoryUsage().heapUsed - before) / GARBAGE_QUERIES;
}

async function measure(collect: () => void): Promise<void> {
  const pair = await openSession();
  runQueries(pair, WARM_UP_QUERIES);
  const garbage = measureGarbage(pair, collect);
  const { median, min, max } = spreadOf(measureCpu(pair));
  const expected = WARM_UP_QUERIES + GARBAGE_QUERIES + ROUNDS * QUERIES;
  // Work that was not done is done very fast.
  if (pair.counted() !== expected) {
    throw new Error(`${pair.counted()} of ${expected} queries were seen`);
  }
  const verdict = median <= GOAL_MICROSECONDS ? "met" : "missed";
  print(
    `user CPU of one simple query: ${median.toFixed(2)} us ` +
      `(${min.toFixed(2)}..${max.toFixed(2)}; goal ${GOAL_MICROSECONDS} us: ${verdict})\n` +
      `garbage of one simple query: ${garbage.toFixed(1)} bytes\n`,
  );
}

/** Runs this file again with the flags that only a new process can have. */
async function runWithFlags(): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `--v8-flags=${V8_FLAGS}`, import.meta.filename!],
    stdin: "null",
  }).spawn().status;
  if (code !== 0) printError("the measurement failed\n");
  return code;
}

if (import.meta.main) {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) Deno.exit(await runWithFlags());
  await measure(gc);
  Deno.exit(0); // the login timer of a session that never ends
}
