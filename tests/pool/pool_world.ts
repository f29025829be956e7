/**
 * Several workers with pools on one shared memory, servers that answer late or not at all, messages
 * that get lost, and workers that die; and the rules that hold whatever happens.
 *
 * @module
 */

import { equal, ok } from "node:assert/strict";
import type { Clock, Timer } from "../../src/base/clock.ts";
import type {
  Cap,
  CloseReason,
  Connector,
  PairSettings,
  PlaceMessage,
  WaitOutcome,
} from "../../src/pool/server_pool_types.ts";
import { PoolUse, ServerPools } from "../../src/pool/server_pools.ts";
import { placesBuffer, SharedPlaces } from "../../src/pool/shared_places.ts";
import {
  type FakeClient,
  type FakeServer,
  NEW_CLIENT,
  pairOf,
  PLAN,
  type Thread,
  type WorldPlan,
} from "./pool_world_parts.ts";
import { FakeClock } from "../support/fake_clock.ts";

/** Where the numbers of shared clocks wrap: tests go through it. */
const NEAR_WRAP_MS = 2 ** 32 - 1_000;

/** Workers, servers and clients. */
export class PoolWorld {
  readonly clock = new FakeClock();
  readonly plan: WorldPlan;
  readonly threads: Thread[] = [];
  /** All servers that have a socket. */
  readonly servers = new Set<FakeServer>();
  readonly clients: FakeClient[] = [];
  readonly outcomes: WaitOutcome[] = [];
  readonly closed: CloseReason[] = [];
  /** Attempts that are under way, by pair and thread. */
  readonly opening = new Set<{ readonly pair: string; readonly thread: Thread }>();
  /** Failed attempts and those that succeeded. */
  readonly opens = { opened: 0, failed: 0, cancelled: 0 };
  readonly messages: PlaceMessage[] = [];
  readonly #buffer: SharedArrayBuffer;
  /** An index of its own, which looks and never asks. */
  readonly #watcher: SharedPlaces;
  #lastId = 0;

  constructor(plan: Partial<WorldPlan> = {}) {
    this.plan = { ...PLAN, ...plan };
    const { workers, entriesMax } = this.plan;
    this.#buffer = placesBuffer(workers + 1, entriesMax);
    this.#watcher = this.#places(workers);
    for (let worker = 0; worker < workers; worker++) this.start(worker);
  }

  /** Starts a worker, for the first time or in the place of a dead one. */
  start(worker: number): void {
    const life = { isAlive: true };
    const pools = new ServerPools<FakeServer, string>({
      places: this.#places(worker),
      clock: this.#mortal(life),
      random: this.plan.random,
      settingsFor: ({ database, user }) => this.#settings(`${database}/${user}`, () => thread),
      tell: (to, message) => this.#tell(worker, to, message),
    });
    const thread: Thread = Object.assign(life, { worker, pools });
    this.threads[worker] = thread;
  }

  /** A worker dies with its sockets and clients. */
  kill(worker: number): void {
    const thread = this.threads[worker]!;
    thread.isAlive = false;
    for (const server of this.servers) if (server.thread === thread) this.servers.delete(server);
    for (const one of this.opening) if (one.thread === thread) this.opening.delete(one);
    for (const client of this.clients) {
      if (client.thread === thread && client.state === "waiting") client.state = "left";
    }
    this.#places(worker).reclaim(worker);
  }

  /** A client that asks in a worker; answers are in what is returned. */
  ask(worker: number, pair = "d/u"): FakeClient {
    const thread = this.threads[worker]!;
    const id = this.#lastId += 1;
    const sinceMs = this.clock.nowMs();
    const client: FakeClient = { ...NEW_CLIENT, id, pair, thread, sinceMs };
    this.clients.push(client);
    const use = thread.pools.use(pairOf(pair));
    ok(use instanceof PoolUse, String(use));
    client.use = use;
    client.acquisition = use.pool.acquire({
      onServer: (server) => this.#serve(client, server),
      onRefused: (refusal) => {
        this.#end(client, "refused");
        client.refusal = refusal;
        client.use![Symbol.dispose]();
      },
      onNotice: () => {
        equal(client.state, "waiting", "a notice comes while one waits");
        client.notices += 1;
      },
    });
    return client;
  }

  /** It does not wait any more. */
  leave(client: FakeClient): void {
    if (client.state === "waiting") this.#end(client, "left");
    client.acquisition!.cancel();
    client.acquisition!.cancel();
    client.use![Symbol.dispose]();
  }

  /** It gives its server back. */
  release(client: FakeClient): void {
    const server = this.#part(client);
    client.use!.pool.release(server);
    client.use![Symbol.dispose]();
  }

  /** Its server dies, and it knows. */
  lose(client: FakeClient): void {
    const server = this.#part(client);
    this.servers.delete(server);
    server.state = "gone";
    client.use!.pool.gone(server);
    client.use!.pool.gone(server);
    client.use!.pool.release(server); // late, and of no effect
    client.use![Symbol.dispose]();
  }

  /** A server's socket closes, whatever it is at: at once, or its end is announced before. */
  die(server: FakeServer, ms = 0): void {
    const { user, thread } = server;
    if (ms === 0 || server.state === "closing") {
      return user === undefined ? this.#vanish(server) : this.lose(user);
    }
    if (user !== undefined) this.#part(user);
    server.state = "closing";
    const pool = this.#poolOf(server)!;
    pool.ending(server);
    pool.ending(server);
    pool.release(server); // late, and of no effect
    user?.use?.[Symbol.dispose]();
    this.clock.after(ms, () => thread.isAlive && this.#vanish(server));
  }

  /** How many connections there are, over all workers, that a key counts. */
  inUse(key: string): number {
    const entry = this.#watcher.open(key);
    ok(typeof entry === "number");
    const count = this.#watcher.inUse(entry);
    this.#watcher.close(entry);
    return count;
  }

  /** The rules. */
  check(): void {
    const caps = new Map<string, Cap & { count: number }>();
    const counts = new Map<string, number>();
    for (const { pair } of [...this.servers, ...this.opening]) {
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
      for (const cap of this.plan.caps(pair)) {
        const known = caps.get(cap.name) ?? { ...cap, count: 0 };
        known.count += 1;
        caps.set(cap.name, known);
      }
    }
    for (const name of new Set(this.clients.map(({ pair }) => pair))) {
      const { size, reserve } = this.plan.options(name);
      const { pool, database, user } = pairOf(name);
      const count = counts.get(name) ?? 0;
      equal(this.inUse(`p\0${pool}\0${database}\0${user}`), count, "places are connections");
      ok(count <= size + reserve, `${count} connections of ${size} and ${reserve}`);
    }
    for (const { name, size, count } of caps.values()) {
      equal(this.inUse(`c\0${name}`), count, "a cap's places are connections");
      ok(count <= size, `${count} connections under the cap ${name} of ${size}`);
    }
    for (const { isAlive, pools } of this.threads) {
      if (!isAlive) continue;
      for (const [, pool] of pools.pools()) {
        const { idle, waiting, checking, opening } = pool.stats;
        const coming = pool.options.validation === "foreground" ? checking + opening : 0;
        ok(idle === 0 || waiting <= coming, "nobody waits while a connection can be given");
      }
    }
  }

  /** Time passes; the rules are checked after everything that happens. */
  async pass(ms: number): Promise<void> {
    await this.clock.pass(ms, () => {
      this.check();
      return Promise.resolve();
    });
  }

  #places(worker: number): SharedPlaces {
    return new SharedPlaces(
      this.#buffer,
      worker,
      this.plan.workers + 1,
      () => NEAR_WRAP_MS + this.clock.nowMs(),
    );
  }

  #mortal(life: { readonly isAlive: boolean }): Clock {
    return {
      nowMs: () => this.clock.nowMs(),
      after: (ms, run): Timer => this.clock.after(ms, () => life.isAlive && run()),
    };
  }

  #tell(from: number, to: number, message: PlaceMessage): void {
    this.messages.push(message);
    const ms = this.plan.messageMs();
    const thread = this.threads[to];
    if (ms === undefined || thread === undefined) return;
    this.clock.after(ms, () => thread.isAlive && thread.pools.onMessage(from, message));
  }

  #settings(pair: string, thread: () => Thread): PairSettings<FakeServer, string> {
    const { options, caps } = this.plan;
    return {
      options: options(pair),
      caps: caps(pair),
      connector: this.#connector(pair, thread),
      observer: {
        onWaitEnded: (outcome) => void this.outcomes.push(outcome),
        onOpenEnded: (outcome) => void (this.opens[outcome] += 1),
        onClosed: (reason) => void this.closed.push(reason),
      },
    };
  }

  #connector(pair: string, threadOf: () => Thread): Connector<FakeServer, string> {
    const later = (thread: Thread, ms: number, run: () => void) =>
      this.clock.after(ms, () => thread.isAlive && run());
    return {
      open: ({ onOpened, onFailed }) => {
        const thread = threadOf();
        const one = { pair, thread };
        this.opening.add(one);
        const { ms, failure } = this.plan.opening();
        const timer = later(thread, ms, () => {
          this.opening.delete(one);
          if (failure !== undefined) return onFailed(failure);
          const id = this.#lastId += 1;
          const server: FakeServer = { id, pair, thread, state: "open", user: undefined };
          this.servers.add(server);
          onOpened(server);
        });
        const cancel = () => {
          ok(this.opening.delete(one), "what has ended is not called off");
          timer.cancel();
        };
        return { cancel };
      },
      close: (server) => {
        equal(server.state, "open", "a connection is closed once");
        equal(server.user, undefined, "nobody uses what is closed");
        server.state = "closing";
        const ms = this.plan.closingMs();
        if (ms === 0) this.#vanish(server);
        else later(server.thread, ms, () => this.servers.has(server) && this.#vanish(server));
      },
      validate: (server, done) => {
        equal(server.user, undefined, "nobody uses what is checked");
        const { ms, isAlive } = this.plan.checking();
        later(server.thread, ms, () => done(isAlive));
      },
    };
  }

  #serve(client: FakeClient, server: FakeServer): void {
    equal(server.state, "open");
    equal(server.user, undefined, "a connection is one client's");
    equal(server.thread, client.thread);
    equal(server.pair, client.pair);
    const { id, pair, thread } = client;
    const earlier = this.clients.find((other) =>
      other.state === "waiting" && other.id < id && other.pair === pair && other.thread === thread
    );
    equal(earlier, undefined, "who came first is served first");
    this.#end(client, "served");
    server.user = client;
    client.server = server;
  }

  #end(client: FakeClient, state: "served" | "refused" | "left"): void {
    equal(client.state, "waiting", "a wait ends once");
    client.state = state;
    client.waitedMs = this.clock.nowMs() - client.sinceMs;
  }

  #part(client: FakeClient): FakeServer {
    const server = client.server!;
    client.server = undefined;
    server.user = undefined;
    return server;
  }

  #vanish(server: FakeServer): void {
    this.servers.delete(server);
    server.state = "gone";
    this.#poolOf(server)?.gone(server);
  }

  #poolOf({ thread, pair }: FakeServer) {
    for (const [{ database, user }, pool] of thread.pools.pools()) {
      if (`${database}/${user}` === pair) return pool;
    }
    return undefined;
  }
}
