/**
 * Runs a cell: starts its entries, warms them up, and has them do its work in interleaved rounds.
 * What an entry gets wrong is its own outcome; the others go on.
 *
 * @module
 */

import { messageOf } from "../src/base/errors.ts";
import {
  type Cell,
  COMPILING_LOGINS_SECONDS,
  COMPILING_QUERIES,
  FEW_CLIENTS,
  openingSeconds,
  poolSizeOf,
  roundsOf,
  WARM_UP_SECONDS,
} from "./cells.ts";
import { measureIdle } from "./idle_clients.ts";
import { runTransfer, type Transfer } from "./large_results.ts";
import { type Entry, isSluice } from "./peers/peers.ts";
import {
  type CertificateFiles,
  type Contestant,
  pause,
  type RunningProxy,
} from "./peers/running_proxy.ts";
import type { Workload } from "./pgbench.ts";
import { countProcesses, cpuSeconds, memoryBytes } from "./process_usage.ts";
import type { CellResult, Outcome, Run } from "./results.ts";
import { inOrderOf, measureRun, targetOf } from "./rounds.ts";

/** Clients of all entries together in session mode; with more, entries run one after the other. */
export const SESSIONS_MAX = 1_200;

/** A proxy lets in more than a cell has: those of the last run may still be leaving. */
const SPARE_CLIENTS = 200;

/** How long the server may need to notice that its clients are gone. */
const QUIET_TIMEOUT_MS = 15_000;
const QUIET_PAUSE_MS = 50;

/** What is waited for server connections, beyond what any run is given. */
const OPENING_SECONDS = 30;

/** Of queries that are there to be compiled: enough to keep it busy. */
const COMPILING_CLIENTS = 8;

/** These queries take seconds, and more on a machine that has other things to do. */
const COMPILING_PATIENCE_SECONDS = 120;

/** Where cells are run. */
export interface Field {
  readonly pgbench: string;
  readonly psql: string;
  readonly postgres: { readonly port: number; readonly processId: number };
  /** The server's processes when it has no clients. */
  readonly serverProcesses: number;
  /** Open to all users. */
  readonly folder: string;
  /** An empty folder for pgbench's logs. */
  readonly logs: string;
  /** Undefined if it cannot be made; `whyNoTls` says why. */
  readonly certificate: CertificateFiles | undefined;
  readonly whyNoTls: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Server connections in transaction mode. */
  readonly poolSize: number;
  /** Aborted when the user interrupts: what was started must be stopped, too. */
  readonly signal: AbortSignal;
}

/**
 * True if a cell's entries cannot run next to one another: together they would have more server
 * connections than are good for anybody, or what one has kept from the last run would count.
 */
export function isApart({ kind, mode, clients }: Cell, entries: number): boolean {
  return kind === "idle" || mode === "session" && clients * entries > SESSIONS_MAX;
}

/** Runs a cell. @throws {unknown} The signal's reason when it is aborted, and nothing else. */
export async function runCell(
  field: Field,
  cell: Cell,
  entries: readonly Entry[],
): Promise<CellResult> {
  const outcomes = new Map<string, Outcome>();
  const able: Entry[] = [];
  for (const entry of entries) {
    const noTls = cell.kind === "tls" && field.certificate === undefined;
    const why = noTls ? field.whyNoTls : entry.subject.cannot(cell);
    outcomes.set(entry.name, why === undefined ? NO_RUNS : { kind: "left out", why });
    if (why === undefined) able.push(entry);
  }
  await using stage = new Stage(field, cell);
  const apart = isApart(cell, able.length);
  await untilQuiet(field);
  for (let round = 0; round < roundsOf(cell.kind, field.rounds); round += 1) {
    for (const entry of inOrderOf(round, able)) {
      const outcome = outcomes.get(entry.name)!;
      if (outcome.kind !== "measured") continue;
      field.signal.throwIfAborted();
      try {
        const run = await measure(field, cell, await stage.ready(entry));
        outcomes.set(entry.name, { kind: "measured", runs: [...outcome.runs, run] });
        if (apart) await stage.stop(entry);
      } catch (error) {
        field.signal.throwIfAborted();
        outcomes.set(entry.name, { kind: "failed", why: messageOf(error) });
        await stage.stop(entry);
      }
    }
  }
  return { cell, outcomes };
}

const NO_RUNS: Outcome = { kind: "measured", runs: [] };

/** What runs, and what warming it up has shown. */
interface Ready {
  readonly proxy: RunningProxy;
  /** Until all clients are connected. */
  readonly connectingSeconds: number;
}

/** The entries of a cell that run, each started when it is first asked for. */
class Stage implements AsyncDisposable {
  readonly #field: Field;
  readonly #cell: Cell;
  readonly #running = new Map<string, RunningProxy>();
  readonly #ready = new Map<string, Ready>();

  constructor(field: Field, cell: Cell) {
    this.#field = field;
    this.#cell = cell;
  }

  /** The entry, started and warmed up. @throws {Error} If it does not start, or fails at once. */
  async ready(entry: Entry): Promise<Ready> {
    const known = this.#ready.get(entry.name);
    if (known !== undefined) return known;
    const proxy = await this.#start(entry);
    this.#running.set(entry.name, proxy);
    const connectingSeconds = await warmUp(this.#field, this.#cell, entry, proxy);
    const ready = { proxy, connectingSeconds };
    this.#ready.set(entry.name, ready);
    return ready;
  }

  async #start({ subject, workers }: Entry): Promise<RunningProxy> {
    const { clients, kind, mode } = this.#cell;
    const { certificate, postgres, poolSize } = this.#field;
    // As root, another user runs most of them, and writes there.
    const folder = await Deno.makeTempDir({ dir: this.#field.folder, prefix: "peer-" });
    await Deno.chmod(folder, 0o777);
    return await subject.start({
      mode,
      poolSize: poolSizeOf(this.#cell, poolSize),
      clientsMax: clients + SPARE_CLIENTS,
      workers,
      tls: kind === "tls" ? certificate : undefined,
      postgresPort: postgres.port,
      folder,
    });
  }

  async stop({ name }: Entry): Promise<void> {
    await this.#running.get(name)?.[Symbol.asyncDispose]();
    this.#running.delete(name);
    this.#ready.delete(name);
    await untilQuiet(this.#field);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#running.values()];
    await Promise.all(all.map((running) => running[Symbol.asyncDispose]()));
  }
}

/**
 * The same work, not counted: compilers see the code, and pools get their connections.
 *
 * @returns How long it takes to connect all clients, in seconds.
 */
async function warmUp(
  field: Field,
  cell: Cell,
  { subject, workers }: Entry,
  contestant: Contestant,
): Promise<number> {
  const { kind, clients, transfer } = cell;
  // Idle clients of its own come first there.
  if (kind === "idle") return 0;
  if (transfer !== undefined) {
    await measureTransfer(field, transfer, contestant);
    return 0;
  }
  const { pgbench: program, logs: folder, signal } = field;
  const run = (workload: Workload) => measureRun(contestant, { program, workload, folder, signal });
  let workload = workloadOf(cell, WARM_UP_SECONDS);
  if (isSluice(subject.name)) {
    const few = Math.min(clients, COMPILING_CLIENTS);
    const transactionsEach = Math.ceil(COMPILING_QUERIES * workers / few);
    const seconds = COMPILING_PATIENCE_SECONDS;
    await run({ ...workload, clients: few, transactionsEach, seconds, reconnects: false });
    if (kind === "connect") await run({ ...workload, seconds: COMPILING_LOGINS_SECONDS });
  }
  if (clients > FEW_CLIENTS && kind !== "connect") {
    // Many server connections can take longer to open than a run lasts. A client that has left
    // gives its own to the next one, so none of them leaves before all have theirs.
    const holdSeconds = openingSeconds(cell);
    const opening = {
      ...workload,
      seconds: OPENING_SECONDS,
      transactionsEach: 1,
      ...holdSeconds > 0 && { holdSeconds },
    };
    workload = { ...workload, connectingSeconds: (await run(opening)).connectingSeconds };
  }
  return (await run(workload)).connectingSeconds;
}

async function measure(field: Field, cell: Cell, ready: Ready): Promise<Run> {
  const { proxy, connectingSeconds } = ready;
  if (cell.kind === "idle") return { ...await measureIdle(proxy, cell.clients, field.signal) };
  if (cell.transfer !== undefined) return await measureTransfer(field, cell.transfer, proxy);
  const measured = await measureRun(proxy, {
    program: field.pgbench,
    workload: { ...workloadOf(cell, field.seconds), connectingSeconds },
    folder: field.logs,
    signal: field.signal,
  });
  const { cpuMicrosecondsPerTransaction: cpuMicroseconds, memoryMiB } = measured;
  return {
    tps: measured.transactionsPerSecond,
    p50Ms: measured.p50Ms,
    p99Ms: measured.p99Ms,
    p999Ms: measured.p999Ms,
    ...cpuMicroseconds === undefined ? {} : { cpuMicroseconds },
    ...memoryMiB === undefined ? {} : { memoryMiB },
  };
}

/** What pgbench does in a cell. */
function workloadOf({ kind, clients, protocol }: Cell, seconds: number): Workload {
  return { clients, seconds, protocol, reconnects: kind === "connect" };
}

async function measureTransfer(
  { psql, signal }: Field,
  transfer: Transfer,
  contestant: Contestant,
): Promise<Run> {
  const { processIds } = contestant;
  const before = cpuSeconds(processIds);
  const rate = await runTransfer(psql, targetOf(contestant), transfer, signal);
  if (processIds.length === 0) return { megabytesPerSecond: rate };
  const milliseconds = (cpuSeconds(processIds) - before) * 1000;
  return {
    megabytesPerSecond: rate,
    cpuMillisecondsPerMegabyte: milliseconds / transfer.megabytes,
    memoryMiB: memoryBytes(processIds) / 2 ** 20,
  };
}

/** Waits for the server to end the processes of clients that are gone, though not for ever. */
async function untilQuiet({ postgres, serverProcesses, signal }: Field): Promise<void> {
  const deadline = Date.now() + QUIET_TIMEOUT_MS;
  const isBusy = () => countProcesses([postgres.processId]) > serverProcesses;
  while (!signal.aborted && isBusy() && Date.now() < deadline) await pause(QUIET_PAUSE_MS);
}
