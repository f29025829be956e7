/**
 * Interleaved rounds: every contestant runs once in each, so that what disturbs the machine for a
 * while disturbs all of them.
 *
 * @module
 */

import type { Contestant } from "./contestants.ts";
import { runPgbench, type Target, type Workload } from "./pgbench.ts";
import { cpuSeconds, residentMiB } from "./process_usage.ts";
import type { Measurement } from "./report.ts";

/** One run of pgbench. */
export interface Run {
  /** Path of pgbench. */
  readonly program: string;
  readonly workload: Workload;
  /** An empty folder for its logs. */
  readonly folder: string;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Where a contestant is found. */
export function targetOf({ port }: { readonly port: number }): Target {
  return { host: "127.0.0.1", port, user: "postgres", database: "postgres" };
}

/** Runs pgbench through a contestant, and says what it cost. @throws {Error} As runPgbench does. */
export async function measureRun(
  contestant: Contestant,
  { program, workload, folder, signal }: Run,
): Promise<Measurement> {
  const { processId } = contestant;
  const before = processId === undefined ? 0 : cpuSeconds(processId);
  const result = await runPgbench(program, targetOf(contestant), workload, folder, signal);
  const after = processId === undefined ? undefined : cpuSeconds(processId);
  return {
    transactions: result.transactions,
    transactionsPerSecond: result.transactionsPerSecond,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    cpuMicrosecondsPerTransaction: after === undefined
      ? undefined
      : (after - before) * 1e6 / result.transactions,
    residentMiB: processId === undefined ? undefined : residentMiB(processId),
  };
}

/** Whoever comes first in a round meets another machine than whoever comes last: all take turns. */
function inOrderOf<T>(round: number, contestants: readonly T[]): readonly T[] {
  const first = round % contestants.length;
  return [...contestants.slice(first), ...contestants.slice(0, first)];
}

/** @returns What each contestant came to, by its name, one result a round. */
export async function runRounds<C extends { readonly name: string }, T>(
  rounds: number,
  contestants: readonly C[],
  run: (contestant: C) => T | Promise<T>,
): Promise<ReadonlyMap<string, readonly T[]>> {
  const results = new Map(contestants.map(({ name }) => [name, [] as T[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of inOrderOf(round, contestants)) {
      results.get(contestant.name)!.push(await run(contestant));
    }
  }
  return results;
}
