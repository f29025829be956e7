/**
 * What the configuration says of one pair's pool, in the words of `pool/`: its sizes and times, the
 * limits it shares with other pairs, and what is counted of its waits.
 *
 * @module
 */

import type { PoolConfig, PoolLimit, ServerConfig, UserConfig } from "./config/config.ts";
import { type Cells, POOL_CELL } from "./observe/counters.ts";
import type { Admitted } from "./postgres/client_gate.ts";
import { isReplication } from "./postgres/replication.ts";
import type { PoolSettings } from "./postgres/pooled/pooled_context.ts";
import type { Cap, Pair, ServerPoolObserver, ServerPoolOptions } from "./pool/server_pool_types.ts";

/** How many server connections a pair may have. */
export interface PairSize {
  readonly size: number;
  /** What says so: the one to raise. */
  readonly key: string;
}

/**
 * The size of one pair's pool.
 *
 * @param user The pair's own: the server's.
 * @param poolSize Of that user; 0 is what the pool says.
 */
export function pairSize(
  poolName: string,
  pool: PoolConfig,
  limit: PoolLimit | undefined,
  user: string,
  poolSize: number,
): PairSize {
  const sizeMax = limit?.sizeMax;
  if (sizeMax !== undefined) {
    return { size: sizeMax, key: `MAX_SIZE in the file of pools.${poolName}.limitsFile` };
  }
  if (poolSize > 0) return { size: poolSize, key: `users.${user}.poolSize` };
  return { size: pool.size, key: `pools.${poolName}.size` };
}

/** The pool's options for one pair. */
export function pairOptions(
  pool: PoolConfig,
  size: number,
  limit: PoolLimit | undefined,
  isSingleUse: boolean,
): ServerPoolOptions {
  return {
    size,
    minSize: isSingleUse ? 0 : Math.min(size, limit?.minSize ?? pool.minSize),
    reserve: isSingleUse ? 0 : pool.reserve,
    reserveTimeoutMs: pool.reserveTimeoutMs,
    acquireTimeoutMs: pool.acquireTimeoutMs,
    waitersMax: pool.waitersMax,
    waitNoticeMs: pool.waitNoticeMs,
    idleTimeoutMs: pool.idleTimeoutMs,
    maxLifetimeMs: pool.maxLifetimeMs,
    validation: pool.validation,
    validationIntervalMs: pool.validationIntervalMs,
    isStrict: pool.mode === "session",
  };
}

/**
 * The limits that a pair shares with others. Clients are told their names when they are reached.
 *
 * @param serverConnectionsMax Of the whole gateway; 0 is without limit.
 */
export function pairCaps(
  { database, user }: Pair,
  poolName: string,
  pool: PoolConfig,
  serverConnectionsMax: number,
): Cap[] {
  const caps: Cap[] = [];
  if (pool.databaseSizeMax > 0) {
    const name = `pools.${poolName}.databaseSizeMax for database ${database}`;
    caps.push({ name, size: pool.databaseSizeMax });
  }
  if (pool.userSizeMax > 0) {
    const name = `pools.${poolName}.userSizeMax for user ${user}`;
    caps.push({ name, size: pool.userSizeMax });
  }
  if (serverConnectionsMax > 0) {
    caps.push({ name: "runtime.serverConnectionsMax", size: serverConnectionsMax });
  }
  return caps;
}

/** Counts what becomes of those who wait. */
export function waitCounter(cells: Cells): ServerPoolObserver {
  return {
    onWaitEnded: (outcome, waitMs) => {
      if (waitMs === 0 && outcome === "served") return;
      cells.add(POOL_CELL.waits, 1);
      if (outcome === "timeout") cells.add(POOL_CELL.waitTimeouts, 1);
      if (outcome === "queue_full") return cells.add(POOL_CELL.waitsRefused, 1);
      cells.observe(POOL_CELL.waitSeconds, waitMs / 1000);
    },
    onOpenEnded() {}, // counted by the connector
    onClosed() {},
  };
}

/** Where a session comes in, and which pool serves it. */
export interface SessionPlace {
  readonly listener: string;
  readonly server: ServerConfig;
  readonly poolName: string;
  readonly pool: PoolConfig;
}

/** How a session behaves in a pool, but for what is its pair's. */
export function sessionSettings(
  { listener, server, poolName, pool }: SessionPlace,
  admitted: Admitted,
  { users }: { readonly users: ReadonlyMap<string, UserConfig> },
): Omit<PoolSettings, "size" | "sizeKey"> {
  const user = users.get(admitted.user);
  const mode = user === undefined || user.mode === "pool" ? pool.mode : user.mode;
  const isReplicating = isReplication(admitted.startup);
  return {
    pool: poolName,
    listener,
    mode: isReplicating ? "session" : mode,
    isReplicating,
    pin: pool.pin,
    tracksStatements: !isReplicating && mode !== "session" && pool.preparedStatementsMax > 0,
    acquireTimeoutMs: pool.acquireTimeoutMs,
    waitersMax: pool.waitersMax,
    clientIdleTimeoutMs: server.clientIdleTimeoutMs,
    queryTimeoutMs: isReplicating ? 0 : user?.queryTimeoutMs || pool.queryTimeoutMs,
    transactionTimeoutMs: user?.transactionTimeoutMs || pool.transactionTimeoutMs,
    idleTransactionTimeoutMs: user?.idleTransactionTimeoutMs || pool.idleTransactionTimeoutMs,
  };
}
