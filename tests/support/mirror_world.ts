/**
 * A pooled gateway whose sessions are copied: the first server is the real one, the second one the
 * mirror.
 *
 * @module
 */

import type { PoolConfig } from "../../src/config/config.ts";
import type { MirrorConfig } from "../../src/config/routing_settings.ts";
import type { DataPlaneSnapshot } from "../../src/data_plane_messages.ts";
import { counterBuffer, MIRROR_CELL } from "../../src/observe/counters.ts";
import { MIRROR_DROPS, MIRROR_RESULTS } from "../../src/observe/label_values.ts";
import type { Actor, World } from "./dialogue.ts";
import { admits, connects, hearsWelcome, type PooledOptions, startPooled } from "./pooled_world.ts";

/** How sessions are copied. */
export interface MirrorOptions extends Partial<Omit<MirrorConfig, "proxy">> {
  /** The mirror's pool, where it is not as the real one. */
  readonly pool?: Partial<PoolConfig>;
}

/** Starts a gateway with a mirror. */
export function startMirrored(
  mirror: MirrorOptions = {},
  options: PooledOptions = {},
): Promise<World> {
  const { alter = (one) => one } = options;
  return startPooled({
    ...options,
    servers: 2,
    alter: (snapshot) => mirrored(alter(snapshot), mirror),
  });
}

function mirrored(snapshot: DataPlaneSnapshot, options: MirrorOptions): DataPlaneSnapshot {
  const { pool, ...config } = options;
  const mirror = { proxy: "db1", share: 1, compare: false, bufferMax: 1024 ** 2, ...config };
  const main = { ...snapshot.servers.get("main")!, proxies: ["db0"] };
  const proxies = new Map(snapshot.proxies);
  proxies.set("db0", { ...proxies.get("db0")!, mirror });
  const pools = new Map(snapshot.pools);
  const mirrorPool = pools.get("db1")!;
  pools.set("db1", { ...mirrorPool, config: { ...mirrorPool.config, ...pool } });
  const layout = { ...snapshot.layout, mirrors: ["db0"] };
  return {
    ...snapshot,
    servers: new Map([["main", main]]),
    proxies,
    pools,
    layout,
    counters: counterBuffer(layout),
  };
}

/** A client that is let in, and the real server; the mirror is not asked before the client asks. */
export async function mirroredClient(
  mirror: MirrorOptions = {},
  options: PooledOptions = {},
): Promise<{ readonly world: World; readonly client: Actor; readonly server: Actor }> {
  const world = await startMirrored(mirror, options);
  const client = await connects(world);
  const server = await admits(world);
  await hearsWelcome(world, client);
  return { world, client, server };
}

/** What is counted of the mirror; what is 0 is left out. */
export function mirrorCounts(world: World): Readonly<Record<string, number>> {
  const named = [
    ["complete", MIRROR_CELL.complete] as const,
    ...MIRROR_DROPS.map((cause, i) => [cause, MIRROR_CELL.drops + i] as const),
    ...MIRROR_RESULTS.map((result, i) => [result, MIRROR_CELL.requests + i] as const),
  ];
  const sum = (cell: number) =>
    world.counters.reduce((total, worker) => total + worker.mirror("db0").get(cell), 0);
  return Object.fromEntries(
    named.map(([name, cell]) => [name, sum(cell)] as const).filter(([, count]) => count > 0),
  );
}
