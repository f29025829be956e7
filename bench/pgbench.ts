/**
 * One run of pgbench, and what it says.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { intervalsOf, latenciesOf, transactionsIn } from "./pgbench_log.ts";
import { percentile } from "./statistics.ts";

/** How pgbench can send queries. */
export const PROTOCOLS = ["simple", "extended", "prepared"] as const;

/** One of them. */
export type Protocol = typeof PROTOCOLS[number];

/** What to run. */
export interface Workload {
  readonly clients: number;
  readonly seconds: number;
  /** So many transactions of each client instead, however long they take. */
  readonly transactionsEach?: number;
  readonly protocol: Protocol;
  /** Transactions only keep their server connections for so long. Default: they select. */
  readonly holdSeconds?: number;
  /** How long connecting takes, for which pgbench would shorten the run. Default 0. */
  readonly connectingSeconds?: number;
  /** A new connection for each transaction: a storm of connects (`-C`). */
  readonly reconnects: boolean;
}

/** Where to run it. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** With TLS, which is then required. */
  readonly isEncrypted: boolean;
}

/** What came out. */
export interface PgbenchRun {
  readonly result: PgbenchResult;
  /** Until all clients were connected; 0 if pgbench does not say. */
  readonly connectingSeconds: number;
  /** When each transaction ended, in microseconds since the epoch. */
  readonly ends: Float64Array;
}

/** What is measured by it. */
export interface PgbenchResult {
  readonly transactions: number;
  readonly transactionsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** What has not ended so long after it should have hangs. */
const PATIENCE_MS = 30_000;
const PATIENCE_MS_PER_CLIENT = 50;

/** Of a million accounts, on a slow disk. */
const INITIALIZING_MS = 600_000;

/** Share of a run that connecting may take from it. */
const SHORTENING_MAX = 0.15;

/** The transactions of {@linkcode Workload.holdSeconds}. */
const HOLD_SCRIPT = fileURLToPath(new URL("hold.sql", import.meta.url));

/** More threads than cores only take turns. */
const THREADS_MAX = Math.max(1, navigator.hardwareConcurrency);

/**
 * Runs pgbench, select-only unless said otherwise, which logs every transaction.
 *
 * With `reconnects` a transaction lasts from the end of the one before it by the same client to its
 * own end, so that it has the connecting in it, which pgbench leaves out of its latencies; and each
 * client has a thread, since pgbench connects one client of a thread after the other.
 *
 * @param program Path of pgbench.
 * @param folder An empty folder for its log; what it writes there is deleted.
 * @param signal Ends it.
 * @throws {Error} If it fails, hangs or is ended, or if a single transaction failed.
 */
export async function runPgbench(
  program: string,
  target: Target,
  workload: Workload,
  folder: string,
  signal: AbortSignal,
): Promise<PgbenchRun> {
  const { clients, protocol, reconnects, connectingSeconds = 0 } = workload;
  // A run that is a little shorter does not matter.
  const isSlow = connectingSeconds > workload.seconds * SHORTENING_MAX;
  const seconds = workload.seconds + (isSlow ? Math.ceil(connectingSeconds) : 0);
  const threads = reconnects ? clients : Math.min(clients, THREADS_MAX);
  const { transactionsEach, holdSeconds } = workload;
  const length = transactionsEach === undefined ? ["-T", seconds] : ["-t", transactionsEach];
  const what = holdSeconds === undefined
    ? ["-S"]
    : ["-f", HOLD_SCRIPT, "-D", `seconds=${holdSeconds}`];
  const args = ["-n", ...what, "-M", protocol, "-c", clients, "-j", threads, ...length]
    .concat(reconnects ? ["-C"] : [])
    .concat(["--log", "--log-prefix", join(folder, "log")])
    .map(String);
  const patienceMs = seconds * 1000 + PATIENCE_MS + clients * PATIENCE_MS_PER_CLIENT;
  let output = "";
  try {
    output = await run(program, args, target, signal, patienceMs);
  } finally {
    // What a run that failed has logged is not the next one's.
    if (output === "") takeLogs(folder);
  }
  const transactions = numberIn(output, /transactions actually processed: (\d+)/);
  if (transactions === 0) throw new Error(`Not a single transaction ended within ${seconds} s`);
  // PostgreSQL 14 and older say nothing of failures, but end with an error when a client aborts.
  const failed = Number(/number of failed transactions: (\d+)/.exec(output)?.[1] ?? 0);
  if (failed > 0) throw new Error(`pgbench at port ${target.port}: ${failed} transactions failed`);
  const logs = takeLogs(folder).map(transactionsIn);
  const times = Float64Array.from(logs.flatMap(reconnects ? intervalsOf : latenciesOf)).sort();
  const quantileMs = (quantile: number) => percentile(times, quantile) / 1000;
  const result = {
    transactions,
    transactionsPerSecond: numberIn(output, /^tps = ([\d.]+)/m),
    p50Ms: quantileMs(0.5),
    p99Ms: quantileMs(0.99),
    p999Ms: quantileMs(0.999),
  };
  const connecting = /initial connection time = ([\d.]+) ms/.exec(output)?.[1] ?? 0;
  return {
    result,
    connectingSeconds: Number(connecting) / 1000,
    ends: Float64Array.from(logs.flat(), ({ end }) => end),
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
  patienceMs = INITIALIZING_MS,
): Promise<string> {
  const deadline = AbortSignal.timeout(patienceMs);
  const { success, code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args, target.database],
    clearEnv: true, // PGOPTIONS and the like would change what is measured
    env: clientEnvironment(target),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.any([signal, deadline]),
  }).output();
  signal.throwIfAborted();
  if (deadline.aborted) {
    throw new Error(`pgbench at port ${target.port} had not ended after ${patienceMs / 1000} s`);
  }
  if (!success) {
    const said = firstErrorIn(new TextDecoder().decode(stderr));
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
    PGSSLMODE: target.isEncrypted ? "require" : "disable",
    PGGSSENCMODE: "disable",
  };
}

/** The texts of the logs, which are gone afterwards: one of each thread. */
function takeLogs(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => {
    const path = join(folder, name);
    const text = Deno.readTextFileSync(path);
    Deno.removeSync(path);
    return text;
  });
}

/** With many clients the same is said many times, and the first time says why. */
function firstErrorIn(stderr: string): string {
  const lines = stderr.trim().split("\n");
  return lines.find((line) => line.includes("error")) ?? lines[0]!;
}

function numberIn(output: string, pattern: RegExp): number {
  const found = pattern.exec(output)?.[1];
  if (found === undefined) throw new Error(`Cannot read what pgbench says: no ${pattern}`);
  return Number(found);
}
