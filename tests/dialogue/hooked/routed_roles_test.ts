/**
 * A plugin sends a request, or a session, to a server of a role.
 *
 * @module
 */

import { admits, connects, exchanges, hearsWelcome } from "../../support/pooled_world.ts";
import { ends, startRouted, startServed } from "../../support/routed_world.ts";
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
