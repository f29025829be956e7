/**
 * One run of pgbench, and what it says.
 *
 * @module
 */

import { join } from "node:path";
import { percentile } from "./statistics.ts";

/** What to run. */
export interface Workload {
  readonly clients: number;
  readonly seconds: number;
  readonly protocol: "simple" | "extended" | "prepared";
  /** A new connection for each transaction: a storm of connects (`-C`). */
  readonly reconnects: boolean;
}

/** Where to run it. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** What came out. */
export interface PgbenchResult {
  readonly transactions: number;
  readonly transactionsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Share of transactions whose latency is written down: all of them would slow pgbench itself. */
const SAMPLING_RATE = 0.1;

/** More threads than cores only take turns. */
const THREADS_MAX = Math.max(1, navigator.hardwareConcurrency);

/**
 * Runs select-only pgbench.
 *
 * @param program Path of pgbench.
 * @param folder An empty folder for its log; what it writes there is deleted.
 * @param signal Ends it.
 * @throws {Error} If it fails or is ended, or if a single transaction failed.
 */
export async function runPgbench(
  program: string,
  target: Target,
  workload: Workload,
  folder: string,
  signal: AbortSignal,
): Promise<PgbenchResult> {
  const { clients, seconds, protocol, reconnects } = workload;
  const threads = Math.min(clients, THREADS_MAX);
  const args = ["-n", "-S", "-M", protocol, "-c", clients, "-j", threads, "-T", seconds]
    .concat(reconnects ? ["-C"] : [])
    .concat(["--log", "--log-prefix", join(folder, "log"), "--sampling-rate", SAMPLING_RATE])
    .map(String);
  const output = await run(program, args, target, signal);
  const transactions = numberIn(output, /transactions actually processed: (\d+)/);
  // PostgreSQL 14 and older say nothing of failures, but end with an error when a client aborts.
  const failed = Number(/number of failed transactions: (\d+)/.exec(output)?.[1] ?? 0);
  if (failed > 0) throw new Error(`pgbench at port ${target.port}: ${failed} transactions failed`);
  const latencies = takeLatencies(folder);
  return {
    transactions,
    transactionsPerSecond: numberIn(output, /^tps = ([\d.]+)/m),
    p50Ms: percentile(latencies, 0.5) / 1000,
    p99Ms: percentile(latencies, 0.99) / 1000,
  };
}

/**
 * Makes pgbench's tables.
 *
 * @param scale 100,000 accounts each.
 */
export async function initializePgbench(
  program: string,
  target: Target,
  scale: number,
  signal: AbortSignal,
): Promise<void> {
  await run(program, ["-i", "-q", "-s", String(scale)], target, signal);
}

async function run(
  program: string,
  args: readonly string[],
  target: Target,
  signal: AbortSignal,
): Promise<string> {
  const { success, code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args, target.database],
    clearEnv: true, // PGOPTIONS and the like would change what is measured
    env: clientEnvironment(target),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).output();
  signal.throwIfAborted();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim();
    throw new Error(`Cannot run pgbench at port ${target.port}: it ended with ${code}: ${said}`);
  }
  return new TextDecoder().decode(stdout);
}

/** The environment of a program of PostgreSQL's that connects to `target`. */
export function clientEnvironment(target: Target): Record<string, string> {
  return {
    LC_ALL: "C",
    PATH: Deno.env.get("PATH") ?? "",
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGSSLMODE: "disable",
    PGGSSENCMODE: "disable",
  };
}

/** All latencies in the logs, in microseconds, ascending. The logs are gone afterwards. */
function takeLatencies(folder: string): Float64Array {
  const latencies: number[] = [];
  for (const { name } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    // client_id transaction_no time script_no time_epoch time_us: pgbench's manual.
    for (const line of Deno.readTextFileSync(path).split("\n")) {
      const time = line.split(" ", 3)[2];
      if (time !== undefined) latencies.push(Number(time));
    }
    Deno.removeSync(path);
  }
  return Float64Array.from(latencies).sort();
}

function numberIn(output: string, pattern: RegExp): number {
  const found = pattern.exec(output)?.[1];
  if (found === undefined) throw new Error(`Cannot read what pgbench says: no ${pattern}`);
  return Number(found);
}
