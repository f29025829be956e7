/**
 * One worker's half of pooling: the gate that lets clients in, the pools that it leads to, and what
 * their sessions share, made from a snapshot of the configuration.
 *
 * @module
 */

import { utf8 } from "./base/bytes.ts";
import type { Clock } from "./base/clock.ts";
import { fractionOf } from "./base/fraction.ts";
import type { ClientConfig, PoolConfig, ServerConfig } from "./config/config.ts";
import { limitsFor, realDatabase } from "./config/limits_file.ts";
import type { DataPlaneSnapshot } from "./data_plane_messages.ts";
import { Destinations } from "./destinations.ts";
import { MirrorPlane } from "./mirror_plane.ts";
import type { Driver } from "./net/socket.ts";
import type { WorkerCounters } from "./observe/counters.ts";
import type { Observer } from "./observe/facts.ts";
import { OldestWaits, type PoolWait } from "./observe/oldest_waits.ts";
import { Holds } from "./pool/holds.ts";
import { pairCaps, pairOptions, pairSize, waitCounter } from "./pair_settings.ts";
import type { Member } from "./upstream/members.ts";
import { Pool } from "./pool/pool.ts";
import type {
  Pair,
  PairSettings,
  PlaceMessage,
  ServerPoolOptions,
} from "./pool/server_pool_types.ts";
import { ServerPools } from "./pool/server_pools.ts";
import { SharedBudget } from "./pool/shared_budget.ts";
import { SharedPlaces } from "./pool/shared_places.ts";
import { ScramKeysCache } from "./postgres/auth/scram_keys_cache.ts";
import type { CancelKeys, Canceller } from "./postgres/cancel.ts";
import type { MakeUpstream } from "./postgres/client_gate.ts";
import type { Admitted, GateContext } from "./postgres/client_gate.ts";
import * as reply from "./postgres/error_reply.ts";
import type { Backend } from "./postgres/pooled/backend.ts";
import type { OpenFailure } from "./postgres/pooled/backend_opener.ts";
import { BackendConnector } from "./postgres/pooled/connector.ts";
import { PairState } from "./postgres/pooled/pair_state.ts";
import type { PooledContext, PooledRoute } from "./postgres/pooled/pooled_context.ts";
import { PooledSession } from "./postgres/pooled/pooled_session.ts";
import { SharedStatements } from "./postgres/pooled/statements.ts";
import { Watchdog } from "./postgres/pooled/watchdog.ts";
import type { ServerRouting } from "./server_routing.ts";
import { SessionRoutes } from "./session_routes.ts";
import { QueryScanner } from "./postgres/sql/query_scanner.ts";
import { prefills } from "./prefill.ts";
import type { ClientTls } from "./tls_contexts.ts";

/** A server's messages are passed on by listeners that may each have another limit: this is all. */
const MESSAGE_SIZE_MAX = 1_073_741_824;

/** Passwords whose keys are remembered for logins to servers. */
const SERVER_KEYS_MAX = 1_000;

/** What one worker's pooling works with. */
export interface PooledPlaneParts {
  readonly snapshot: DataPlaneSnapshot;
  readonly driver: Driver;
  readonly clock: Clock;
  readonly wallClockMs: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly observer: Observer;
  readonly counters: WorkerCounters;
  readonly cancelKeys: CancelKeys;
  readonly canceller: Canceller;
  readonly routing: ServerRouting;
  readonly tellPlaces: (worker: number, message: PlaceMessage) => void;
}

/** Whom a client wants to be, and where. */
type DatabaseUser = Pick<Pair, "database" | "user">;

/** A proxy's name, and a server that it leads to. */
type ServerWay = readonly [string, Member];

/** One worker's pools and what leads to them. */
export class PooledPlane {
  readonly #parts: PooledPlaneParts;
  readonly #pools: ServerPools<Backend, OpenFailure>;
  readonly #destinations: Destinations;
  readonly #states = new WeakMap<object, PairState>();
  /** The configured pool that the options of a pair's pool were made from. */
  readonly #poolNames = new WeakMap<ServerPoolOptions, string>();
  readonly #keysCache: ScramKeysCache;
  readonly #userClients = new Map<string, Pool>();
  readonly #scanner = new QueryScanner();
  readonly #statements: SharedStatements;
  readonly #watchdog: Watchdog;
  readonly #mirrors: MirrorPlane;
  readonly #routes: SessionRoutes;
  readonly #contexts = new WeakMap<ServerConfig, PooledContext>();
  readonly #ways = new WeakMap<ServerConfig, readonly ServerWay[]>();
  readonly #schema: Int32Array;
  #poolConfigs: ReadonlyMap<string, PoolConfig>;

  constructor(parts: PooledPlaneParts) {
    const { snapshot, clock, randomBytes, wallClockMs } = parts;
    const { worker, workers } = snapshot;
    this.#parts = parts;
    this.#destinations = new Destinations(snapshot.clients, (one) => parts.routing.counterOf(one));
    this.#poolConfigs = new Map([...snapshot.pools].map(([name, { config }]) => [name, config]));
    this.#schema = new Int32Array(snapshot.schemaGeneration);
    this.#statements = new SharedStatements(() => Atomics.load(this.#schema, 0), this.#scanner);
    this.#watchdog = new Watchdog(clock);
    this.#mirrors = new MirrorPlane({
      ...parts,
      take: (way, admitted) => this.#routes.take(way, admitted),
    });
    this.#keysCache = new ScramKeysCache({ entriesMax: SERVER_KEYS_MAX, randomBytes });
    const waits = new OldestWaits(parts.counters, snapshot.pools.keys(), wallClockMs);
    this.#pools = new ServerPools({
      places: new SharedPlaces(snapshot.places, worker, workers, wallClockMs),
      clock,
      random: () => fractionOf(randomBytes(4)),
      settingsFor: (pair) => this.#settingsFor(pair),
      tell: parts.tellPlaces,
      onTick: () => {
        waits.measure(this.#waits());
        parts.routing.checkEpochs((member) => this.#onEpoch(member));
      },
    });
    this.#routes = new SessionRoutes({
      ...parts,
      pools: this.#pools,
      destinations: this.#destinations,
      stateOf: (pool) => this.#stateOf(pool),
    }, this.#poolConfigs);
    parts.routing.watchEpochs((member) => this.#onEpoch(member));
    for (const [user, buffer] of snapshot.userBudgets) {
      const budget = new SharedBudget(buffer, worker, workers);
      const options = { name: user, acquireTimeoutMs: 0, waitersMax: 0 };
      this.#userClients.set(user, new Pool(options, budget, clock, () => {}));
    }
  }

  onPlaces(worker: number, message: PlaceMessage): void {
    this.#pools.onMessage(worker, message);
  }

  /** Closes idle server connections, and the others once they are free, which `onFree` hears. */
  drain(onFree: () => void): void {
    this.#pools.drain(onFree);
  }

  /** Files have changed: what is opened from now on uses what they say. */
  refresh(
    clients: ReadonlyMap<string, ClientConfig>,
    pools: ReadonlyMap<string, PoolConfig>,
  ): void {
    const isChanged = this.#destinations.refresh(clients);
    this.#poolConfigs = pools;
    this.#routes.refresh(pools);
    if (isChanged) this.#pools.reconnect();
  }

  /** Where a listener's query for a user's secret runs by one of its proxies; or why it cannot. */
  poolForAuthQuery(listener: string, server: ServerConfig, proxy: string, asked: DatabaseUser) {
    const query = server.auth.query!;
    const { client: clientName, pool } = this.#parts.snapshot.proxies.get(proxy)!;
    const client = this.#destinations.client(clientName);
    const { limits } = this.#poolConfigs.get(pool)!;
    const fixed = query.database || client.database;
    const database = fixed || realDatabase(limits, asked.database);
    const isDisabled = limitsFor(limits, database, client.user || asked.user)?.isDisabled;
    if (fixed === "" && isDisabled === true) return "database_disabled";
    const member = this.#parts.routing.likeliest(clientName);
    const name = this.#destinations.authQuery(member, pool, listener, query);
    const use = this.#pools.use({ pool: name, database, user: query.user });
    if (typeof use === "string") return use;
    const timeoutMs = Math.min(client.dialTimeoutMs, server.loginTimeoutMs);
    const cancel: PooledContext["cancel"] = (target) => this.#parts.canceller.cancelQueued(target);
    return { use, timeoutMs, isFixed: fixed !== "", cancel };
  }

  /** Opens what the configuration wants open before anybody asks. */
  prefill(): void {
    const { snapshot, routing } = this.#parts;
    if (snapshot.worker !== 0) return;
    for (const wanted of prefills(snapshot.proxies, snapshot.clients, this.#poolConfigs)) {
      const { client, pool, database, user, count } = wanted;
      for (const member of routing.membersOf(client)) {
        const use = this.#pools.use({
          pool: this.#destinations.shared(member, pool),
          database,
          user,
        });
        if (typeof use === "string") return;
        use.pool.prefill(count);
        use[Symbol.dispose]();
      }
    }
  }

  /** How long the first one waits in each pair's pool. */
  *#waits(): Iterable<PoolWait> {
    for (const [, { options, stats }] of this.#pools.pools()) {
      yield { pool: this.#poolNames.get(options)!, waitedMs: stats.oldestWaitMs };
    }
  }

  /** Connections to a server are not to be used any more. */
  #onEpoch(index: number): void {
    for (const [pair, pool] of this.#pools.pools()) {
      if (this.#destinations.get(pair.pool).member.index === index) pool.reconnect();
    }
  }

  /** Makes what stands behind a session. */
  admit(
    listener: string,
    server: ServerConfig,
    admitted: Admitted,
    onAdmitted: (make: MakeUpstream) => void,
    onRefused: Parameters<GateContext["admit"]>[2],
  ): void {
    const { user } = admitted;
    if (admitted.learned !== undefined) {
      this.#destinations.remember(this.#clientsOf(server), user, admitted.learned);
    }
    const routes: PooledRoute[] = [];
    const holds = new Holds();
    for (const [proxy, member] of this.#waysOf(server, admitted.proxy)) {
      const taken = this.#routes.take({ listener, server, proxy, member }, admitted);
      if ("sqlState" in taken) {
        holds[Symbol.dispose]();
        return onRefused(taken, "refused");
      }
      routes.push(taken.route);
      holds.add(taken.use);
    }
    const clients = this.#userClients.get(user);
    const make = () => this.#make(listener, server, admitted, routes, holds);
    if (clients === undefined) return onAdmitted(make());
    clients.acquire({
      onLease: (lease) => {
        holds.add(lease);
        onAdmitted(make());
      },
      onRefused: () => {
        holds[Symbol.dispose]();
        onRefused(reply.tooManyClientsOfUser(user, clients.size), "too many clients of this user");
      },
    });
  }

  /** Every server that a listener's proxies lead to, by the proxy; a chosen one's come first. */
  #waysOf(server: ServerConfig, chosen: string | undefined): readonly ServerWay[] {
    let ways = this.#ways.get(server);
    if (ways === undefined) this.#ways.set(server, ways = this.#findWays(server));
    if (chosen === undefined) return ways;
    return ways.toSorted(([a], [b]) => Number(b === chosen) - Number(a === chosen));
  }

  #findWays({ proxies }: ServerConfig): readonly ServerWay[] {
    return proxies.flatMap((proxy) => {
      const { client } = this.#parts.snapshot.proxies.get(proxy)!;
      return this.#parts.routing.membersOf(client).map((member) => [proxy, member] as const);
    });
  }

  #make(
    listener: string,
    server: ServerConfig,
    admitted: Admitted,
    routes: readonly PooledRoute[],
    holds: Disposable,
  ): MakeUpstream {
    const context = this.#context(server);
    const make: MakeUpstream = (client, owner) => {
      const { session, user, database, startup, proxy, tlsServerName } = admitted;
      const { parameters } = startup;
      const who = { listener, address: client.peerAddress, parameters, proxy, tlsServerName };
      const router = this.#parts.routing.sessionRouter(server, routes, who);
      const rules = this.#parts.routing.rulesOf(listener, server, routes, proxy);
      const identity = { session, user, database, startup, router, rules, holds };
      return new PooledSession(context, identity, client, owner);
    };
    return this.#mirrors.wrap({ listener, server, admitted, routes, context }, make);
  }

  #stateOf(pool: object): PairState {
    const state = this.#states.get(pool) ?? new PairState();
    this.#states.set(pool, state);
    return state;
  }

  /** Secrets that are stored in a way that servers take, too, are known before anybody logs in. */
  learnStored(server: ServerConfig): void {
    this.#destinations.rememberStored(this.#clientsOf(server), server);
  }

  /** Where a listener leads. */
  #clientsOf({ proxies }: ServerConfig): string[] {
    return proxies.flatMap((proxy) => this.#mirrors.clientsOf(proxy));
  }

  #settingsFor(pair: Pair): PairSettings<Backend, OpenFailure> {
    const destination = this.#destinations.get(pair.pool);
    const { poolName, isSingleUse } = destination;
    const { observer, counters, driver, clock, randomBytes, canceller, snapshot } = this.#parts;
    const pool = this.#poolConfigs.get(poolName)!;
    const cells = counters.pool(poolName);
    const limit = limitsFor(pool.limits, pair.database, pair.user);
    const poolSize = snapshot.users.get(pair.user)?.poolSize ?? 0;
    const { size } = pairSize(poolName, pool, limit, pair.user, poolSize);
    const connector = new BackendConnector({
      driver,
      clock,
      randomBytes,
      keysCache: this.#keysCache,
      observer,
      cells,
      load: this.#parts.routing.latencyOf(destination.member),
      pool: poolName,
      target: () => this.#destinations.target(destination, pair),
      messageSizeMax: MESSAGE_SIZE_MAX,
      preparedStatementsMax: pool.preparedStatementsMax,
      resetQuery: pool.resetQuery,
      isResetWhole: isWholeReset(this.#scanner, pool.resetQuery),
      onReported: (reported) => this.#stateOf(this.#poolOf(pair)).onReported(reported),
      isSingleUse,
      cancelAbandoned: (target) => canceller.cancelQueued(target),
      poolOf: () => this.#poolOf(pair),
    });
    const options = pairOptions(pool, size, limit, isSingleUse);
    this.#poolNames.set(options, poolName);
    return {
      options,
      caps: pairCaps(pair, poolName, pool, snapshot.serverConnectionsMax),
      connector,
      observer: waitCounter(cells),
    };
  }

  #poolOf(pair: Pair) {
    for (const [other, pool] of this.#pools.pools()) {
      if (
        other.pool === pair.pool && other.database === pair.database && other.user === pair.user
      ) return pool;
    }
    throw new Error("a connection's pool is there while the connection is");
  }

  /** TLS towards a configured client's server. */
  tlsOf(clientName: string): ClientTls | undefined {
    return this.#destinations.tlsOf(clientName);
  }

  #context(server: ServerConfig): PooledContext {
    const known = this.#contexts.get(server);
    if (known !== undefined) return known;
    const { clock, observer, cancelKeys, canceller } = this.#parts;
    const context: PooledContext = {
      clock,
      scanner: this.#scanner,
      sharedStatements: this.#statements,
      cancelKeys,
      watchdog: this.#watchdog,
      messageSizeMax: server.messageSizeMax,
      cancel: (target) => canceller.cancelQueued(target),
      onSchemaChange: () => void Atomics.add(this.#schema, 0, 1),
      observer,
    };
    this.#contexts.set(server, context);
    return context;
  }
}

/** Whether a reset query leaves nothing behind, so that the gateway may forget all, too. */
function isWholeReset(scanner: QueryScanner, resetQuery: string): boolean {
  return scanner.scan(utf8(resetQuery), true).discards.includes("all");
}
