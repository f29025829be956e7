/**
 * A gateway between clients and servers that a test plays itself, so that the test reads as a
 * diagram of the protocol:
 *
 *     await client.says(query("select 1"));
 *     await server.hears(query("select 1"));
 *     await server.says(complete("SELECT 1"), ready());
 *     await client.hears(complete("SELECT 1"), ready());
 *
 * It is the whole data plane of one or more workers, on the memory driver and a clock that stands
 * still. Chance is seeded, so a dialogue is the same each time, to the byte.
 *
 * @module
 */

import type { Address } from "../../src/base/address.ts";
import { deepEqual, equal, ok } from "node:assert/strict";
import type { ClientConfig, PoolConfig, ServerConfig } from "../../src/config/config.ts";
import { DataPlane } from "../../src/data_plane.ts";
import { hooksToTest } from "./looking_on.ts";
import type { DataPlaneSnapshot, PeerMessage } from "../../src/data_plane_messages.ts";
import { actBuffer } from "../../src/observe/act_cells.ts";
import {
  counterBuffer,
  LISTENER_CELL,
  POOL_CELL,
  WorkerCounters,
} from "../../src/observe/counters.ts";
import type { LogRecord } from "../../src/observe/log_record.ts";
import { CLIENT_STATE_CELL, SERVER_STATE_CELL } from "../../src/observe/state_cells.ts";
import { budgetBuffer, SharedBudget } from "../../src/pool/shared_budget.ts";
import { placesBuffer } from "../../src/pool/shared_places.ts";
import type { StatementClass } from "../../src/postgres/routing/statement_class.ts";
import { type ServerTable, serverTableFor } from "../../src/upstream/server_table.ts";
import { writeMarksBuffer } from "../../src/upstream/write_marks.ts";
import { Actor } from "./actor.ts";
import {
  CLIENT_DEFAULTS,
  POOL_DEFAULTS,
  PROXY_DEFAULTS,
  SERVER_DEFAULTS,
  SNAPSHOT_DEFAULTS,
} from "./configs.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemoryNetwork } from "./memory_driver.ts";
import type { MemoryPeer } from "./memory_pipe.ts";
import { AUTH_OK, backendKeyData, cut, keyOf, ready, startup } from "./messages.ts";
import { Random } from "./random.ts";

export { Actor };

/** Where the gateway listens. */
const LISTENER: Address = { kind: "tcp", host: "127.0.0.1", port: 6432 };

/** Where the servers are, by the order in which they are tried. */
export const SERVERS: readonly Address[] = [
  { kind: "tcp", host: "10.0.0.1", port: 5432 },
  { kind: "tcp", host: "10.0.0.2", port: 5432 },
  { kind: "tcp", host: "10.0.0.3", port: 5432 },
];

/** What may differ from one dialogue to another. */
export interface WorldOptions {
  readonly workers: number;
  /** How many of {@linkcode SERVERS} there are. Each has a pool of its own. */
  readonly servers: number;
  readonly listener: Partial<ServerConfig>;
  readonly server: Partial<ClientConfig>;
  readonly pool: Partial<PoolConfig>;
  /** How often each worker was started before. */
  readonly generation: number;
  /** Tells reads from writes. */
  readonly classifier: { classify(text: Uint8Array): StatementClass };
  /** Changes what each worker is started with. */
  readonly alter: (snapshot: DataPlaneSnapshot) => DataPlaneSnapshot;
}

/** A client and a server whose session has begun. */
export interface Pair {
  readonly client: Actor;
  readonly server: Actor;
  /** What the client was told to cancel with. */
  readonly key: { readonly processId: number; readonly key: Uint8Array };
}

/** The server's own cancel key in every session that {@linkcode World.pair} begins. */
export const SERVER_KEY = { processId: 4711, key: Uint8Array.of(0xca, 0xfe, 0xba, 0xbe) } as const;

/** The gateway and everything around it. */
export class World {
  readonly clock = new FakeClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly log: LogRecord[] = [];
  readonly planes: DataPlane[] = [];
  /** Of all workers: tests put their plugins in. */
  readonly hooks = hooksToTest();
  readonly counters: WorkerCounters[] = [];
  readonly poolBudgets = new Map<string, SharedArrayBuffer>();
  readonly clientBudget: SharedArrayBuffer;
  /** Workers that do not answer their peers. */
  readonly deafWorkers = new Set<number>();
  /** Servers that workers have said could not be used, by their rows of the table. */
  readonly doubted: number[] = [];
  readonly #places: SharedArrayBuffer;
  readonly #clients: ReadonlyMap<string, ClientConfig>;
  readonly #writeMarks = writeMarksBuffer();
  readonly #classifier: WorldOptions["classifier"] | undefined;
  /** What is known of servers: tests write it in place of the control plane. */
  readonly table: ServerTable;
  readonly #schemaGeneration = new SharedArrayBuffer(4);
  readonly #workers: number;
  readonly #generation: number;
  readonly #peerMessages: (() => void)[] = [];

  private constructor(options: Partial<WorldOptions>) {
    const { workers = 1, servers = 1, generation = 0, alter = (one) => one } = options;
    this.#workers = workers;
    this.#generation = generation;
    this.#places = placesBuffer(workers);
    this.#classifier = options.classifier;
    const server: ServerConfig = {
      ...SERVER_DEFAULTS,
      address: LISTENER,
      proxies: SERVERS.slice(0, servers).map((_, index) => `db${index}`),
      ...options.listener,
    };
    const pool: PoolConfig = { ...POOL_DEFAULTS, ...options.pool };
    const client = { ...CLIENT_DEFAULTS, ...options.server };
    this.#clients = new Map(
      server.proxies.map((name, index) => [name, { ...client, address: SERVERS[index]! }]),
    );
    this.table = serverTableFor(this.#clients, workers);
    this.clientBudget = budgetBuffer(server.clientsMax, 0, workers);
    for (const name of server.proxies) {
      this.poolBudgets.set(name, budgetBuffer(pool.size, pool.waitersMax, workers));
    }
    for (let worker = 0; worker < workers; worker++) {
      this.#addPlane(alter(this.#snapshot(worker, server, pool)));
    }
  }

  /** Starts a gateway whose servers accept connections. */
  static async start(options: Partial<WorldOptions> = {}): Promise<World> {
    const world = new World(options);
    for (const plane of world.planes) await plane.listen();
    for (const address of SERVERS) world.network.answer(address, "accept");
    return world;
  }

  /** Lets everything happen that can happen without time passing. */
  async settle(): Promise<void> {
    await this.network.settle();
    for (let next = this.#peerMessages.shift(); next; next = this.#peerMessages.shift()) {
      next();
      await this.network.settle();
    }
    deepEqual(this.network.thrown, []);
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.pass(ms, () => this.settle());
  }

  /** Connects a client. */
  async client(worker = 0): Promise<Actor> {
    const actor = new Actor(this, this.network.connectPeer(LISTENER, worker));
    await this.settle();
    return actor;
  }

  /** The oldest connection that a server got and no test has asked for; fails if there is none. */
  async server(index = 0): Promise<Actor> {
    await this.settle();
    const peer = this.network.accepted(SERVERS[index]!).shift();
    ok(peer !== undefined, "the server has got a connection");
    return new Actor(this, peer);
  }

  /** One who plays the far end of a connection. */
  actor(peer: MemoryPeer): Actor {
    return new Actor(this, peer);
  }

  /** Checks that no server has got a connection that no test has asked for. */
  async noServer(index = 0): Promise<void> {
    await this.settle();
    equal(this.network.accepted(SERVERS[index]!).length, 0);
  }

  /** Begins a session: a client and its server, logged in without a password. */
  async pair(worker = 0, minorVersion = 0): Promise<Pair> {
    const client = await this.client(worker);
    await client.says(startup({ user: "ann" }, minorVersion));
    const server = await this.server();
    await server.hearsBytes(startup({ user: "ann" }, minorVersion));
    await server.says(
      AUTH_OK,
      backendKeyData(SERVER_KEY.processId, SERVER_KEY.key),
      ready(),
    );
    const messages = cut(client.peer.take());
    deepEqual(messages.map(({ tag }) => tag), ["R", "K", "Z"]);
    return { client, server, key: keyOf(messages[1]!.bytes) };
  }

  /** One of the listener's counters, over all workers. */
  count(cell: Exclude<keyof typeof LISTENER_CELL, "size">): number {
    return sum(this.counters.map((one) => one.listener("main").get(LISTENER_CELL[cell])));
  }

  /** One of a pool's counters, over all workers. */
  poolCount(cell: Exclude<keyof typeof POOL_CELL, "size">, pool = "db0"): number {
    return sum(this.counters.map((one) => one.pool(pool).get(POOL_CELL[cell])));
  }

  /** How many clients and servers there are in each state; states without any are left out. */
  states(): Readonly<Record<string, number>> {
    const clients = Object.entries(CLIENT_STATE_CELL).map(([state, cell]) =>
      [
        `client ${state}`,
        sum(this.counters.map((one) => one.listener("main").get(cell))),
      ] as const
    );
    const servers = [...this.poolBudgets.keys()].flatMap((pool) =>
      Object.entries({ ...SERVER_STATE_CELL, waiting: POOL_CELL.waiters }).map(([state, cell]) =>
        [`${pool} ${state}`, sum(this.counters.map((one) => one.pool(pool).get(cell)))] as const
      )
    );
    return Object.fromEntries([...clients, ...servers].filter(([, count]) => count !== 0));
  }

  /** How many errors clients were told of, by "server 42601" or "gateway 08006". */
  errors(): Readonly<Record<string, number>> {
    const errors: Record<string, number> = {};
    const counted = this.counters.flatMap(({ sqlStates }) => [...sqlStates.entries()]);
    for (const { source, sqlState, count } of counted) {
      const name = `${source} ${sqlState}`;
      errors[name] = (errors[name] ?? 0) + count;
    }
    return errors;
  }

  /** The records of the log with this text. */
  logged(message: string): LogRecord[] {
    return this.log.filter((record) => record.message === message);
  }

  /** Places taken in a pool. */
  inUse(pool = "db0"): number {
    return new SharedBudget(this.poolBudgets.get(pool)!, 0, this.#workers).inUse;
  }

  /** Checks that nothing is left: no state, no place taken, no socket, no timer. */
  async isOver(): Promise<void> {
    await this.settle();
    deepEqual(this.states(), {});
    for (const pool of this.poolBudgets.keys()) equal(this.inUse(pool), 0, "places taken");
    equal(new SharedBudget(this.clientBudget, 0, this.#workers).inUse, 0, "clients counted");
    equal(this.network.sockets.length, 0, "sockets");
    equal(this.clock.pending, 0, "timers");
    equal(this.logged("cannot count a fact").length, 0);
  }

  #addPlane(snapshot: DataPlaneSnapshot): void {
    const random = new Random(snapshot.worker + 1);
    this.counters.push(new WorkerCounters(snapshot.layout, snapshot.counters));
    this.planes.push(
      new DataPlane(snapshot, {
        driver: this.network.driver(),
        clock: this.clock,
        wallClockMs: () => this.clock.nowMs(),
        randomBytes: (size) => random.bytes(size),
        hooks: this.hooks,
        sink: { write: (record) => void this.log.push(record) },
        tellPeer: (worker, message) => this.#tellPeer(snapshot.worker, worker, message),
        classifiers: new Map(this.#classifier === undefined ? [] : [["main", this.#classifier]]),
        conditions: new Map(),
        onServerDoubted: (member) => void this.doubted.push(member),
      }),
    );
  }

  #tellPeer(from: number, to: number, message: PeerMessage): boolean {
    const plane = this.planes[to];
    if (plane === undefined) return false;
    const cloned = structuredClone(message);
    if (!this.deafWorkers.has(to)) {
      this.#peerMessages.push(() => plane.onPeerMessage(from, cloned));
    }
    return true;
  }

  #snapshot(
    worker: number,
    server: ServerConfig,
    config: PoolConfig,
  ): DataPlaneSnapshot {
    const layout = { listeners: ["main"], pools: [...server.proxies] };
    return {
      worker,
      workers: this.#workers,
      ...SNAPSHOT_DEFAULTS,
      generation: this.#generation,
      servers: new Map([["main", server]]),
      clients: this.#clients,
      proxies: new Map(
        server.proxies.map((name) => [name, { ...PROXY_DEFAULTS, client: name, pool: name }]),
      ),
      pools: new Map(
        [...this.poolBudgets].map(([name, budget]) => [name, { config, budget }]),
      ),
      clientBudgets: new Map([["main", this.clientBudget]]),
      places: this.#places,
      serverTable: this.table.buffer,
      writeMarks: this.#writeMarks,
      serverConnectionsMax: 0,
      schemaGeneration: this.#schemaGeneration,
      layout,
      counters: counterBuffer(layout),
      logLevel: "trace",
      logRecordsPerSecondMax: 1_000_000,
      actCells: actBuffer(4),
    };
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
