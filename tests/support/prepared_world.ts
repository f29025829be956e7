/**
 * What dialogues about prepared statements have in common.
 *
 * @module
 */

import type { Actor, World } from "./dialogue.ts";
import { parseNamed } from "./extended_messages.ts";
import { type Bytes, complete, message, ready, SYNC } from "./messages.ts";
import { joins, type PooledOptions, pooledPair } from "./pooled_world.ts";

/** ParseComplete. */
export const PARSED = message("1");
/** BindComplete. */
export const BOUND = message("2");
/** CloseComplete. */
export const CLOSED = message("3");
const DONE = complete("SELECT 1");

/** What answers a Parse with its Sync. */
export const PREPARED = [PARSED, ready()];
/** What answers a statement that is run, with its Sync. */
export const RUN: readonly Bytes[] = [BOUND, DONE, ready()];

/** Says what is heard as it is answered, in one go. */
export async function does(
  client: Actor,
  server: Actor,
  said: readonly Bytes[],
  heard: readonly Bytes[],
  answers: readonly Bytes[],
  told: readonly Bytes[],
): Promise<void> {
  await client.says(...said);
  await server.hears(...heard);
  if (answers.length > 0) await server.says(...answers);
  await client.hears(...told);
}

/** A client that has prepared "a" on a server, and another one. */
export async function prepared(options: PooledOptions = {}): Promise<{
  readonly world: World;
  readonly client: Actor;
  readonly server: Actor;
  readonly other: Actor;
}> {
  const { world, client, server } = await pooledPair(options);
  const said = [parseNamed("a", "select 1"), SYNC];
  await does(client, server, said, [parseNamed("sluice_1", "select 1"), SYNC], PREPARED, PREPARED);
  const { client: other } = await joins(world);
  return { world, client, server, other };
}
