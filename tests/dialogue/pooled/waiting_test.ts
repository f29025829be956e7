import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Actor } from "../../support/dialogue.ts";
import { complete, cut, errorFields, query, ready, TERMINATE } from "../../support/messages.ts";
import {
  admits,
  connects,
  exchanges,
  hearsWelcome,
  joins,
  pooledPair,
  startPooled,
} from "../../support/pooled_world.ts";

Deno.test("PooledSession waits for a server in the order in which clients asked", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  const waiters: Actor[] = [];
  for (let i = 0; i < 5; i++) {
    const { client: waiter } = await joins(world);
    await waiter.says(query(`select ${i}`));
    waiters.push(waiter);
  }
  await waiters[2]!.leaves();
  await world.pass(1);
  await client.says(query("commit"));
  await server.hears(query("commit"));
  await server.says(complete("COMMIT"), ready());
  for (const i of [0, 1, 3, 4]) {
    await server.hears(query(`select ${i}`));
    await server.says(complete(`SELECT ${i}`), ready());
    await waiters[i]!.hears(complete(`SELECT ${i}`), ready());
  }
  deepEqual(world.states(), { "client active": 5, "db0 idle": 1 });
  equal(world.poolCount("waits"), 5);
});

Deno.test("PooledSession does not let one client keep the server by asking again and again", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await client.says(query("select 1"));
  await server.hears(query("select 1"));
  await other.says(query("select 2"));
  await server.says(complete("SELECT 1"), ready());
  await client.says(query("select 3"));
  await server.hears(query("select 2"));
  await server.says(complete("SELECT 1"), ready());
  await server.hears(query("select 3"));
});

Deno.test("PooledSession tells a client that waited too long which limit it met", async () => {
  const { world, client, server } = await pooledPair({ pool: { acquireTimeoutMs: 3_000 } });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: waiter } = await joins(world);
  await waiter.says(query("select 1"));
  await world.pass(2_999);
  await waiter.hears();
  await world.pass(1);
  const text = /all 1 of pool "db0" are in use, and none came free within 3s$/;
  await waiter.hearsFatal("53300", text);
  equal(world.poolCount("waitTimeouts"), 1);
  await waiter.leaves();
  await exchanges(client, server, "commit", "COMMIT");
  await server.hears();
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
});

Deno.test("PooledSession is refused at once when waitersMax wait already", async () => {
  const { world, client, server } = await pooledPair({ pool: { waitersMax: 1 } });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: waiter } = await joins(world);
  await waiter.says(query("select 1"));
  const { client: refused } = await joins(world);
  await refused.says(query("select 2"));
  await refused.hearsFatal("53300", /at most 1 clients may wait$/);
  equal(world.poolCount("waitsRefused"), 1);
});

Deno.test("PooledSession that may not even wait is told which limit it met", async () => {
  const pool = { size: 5, databaseSizeMax: 1, waitersMax: 0 };
  const { world, client, server } = await pooledPair({ pool });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: refused } = await joins(world);
  await refused.says(query("select 2"));
  const text = /the limit of pools.db0.databaseSizeMax for database \w+ is reached, and at most 0/;
  await refused.hearsFatal("53300", text);
});

Deno.test("PooledSession tells a client once that it waits", async () => {
  const { world, client, server } = await pooledPair({
    pool: { waitNoticeMs: 1_000, acquireTimeoutMs: 60_000 },
  });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: waiter } = await joins(world);
  await waiter.says(query("select 1"));
  await world.pass(999);
  await waiter.hears();
  await world.pass(20_000);
  const [notice, ...others] = cut(waiter.peer.take());
  deepEqual([notice?.tag, others], ["N", []]);
  const fields = errorFields(notice!.bytes);
  equal(fields.get("S"), "NOTICE");
  ok(/^waiting for a server connection of pool "db0" for \d+m?s$/.test(fields.get("M")!));
  await exchanges(client, server, "commit", "COMMIT").catch(() => {});
});

Deno.test("PooledSession is not told of its wait before it is welcome", async () => {
  const world = await startPooled({ pool: { waitNoticeMs: 10, acquireTimeoutMs: 60_000 } });
  const client = await connects(world);
  await world.pass(500);
  await admits(world);
  await hearsWelcome(world, client);
});

Deno.test("PooledSession that leaves the queue does not get the server", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: waiter } = await joins(world);
  await waiter.says(query("insert"), TERMINATE);
  await waiter.leaves();
  await exchanges(client, server, "commit", "COMMIT");
  await server.hears();
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
});

Deno.test("PooledSession keeps no more than one read buffer of a client that waits", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: flood } = await joins(world);
  const flooding = Array.from({ length: 2_000 }, () => query("x".repeat(200)));
  await flood.says(...flooding);
  ok(flood.peer.unreadBytes > 2_000 * 200 - 65_537);
  await exchanges(client, server, "commit", "COMMIT").catch(() => {});
});

Deno.test("PooledSession of another worker gets the server connection's place when it is free", async () => {
  const { world, client, server } = await pooledPair({ workers: 2 });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const other = await connects(world, {}, 1);
  await world.noServer();
  await world.pass(1_000);
  await client.says(query("commit"));
  await server.hears(query("commit"));
  await server.says(complete("COMMIT"), ready());
  await world.pass(1_000);
  equal(server.peer.hasSeenEnd, true, "its place goes to the worker whose client waits");
  await server.leaves();
  await world.pass(100);
  await admits(world);
  await hearsWelcome(world, other);
});

Deno.test("PooledPlane opens as many connections at its start as a limits file says", async () => {
  const both = { database: "ann", user: "ann", aliases: [], isDisabled: false };
  const world = await startPooled({
    server: { retries: 1, backoffMs: 10 },
    pool: { size: 30, limits: [{ ...both, sizeMax: 30, initialSize: 20, minSize: 0 }] },
  });
  await world.pass(10);
  for (let i = 0; i < 20; i++) await admits(world);
  await world.noServer();
  deepEqual(world.states(), { "db0 idle": 20 });
});

Deno.test("PooledSession is told which number is reached, and what to raise", async () => {
  const limit = { database: "ann", user: "ann", aliases: [], isDisabled: false, minSize: 0 };
  const cases = [
    [{ size: 1 }, /all 1 of pool "db0" are in use/, /^Raise pools.db0.size or pools.db0.acq/],
    [
      { size: 5, limits: [{ ...limit, sizeMax: 1, initialSize: 0 }] },
      /all 1 of pool "db0" are in use/,
      /^Raise MAX_SIZE in the file of pools.db0.limitsFile or pools.db0.acquireTimeout/,
    ],
    [
      { size: 5, databaseSizeMax: 1 },
      /the limit of pools.db0.databaseSizeMax for database ann is reached/,
      /^Raise that limit or pools.db0.acquireTimeout/,
    ],
    [
      { size: 5, userSizeMax: 1 },
      /the limit of pools.db0.userSizeMax for user ann is reached/,
      /^Raise that limit or/,
    ],
  ] as const;
  for (const [pool, message, hint] of cases) {
    const options = { ...pool, acquireTimeoutMs: 1_000 };
    const world = await startPooled({ pool: options });
    const client = await connects(world);
    const server = await admits(world);
    await hearsWelcome(world, client);
    await exchanges(client, server, "begin", "BEGIN", "T");
    const { client: waiter } = await joins(world);
    await waiter.says(query("select 1"));
    await world.pass(1_000);
    const fields = errorFields(cut(waiter.peer.take()).at(-1)!.bytes);
    match(fields.get("M")!, message);
    match(fields.get("H")!, hint);
  }
});
