/**
 * One worker's half of the gateway: listeners, sessions, pools, counters, built from a snapshot of
 * the configuration. It runs on any driver; `data_plane_worker.ts` runs it in a Worker.
 *
 * @module
 */

import type { Address } from "./base/address.ts";
import type { Conditions } from "./balancing_rules.ts";
import type { Clock } from "./base/clock.ts";
import type { SessionKeeper } from "./base/session_keeper.ts";
import type { ClientConfig, PoolConfig, ServerConfig } from "./config/config.ts";
import type { DataPlaneSnapshot, PeerMessage } from "./data_plane_messages.ts";
import type { HookSwitch } from "./hooks/hook_switch.ts";
import type { Driver, Listener } from "./net/socket.ts";
import { WorkerCounters } from "./observe/counters.ts";
import type { LogSink } from "./observe/log_record.ts";
import type { Observer } from "./observe/facts.ts";
import { Recorder } from "./observe/recorder.ts";
import { CLIENT_STATE_CELL } from "./observe/state_cells.ts";
import { Pool } from "./pool/pool.ts";
import { SharedBudget, type Turn } from "./pool/shared_budget.ts";
import {
  CANCEL_MS_MAX,
  CancelKeys,
  Canceller,
  type CancelResult,
  workerOf,
} from "./postgres/cancel.ts";
import type { Gateway, ListenerContext, RelayedClient } from "./postgres/gateway.ts";
import { SessionListener } from "./postgres/listener.ts";
import { Gate } from "./gate.ts";
import { GateFiles } from "./gate_files.ts";
import { RecentStartups } from "./postgres/recent_startups.ts";
import { PooledPlane } from "./pooled_plane.ts";
import { fractionOf } from "./base/fraction.ts";
import { inOrder, type RawClient } from "./raw/gateway.ts";
import { RawListener } from "./raw/listener.ts";
import { relayRoutes } from "./relay_routes.ts";
import { type Classifiers, ServerRouting } from "./server_routing.ts";
import { WriteMarks } from "./upstream/write_marks.ts";

/** What serves a listener's clients, whichever protocol they speak. */
type ProtocolListener = SessionListener | RawListener;

/** A peer that takes longer to answer has died. */
const PEER_TIMEOUT_MS = CANCEL_MS_MAX + 1_000;

/** More sessions than a worker can have before it is replaced: no two are to have one number. */
const SESSIONS_PER_GENERATION = 2 ** 32;

/** What the machine gives: replaced in tests. */
export interface DataPlaneParts {
  readonly driver: Driver;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallClockMs: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly sink: LogSink;
  /** Undefined where plugins are switched off. */
  readonly hooks: HookSwitch | undefined;
  /** Sends to another worker; returns false if there is none by that index. */
  readonly tellPeer: (worker: number, message: PeerMessage) => boolean;
  /** Of the listeners that send reads to replicas, by their names. */
  readonly classifiers: Classifiers;
  /** Of all listeners' balancing rules. */
  readonly conditions: Conditions;
  /** Tells the control plane that a server could not be used, or is not what it was taken for. */
  readonly onServerDoubted: (member: number) => void;
}

/** The listeners and sessions of one worker. */
export class DataPlane {
  readonly #snapshot: DataPlaneSnapshot;
  readonly #parts: DataPlaneParts;
  readonly #recorder: Recorder;
  readonly #counters: WorkerCounters;
  readonly #pools = new Map<string, Pool>();
  readonly #gateway: Gateway;
  readonly #canceller: Canceller;
  readonly #pooled: PooledPlane;
  readonly #routing: ServerRouting;
  readonly #gates = new Map<string, Gate>();
  readonly #listeners: Listener[] = [];
  readonly #sessions: SessionKeeper[] = [];
  readonly #cancelsAsked = new Map<number, (result: CancelResult) => void>();
  #lastCancel = 0;
  #lastSession: number;

  constructor(snapshot: DataPlaneSnapshot, parts: DataPlaneParts) {
    this.#snapshot = snapshot;
    this.#lastSession = snapshot.generation * SESSIONS_PER_GENERATION;
    this.#parts = parts;
    this.#counters = new WorkerCounters(snapshot.layout, snapshot.counters);
    this.#recorder = new Recorder({
      counters: this.#counters,
      sink: parts.sink,
      nowMs: parts.wallClockMs,
      level: snapshot.logLevel,
      recordsPerSecondMax: snapshot.logRecordsPerSecondMax,
    });
    this.#canceller = new Canceller(parts.driver, parts.clock);
    const cancelKeys = new CancelKeys(snapshot.worker, parts.randomBytes);
    this.#gateway = {
      driver: parts.driver,
      clock: parts.clock,
      observer: this.#recorder,
      cancelKeys,
      startups: new RecentStartups(),
      hooks: parts.hooks,
      cancel: (processId, key) => this.#cancel(processId, key),
      cancelAbandoned: (target) => this.#canceller.cancelQueued(target),
    };
    for (const name of snapshot.pools.keys()) this.#pools.set(name, this.#makePool(name));
    this.#routing = new ServerRouting({
      snapshot,
      clock: parts.clock,
      wallMs: parts.wallClockMs,
      random: () => fractionOf(parts.randomBytes(4)),
      marks: new WriteMarks(snapshot.writeMarks),
      classifiers: parts.classifiers,
      conditions: parts.conditions,
      onRuleFailed: (listener, { rule, reason: message }) =>
        this.#recorder.emit({ kind: "rule_failed", listener, rule, message }),
      onFailure: parts.onServerDoubted,
    });
    this.#pooled = new PooledPlane({
      routing: this.#routing,
      snapshot,
      driver: parts.driver,
      clock: parts.clock,
      wallClockMs: parts.wallClockMs,
      randomBytes: parts.randomBytes,
      observer: this.#recorder,
      counters: this.#counters,
      cancelKeys,
      canceller: this.#canceller,
      tellPlaces: (worker, message) => void parts.tellPeer(worker, { kind: "places", message }),
    });
  }

  /**
   * Starts every listener that is this worker's to start.
   *
   * @returns The addresses as bound, by listener.
   * @throws {Error} If one cannot be bound; then none is.
   */
  async listen(): Promise<Map<string, Address>> {
    const bound = new Map<string, Address>();
    try {
      for (const [name, server] of this.#snapshot.servers) {
        const protocol = this.#makeProtocolListener(name, server);
        const { address, keepAlive, noDelay, socketMode } = server;
        const reusePort = this.#snapshot.workers > 1;
        const options = { address, reusePort, keepAlive, noDelay, socketMode };
        const listener = await this.#parts.driver.listen(options, protocol);
        this.#listeners.push(listener);
        this.#sessions.push(protocol.sessions);
        bound.set(name, listener.address);
      }
    } catch (error) {
      this.#stopListening();
      throw error;
    }
    this.#pooled.prefill();
    return bound;
  }

  /** Takes what is to be counted and logged. */
  get observer(): Observer {
    return this.#recorder;
  }

  /** Takes what is only to be logged. */
  get log(): LogSink {
    return this.#recorder.log;
  }

  /** Clients that are connected now. */
  get sessionCount(): number {
    const cells = Object.values(CLIENT_STATE_CELL);
    return this.#snapshot.layout.listeners
      .map((name) => this.#counters.listener(name))
      .reduce((sum, group) => sum + cells.reduce((all, cell) => all + group.get(cell), 0), 0);
  }

  /** A message from another worker. */
  onPeerMessage(worker: number, message: PeerMessage): void {
    switch (message.kind) {
      case "turn":
        return this.#pools.get(message.pool)?.onTurn(message.ticket);
      case "cancel":
        void this.#cancelHere(message.processId, message.key).then((result) => {
          this.#parts.tellPeer(worker, { kind: "cancelled", request: message.request, result });
        });
        return;
      case "places":
        return this.#pooled.onPlaces(worker, message.message);
      case "cancelled":
        return this.#cancelsAsked.get(message.request)?.(message.result);
    }
  }

  /**
   * Files have changed: new connections and logins go by what they say now.
   *
   * @throws {Error} As {@linkcode GateFiles}; then all stays as it was, at every listener.
   */
  refresh(
    servers: ReadonlyMap<string, ServerConfig>,
    clients: ReadonlyMap<string, ClientConfig>,
    pools: ReadonlyMap<string, PoolConfig>,
  ): void {
    const prepared: [gate: Gate, files: GateFiles][] = [];
    try {
      for (const [name, server] of servers) {
        const gate = this.#gates.get(name);
        if (gate !== undefined) prepared.push([gate, new GateFiles(server)]);
      }
    } catch (error) {
      for (const [, files] of prepared) files[Symbol.dispose]();
      throw error;
    }
    // From here on nothing can fail, so that no listener is left with what another one has not.
    for (const [gate, files] of prepared) gate.use(files);
    this.#pooled.refresh(clients, pools);
  }

  /**
   * Accepts no more, and calls `onDrained` once every session is over and what it left on a server
   * has been cancelled and rolled back.
   */
  drain(onDrained: () => void): void {
    this.#stopListening();
    let left = this.#sessions.length;
    const finish = () =>
      this.#pooled.drain(() => {
        this.#recorder.flush();
        onDrained();
      });
    if (left === 0) return finish();
    for (const sessions of this.#sessions) {
      sessions.drain(() => {
        left -= 1;
        if (left === 0) finish();
      });
    }
  }

  /** Ends every session; each client is told 57P01. */
  terminate(): void {
    for (const sessions of this.#sessions) sessions.terminate();
  }

  #stopListening(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  #makePool(name: string): Pool {
    const { config, budget } = this.#snapshot.pools.get(name)!;
    const { worker, workers } = this.#snapshot;
    const options = {
      name,
      acquireTimeoutMs: config.acquireTimeoutMs,
      waitersMax: config.waitersMax,
    };
    return new Pool(
      options,
      new SharedBudget(budget, worker, workers),
      this.#parts.clock,
      ({ worker, ticket }: Turn) =>
        this.#parts.tellPeer(worker, { kind: "turn", pool: name, ticket }),
    );
  }

  #makeProtocolListener(name: string, server: ServerConfig): ProtocolListener {
    const { worker, workers, clientBudgets } = this.#snapshot;
    const budget = new SharedBudget(clientBudgets.get(name)!, worker, workers);
    const gate = new Gate(name, server, {
      pooled: this.#pooled,
      clock: this.#parts.clock,
      observer: this.#recorder,
      randomBytes: this.#parts.randomBytes,
      mockKey: this.#snapshot.mockKey,
    });
    this.#gates.set(name, gate);
    const routes = relayRoutes(server.proxies, {
      snapshot: this.#snapshot,
      routing: this.#routing,
      pools: this.#pools,
      counters: this.#counters,
      tlsOf: (client) => this.#pooled.tlsOf(client),
      mayStay: (route) => this.#routing.mayStay(name, server, route),
    });
    const routesFor = (client: RelayedClient) =>
      this.#routing.relayOrder(server, routes, { ...client, listener: name })
        .map((index) => routes[index]!);
    const options = { name, acquireTimeoutMs: 0, waitersMax: 0 };
    const clients = new Pool(options, budget, this.#parts.clock, () => {});
    const shared = { name, clients, tls: gate.tls, loginTimeoutMs: server.loginTimeoutMs };
    const nextNumber = () => {
      this.#lastSession += 1;
      return this.#lastSession * workers + worker;
    };
    if (server.protocol === "raw") {
      const { clientIdleTimeoutMs } = server;
      const parameters: ReadonlyMap<string, string> = new Map();
      const routing = (client: () => RawClient) =>
        inOrder(() => routesFor({ ...client(), parameters, proxy: undefined }));
      return new RawListener(
        this.#gateway,
        { ...shared, routing, clientIdleTimeoutMs },
        nextNumber,
      );
    }
    const context: ListenerContext = {
      ...shared,
      authentication: gate.context,
      need: this.#routing.needOf(server),
      routesFor,
      startupPacketSizeMax: server.startupPacketSizeMax,
      messageSizeMax: server.messageSizeMax,
    };
    return new SessionListener(this.#gateway, context, nextNumber);
  }

  #cancel(processId: number, key: Uint8Array): Promise<CancelResult> {
    const worker = workerOf(processId);
    if (worker === this.#snapshot.worker) return this.#cancelHere(processId, key);
    const { promise, resolve } = Promise.withResolvers<CancelResult>();
    const request = this.#lastCancel += 1;
    const message: PeerMessage = { kind: "cancel", request, processId, key };
    if (!this.#parts.tellPeer(worker, message)) return Promise.resolve({ outcome: "unknown" });
    const timer = this.#parts.clock.after(PEER_TIMEOUT_MS, () => {
      resolve({ outcome: "failed", message: `worker ${worker} did not answer` });
    });
    this.#cancelsAsked.set(request, resolve);
    return promise.finally(() => {
      timer.cancel();
      this.#cancelsAsked.delete(request);
    });
  }

  async #cancelHere(processId: number, key: Uint8Array): Promise<CancelResult> {
    const subject = this.#gateway.cancelKeys.find(processId, key);
    if (subject === undefined) return { outcome: "unknown" };
    const target = subject.target();
    if (target === undefined) return { outcome: "idle" };
    const release = subject.hold();
    const result = await this.#canceller.cancel(target);
    release(result);
    return result;
  }
}
