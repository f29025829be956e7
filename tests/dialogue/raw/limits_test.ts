/**
 * How many raw sessions there may be, what they hold, and how servers are reached.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { READ_BUFFER_SIZE_MAX } from "../../../src/net/socket.ts";
import { SERVERS, World } from "../../support/dialogue.ts";

const listener = { protocol: "raw" } as const;

const MIB = 1024 * 1024;

Deno.test("RawListener closes who comes when clientsMax are there", async () => {
  const world = await World.start({ listener: { ...listener, clientsMax: 1 } });
  const client = await world.client();
  const refused = await world.client();
  ok(refused.peer.hasSeenEnd);
  equal(world.count("clientsRefused"), 1);
  equal(
    world.logged("client refused")[0]?.fields["reason"],
    "servers.main.clientsMax clients are served",
  );
  await client.leaves();
  await (await world.server()).leaves();
  const next = await world.client();
  ok(!next.peer.hasSeenEnd, "there is room again");
});

Deno.test("RawSession waits for a place in the pool, over all workers, in order", async () => {
  const world = await World.start({ listener, workers: 2, pool: { size: 1 } });
  let client = await world.client(0);
  const waiting = [];
  for (let i = 0; i < 4; i++) {
    const next = await world.client(i % 2);
    await next.says(utf8(`${i}`));
    waiting.push(next);
  }
  let server = await world.server();
  for (const [i, next] of waiting.entries()) {
    await world.noServer();
    await client.leaves();
    await server.leaves();
    server = await world.server();
    await server.hearsBytes(utf8(`${i}`));
    client = next;
  }
  await client.leaves();
  await server.leaves();
  equal(world.poolCount("waits"), 4);
  await world.isOver();
});

Deno.test("RawSession ends when it has waited for acquireTimeout, or too many wait", async () => {
  const pool = { size: 1, waitersMax: 1, acquireTimeoutMs: 3_000 };
  const world = await World.start({ listener, pool });
  const client = await world.client();
  const waiter = await world.client();
  const refused = await world.client();
  ok(refused.peer.hasSeenEnd);
  await world.pass(2_999);
  ok(!waiter.peer.hasSeenEnd);
  await world.pass(1);
  ok(waiter.peer.hasSeenEnd);
  deepEqual(world.logged("client refused").map(({ fields }) => fields["reason"]), [
    "all 1 server connections of pools.db0 are in use, and waitersMax, 1, wait",
    "all 1 server connections of pools.db0 are in use, and none came free within " +
    "acquireTimeout, 3s",
  ]);
  equal(world.poolCount("waitTimeouts"), 1);
  equal(world.poolCount("waitsRefused"), 1);
  for (const one of [client, waiter, refused]) await one.leaves();
  await (await world.server()).leaves();
  await world.isOver();
});

Deno.test("RawSession gives its place back when its server has closed, not before", async () => {
  const world = await World.start({ listener, pool: { size: 1 } });
  const client = await world.client();
  const server = await world.server();
  await client.breaks();
  equal(world.inUse(), 1);
  await world.pass(29_999);
  equal(world.inUse(), 1, "the server may still be at work");
  await world.pass(1);
  equal(world.inUse(), 0, "but not for ever");
  await server.leaves();
  await world.isOver();
});

Deno.test("RawSession tries the next route when a server cannot be reached", async () => {
  const server = { retries: 1, backoffMs: 100 };
  const world = await World.start({ listener, servers: 2, server });
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await world.client();
  await client.says(utf8("hello"));
  await world.noServer(1);
  await world.pass(100);
  const second = await world.server(1);
  await second.hearsBytes(utf8("hello"));
  equal(world.poolCount("serverDialFailures", "db0"), 2);
  deepEqual(world.states(), { "client active": 1, "db1 active": 1 });
  await client.leaves();
  await second.leaves();
  await world.isOver();
});

Deno.test("RawSession ends when no server can be reached", async () => {
  const world = await World.start({ listener, servers: 2 });
  for (const address of SERVERS) world.network.answer(address, "refuse");
  const client = await world.client();
  ok(client.peer.hasSeenEnd);
  await client.leaves();
  equal(world.logged("client disconnected")[0]?.fields["reason"], "server not reachable");
  equal(world.logged("cannot connect to server").length, 2);
  await world.isOver();
});

Deno.test("RawSession stops reading from who is ahead of a slow reader", async () => {
  for (const slow of ["client", "server"] as const) {
    const world = await World.start({ listener });
    const client = await world.client();
    const server = await world.server();
    const [reader, writer] = slow === "client" ? [client, server] : [server, client];
    reader.peer.isReading = false;
    for (let i = 0; i < 16; i++) {
      await writer.says(new Uint8Array(MIB).fill(i));
      const held = world.network.sockets.map((socket) => socket.heldBytes);
      ok(Math.max(...held) <= READ_BUFFER_SIZE_MAX, `${held}`);
    }
    ok(writer.peer.unreadBytes > 15 * MIB, "the rest waits at the writer");
    reader.peer.isReading = true;
    writer.peer.end();
    await world.settle();
    equal(reader.peer.take().length, 16 * MIB);
    ok(reader.peer.hasSeenEnd);
  }
});

Deno.test("RawSession holds no more than a buffer of a client that waits", async () => {
  const world = await World.start({ listener, pool: { size: 1 } });
  const first = await world.client();
  const client = await world.client();
  await client.says(new Uint8Array(MIB).fill(7));
  const held = world.network.sockets.map((socket) => socket.heldBytes);
  equal(Math.max(...held), READ_BUFFER_SIZE_MAX);
  await first.leaves();
  await (await world.server()).leaves();
  const server = await world.server();
  equal(server.peer.take().length, MIB);
});

Deno.test("RawListener sends away who has no server when the gateway stops, and no other", async () => {
  const world = await World.start({ listener, pool: { size: 1 } });
  const client = await world.client();
  const server = await world.server();
  const waiter = await world.client();
  let isDrained = false;
  world.planes[0]!.drain(() => isDrained = true);
  await world.settle();
  ok(waiter.peer.hasSeenEnd);
  await waiter.leaves();
  await client.says(utf8("still"));
  await server.hearsBytes(utf8("still"));
  equal(isDrained, false);
  await client.leaves();
  await server.leaves();
  equal(isDrained, true);
  await world.isOver();
});

Deno.test("RawListener ends all when the gateway waits no longer", async () => {
  const world = await World.start({ listener });
  const client = await world.client();
  const server = await world.server();
  let isDrained = false;
  world.planes[0]!.drain(() => isDrained = true);
  world.planes[0]!.terminate();
  await world.settle();
  ok(client.peer.hasSeenEnd && server.peer.hasSeenEnd);
  await client.leaves();
  equal(isDrained, true, "nobody waits for the server");
  equal(world.logged("client disconnected")[0]?.fields["reason"], "gateway shut down");
  await world.isOver();
});
