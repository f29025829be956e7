/**
 * What plugins cost: gateways with and without them in interleaved rounds of select-only pgbench,
 * sessions in memory, and single calls next to calls of a plugin in another process. Starts
 * everything it needs, prints tables, and with `--write` writes its section of docs/performance.md.
 *
 *     deno run -A bench/plugins.ts --help
 *
 * @module
 */

import { join } from "node:path";
import { obtainPostgres, startPostgres } from "../src/cli/demo/embedded_postgres.ts";
import { print, printError } from "../src/cli/terminal.ts";
import { BenchError, runCommand } from "./command.ts";
import { buildGrpcPlugin, measureGrpc } from "./grpc_costs.ts";
import { buildHello, installPlugins, pluginCallsIn, setupsWith } from "./measured_plugins.ts";
import type { Setup } from "./measured_plugins.ts";
import { OWN_CONNECTIONS_MAX } from "./options.ts";
import { PLUGINS, withSection } from "./page_sections.ts";
import { findProgram, findSluice } from "./peers/find_program.ts";
import { describeSluice, type RunningSluice, startSluice } from "./peers/sluice.ts";
import { rewritePage, runFacts } from "./performance_file.ts";
import { initializePgbench, type Workload } from "./pgbench.ts";
import { calleeOf, measureCalls, measureSessions } from "./plugin_costs.ts";
import { type PluginOptions, pluginOptionsOf, USAGE } from "./plugin_options.ts";
import {
  type CallCell,
  type CallCost,
  callTable,
  memoryTable,
  type PluginCell,
  type PluginMeasurement,
  pluginSummary,
  pluginTable,
} from "./plugin_report.ts";
import { pluginsSection } from "./plugins_section.ts";
import { asText, type Table } from "./report.ts";
import { measureRun, runRounds, targetOf } from "./rounds.ts";

/** 100,000 accounts: the database is to be as little of it as possible. */
const SCALE = 1;

/**
 * Of all gateways together with each protocol, before anything is measured. The engine compiles in
 * steps, and has a session's whole path in its last one only after some 40,000 queries: before, a
 * path that is longer, as through plugins, looks several times as dear as it is.
 */
const WARM_UP_SECONDS = 60;

/** Bytes that are shown to plugins in single calls: a small query, a large one, a large row. */
const PAYLOAD_SIZES = [64, 1024, 16_384];

/** In this process, before it compares anything: the median of so many is shown. */
const MEMORY_ROUNDS = 9;

const READING = "plugin that reads it";

/** What was measured, as tables, and what a reader must know of it. */
interface Results {
  readonly programs: string[];
  readonly omissions: string[];
  readonly tables: Partial<Record<"summary" | "pgbench" | "memory" | "calls", Table>>;
}

/** What every run of pgbench needs. */
interface Field {
  readonly options: PluginOptions;
  readonly setups: readonly Setup[];
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly results: Results;
}

async function measureCallCosts({ options, folder, results }: Field): Promise<void> {
  const grpc = await buildGrpcPlugin(folder).catch((error: Error) => error.message);
  if (typeof grpc === "string") results.omissions.push(`gRPC: ${grpc}`);
  else results.programs.push(grpc.description);
  const cells: CallCell[] = [];
  for (const payloadSize of PAYLOAD_SIZES) {
    printError(`calls with ${payloadSize} bytes ...\n`);
    const callees = [
      await calleeOf(READING, "look", payloadSize),
      await calleeOf("plugin that replaces it", "replace", payloadSize),
    ];
    const contestants: { name: string; measure: () => CallCost | Promise<CallCost> }[] = callees
      .map((callee) => ({ name: callee.name, measure: () => measureCalls(callee) }));
    if (typeof grpc !== "string") {
      const { program } = grpc;
      contestants.push(
        { name: "gRPC, no TLS", measure: () => measureGrpc(program, payloadSize, "plain") },
        { name: "gRPC, mutual TLS", measure: () => measureGrpc(program, payloadSize, "mtls") },
      );
    }
    const rounds = await runRounds(options.rounds, contestants, ({ measure }) => measure());
    cells.push({ payloadSize, rounds });
  }
  results.tables.calls = callTable(cells, READING);
}

async function measurePgbench(field: Field): Promise<void> {
  const { options, folder, results, signal } = field;
  const { binDir } = await obtainPostgres();
  const program = await findProgram("pgbench", [binDir]);
  if (program === undefined) {
    throw new BenchError(
      "Cannot measure without pgbench: install it (Debian and Ubuntu: apt-get install " +
        "postgresql-contrib) or put it on the search path",
    );
  }
  const settings = { "max_connections": String(OWN_CONNECTIONS_MAX) };
  await using postgres = await startPostgres({ binDir, auth: "trust", settings });
  results.programs.push(`PostgreSQL ${postgres.version}, settings as initdb makes them`);
  await initializePgbench(program, targetOf(postgres), SCALE, signal);
  const cells: PluginCell[] = [];
  for (const mode of options.modes) {
    await using gateways = new AsyncDisposableStack();
    const running = await startGateways(field, mode, postgres.port, gateways);
    if (mode === options.modes[0]) {
      const { isFromSource, workers } = options;
      const binary = isFromSource ? undefined : await findSluice();
      const threads = workers === 1 ? "1 worker" : `${workers} workers`;
      results.programs.push(`${await describeSluice({ binary })}, ${threads}`);
    }
    const logs = await Deno.makeTempDir({ dir: folder });
    await warmUp(field, running, program);
    for (const workload of options.workloads) {
      const name = workloadName(workload, mode);
      printError(`${name} ...\n`);
      const run = (gateway: RunningSluice) =>
        measureGateway(gateway, program, workload, logs, signal);
      cells.push({ workload: name, rounds: await runRounds(options.rounds, running, run) });
    }
  }
  results.tables.summary = pluginSummary(cells);
  results.tables.pgbench = pluginTable(cells);
}

/** Runs each protocol through all gateways at once: they share what the machine has. */
async function warmUp(
  { options, folder, signal }: Field,
  gateways: readonly RunningSluice[],
  program: string,
): Promise<void> {
  const { workloads } = options;
  const firsts = workloads.filter(({ protocol }, index) =>
    workloads.findIndex((other) => other.protocol === protocol) === index
  );
  for (const first of firsts) {
    printError(`warming up with ${first.protocol} queries ...\n`);
    const workload = { ...first, seconds: WARM_UP_SECONDS };
    await Promise.all(gateways.map(async (gateway) => {
      const own = await Deno.makeTempDir({ dir: folder });
      await measureRun(gateway, { program, workload, folder: own, signal });
    }));
  }
}

async function startGateways(
  { options, setups, folder }: Field,
  mode: "session" | "transaction",
  postgresPort: number,
  gateways: AsyncDisposableStack,
): Promise<readonly RunningSluice[]> {
  const binary = options.isFromSource ? undefined : await findSluice();
  const { workers } = options;
  const isTrusting = mode === "transaction";
  const poolSize = isTrusting ? options.poolSize : OWN_CONNECTIONS_MAX;
  const clientsMax = OWN_CONNECTIONS_MAX;
  const shape = { binary, workers, mode, poolSize, clientsMax, isTrusting };
  const running: RunningSluice[] = [];
  for (const [index, setup] of setups.entries()) {
    const own = join(folder, `${mode}-${index}`);
    await Deno.mkdir(own);
    const plugins = await installPlugins(setup, join(own, "plugins"));
    const all = { ...shape, name: setup.name, plugins };
    running.push(gateways.use(await startSluice(all, postgresPort, own)));
  }
  return running;
}

async function measureGateway(
  gateway: RunningSluice,
  program: string,
  workload: Workload,
  folder: string,
  signal: AbortSignal,
): Promise<PluginMeasurement> {
  const before = await callsOf(gateway);
  const measured = await measureRun(gateway, { program, workload, folder, signal });
  const calls = await callsOf(gateway) - before;
  return {
    ...measured,
    cpuMicrosecondsPerTransaction: measured.cpuMicrosecondsPerTransaction!,
    callsPerTransaction: calls / measured.transactions,
  };
}

async function callsOf({ metricsUrl }: RunningSluice): Promise<number> {
  return pluginCallsIn(await (await fetch(metricsUrl)).text());
}

function workloadName({ clients, protocol }: Workload, mode: string): string {
  return `${clients} clients, ${protocol}, ${mode} mode`;
}

async function measureAll(options: PluginOptions, signal: AbortSignal): Promise<void> {
  const [loadBefore = 0] = Deno.loadavg();
  const hello = await buildHello();
  const results: Results = { programs: [], omissions: [], tables: {} };
  if (typeof hello === "string") results.omissions.push(`AssemblyScript template: ${hello}`);
  const setups = setupsWith(typeof hello === "string" ? undefined : hello);
  const folder = await Deno.makeTempDir({ prefix: "sluice-bench-" });
  try {
    const field: Field = { options, setups, folder, signal, results };
    for (const part of options.parts) {
      signal.throwIfAborted();
      if (part === "pgbench") await measurePgbench(field);
      if (part === "grpc") await measureCallCosts(field);
      if (part !== "memory") continue;
      printError("sessions in memory ...\n");
      results.tables.memory = memoryTable(await measureSessions(setups, MEMORY_ROUNDS));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  report(results);
  if (options.isWriting) await write(options, results, loadBefore);
}

function report({ programs, omissions, tables }: Results): void {
  for (const program of programs) printError(`${program}\n`);
  for (const omission of omissions) printError(`left out: ${omission}\n`);
  for (const table of Object.values(tables)) print(`\n${asText(table)}`);
}

async function write(
  options: PluginOptions,
  { programs, omissions, tables }: Results,
  loadBefore: number,
): Promise<void> {
  const { summary, pgbench, memory, calls } = tables;
  if (!summary || !pgbench || !memory || !calls) throw new BenchError("Not all was measured");
  const facts = {
    ...runFacts(options),
    runtime: `Deno ${Deno.version.deno} (V8 ${Deno.version.v8})`,
    programs,
    omissions,
    loadBefore,
    loadAfter: Deno.loadavg()[0] ?? 0,
    scale: SCALE,
    poolSize: options.poolSize,
    warmUpSeconds: WARM_UP_SECONDS,
  };
  const section = pluginsSection(facts, { summary, pgbench, memory, calls });
  await rewritePage((page) => withSection(page, PLUGINS, section));
}

if (import.meta.main) {
  const run = (signal: AbortSignal) => measureAll(pluginOptionsOf(Deno.args), signal);
  Deno.exit(await runCommand(Deno.args, USAGE, run));
}
