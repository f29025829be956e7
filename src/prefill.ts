/**
 * Server connections that the configuration wants open before anybody asks.
 *
 * @module
 */

import type { ClientConfig, PoolConfig, ProxyConfig } from "./config/config.ts";

/** Connections of one pair, to each server of the client. */
export interface Prefill {
  /** Names in the configuration. */
  readonly client: string;
  readonly pool: string;
  readonly database: string;
  readonly user: string;
  /** From 1. */
  readonly count: number;
}

/** Finds all of them. */
export function* prefills(
  proxies: ReadonlyMap<string, ProxyConfig>,
  clients: ReadonlyMap<string, ClientConfig>,
  pools: ReadonlyMap<string, PoolConfig>,
): Iterable<Prefill> {
  for (const { client: clientName, pool: poolName } of proxies.values()) {
    const client = clients.get(clientName)!;
    const { minSize, limits } = pools.get(poolName)!;
    const names = { client: clientName, pool: poolName };
    if (client.user !== "" && client.database !== "" && minSize > 0) {
      yield { ...names, database: client.database, user: client.user, count: minSize };
    }
    for (const { database, user, initialSize: count, isDisabled } of limits) {
      if (database === undefined || user === undefined || isDisabled) continue;
      // Each of these costs an entry of shared memory, and a file has many.
      if (count > 0) yield { ...names, database, user: client.user || user, count };
    }
  }
}
