/**
 * Compares Sluice with PgBouncer and with no proxy at all: select-only pgbench and large results,
 * in interleaved rounds, with a server connection for each client or with few for many. Starts
 * everything it needs, prints tables, and with `--write` writes docs/performance.md.
 *
 *     deno run -A bench/compare.ts --help
 *
 * @module
 */

import { join } from "node:path";
import {
  type EmbeddedPostgres,
  obtainPostgres,
  startPostgres,
} from "../src/cli/demo/embedded_postgres.ts";
import { print, printError } from "../src/cli/terminal.ts";
import { BenchError, runCommand } from "./command.ts";
import {
  type Contestant,
  findProgram,
  findSluice,
  type PoolOptions,
  type SluiceOptions,
  startPgBouncer,
  startSluice,
} from "./contestants.ts";
import { runTransfer, TRANSFERS } from "./large_results.ts";
import {
  type Options,
  optionsOf,
  OWN_CONNECTIONS_MAX,
  type SharingWorkloads,
  USAGE,
} from "./options.ts";
import { rewritePage, runFacts } from "./performance_file.ts";
import { performancePage } from "./performance_page.ts";
import { PLUGINS, sectionOf, withSection } from "./page_sections.ts";
import { initializePgbench, type Workload } from "./pgbench.ts";
import { asText, type Cell, transactionTable, type TransferCell, transferTable } from "./report.ts";
import { measureRun, runRounds, targetOf } from "./rounds.ts";

/** 1,000,000 accounts: fits in memory, so that the disk does not take part. */
const SCALE = 10;

/** More than the largest workload has server connections. */
const MAX_CONNECTIONS = OWN_CONNECTIONS_MAX + 10;

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

async function compareTransactions(
  field: Field,
  rounds: number,
  workloads: readonly Workload[],
  poolSize?: number,
): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for (const workload of workloads) {
    const name = workloadName(workload, poolSize);
    printError(`${name} ...\n`);
    const able = field.contestants.filter((contestant) => canRun(contestant, workload, poolSize));
    const run = (contestant: Contestant) =>
      measureRun(contestant, { ...field, program: field.programs.pgbench, workload });
    cells.push({ workload: name, rounds: await runRounds(rounds, able, run) });
  }
  return cells;
}

/** The server itself has no place for 1,000 clients; old PgBouncers lose prepared statements. */
function canRun(contestant: Contestant, workload: Workload, poolSize?: number): boolean {
  if (contestant.name === "direct") return workload.clients < OWN_CONNECTIONS_MAX;
  return poolSize === undefined || workload.protocol !== "prepared" ||
    contestant.sharesStatements;
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

function workloadName({ clients, protocol, reconnects }: Workload, poolSize?: number): string {
  const suffix = reconnects ? ", -C" : "";
  const servers = poolSize === undefined ? "" : `, ${poolSize} servers`;
  return `${clients} ${clients === 1 ? "client" : "clients"}${servers}, ${protocol}${suffix}`;
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
    const binary = options.isFromSource ? undefined : await findSluice();
    const start: Start = {
      postgres,
      sluice: { binary, workers: options.workers },
      field: { programs, contestants: [directTo(postgres)], folder: logs, loadAverage, signal },
      folder,
    };
    const shared = await measureSharing(start, options);
    if (options.workloads.length === 0) return print(`\n${asText(transactionTable(shared))}`);
    await inField(start, undefined, (field) => report(field, options, shared));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What starting contestants needs. */
interface Start {
  readonly postgres: EmbeddedPostgres;
  readonly sluice: SluiceOptions;
  /** The field with the server alone. */
  readonly field: Field;
  readonly folder: string;
}

/** Starts both proxies for `body`; with `pool` they share server connections. */
async function inField<T>(
  { postgres, sluice, field, folder }: Start,
  pool: PoolOptions | undefined,
  body: (field: Field) => Promise<T>,
): Promise<T> {
  const { pgbouncer } = field.programs;
  await using pgBouncer = await startPgBouncer(pgbouncer, postgres.port, folder, pool);
  const options = { ...sluice, ...pool === undefined ? {} : { pool } };
  await using gateway = await startSluice(options, postgres.port, folder);
  return await body({ ...field, contestants: [...field.contestants, pgBouncer, gateway] });
}

async function measureSharing(start: Start, options: Options): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  const measureOne = ({ poolSize, workloads }: SharingWorkloads) =>
    inField(
      start,
      { mode: "transaction", size: poolSize },
      (field) => compareTransactions(field, options.rounds, workloads, poolSize),
    );
  for (const workloads of options.sharing) cells.push(...await measureOne(workloads));
  return cells;
}

function directTo({ port, version }: EmbeddedPostgres): Contestant {
  const description = `PostgreSQL ${version}, settings as initdb makes them`;
  return { name: "direct", port, processId: undefined, description, sharesStatements: false };
}

async function report(
  field: Field,
  options: Options,
  shared: readonly Cell[],
): Promise<void> {
  for (const { description } of field.contestants) printError(`${description}\n`);
  const transactions = transactionTable(
    await compareTransactions(field, options.rounds, options.workloads),
  );
  const transfers = transferTable(await compareTransfers(field, options));
  const sharing = shared.length === 0 ? undefined : transactionTable(shared);
  print(`\n${asText(transactions)}\n${asText(transfers)}`);
  if (sharing !== undefined) print(`\n${asText(sharing)}`);
  if (!options.isWriting) return;
  const facts = {
    ...runFacts(options),
    programs: field.contestants.map(({ description }) => description),
    loadAverage: field.loadAverage,
    scale: SCALE,
    hasReconnects: options.workloads.some(({ reconnects }) => reconnects),
  };
  const page = performancePage(facts, transactions, transfers, sharing);
  // What `plugins.ts` has written there stays.
  await rewritePage((written) => withSection(page, PLUGINS, sectionOf(written, PLUGINS)));
}

if (import.meta.main) {
  Deno.exit(await runCommand(Deno.args, USAGE, (signal) => compare(optionsOf(Deno.args), signal)));
}
