/**
 * A world of one worker and one pair, for tests of a single pool.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import type { ServerPoolOptions } from "../../src/pool/server_pool_types.ts";
import { PoolWorld } from "./pool_world.ts";
import { type FakeClient, OPTIONS } from "./pool_world_parts.ts";

/** One worker and the pool of d/u. */
export function world(
  options: Partial<ServerPoolOptions> = {},
  more: Partial<PoolWorld["plan"]> = {},
) {
  return new PoolWorld({ options: () => ({ ...OPTIONS, ...options }), ...more });
}

/** Clients that have all been served, after the time it takes to open. */
export async function served(of: PoolWorld, count: number): Promise<FakeClient[]> {
  const clients = Array.from({ length: count }, () => of.ask(0));
  await of.pass(5);
  deepEqual(clients.map(({ state }) => state), clients.map(() => "served"));
  return clients;
}

/** Makes connections that are all idle, from the start. */
export async function idle(of: PoolWorld, count: number): Promise<void> {
  for (const client of await served(of, count)) of.release(client);
}

/** What has become of them. */
export function states(...clients: readonly FakeClient[]): string[] {
  return clients.map(({ state }) => state);
}
