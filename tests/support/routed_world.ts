/**
 * What dialogues about routing have in common: a group of servers that a test plays, and what is
 * known of them, which a test says in place of the control plane.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import type { ClientConfig } from "../../src/config/config.ts";
import type { RoutingConfig } from "../../src/config/routing_settings.ts";
import { StatementClassifier } from "../../src/postgres/routing/statement_classifier.ts";
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from "./configs.ts";
import { type Actor, SERVERS, type World } from "./dialogue.ts";
import { admits, connects, hearsWelcome, type PooledOptions, startPooled } from "./pooled_world.ts";
import { complete, query, ready } from "./messages.ts";
import { say } from "./said.ts";

export { say };

const classifier = await StatementClassifier.load({ needsTables: true });

/** What may differ from one routed world to another. */
export interface RoutedOptions extends Omit<PooledOptions, "server"> {
  /** Servers of the group, from 1 to 3. */
  readonly members?: number;
  readonly routing?: Partial<RoutingConfig>;
  readonly group?: Partial<ClientConfig["group"]>;
  readonly health?: Partial<ClientConfig["group"]["health"]>;
  readonly client?: Partial<ClientConfig>;
}

/** The first server is the primary from now on, or another one, and the others are replicas. */
export function elect({ table }: World, primary = 0): void {
  for (let member = 0; member < table.members; member++) {
    say(table, member, { role: member === primary ? "primary" : "replica" });
  }
}

/** Starts a gateway with a group of checked servers, whose first one is the primary. */
export async function startRouted(options: RoutedOptions = {}): Promise<World> {
  const { members = 3, routing, group, health, client, ...rest } = options;
  const world = await startPooled({
    classifier,
    ...rest,
    listener: { routing: { ...SERVER_DEFAULTS.routing, ...routing }, ...rest.listener },
    server: {
      others: SERVERS.slice(1, members),
      group: {
        ...CLIENT_DEFAULTS.group,
        ...group,
        health: { ...CLIENT_DEFAULTS.group.health, check: "query", ...health },
      },
      ...client,
    },
  });
  elect(world);
  return world;
}

/** A client that is let in by a server, which waits in its pool then. */
export async function welcomes(world: World, server = 0): Promise<{
  readonly client: Actor;
  readonly server: Actor;
}> {
  const client = await connects(world);
  const first = await admits(world, {}, server);
  await hearsWelcome(world, client);
  return { client, server: first };
}

/** A gateway that tells reads from writes, a client, and the primary, which has let it in. */
export async function startSplit(options: RoutedOptions = {}): Promise<{
  readonly world: World;
  readonly client: Actor;
  readonly primary: Actor;
}> {
  const routing = { readWriteSplit: true, ...options.routing };
  const world = await startRouted({ members: 2, ...options, routing });
  const { client, server: primary } = await welcomes(world);
  return { world, client, primary };
}

/** The client asks what its server has to open a connection for. @returns That server. */
export async function opens(
  world: World,
  client: Actor,
  text: string,
  server: number,
  status: "I" | "T" = "I",
): Promise<Actor> {
  await client.says(query(text));
  const opened = await admits(world, {}, server);
  await opened.hears(query(text));
  await opened.says(complete("SELECT 1"), ready(status));
  await client.hears(complete("SELECT 1"), ready(status));
  return opened;
}

/** A gateway, a client, and both servers, of which each has a free connection. */
export async function startServed(options: RoutedOptions = {}): Promise<{
  readonly world: World;
  readonly client: Actor;
  readonly primary: Actor;
  readonly replica: Actor;
}> {
  const { world, client, primary } = await startSplit(options);
  const replica = await opens(world, client, "select 0", 1);
  return { world, client, primary, replica };
}

/** Everybody goes, and nothing is left but the two timers that tick as long as a worker lives. */
export async function ends(world: World, ...actors: readonly Actor[]): Promise<void> {
  world.planes[0]!.drain(() => {});
  for (const actor of actors) await actor.leaves();
  await world.pass(60_000);
  deepEqual(world.states(), {});
  equal(world.inUse(), 0, "places taken");
  equal(world.network.sockets.length, 0, "sockets");
  ok(world.clock.pending <= 2, `${world.clock.pending} timers`);
}
