/**
 * Compares Sluice with PgBouncer and with no proxy at all: select-only pgbench and large results,
 * in interleaved rounds. Starts everything it needs, prints tables, and with `--write` writes
 * docs/performance.md.
 *
 *     deno run -A bench/compare.ts --help
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  type EmbeddedPostgres,
  obtainPostgres,
  startPostgres,
} from "../src/cli/demo/embedded_postgres.ts";
import { print, printError } from "../src/cli/terminal.ts";
import {
  type Contestant,
  findProgram,
  findSluice,
  startPgBouncer,
  startSluice,
} from "./contestants.ts";
import { runTransfer, TRANSFERS } from "./large_results.ts";
import { performancePage } from "./performance_page.ts";
import { initializePgbench, runPgbench, type Target, type Workload } from "./pgbench.ts";
import { cpuSeconds, describeMachine, residentMiB } from "./process_usage.ts";
import {
  asText,
  type Cell,
  type Measurement,
  transactionTable,
  type TransferCell,
  transferTable,
} from "./report.ts";

const USAGE = `Usage: deno run -A bench/compare.ts [options]

  --clients LIST     numbers of clients, default 1,8,32
  --protocol NAME    simple (default), extended or prepared
  --connect          also measure a new connection for each transaction
  --workers N        Sluice's workers, default 1, since PgBouncer has one thread
  --rounds N         default 5
  --seconds N        of each run, default 6
  --source           measure the source even if there is an executable
  --quick            2 rounds of 2 seconds, unless said otherwise
  --write            write docs/performance.md

SLUICE_BINARY names the executable to measure; without it dist/sluice is, if it is there, and else
the source, run by this Deno.
`;

/** 1,000,000 accounts: fits in memory, so that the disk does not take part. */
const SCALE = 10;

/** More than the largest workload has clients. */
const MAX_CONNECTIONS = 250;

/** Connect storms above this only measure how PostgreSQL starts processes. */
const CONNECT_CLIENTS = 8;

interface Options {
  readonly workloads: readonly Workload[];
  readonly workers: number;
  readonly isFromSource: boolean;
  readonly rounds: number;
  readonly isWriting: boolean;
}

interface Programs {
  readonly pgbench: string;
  readonly psql: string;
  readonly pgbouncer: string;
}

/** What is known when everything runs. */
interface Field {
  readonly programs: Programs;
  readonly contestants: readonly Contestant[];
  /** An empty folder for pgbench's logs. */
  readonly folder: string;
  readonly loadAverage: number;
  /** Aborted when the user interrupts: what was started must be stopped, too. */
  readonly signal: AbortSignal;
}

/** A wrong argument or a missing program: said in one line, not with a stack. */
class BenchError extends Error {
  override readonly name = "BenchError";
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: "string", default: "1,8,32" },
      protocol: { type: "string", default: "simple" },
      connect: { type: "boolean", default: false },
      workers: { type: "string", default: "1" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      source: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const { protocol, quick } = values;
  if (protocol !== "simple" && protocol !== "extended" && protocol !== "prepared") {
    throw new BenchError(`--protocol must be simple, extended or prepared, and is ${protocol}`);
  }
  const seconds = wholeNumber("--seconds", values.seconds ?? (quick ? "2" : "6"));
  const workloads = values.clients.split(",").map((text): Workload => {
    const clients = wholeNumber("--clients", text);
    if (clients >= MAX_CONNECTIONS - 10) throw new BenchError(`--clients must be below 240`);
    return { clients, seconds, protocol, reconnects: false };
  });
  if (values.connect) {
    workloads.push({ clients: CONNECT_CLIENTS, seconds, protocol, reconnects: true });
  }
  return {
    workloads,
    workers: wholeNumber("--workers", values.workers),
    isFromSource: values.source,
    rounds: wholeNumber("--rounds", values.rounds ?? (quick ? "2" : "5")),
    isWriting: values.write,
  };
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new BenchError(`${option} must be a whole number from 1 to 9999, and is ${text}`);
  }
  return Number(text);
}

async function findPrograms(binDir: string): Promise<Programs> {
  const [pgbench, psql, pgbouncer] = await Promise.all([
    findProgram("pgbench", [binDir]),
    findProgram("psql", [binDir]),
    findProgram("pgbouncer"),
  ]);
  const missing = Object.entries({ pgbench, psql, pgbouncer })
    .filter(([, path]) => path === undefined).map(([name]) => name);
  if (pgbench === undefined || psql === undefined || pgbouncer === undefined) {
    throw new BenchError(
      `Cannot compare without ${missing.join(" and ")}: install it (Debian and Ubuntu: ` +
        "apt-get install postgresql postgresql-contrib pgbouncer) or put it on the search path",
    );
  }
  return { pgbench, psql, pgbouncer };
}

async function measure(
  { programs, folder, signal }: Field,
  contestant: Contestant,
  workload: Workload,
): Promise<Measurement> {
  const { processId } = contestant;
  const before = processId === undefined ? 0 : cpuSeconds(processId);
  const target = targetOf(contestant);
  const result = await runPgbench(programs.pgbench, target, workload, folder, signal);
  const after = processId === undefined ? undefined : cpuSeconds(processId);
  return {
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
function inOrderOf(round: number, contestants: readonly Contestant[]): readonly Contestant[] {
  const first = round % contestants.length;
  return [...contestants.slice(first), ...contestants.slice(0, first)];
}

async function runRounds<T>(
  rounds: number,
  contestants: readonly Contestant[],
  run: (contestant: Contestant) => Promise<T>,
): Promise<ReadonlyMap<Contestant["name"], readonly T[]>> {
  const results = new Map(contestants.map(({ name }) => [name, [] as T[]]));
  for (let round = 0; round < rounds; round += 1) {
    for (const contestant of inOrderOf(round, contestants)) {
      results.get(contestant.name)!.push(await run(contestant));
    }
  }
  return results;
}

async function compareTransactions(field: Field, options: Options): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for (const workload of options.workloads) {
    const name = workloadName(workload);
    printError(`${name} ...\n`);
    const rounds = await runRounds(
      options.rounds,
      field.contestants,
      (contestant) => measure(field, contestant, workload),
    );
    cells.push({ workload: name, rounds });
  }
  return cells;
}

async function compareTransfers(field: Field, options: Options): Promise<readonly TransferCell[]> {
  const cells: TransferCell[] = [];
  for (const transfer of TRANSFERS) {
    printError(`${transfer.name} ...\n`);
    const rounds = await runRounds(
      options.rounds,
      field.contestants,
      (contestant) =>
        runTransfer(field.programs.psql, targetOf(contestant), transfer, field.signal),
    );
    cells.push({ transfer: transfer.name, rounds });
  }
  return cells;
}

function workloadName({ clients, protocol, reconnects }: Workload): string {
  const suffix = reconnects ? ", -C" : "";
  return `${clients} ${clients === 1 ? "client" : "clients"}, ${protocol}${suffix}`;
}

function targetOf({ port }: { readonly port: number }): Target {
  return { host: "127.0.0.1", port, user: "postgres", database: "postgres" };
}

async function compare(options: Options, signal: AbortSignal): Promise<void> {
  const [loadAverage = 0] = Deno.loadavg();
  const binaries = await obtainPostgres();
  const programs = await findPrograms(binaries.binDir);
  // Below /tmp and open to all: as root, another user runs PgBouncer.
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "sluice-bench-" });
  try {
    await Deno.chmod(folder, 0o755);
    const logs = join(folder, "logs");
    await Deno.mkdir(logs);
    const settings = { "max_connections": String(MAX_CONNECTIONS) };
    await using postgres = await startPostgres({
      binDir: binaries.binDir,
      auth: "trust",
      settings,
    });
    printError(`making ${SCALE * 100_000} accounts ...\n`);
    await initializePgbench(programs.pgbench, targetOf(postgres), SCALE, signal);
    await using pgBouncer = await startPgBouncer(programs.pgbouncer, postgres.port, folder);
    const binary = options.isFromSource ? undefined : await findSluice();
    const sluiceOptions = { binary, workers: options.workers };
    await using sluice = await startSluice(sluiceOptions, postgres.port, folder);
    const contestants = [directTo(postgres), pgBouncer, sluice];
    await report({ programs, contestants, folder: logs, loadAverage, signal }, options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function directTo({ port, version }: EmbeddedPostgres): Contestant {
  const description = `PostgreSQL ${version}, settings as initdb makes them`;
  return { name: "direct", port, processId: undefined, description };
}

async function report(field: Field, options: Options): Promise<void> {
  const { seconds } = options.workloads[0]!;
  for (const { description } of field.contestants) printError(`${description}\n`);
  const transactions = transactionTable(await compareTransactions(field, options));
  const transfers = transferTable(await compareTransfers(field, options));
  print(`\n${asText(transactions)}\n${asText(transfers)}`);
  if (!options.isWriting) return;
  const page = performancePage(
    {
      date: new Date().toISOString().slice(0, 10),
      ...describeMachine(),
      cores: navigator.hardwareConcurrency,
      programs: field.contestants.map(({ description }) => description),
      loadAverage: field.loadAverage,
      rounds: options.rounds,
      seconds,
      scale: SCALE,
      hasReconnects: options.workloads.some(({ reconnects }) => reconnects),
    },
    transactions,
    transfers,
  );
  const path = join(import.meta.dirname!, "..", "docs", "performance.md");
  await Deno.writeTextFile(path, page);
  printError(`wrote ${path}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    print(USAGE);
    return 0;
  }
  if (Deno.build.os !== "linux") {
    printError("Cannot compare here: CPU times are read from /proc, which is Linux's\n");
    return 1;
  }
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new BenchError("interrupted"));
  Deno.addSignalListener("SIGINT", interrupt);
  Deno.addSignalListener("SIGTERM", interrupt);
  try {
    await compare(optionsOf(args), interruption.signal);
    return 0;
  } catch (error) {
    printError(`${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
