/**
 * The control plane's side of the workers: starts them, introduces them to one another, hears what
 * they report, and replaces one that dies. Traffic does not pass here.
 *
 * @module
 */

import type { Address } from "./base/address.ts";
import { mapValues } from "./base/maps.ts";
import type { Config, ServerConfig } from "./config/config.ts";
import { counterLayout } from "./counter_layout.ts";
import type { DataPlaneSnapshot, WorkerReport } from "./data_plane_messages.ts";
import { FleetThreads } from "./fleet_threads.ts";
import { counterBuffer, type CounterLayout, WorkerCounters } from "./observe/counters.ts";
import type { LogLevel, LogSink } from "./observe/log_record.ts";
import { clearGauges } from "./observe/state_cells.ts";
import { budgetBuffer, SharedBudget } from "./pool/shared_budget.ts";
import { placesBuffer, SharedPlaces } from "./pool/shared_places.ts";
import type { DriverKind } from "./net/net_thread.ts";
import type { PluginSpec } from "./plugin_host/plugin_spec.ts";
import { type ServerTable, serverTableFor } from "./upstream/server_table.ts";
import { writeMarksBuffer } from "./upstream/write_marks.ts";
import { mockKeyFrom } from "./mock_key.ts";
import type { ActMemory } from "./plugins/act_memory.ts";
import type { PluginMemory } from "./plugins/plugin_memory.ts";
import { PluginRounds } from "./plugins/plugin_rounds.ts";
import { RefreshRounds } from "./refresh_rounds.ts";

/** Log records a second that one worker may send: more is a flood that nobody reads. */
const LOG_RECORDS_PER_SECOND_MAX = 1000;

/** Pause before a dead worker is replaced: what killed it at start must not be a busy loop. */
const RESTART_PAUSE_MS = 500;

/** More deaths than this within {@linkcode RESTART_WINDOW_MS}, and the gateway gives up. */
const RESTARTS_MAX = 5;
const RESTART_WINDOW_MS = 60_000;

/** What the fleet is made from. */
export interface WorkerFleetOptions {
  readonly config: Config;
  /** How the workers use sockets. */
  readonly driver: DriverKind;
  readonly logLevel: LogLevel | "off";
  readonly log: LogSink;
  /** Where the workers' plugins count. */
  readonly pluginMemory: PluginMemory;
  /** Where their policies count. */
  readonly actMemory: ActMemory;
  readonly onServerDoubted?: (member: number) => void;
  /** Called once if workers die faster than they can be replaced. */
  readonly onFailure: (error: Error) => void;
  /** The module that a Worker runs; another one in tests. */
  readonly workerUrl?: URL;
}

/** What comes from a worker that has started, or tries to. */
type LaterReport = Exclude<WorkerReport, { readonly kind: "listening" | "cannot_listen" }>;

interface Member {
  readonly index: number;
  readonly worker: Worker;
  /** How often a worker of this index was started before. */
  readonly generation: number;
  /** What it was started with. */
  readonly config: Config;
  state: "starting" | "running" | "drained" | "dead";
}

/** All workers of one gateway. */
export class WorkerFleet {
  readonly layout: CounterLayout;
  /** One region a worker, in the order of their indexes. */
  readonly counters: readonly WorkerCounters[];
  readonly serverTable: ServerTable;
  readonly #options: WorkerFleetOptions;
  #config: Config;
  readonly #workers: number;
  readonly #counterBuffers: readonly SharedArrayBuffer[];
  readonly #poolBudgets: ReadonlyMap<string, SharedArrayBuffer>;
  readonly #clientBudgets: ReadonlyMap<string, SharedArrayBuffer>;
  readonly #userBudgets: ReadonlyMap<string, SharedArrayBuffer>;
  readonly #places: SharedArrayBuffer;
  readonly #threads: FleetThreads;
  readonly #writeMarks = writeMarksBuffer();
  readonly #schemaGeneration = new SharedArrayBuffer(4);
  readonly #mockKey: Uint8Array;
  readonly #members: Member[] = [];
  readonly #refreshes = new RefreshRounds<Member>();
  readonly #plugins: PluginRounds<Member>;
  /** What listens where: a port 0 means the same port to all, also to one that is restarted. */
  readonly #bound = new Map<string, Address>();
  #deathsMs: number[] = [];
  #isStopped = false;
  /** Set while draining; called when the last worker is done. */
  #onDrained: (() => void) | undefined;

  constructor(options: WorkerFleetOptions) {
    const { servers, clients, pools, users, runtime } = options.config;
    this.#options = options;
    this.#config = options.config;
    const workers = this.#workers = runtime.workers;
    this.layout = counterLayout(options.config);
    this.#counterBuffers = Array.from({ length: workers }, () => counterBuffer(this.layout));
    this.counters = this.#counterBuffers.map((buffer) => new WorkerCounters(this.layout, buffer));
    this.#poolBudgets = mapValues(
      pools,
      ({ size, waitersMax }) => budgetBuffer(size, waitersMax, workers),
    );
    const budgetOf = (clientsMax: number) => budgetBuffer(clientsMax, 0, workers);
    this.#clientBudgets = mapValues(servers, ({ clientsMax }) => budgetOf(clientsMax));
    const limited = new Map([...users].filter(([, { connectionsMax }]) => connectionsMax > 0));
    this.#userBudgets = mapValues(limited, ({ connectionsMax }) => budgetOf(connectionsMax));
    this.#places = placesBuffer(workers);
    this.serverTable = serverTableFor(clients, workers);
    this.#threads = new FleetThreads(options.driver, workers);
    this.#plugins = new PluginRounds({
      memory: options.pluginMemory,
      indexOf: ({ index }) => index,
      send: (member, command) => this.#threads.send(member, command),
      onProblem: ({ index }, error) =>
        this.#log("error", "worker cannot use plugins", { worker: index, error }),
    });
    this.#mockKey = mockKeyFrom(options.config);
  }

  /** Workers that serve now. */
  get runningCount(): number {
    return this.#members.filter((member) => member.state === "running").length;
  }

  /**
   * Starts all workers. The first one is alone until it listens, so that a port 0 means the same
   * port to all.
   *
   * @returns Every listener's address as bound.
   * @throws {Error} If one cannot be bound.
   */
  async start(): Promise<ReadonlyMap<string, Address>> {
    for (let index = 0; index < this.#workers; index++) {
      const addresses = await this.#spawn(index);
      for (const [name, address] of addresses) this.#bound.set(name, address);
    }
    return this.#bound;
  }

  /** Accepts nobody new; resolves when the last session is over. */
  drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onDrained = resolve;
    for (const member of this.#members) {
      if (member.state === "running") this.#threads.send(member, { kind: "drain" });
    }
    this.#checkDrained();
    return promise;
  }

  /**
   * Files that the configuration names have changed: has every worker use what they say now.
   * Resolves when all of them do.
   *
   * @throws {Error} If one cannot: it goes on with what it had, and whoever is started from now on
   * is given what was there before.
   */
  async refresh({ servers, clients, pools }: Config): Promise<void> {
    const before = this.#config;
    const changed = this.#config = { ...before, servers, clients, pools };
    const { serving, starting } = this.#alive();
    const answers = this.#refreshes.begin([...serving, ...starting]); // those are told later
    for (const member of serving) this.#refresh(member);
    const problems = await answers;
    if (problems.length === 0) return;
    if (this.#config === changed) this.#config = before;
    const texts = problems.map(({ member, problem }) => `worker ${member.index}: ${problem}`);
    throw new Error(texts.sort().join("; "));
  }

  /**
   * Has every worker run these plugins and no others. Resolves when all of them do; one that is
   * started from now on begins with them.
   *
   * @throws {Error} If one cannot: then all go on with what they had.
   */
  publishPlugins(plugins: readonly PluginSpec[]): Promise<void> {
    const { serving, starting } = this.#alive();
    return this.#plugins.publish(plugins, serving, starting);
  }

  /** Ends every session; each client is told. */
  terminate(): void {
    for (const member of this.#members) {
      if (member.state === "running") this.#threads.send(member, { kind: "terminate" });
    }
  }

  /** Ends the threads, whatever they are at. */
  stop(): void {
    this.#isStopped = true;
    for (const member of this.#members) {
      member.state = "dead";
      this.#threads.terminate(member);
    }
  }

  #alive(): { readonly serving: readonly Member[]; readonly starting: readonly Member[] } {
    const inState = (wanted: Member["state"]) =>
      this.#members.filter(({ state }) => state === wanted);
    return { serving: inState("running"), starting: inState("starting") };
  }

  #refresh(member: Member): void {
    const { clients, pools } = this.#config;
    const round = this.#refreshes.last;
    const servers = this.#serversOf(member.index);
    this.#threads.send(member, { kind: "refresh", round, servers, clients, pools });
  }

  /** Every worker listens on every TCP port. A Unix socket has one listener: they take turns. */
  #serversOf(index: number): Map<string, ServerConfig> {
    const mine = [...this.#config.servers].filter(([, { address }], position) =>
      address.kind === "tcp" || position % this.#workers === index
    );
    return new Map(
      mine.map((
        [name, server],
      ) => [name, { ...server, address: this.#bound.get(name) ?? server.address }]),
    );
  }

  #spawn(index: number): Promise<ReadonlyMap<string, Address>> {
    const { promise, resolve, reject } = Promise.withResolvers<
      ReadonlyMap<string, Address>
    >();
    const url = this.#options.workerUrl ?? new URL("./data_plane_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module", name: `sluice-worker-${index}` });
    const generation = (this.#members[index]?.generation ?? -1) + 1;
    const config = this.#config;
    const member: Member = { index, worker, generation, config, state: "starting" };
    worker.onmessage = ({ data: report }: MessageEvent<WorkerReport>) => {
      if (report.kind === "listening") {
        this.#onListening(member);
        resolve(report.addresses);
      } else if (report.kind === "cannot_listen") {
        this.#bury(member);
        reject(new Error(report.message));
        this.#checkDrained();
      } else {
        this.#onReport(member, report);
      }
    };
    worker.onerror = (event) => {
      event.preventDefault(); // it would end the whole process
      reject(new Error(event.message));
      this.#onDeath(member, event.message);
    };
    this.#introduce(member);
    this.#members[index] = member;
    this.#threads.send(member, { kind: "start", snapshot: this.#snapshotFor(member) });
    return promise;
  }

  #onListening(member: Member): void {
    member.state = "running";
    if (member.config === this.#config) this.#refreshes.forget(member);
    else this.#refresh(member); // files have changed meanwhile
    this.#plugins.onListening(member);
    if (this.#onDrained !== undefined) this.#threads.send(member, { kind: "drain" });
  }

  #onReport(member: Member, report: LaterReport): void {
    switch (report.kind) {
      case "refreshed":
        return this.#refreshes.onAnswer(member, report.round, report.problem);
      case "plugins_ready":
        return this.#plugins.onReady(member, report.round, report.problem);
      case "plugins_used":
        return this.#plugins.onUsed(member, report.round);
      case "plugin_series": {
        const { plugin, generation, series } = report;
        return this.#options.pluginMemory.onSeries(member.index, plugin, generation, series);
      }
      case "server_doubted":
        return this.#options.onServerDoubted?.(report.member);
      case "drained":
        member.state = "drained";
        return this.#checkDrained();
      case "log":
        return this.#options.log.write(report.record);
    }
  }

  #introduce(newcomer: Member): void {
    for (const member of this.#members) {
      const { index, state } = member;
      if (index === newcomer.index || state === "dead") continue;
      const { port1, port2 } = new MessageChannel();
      this.#threads.send(member, { kind: "peer", worker: newcomer.index, port: port1 }, [port1]);
      this.#threads.send(newcomer, { kind: "peer", worker: index, port: port2 }, [port2]);
    }
  }

  #snapshotFor(member: Member): DataPlaneSnapshot {
    const { clients, proxies, pools, users, plugins, act, runtime } = this.#config;
    const { index: worker, generation } = member;
    return {
      worker,
      workers: this.#workers,
      driver: this.#threads.driver,
      threads: this.#threads.memory,
      generation,
      servers: this.#serversOf(worker),
      clients,
      proxies,
      pools: mapValues(pools, (config, name) => ({ config, budget: this.#poolBudgets.get(name)! })),
      users,
      userBudgets: this.#userBudgets,
      serverTable: this.serverTable.buffer,
      writeMarks: this.#writeMarks,
      places: this.#places,
      serverConnectionsMax: runtime.serverConnectionsMax,
      schemaGeneration: this.#schemaGeneration,
      mockKey: this.#mockKey,
      clientBudgets: this.#clientBudgets,
      layout: this.layout,
      counters: this.#counterBuffers[worker]!,
      logLevel: this.#options.logLevel,
      logRecordsPerSecondMax: LOG_RECORDS_PER_SECOND_MAX,
      plugins: this.#plugins.startWith(member),
      tickIntervalMs: plugins.tickIntervalMs,
      arePluginsEnabled: plugins.enabled,
      act,
      actCells: this.#options.actMemory.bufferOf(worker),
    };
  }

  /** What ran is replaced; what had not reported yet is left to who started it. */
  #onDeath(member: Member, message: string): void {
    if (member.state === "dead") return;
    const wasRunning = member.state === "running";
    this.#bury(member);
    if (!wasRunning) return this.#checkDrained();
    this.#log("error", "worker died", { worker: member.index, error: message });
    if (this.#onDrained !== undefined) return this.#checkDrained();
    this.#replace(member.index, message);
  }

  /** Its sockets close with it. What it held, maybe before it reported, goes to those who wait. */
  #bury(member: Member): void {
    member.state = "dead";
    this.#threads.terminate(member);
    this.#threads.closeAll(member);
    this.#refreshes.forget(member);
    this.#plugins.forget(member);
    clearGauges(this.layout, this.counters[member.index]!);
    this.serverTable.connections.clear(member.index);
    this.#reclaim(member.index);
  }

  /** Starts another worker in a dead one's place; one that cannot start counts as a death, too. */
  #replace(index: number, message: string): void {
    const nowMs = Date.now();
    this.#deathsMs = [...this.#deathsMs.filter((ms) => nowMs - ms < RESTART_WINDOW_MS), nowMs];
    if (this.#deathsMs.length > RESTARTS_MAX) {
      const rule = `at most ${RESTARTS_MAX} may die within ${RESTART_WINDOW_MS / 1000} s`;
      return this.#options.onFailure(new Error(`Cannot keep workers running: ${rule}: ${message}`));
    }
    setTimeout(() => {
      if (this.#onDrained !== undefined || this.#isStopped) return;
      this.#spawn(index).then(
        () => this.#log("info", "worker restarted", { worker: index }),
        (error) => {
          this.#log("error", "worker cannot be restarted", { worker: index, error: error.message });
          this.#replace(index, error.message);
        },
      );
    }, RESTART_PAUSE_MS);
  }

  #reclaim(dead: number): void {
    for (const buffer of [...this.#clientBudgets.values(), ...this.#userBudgets.values()]) {
      new SharedBudget(buffer, dead, this.#workers).reclaim(dead);
    }
    new SharedPlaces(this.#places, dead, this.#workers, Date.now).reclaim(dead);
    for (const [pool, buffer] of this.#poolBudgets) {
      const turns = new SharedBudget(buffer, dead, this.#workers).reclaim(dead);
      for (const { worker, ticket } of turns) {
        this.#threads.send(this.#members[worker]!, { kind: "turn", pool, ticket });
      }
    }
  }

  #checkDrained(): void {
    if (this.#members.some(({ state }) => state === "running" || state === "starting")) return;
    this.#onDrained?.();
  }

  #log(level: LogLevel, message: string, fields: Record<string, string | number>): void {
    this.#options.log.write({ level, message, fields, timeMs: Date.now() });
  }
}
