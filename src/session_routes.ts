/**
 * The ways by which one worker's pooled sessions reach servers. Those that come in by the same
 * listener and have the same pool go the same way: one object serves all of them.
 *
 * @module
 */

import { addressText } from "./base/address.ts";
import type { PoolConfig, ServerConfig } from "./config/config.ts";
import { limitsFor, realDatabase } from "./config/limits_file.ts";
import type { DataPlaneSnapshot } from "./data_plane_messages.ts";
import type { Destinations } from "./destinations.ts";
import type { WorkerCounters } from "./observe/counters.ts";
import { pairSize, sessionSettings } from "./pair_settings.ts";
import type { PoolUse, ServerPools } from "./pool/server_pools.ts";
import type { Admitted } from "./postgres/client_gate.ts";
import * as reply from "./postgres/error_reply.ts";
import type { Backend } from "./postgres/pooled/backend.ts";
import type { OpenFailure } from "./postgres/pooled/backend_opener.ts";
import type { PairState } from "./postgres/pooled/pair_state.ts";
import type { PooledRoute } from "./postgres/pooled/pooled_context.ts";
import { isReplication } from "./postgres/replication.ts";
import type { ServerRouting } from "./server_routing.ts";
import type { Member } from "./upstream/members.ts";

/** What they are made from. */
export interface SessionRoutesParts {
  readonly snapshot: DataPlaneSnapshot;
  readonly counters: WorkerCounters;
  readonly routing: ServerRouting;
  readonly pools: ServerPools<Backend, OpenFailure>;
  readonly destinations: Destinations;
  readonly stateOf: (pool: object) => PairState;
}

/** Where a session comes in, and by which proxy it goes to which server. */
export interface Way {
  readonly listener: string;
  readonly server: ServerConfig;
  /** Name in `proxies` of the configuration. */
  readonly proxy: string;
  readonly member: Member;
}

/** A way that one session has taken: its pool is there until the use is disposed of. */
export interface TakenRoute {
  readonly route: PooledRoute;
  readonly use: Disposable;
}

/** Why there is no way. */
export type RouteRefusal = ReturnType<typeof reply.tooManyPools>;

type Use = PoolUse<Backend, OpenFailure>;

interface Made {
  readonly server: ServerConfig;
  readonly route: PooledRoute;
}

/** One worker's. */
export class SessionRoutes {
  readonly #parts: SessionRoutesParts;
  #pools: ReadonlyMap<string, PoolConfig>;
  /** By the pair's pool, and what else they depend on: configured names, so there are few. */
  #made = new WeakMap<object, Map<string, Made>>();

  /** @param pools Their configuration, by name. */
  constructor(parts: SessionRoutesParts, pools: ReadonlyMap<string, PoolConfig>) {
    this.#parts = parts;
    this.#pools = pools;
  }

  /** Files have changed: those who come from now on go by what they say. */
  refresh(pools: ReadonlyMap<string, PoolConfig>): void {
    this.#pools = pools;
    this.#made = new WeakMap();
  }

  /** One session's way. */
  take(way: Way, admitted: Admitted): TakenRoute | RouteRefusal {
    const { snapshot, destinations, pools } = this.#parts;
    const { client: clientName, pool: poolName } = snapshot.proxies.get(way.proxy)!;
    const client = destinations.client(clientName);
    const { limits } = this.#pools.get(poolName)!;
    const database = client.database || realDatabase(limits, admitted.database);
    const user = client.user || admitted.user;
    if (limitsFor(limits, database, user)?.isDisabled === true) {
      return reply.databaseDisabled(admitted.database);
    }
    const name = isReplication(admitted.startup)
      ? destinations.replication(way.member, poolName, admitted)
      : destinations.shared(way.member, poolName);
    const use = pools.use({ pool: name, database, user });
    // Whose pool is for one session needs it no more: the pool is made, or there is none.
    if (destinations.get(name).isSingleUse) destinations.forget(name);
    if (typeof use === "string") return reply.tooManyPools(use.replaceAll("_", " "));
    return { route: this.#find(way, admitted, use, database, user), use };
  }

  #find(way: Way, admitted: Admitted, { pool }: Use, database: string, user: string): PooledRoute {
    const { listener, server, proxy } = way;
    let made = this.#made.get(pool);
    if (made === undefined) this.#made.set(pool, made = new Map());
    // A user without settings of its own is like any other.
    const own = this.#parts.snapshot.users.has(admitted.user) ? admitted.user : "";
    const key = `${listener}\0${proxy}\0${own}`;
    const known = made.get(key);
    if (known?.server === server) return known.route;
    const route = this.#make(way, admitted, pool, database, user);
    made.set(key, { server, route });
    return route;
  }

  #make(
    { listener, server, proxy, member }: Way,
    admitted: Admitted,
    pool: Use["pool"],
    database: string,
    user: string,
  ): PooledRoute {
    const { snapshot, counters, routing, stateOf } = this.#parts;
    const { client: clientName, pool: poolName } = snapshot.proxies.get(proxy)!;
    const config = this.#pools.get(poolName)!;
    const limit = limitsFor(config.limits, database, user);
    const poolSize = snapshot.users.get(user)?.poolSize ?? 0;
    const { key: sizeKey } = pairSize(poolName, config, limit, user, poolSize);
    const { size } = pool.options; // what it was made with, whatever has changed since
    return {
      ...routing.routeOf(proxy, member),
      server: clientName,
      address: addressText(member.address),
      holdMs: () => routing.holdMs(member, config.acquireTimeoutMs),
      settings: {
        ...sessionSettings({ listener, server, poolName, pool: config }, admitted, snapshot),
        size,
        sizeKey,
      },
      pool,
      pair: stateOf(pool),
      cells: counters.pool(poolName),
    };
  }
}
