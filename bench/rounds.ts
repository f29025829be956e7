/**
 * Interleaved rounds: every contestant runs once in each, so that what disturbs the machine for a
 * while disturbs all of them.
 *
 * @module
 */

import { cpuInWindow, watchCpu } from "./cpu_window.ts";
import type { Contestant } from "./peers/running_proxy.ts";
import { runPgbench, type Target, type Workload } from "./pgbench.ts";
import { cpuSeconds, memoryBytes } from "./process_usage.ts";
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
export function targetOf(
  { port, isEncrypted = false }: { readonly port: number; readonly isEncrypted?: boolean },
): Target {
  return { host: "127.0.0.1", port, user: "postgres", database: "postgres", isEncrypted };
}

/** Runs pgbench through a contestant, and says what it cost. @throws {Error} As runPgbench does. */
export async function measureRun(contestant: Contestant, run: Run): Promise<Measurement> {
  const { processIds } = contestant;
  const { program, workload, folder, signal } = run;
  const before = cpuSeconds(processIds);
  let hasEnded = false;
  const running = runPgbench(program, targetOf(contestant), workload, folder, signal)
    .finally(() => hasEnded = true);
  // Where every transaction connects, connecting is what is measured.
  const [{ result, ends, connectingSeconds }, window] = await Promise.all([
    running,
    workload.reconnects
      ? undefined
      : watchCpu(processIds, folder, workload.seconds, () => hasEnded),
  ]);
  const isProxy = processIds.length > 0;
  const inWindow = window === undefined ? undefined : cpuInWindow(window, ends);
  const inAll = (cpuSeconds(processIds) - before) * 1e6 / result.transactions;
  return {
    ...result,
    connectingSeconds,
    cpuMicrosecondsPerTransaction: isProxy ? inWindow ?? inAll : undefined,
    memoryMiB: isProxy ? memoryBytes(processIds) / 2 ** 20 : undefined,
  };
}

/** Whoever comes first in a round meets another machine than whoever comes last: all take turns. */
export function inOrderOf<T>(round: number, contestants: readonly T[]): readonly T[] {
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
