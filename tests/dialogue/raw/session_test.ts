/**
 * What passes a raw session, and how each direction ends.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { type Actor, World, type WorldOptions } from "../../support/dialogue.ts";
import { Random } from "../../support/random.ts";

const CONFIG = { listener: { protocol: "raw" } } as const;

/** A world whose listener is raw. */
function rawWorld({ listener, ...options }: Partial<WorldOptions> = {}): Promise<World> {
  return World.start({ ...options, listener: { ...CONFIG.listener, ...listener } });
}

async function pair(world: World): Promise<{ client: Actor; server: Actor }> {
  const client = await world.client();
  return { client, server: await world.server() };
}

Deno.test("RawSession passes bytes both ways, whoever begins", async () => {
  const world = await rawWorld();
  const { client, server } = await pair(world);
  await server.says(utf8("220 hello"));
  await client.hearsBytes(utf8("220 hello"));
  await client.says(utf8("HELO"));
  await server.hearsBytes(utf8("HELO"));
  deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
  equal(world.inUse(), 1);
  await client.leaves();
  ok(server.peer.hasSeenEnd);
  await server.leaves();
  await world.isOver();
  equal(world.poolCount("bytesFromClients"), 4);
  equal(world.poolCount("bytesFromServers"), 9);
  equal(world.poolCount("assignments"), 1);
  const [ready] = world.logged("session connected to server");
  deepEqual([ready?.level, ready?.fields["server"]], ["info", "10.0.0.1:5432"]);
  const [gone] = world.logged("client disconnected");
  deepEqual([gone?.level, gone?.fields["reason"]], ["info", "client closed the connection"]);
});

Deno.test("RawSession keeps what a client says before its server is reached", async () => {
  const world = await rawWorld({ pool: { size: 1 } });
  const first = await pair(world);
  const early = await world.client();
  await early.says(utf8("GET "));
  await early.says(utf8("/"));
  await world.noServer();
  deepEqual(world.states(), {
    "client active": 1,
    "client waiting": 1,
    "db0 active": 1,
    "db0 waiting": 1,
  });
  await first.client.leaves();
  await first.server.leaves();
  const server = await world.server();
  await server.hearsBytes(utf8("GET /"));
  await early.leaves();
  await server.leaves();
  await world.isOver();
});

Deno.test("RawSession passes on the end of one direction, and goes on in the other", async () => {
  for (const first of ["client", "server"] as const) {
    const world = await rawWorld();
    const both = await pair(world);
    const ends = both[first];
    const goesOn = both[first === "client" ? "server" : "client"];
    await ends.says(utf8("last words"));
    ends.peer.end();
    await goesOn.hearsBytes(utf8("last words"));
    ok(goesOn.peer.hasSeenEnd, "the end is passed on");
    ok(!ends.peer.hasSeenEnd);
    await goesOn.says(utf8("a long answer"));
    await ends.hearsBytes(utf8("a long answer"));
    deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
    goesOn.peer.end();
    await world.settle();
    ok(ends.peer.hasSeenEnd);
    await world.isOver();
    const [gone] = world.logged("client disconnected");
    equal(gone?.fields["reason"], `${first} closed the connection`);
    equal(world.logged("server connection lost").length, 0);
  }
});

Deno.test("RawSession serves a client that has said all before its server is reached", async () => {
  const world = await rawWorld({ pool: { size: 1 } });
  const first = await pair(world);
  const client = await world.client();
  await client.says(utf8("whois example.org"));
  client.peer.end();
  await world.settle();
  await first.client.leaves();
  await first.server.leaves();
  const server = await world.server();
  await server.hearsBytes(utf8("whois example.org"));
  ok(server.peer.hasSeenEnd, "the end comes behind the bytes");
  await server.says(utf8("nobody"));
  server.peer.end();
  await client.hearsBytes(utf8("nobody"));
  ok(client.peer.hasSeenEnd);
  await world.isOver();
});

Deno.test("RawSession asks no server for a client that leaves without a word", async () => {
  const world = await rawWorld({ server: { retries: 100 } });
  world.network.answer({ kind: "tcp", host: "10.0.0.1", port: 5432 }, "hang");
  const client = await world.client();
  client.peer.end();
  await world.settle();
  await world.pass(1_000);
  ok(client.peer.hasSeenEnd);
  await world.isOver();
  equal(world.logged("client disconnected")[0]?.level, "debug");
});

Deno.test("RawSession ends when a connection breaks, on either side", async () => {
  for (const broken of ["client", "server"] as const) {
    const world = await rawWorld();
    const both = await pair(world);
    const other = both[broken === "client" ? "server" : "client"];
    await both[broken].breaks();
    ok(other.peer.hasSeenEnd);
    await other.leaves();
    await world.isOver();
    const { fields } = world.logged("client disconnected")[0]!;
    const reason = broken === "client"
      ? "client connection broke: connection reset by peer"
      : "server connection broke";
    equal(fields["reason"], reason);
    equal(world.poolCount("serversLost"), broken === "server" ? 1 : 0);
  }
});

Deno.test("RawSession does not call a server lost that closes what its client has ended", async () => {
  const world = await rawWorld();
  const { client, server } = await pair(world);
  client.peer.end();
  await world.settle();
  await server.breaks();
  equal(world.poolCount("serversLost"), 0);
  await client.leaves();
  await world.isOver();
});

Deno.test("RawSession does not wait for ever for a client whose server has ended", async () => {
  for (const clientIdleTimeoutMs of [0, 600_000]) {
    const world = await rawWorld({ listener: { clientIdleTimeoutMs } });
    const { client, server } = await pair(world);
    server.peer.end();
    await world.pass(59_000);
    await client.says(utf8("still here")); // to a server that may be gone, or not
    await world.pass(59_999);
    equal(world.inUse(), 1);
    await world.pass(1);
    await client.leaves();
    await server.leaves();
    await world.isOver();
    equal(world.poolCount("clientIdleTimeouts"), 0);
  }
});

Deno.test("RawSession ends when nothing has passed for clientIdleTimeout", async () => {
  const world = await rawWorld({ listener: { clientIdleTimeoutMs: 10_000 } });
  const { client, server } = await pair(world);
  await world.pass(9_000);
  await server.says(utf8("x"));
  await world.pass(9_000);
  await client.says(utf8("y"));
  await world.pass(9_999);
  ok(!client.peer.hasSeenEnd);
  await world.pass(1);
  ok(client.peer.hasSeenEnd && server.peer.hasSeenEnd);
  await client.leaves();
  await server.leaves();
  await world.isOver();
  equal(world.poolCount("clientIdleTimeouts"), 1);
});

Deno.test("RawSession passes any stream as it was, however it is cut", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const world = await rawWorld();
    const { client, server } = await pair(world);
    world.network.readSizeMax = 1 + random.below(5_000);
    const said = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
    const heard = { client: [] as Uint8Array[], server: [] as Uint8Array[] };
    const sides = { client, server };
    for (let i = 0; i < 30; i++) {
      const side = random.below(2) === 0 ? "client" : "server";
      const bytes = random.bytes(random.below(3_000));
      said[side].push(bytes);
      sides[side].peer.write(bytes);
      sides.client.peer.isReading = random.below(3) > 0;
      if (random.below(2) === 0) await world.settle();
      heard.client.push(client.peer.take());
      heard.server.push(server.peer.take());
    }
    client.peer.isReading = true;
    client.peer.end();
    server.peer.end();
    await world.settle();
    heard.client.push(client.peer.take());
    heard.server.push(server.peer.take());
    deepEqual(concat(...heard.client), concat(...said.server), `seed ${seed}`);
    deepEqual(concat(...heard.server), concat(...said.client), `seed ${seed}`);
    await world.isOver();
  }
});
