/**
 * A plugin sends a request, or a session, to a server of a role.
 *
 * @module
 */

import { complete, query, ready } from "../../support/messages.ts";
import { admits, connects, exchanges, hearsWelcome, joins } from "../../support/pooled_world.ts";
import {
  elect,
  ends,
  say,
  startRouted,
  startServed,
  welcomes,
} from "../../support/routed_world.ts";
import { plug, routes, text } from "../../support/subscribers.ts";

Deno.test("HookedSession routes a query to a server of a role", async () => {
  const { world, client, primary, replica } = await startServed();
  plug(world.hooks, {
    onQuery: (event) => {
      const asked = text(event, "text") ?? "";
      if (asked.startsWith("select 1")) return routes("role=primary");
      return asked.startsWith("select f()") ? routes("role=replica") : undefined;
    },
  });
  await exchanges(client, primary, "select 1", "X");
  await exchanges(client, replica, "select f()", "X");
  world.table.setCaughtUp(1, world.table.beginRound());
  await exchanges(client, replica, "select 2", "X");
  await exchanges(client, primary, "update t set a = 1", "X");
  await ends(world, client, primary, replica);
});

Deno.test("HookedSession routes a session to servers of a role, whoever it is", async () => {
  for (const routing of [{}, { readWriteSplit: true }, { strategy: "ROUND_ROBIN" }] as const) {
    const world = await startRouted({ members: 2, routing });
    plug(world.hooks, { onStartup: () => routes("role=replica") });
    const client = await connects(world);
    const replica = await admits(world, {}, 1);
    await hearsWelcome(world, client);
    await exchanges(client, replica, "select f()", "X");
    await ends(world, client, replica);
  }
});

Deno.test("HookedSession keeps a session to its role where there is one server, and no other", async () => {
  const world = await startRouted({ members: 1 });
  say(world.table, 0, { role: "replica" });
  const { client: before, server } = await welcomes(world);
  await exchanges(before, server, "select 1", "X");
  let isChosen = true;
  plug(world.hooks, { onStartup: () => isChosen ? routes("role=primary") : undefined });
  const { client: kept } = await joins(world);
  isChosen = false;
  const { client: behind } = await joins(world);
  await kept.says(query("select 2"));
  await server.hears();
  await exchanges(before, server, "select 3", "X");
  await exchanges(behind, server, "select 4", "X");
  elect(world);
  await world.pass(1_000);
  await server.hears(query("select 2"));
  await server.says(complete("X"), ready());
  await kept.hears(complete("X"), ready());
  await ends(world, before, kept, behind, server);
});
