/**
 * CPU time for a transaction while transactions are what is done: with many clients, logging in and
 * out would be a good part of a short run.
 *
 * @module
 */

import { join } from "node:path";
import { pause } from "./peers/running_proxy.ts";
import { cpuSeconds } from "./process_usage.ts";

/** A part of a run, and what it took. */
export interface CpuWindow {
  /** In milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly cpuSeconds: number;
}

/** How much of a run is looked at: its end must not come before the window's. */
const SHARE = 0.8;

const PAUSE_MS = 10;

/**
 * Looks at the CPU time when pgbench begins to log transactions, and again before it ends.
 *
 * @param logs Where pgbench logs: an empty folder.
 * @param seconds How long the run will be, once all clients are connected.
 * @param hasEnded True when pgbench has.
 * @returns Undefined if the run was over too soon.
 */
export async function watchCpu(
  processIds: readonly number[],
  logs: string,
  seconds: number,
  hasEnded: () => boolean,
): Promise<CpuWindow | undefined> {
  const until = async (isReached: () => boolean) => {
    while (!hasEnded() && !isReached()) await pause(PAUSE_MS);
    return !hasEnded();
  };
  if (!await until(() => hasText(logs))) return undefined;
  const from = lookAt(processIds);
  const endMs = from.atMs + seconds * SHARE * 1000;
  if (!await until(() => Date.now() >= endMs)) return undefined;
  const to = lookAt(processIds);
  return { fromMs: from.atMs, toMs: to.atMs, cpuSeconds: to.cpuSeconds - from.cpuSeconds };
}

/**
 * Microseconds of CPU for each transaction that ended in the window.
 *
 * @param ends When each transaction of the run ended, in microseconds since the epoch.
 * @returns Undefined if none did.
 */
export function cpuInWindow(window: CpuWindow, ends: ArrayLike<number>): number | undefined {
  let transactions = 0;
  for (let i = 0; i < ends.length; i += 1) {
    const ms = ends[i]! / 1000;
    if (window.fromMs < ms && ms <= window.toMs) transactions += 1;
  }
  return transactions === 0 ? undefined : window.cpuSeconds * 1e6 / transactions;
}

/** With a process for each client looking takes a while: the middle of it is when it was. */
function lookAt(processIds: readonly number[]) {
  const beforeMs = Date.now();
  const seconds = cpuSeconds(processIds);
  return { atMs: (beforeMs + Date.now()) / 2, cpuSeconds: seconds };
}

/** pgbench writes its logs in blocks of some hundred transactions. */
function hasText(folder: string): boolean {
  return [...Deno.readDirSync(folder)].some(({ name }) =>
    Deno.statSync(join(folder, name)).size > 0
  );
}
