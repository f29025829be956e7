/**
 * Who is served by which server of a group, who is held while there is none, and what becomes of
 * sessions whose server is another one suddenly.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { SERVERS, type World } from "../support/dialogue.ts";
import { complete, query, ready, SYNC, TERMINATE } from "../support/messages.ts";
import { admits, connects, exchanges, hearsWelcome } from "../support/pooled_world.ts";
import { elect, ends, opens, say, startRouted, welcomes } from "../support/routed_world.ts";

const PRIMARY = { targetSessionAttrs: "primary" } as const;

/** Nobody has got a connection that a test has not asked for. */
async function noServers(world: World): Promise<void> {
  for (const index of SERVERS.keys()) await world.noServer(index);
}

Deno.test("Session is held while there is no primary, and served when there is one", async () => {
  const world = await startRouted({ routing: PRIMARY });
  say(world.table, 0, { role: "replica" });
  const client = await connects(world);
  await world.pass(20_000);
  deepEqual(world.states(), { "client waiting": 1, "db0 waiting": 1 });
  await noServers(world);
  elect(world, 2);
  await world.pass(50);
  const server = await admits(world, {}, 2);
  await hearsWelcome(world, client);
  await exchanges(client, server, "select 1", "SELECT 1");
  elect(world, 1);
  world.table.newEpoch(2);
  await world.pass(100);
  await server.hearsEnd(TERMINATE);
  const next = await opens(world, client, "select 2", 1);
  await ends(world, client, server, next);
});

Deno.test("Session that is held for longer than failoverTimeout hears that it may try again", async () => {
  const world = await startRouted({ routing: PRIMARY, group: { failoverTimeoutMs: 3_000 } });
  const { client, server } = await welcomes(world);
  say(world.table, 0, { role: "primary", health: "down" });
  elect(world);
  say(world.table, 0, { role: "unknown", health: "down" });
  world.table.newEpoch(0);
  await world.pass(100);
  await server.hearsEnd(TERMINATE);
  await client.says(query("select 1"));
  await server.leaves();
  deepEqual(world.states(), { "client active": 1, "db0 waiting": 1 });
  await world.pass(2_999);
  await client.hears();
  await world.pass(1);
  const fields = await client.hearsFatal("57P03", /^no primary server is available$/);
  equal(fields.get("D"), "The client was held for 3s.");
  await ends(world, client);
});

Deno.test("Session that may not be held is refused at once", async () => {
  const world = await startRouted({ routing: PRIMARY, group: { failoverTimeoutMs: 0 } });
  const { client, server } = await welcomes(world);
  for (const index of SERVERS.keys()) say(world.table, index, { role: "replica" });
  world.table.newEpoch(0);
  await world.pass(100);
  await client.says(query("select 1"));
  await world.pass(0);
  await client.hearsFatal("57P03", /^no primary server is available$/);
  await ends(world, client, server);
});

Deno.test("Session that goes while it is held leaves nothing behind", async () => {
  const world = await startRouted({ routing: PRIMARY });
  say(world.table, 0, { role: "replica" });
  const client = await connects(world);
  await world.pass(1_000);
  await ends(world, client);
});

Deno.test("Session goes on to the next server where nobody answers", async () => {
  const world = await startRouted();
  world.network.answer(SERVERS[0]!, "refuse");
  world.network.answer(SERVERS[1]!, "refuse");
  const client = await connects(world);
  const server = await admits(world, {}, 2);
  await hearsWelcome(world, client);
  await exchanges(client, server, "select 1", "SELECT 1");
  deepEqual(world.doubted, [0, 1]);
  await ends(world, client, server);
});

Deno.test("Session that finds nobody tries again until there is somebody", async () => {
  const world = await startRouted({ members: 1 });
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await connects(world);
  await world.pass(10_000);
  deepEqual(world.states(), { "client waiting": 1, "db0 waiting": 1 });
  world.network.answer(SERVERS[0]!, "accept");
  const accepted = world.network.accepted(SERVERS[0]!);
  for (let i = 0; i < 40 && accepted.length === 0; i++) await world.pass(50);
  const server = await admits(world);
  await hearsWelcome(world, client);
  await ends(world, client, server);
});

Deno.test("Session that waits in a queue goes where there is a server, by the news of it", async () => {
  const world = await startRouted({ routing: PRIMARY });
  const { client, server } = await welcomes(world);
  await exchanges(client, server, "begin", "BEGIN", "T");
  const waiter = await connects(world);
  await hearsWelcome(world, waiter);
  await waiter.says(query("select 1"));
  deepEqual(world.states(), {
    "client active": 2,
    "db0 active": 1,
    "db0 waiting": 1,
  });
  elect(world, 1);
  await world.pass(50);
  const second = await admits(world, {}, 1);
  await second.hears(query("select 1"));
  await second.says(complete("SELECT 1"), ready());
  await waiter.hears(complete("SELECT 1"), ready());
  // The transaction that runs goes on where it is.
  await exchanges(client, server, "commit", "COMMIT");
  await ends(world, client, waiter, server, second);
});

Deno.test("Session waits for one server while all are taken to be down", async () => {
  const world = await startRouted({ members: 1, pool: { acquireTimeoutMs: 3_000 } });
  say(world.table, 0, { role: "primary", health: "down" });
  const client = await connects(world);
  await world.pass(900); // its login takes long, and is not begun anew
  const server = await admits(world);
  await hearsWelcome(world, client);
  await exchanges(client, server, "begin", "BEGIN", "T");
  const waiter = await connects(world);
  await hearsWelcome(world, waiter);
  await waiter.says(query("select 1"));
  await world.pass(2_999);
  await waiter.hears();
  await world.pass(1);
  await waiter.hearsFatal("53300", /in use, and none came free within 3s$/);
  await ends(world, client, waiter, server);
});

Deno.test("Pause holds new requests and no transaction, and resume lets them go", async () => {
  const world = await startRouted({
    group: { failoverTimeoutMs: 10 },
    pool: { acquireTimeoutMs: 60_000 },
  });
  const { client, server } = await welcomes(world);
  const other = await connects(world);
  await hearsWelcome(world, other);
  await exchanges(client, server, "begin", "BEGIN", "T");
  world.table.setPaused(0, true);
  await exchanges(client, server, "select 1", "SELECT 1", "T");
  await exchanges(client, server, "commit", "COMMIT");
  await client.says(query("select 2"));
  await other.says(query("select 3"));
  await world.pass(50_000);
  await server.hears();
  world.table.setPaused(0, false);
  await world.pass(50);
  await server.hears(query("select 2"));
  await server.says(complete("SELECT 1"), ready());
  await server.hears(query("select 3"));
  await server.says(complete("SELECT 1"), ready());
  for (const one of [client, other]) await one.hears(complete("SELECT 1"), ready());
  await ends(world, client, other, server);
});

Deno.test("Sessions that are held go on in the order in which they came, whoever has left", async () => {
  const world = await startRouted({ pool: { acquireTimeoutMs: 60_000 } });
  const { client, server } = await welcomes(world);
  const others = [];
  for (let i = 0; i < 3; i++) {
    const other = await connects(world);
    await hearsWelcome(world, other);
    others.push(other);
  }
  world.table.setPaused(0, true);
  const all = [client, ...others];
  for (const [i, one] of all.entries()) await one.says(query(`select ${i}`));
  await client.leaves();
  world.table.setPaused(0, false);
  await world.pass(50);
  for (const [i, one] of others.entries()) {
    await server.hears(query(`select ${i + 1}`));
    await server.says(complete("SELECT 1"), ready());
    await one.hears(complete("SELECT 1"), ready());
  }
  await ends(world, ...others, server);
});

Deno.test("Pause ends for a client after acquireTimeout", async () => {
  const world = await startRouted({ pool: { acquireTimeoutMs: 2_000 } });
  const { client, server } = await welcomes(world);
  world.table.setPaused(0, true);
  await client.says(query("select 2"));
  await world.pass(2_000);
  await client.hearsFatal("57P03", /^no server is available$/);
  await ends(world, client, server);
});

Deno.test("Server that goes down ends its sessions at once, and nobody else's", async () => {
  const world = await startRouted();
  const { client, server } = await welcomes(world);
  await exchanges(client, server, "begin", "BEGIN", "T");
  const other = await connects(world);
  await hearsWelcome(world, other);
  say(world.table, 0, { role: "primary", flags: ["disabled"] });
  const second = await opens(world, other, "begin", 1, "T");
  say(world.table, 0, { role: "primary", health: "down" });
  world.table.newEpoch(0);
  await world.pass(100);
  await client.hearsFatal("08006", /^the server closed the connection unexpectedly$/);
  await exchanges(other, second, "commit", "COMMIT");
  await ends(world, client, other, server, second);
});

Deno.test("Session of a pool of mode session hears that its server is no primary any more", async () => {
  const world = await startRouted({ routing: PRIMARY, pool: { mode: "session", size: 2 } });
  const { client: idle, server: first } = await welcomes(world);
  await exchanges(idle, first, "select 0", "SELECT 1");
  const busy = await connects(world);
  await hearsWelcome(world, busy);
  const server = await opens(world, busy, "begin", 0, "T");
  elect(world, 1);
  world.table.newEpoch(0);
  await world.pass(100);
  // What is committed there now would be lost.
  for (const one of [idle, busy]) await one.hearsFatal("57P01", /^the server has another role/);
  await ends(world, idle, busy, server, first);
});

Deno.test("Session of a pool of mode session stays on a server that may still serve it", async () => {
  const world = await startRouted({ pool: { mode: "session" } });
  const { client, server } = await welcomes(world);
  await exchanges(client, server, "select 1", "SELECT 1");
  elect(world, 1);
  world.table.newEpoch(0);
  await world.pass(100);
  await exchanges(client, server, "select 1", "SELECT 1");
  await ends(world, client, server);
});

Deno.test("Connections that wait are closed in a new epoch, and those in use when they are free", async () => {
  const world = await startRouted({ pool: { size: 2 } });
  const { client, server } = await welcomes(world);
  await exchanges(client, server, "begin", "BEGIN", "T");
  const other = await connects(world);
  await hearsWelcome(world, other);
  const second = await opens(world, other, "select 1", 0);
  world.table.newEpoch(0);
  await world.pass(99);
  await second.hears();
  await world.pass(1);
  await second.hearsEnd(TERMINATE);
  await exchanges(client, server, "commit", "COMMIT");
  await server.hearsEnd(TERMINATE);
  await ends(world, client, other, server, second);
});

Deno.test("Session that is busy sends no more to a server that is no primary any more", async () => {
  const world = await startRouted({ routing: PRIMARY });
  const { client, server } = await welcomes(world);
  await client.says(query("select 1"), query("select 2"));
  await server.hears(query("select 1"), query("select 2"));
  elect(world, 1);
  world.table.newEpoch(0);
  await world.pass(100);
  await client.says(query("delete from t"));
  await server.hears(SYNC); // the gateway's own: it finds out when the server is done
  await client.hearsFatal("57P01", /^the server has another role/);
  await ends(world, client, server);
});

Deno.test("Session goes on from the server that it keeps when that one cannot be reached", async () => {
  // Nobody finds out who answers, so the server that answered last is kept.
  const world = await startRouted({ health: { check: "off" } });
  const { client, server } = await welcomes(world);
  await server.leaves();
  await world.pass(5_000);
  world.network.answer(SERVERS[0]!, "refuse");
  await opens(world, client, "select 1", 1);
  await client.leaves();
});

Deno.test("Session that is held finds a server behind one that refuses at once", async () => {
  const world = await startRouted({ routing: { targetSessionAttrs: "standby" } });
  say(world.table, 1, { role: "replica", flags: ["lagging"] });
  const { client, server } = await welcomes(world, 2);
  // The first one has just failed, so that its pool does not try it; the second one has a free
  // connection.
  say(world.table, 1, { role: "replica" });
  say(world.table, 2, { role: "replica", flags: ["lagging"] });
  world.network.answer(SERVERS[1]!, "refuse");
  await client.says(query("select 1"));
  deepEqual(world.states()["db0 waiting"], 1);
  say(world.table, 2, { role: "replica" });
  await world.pass(50);
  await server.hears(query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
  await ends(world, client, server);
});
