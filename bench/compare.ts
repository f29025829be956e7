/**
 * Compares Sluice with PgBouncer, HAProxy, Pgpool-II, pgagroal, Odyssey and no proxy at all, in
 * cells of interleaved rounds. Starts everything it needs, prints tables, and with `--write` writes
 * docs/performance.md.
 *
 *     deno run -A bench/compare.ts --help
 *
 * @module
 */

import { join } from "node:path";
import { messageOf } from "../src/base/errors.ts";
import { obtainPostgres, startPostgres } from "../src/cli/demo/embedded_postgres.ts";
import { print, printError } from "../src/cli/terminal.ts";
import { type Field, isApart, runCell, SESSIONS_MAX } from "./cell_runs.ts";
import { type Cell, cellsOf, cellTitle, estimatedSeconds, poolSizeOf } from "./cells.ts";
import { makeCertificate } from "./certificate.ts";
import { BenchError, runCommand } from "./command.ts";
import { comparisonTable } from "./comparison_tables.ts";
import { type Options, optionsOf, USAGE } from "./options.ts";
import { PLUGINS, sectionOf, withSection } from "./page_sections.ts";
import { findProgram, findSluice } from "./peers/find_program.ts";
import { entriesOf, findSubjects, isSluice, type Lineup, type Subject } from "./peers/peers.ts";
import type { CertificateFiles } from "./peers/running_proxy.ts";
import { rewritePage, runFacts } from "./performance_file.ts";
import { performancePage } from "./performance_page.ts";
import { initializePgbench } from "./pgbench.ts";
import { countProcesses } from "./process_usage.ts";
import { asText } from "./report.ts";
import type { CellResult } from "./results.ts";
import { targetOf } from "./rounds.ts";
import { explanationsOf } from "./summary.ts";

/** 1,000,000 accounts: fits in memory, so that the disk does not take part. */
const SCALE = 10;

/** Of the server, beyond what is measured: reserved ones, and those that are still closing. */
const SPARE_CONNECTIONS = 200;

interface Programs {
  readonly binDir: string;
  readonly pgbench: string;
  readonly psql: string;
}

async function findPrograms(): Promise<Programs> {
  const { binDir } = await obtainPostgres();
  const [pgbench, psql] = await Promise.all([
    findProgram("pgbench", [binDir]),
    findProgram("psql", [binDir]),
  ]);
  if (pgbench === undefined || psql === undefined) {
    throw new BenchError(
      "Cannot compare without pgbench and psql: install them (Debian and Ubuntu: apt-get install " +
        "postgresql postgresql-contrib) or put them on the search path",
    );
  }
  return { binDir, pgbench, psql };
}

/** What is there for cells with TLS, or why there is nothing. */
async function certificateFor(cells: readonly Cell[], folder: string) {
  if (!cells.some(({ kind }) => kind === "tls")) return { certificate: undefined, whyNoTls: "" };
  try {
    return { certificate: await makeCertificate(folder), whyNoTls: "" };
  } catch (error) {
    return { certificate: undefined, whyNoTls: messageOf(error) };
  }
}

function serverSettings(cells: readonly Cell[], certificate: CertificateFiles | undefined) {
  const sessions = cells.map((cell) => poolSizeOf(cell, 0));
  const connections = Math.max(SESSIONS_MAX, ...sessions) + SPARE_CONNECTIONS;
  return {
    "max_connections": String(connections),
    ...certificate === undefined ? {} : {
      ssl: "on",
      "ssl_cert_file": certificate.certFile,
      "ssl_key_file": certificate.keyFile,
    },
  };
}

async function compare(options: Options, signal: AbortSignal): Promise<void> {
  const [loadBefore = 0] = Deno.loadavg();
  const programs = await findPrograms();
  const cells = cellsOf(options);
  // Below /tmp and open to all: as root, another user runs the peers.
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "sluice-bench-" });
  try {
    await Deno.chmod(folder, 0o755);
    const logs = join(folder, "logs");
    await Deno.mkdir(logs);
    const tls = await certificateFor(cells, folder);
    const { binDir } = programs;
    const settings = serverSettings(cells, tls.certificate);
    await using postgres = await startPostgres({ binDir, auth: "trust", settings });
    const binary = options.isFromSource ? undefined : await findSluice();
    const lineup = await findSubjects(postgres, { binary }, options.subjects);
    announce(lineup, cells, options);
    await initializePgbench(programs.pgbench, targetOf(postgres), SCALE, signal);
    const serverProcesses = countProcesses([postgres.processId]);
    const { rounds, seconds, poolSize } = options;
    const shape = { rounds, seconds, poolSize, serverProcesses };
    const field: Field = { ...programs, ...tls, ...shape, postgres, folder, logs, signal };
    const results = await runCells(field, cells, lineup.subjects);
    const reasons = explanationsOf(results);
    if (reasons !== "") print(`\nNot won:\n\n${reasons}\n`);
    if (options.isWriting) await write(options, lineup, results, loadBefore);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function runCells(
  field: Field,
  cells: readonly Cell[],
  subjects: readonly Subject[],
): Promise<readonly CellResult[]> {
  const results: CellResult[] = [];
  for (const [index, cell] of cells.entries()) {
    printError(`${index + 1}/${cells.length} ${cellTitle(cell)} ...\n`);
    const result = await runCell(field, cell, entriesOf(cell, subjects));
    print(`\n${cellTitle(cell)}\n${asText(comparisonTable([result]))}\n`);
    results.push(result);
  }
  return results;
}

/** Says who takes part, who does not, and how long it will take. */
function announce(
  { subjects, programs, missing }: Lineup,
  cells: readonly Cell[],
  { rounds, seconds }: Options,
): void {
  for (const program of programs) printError(`found: ${program}\n`);
  for (const peer of missing) printError(`missing: ${peer}\n`);
  const estimates = cells.map((cell) => {
    const able = entriesOf(cell, subjects).filter(({ subject }) =>
      subject.cannot(cell) === undefined
    );
    const apart = isApart(cell, able.length);
    const sluices = able.filter(({ subject }) => isSluice(subject.name)).length;
    const shape = { subjects: able.length, sluices, isApart: apart, rounds, seconds };
    return estimatedSeconds(cell, shape);
  });
  const minutes = estimates.reduce((sum, estimate) => sum + estimate, 0) / 60;
  const names = subjects.map(({ name }) => name).join(", ");
  printError(
    `${cells.length} cells, ${rounds} rounds of ${seconds} s, through ${names}\n` +
      `this takes about ${Math.max(1, Math.round(minutes))} minutes; Ctrl-C ends it\n`,
  );
}

async function write(
  options: Options,
  { programs, missing }: Lineup,
  results: readonly CellResult[],
  loadBefore: number,
): Promise<void> {
  const facts = {
    ...runFacts(options),
    programs,
    missing,
    loadBefore,
    loadAfter: Deno.loadavg()[0] ?? 0,
    scale: SCALE,
    poolSize: options.poolSize,
    subjects: options.subjects,
  };
  const page = performancePage(facts, results);
  // What `plugins.ts` has written there stays.
  await rewritePage((written) => withSection(page, PLUGINS, sectionOf(written, PLUGINS)));
}

if (import.meta.main) {
  Deno.exit(await runCommand(Deno.args, USAGE, (signal) => compare(optionsOf(Deno.args), signal)));
}
