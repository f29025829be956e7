/**
 * Nobody reads from a replica what is older than what they have written, or others whose writes
 * count for them.
 *
 * @module
 */

import type { Actor, World } from "../support/dialogue.ts";
import { bind, execute, parseNamed } from "../support/extended_messages.ts";
import { complete, FLUSH, message, parse, query, ready, SYNC } from "../support/messages.ts";
import { connects, exchanges, hearsWelcome } from "../support/pooled_world.ts";
import { elect, ends, say, startServed } from "../support/routed_world.ts";

const [PARSED, BOUND] = [message("1"), message("2")];

Deno.test("Session reads what it has written from a replica that has got it, and not before", async () => {
  const { world, client, primary, replica } = await startServed();
  const { table } = world;
  table.setCaughtUp(1, table.beginRound());
  await exchanges(client, primary, "delete from t", "DELETE 1");
  await exchanges(client, primary, "select 1", "SELECT 1");
  table.setCaughtUp(1, 1); // of the round in which it was written
  await exchanges(client, primary, "select 1", "SELECT 1");
  const round = table.beginRound();
  await exchanges(client, primary, "select 1", "SELECT 1");
  table.setCaughtUp(1, round);
  await exchanges(client, replica, "select 1", "SELECT 1");
  await ends(world, client, primary, replica);
});

Deno.test("Session is bound by the round in which its write ended", async () => {
  const { world, client, primary, replica } = await startServed();
  const { table } = world;
  await client.says(query("delete from t"));
  await primary.hears(query("delete from t"));
  table.setCaughtUp(1, table.beginRound());
  await primary.says(complete("DELETE 1"), ready());
  await client.hears(complete("DELETE 1"), ready());
  await exchanges(client, primary, "select 1", "SELECT 1");
  table.setCaughtUp(1, table.beginRound());
  await exchanges(client, replica, "select 1", "SELECT 1");
  await ends(world, client, primary, replica);
});

/** Another client, of the same user. */
async function another(world: World): Promise<Actor> {
  const client = await connects(world);
  await hearsWelcome(world, client);
  return client;
}

Deno.test("Others read from replicas what a session has written, unless causality says more", async () => {
  for (const causality of ["session", "user", "table", "off"] as const) {
    const { world, client, primary, replica } = await startServed({ routing: { causality } });
    const other = await another(world);
    await exchanges(client, primary, "delete from public.t", "DELETE 1");
    const reads = {
      session: [primary, replica, replica],
      user: [primary, primary, primary],
      table: [primary, primary, replica],
      off: [replica, replica, replica],
    }[causality];
    await exchanges(client, reads[0]!, "select 1", "SELECT 1");
    await exchanges(other, reads[1]!, "select * from t", "SELECT 1");
    await exchanges(other, reads[2]!, "select * from u", "SELECT 1");
    world.table.setCaughtUp(1, world.table.beginRound());
    await exchanges(other, replica, "select * from t", "SELECT 1");
    await ends(world, client, other, primary, replica);
  }
});

Deno.test("Everybody waits for what is not known of a write, where tables count", async () => {
  const { world, client, primary, replica } = await startServed({
    routing: { causality: "table" },
  });
  const other = await another(world);
  await exchanges(client, primary, "select f()", "SELECT 1");
  await exchanges(other, primary, "select * from u", "SELECT 1");
  await ends(world, client, other, primary, replica);
});

Deno.test("Session remembers a write that it bound behind a read it had prepared", async () => {
  const { world, client, primary, replica } = await startServed();
  await client.says(parseNamed("w", "delete from t"), SYNC);
  await primary.says(PARSED, ready());
  world.table.setCaughtUp(1, world.table.beginRound());
  primary.peer.take();
  client.peer.take();
  say(world.table, 1, { role: "replica", flags: ["lagging"] });
  await client.says(parse("select 1"), FLUSH);
  await primary.says(PARSED);
  await client.says(bind({ statement: "w" }), execute(), SYNC);
  await primary.says(BOUND, complete("DELETE 1"), ready());
  await client.hears(PARSED, BOUND, complete("DELETE 1"), ready());
  primary.peer.take();
  elect(world);
  await exchanges(client, primary, "select 1", "SELECT 1");
  await ends(world, client, primary, replica);
});
