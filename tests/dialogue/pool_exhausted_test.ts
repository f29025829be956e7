import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { type Actor, World } from "../support/dialogue.ts";
import { hearsEarly } from "../support/looking_on.ts";
import { AUTH_OK, query, ready, startup, TERMINATE } from "../support/messages.ts";

async function waits(world: World, user: string, worker = 0): Promise<Actor> {
  const client = await world.client(worker);
  await client.says(startup({ user }));
  return client;
}

Deno.test("Session waits for a place in the order in which clients came, over all workers", async () => {
  for (const workers of [1, 3]) {
    const world = await World.start({ workers, pool: { size: 1 } });
    let { client, server } = await world.pair();
    const waiting: Actor[] = [];
    for (let i = 0; i < 6; i++) waiting.push(await waits(world, `user${i}`, i % workers));
    deepEqual(world.states(), {
      "client active": 1,
      "client waiting": 6,
      "db0 active": 1,
      "db0 waiting": 6,
    });
    for (let i = 0; i < 6; i++) {
      await world.noServer();
      await client.says(TERMINATE);
      await server.leaves();
      client = waiting[i]!;
      server = await world.server();
      await server.hearsBytes(startup({ user: `user${i}` }));
    }
    equal(world.poolCount("waits"), 6);
  }
});

Deno.test("Session tells a client that waited longer than acquireTimeout which limit it met", async () => {
  const world = await World.start({ pool: { size: 1, acquireTimeoutMs: 3_000 } });
  const { client, server } = await world.pair();
  const waiter = await waits(world, "bob");
  await world.pass(2_999);
  await waiter.hears();
  await world.pass(1);
  const text = /all 1 of pool "db0" are in use, and none came free within 3s$/;
  await waiter.hearsFatal("53300", text);
  await waiter.leaves();
  equal(world.poolCount("waitTimeouts"), 1);
  const sessions = world.logged("client connected").map(({ fields }) => fields["session"]);
  const ends = world.logged("wait for server connection ended").map(({ fields }) => fields);
  deepEqual(ends.map(({ session, outcome }) => [session, outcome]), [[sessions[1], "timeout"]]);
  await client.leaves();
  await server.leaves();
  await world.isOver(); // the ticket that nobody wants any more has not taken the place
});

Deno.test("Session does not count the time of a wait as time of the login", async () => {
  const world = await World.start({
    pool: { size: 1, acquireTimeoutMs: 50_000 },
    listener: { loginTimeoutMs: 1_000 },
  });
  const { client, server } = await world.pair();
  const waiter = await waits(world, "bob");
  await world.pass(40_000);
  await client.leaves();
  await server.leaves();
  const next = await world.server();
  await next.says(AUTH_OK, ready());
  await waiter.hears(AUTH_OK, ready());
});

Deno.test("Session refuses at once when waitersMax clients wait already", async () => {
  for (const waitersMax of [0, 1, 2]) {
    const world = await World.start({ pool: { size: 1, waitersMax } });
    await world.pair();
    for (let i = 0; i < waitersMax; i++) await waits(world, "bob");
    const refused = await waits(world, "eve");
    const text = new RegExp(
      `all 1 of pool "db0" are in use, and at most ${waitersMax} clients may`,
    );
    await refused.hearsFatal("53300", text);
    equal(world.poolCount("waitsRefused"), 1);
    equal(world.poolCount("waiters"), waitersMax);
  }
});

Deno.test("Session that leaves the queue makes room for another, and its turn goes on", async () => {
  const world = await World.start({ pool: { size: 1, waitersMax: 3 } });
  const { client, server } = await world.pair();
  const [a, b, c] = [
    await waits(world, "a"),
    await waits(world, "b"),
    await waits(world, "c"),
  ];
  await b.leaves();
  const d = await waits(world, "d");
  await d.hears();
  await a.leaves();
  await client.leaves();
  await server.leaves();
  const cServer = await world.server();
  await cServer.hearsBytes(startup({ user: "c" }));
  await c.leaves();
  const gone = world.inUse();
  await cServer.leaves();
  equal(gone, 1, "the place is c's until its server has gone");
  await (await world.server()).hearsBytes(startup({ user: "d" }));
  equal(world.poolCount("waits"), 4);
});

Deno.test("Session whose turn comes in the instant that it leaves passes it on", async () => {
  const world = await World.start({ workers: 2, pool: { size: 1 } });
  const { client, server } = await world.pair(0);
  const first = await waits(world, "first", 1);
  await waits(world, "second", 0);
  // The server's end and the waiter's happen before worker 1 hears that it is its turn.
  client.peer.close();
  server.peer.close();
  first.peer.close();
  await world.settle();
  await (await world.server()).hearsBytes(startup({ user: "second" }));
});

Deno.test("Session keeps what a waiting client sends too early, and passes it on in order", async () => {
  const world = await World.start({ pool: { size: 1 } });
  const { client, server } = await world.pair();
  const early = await world.client();
  await early.says(startup({ user: "bob" }), query("select 1"));
  await early.says(query("select 2"));
  await client.leaves();
  await server.leaves();
  const next = await world.server();
  await hearsEarly(next, startup({ user: "bob" }), query("select 1"), query("select 2"));
});

Deno.test("Session keeps no more than one read buffer for a waiting client", async () => {
  const world = await World.start({ pool: { size: 1, acquireTimeoutMs: 60_000 } });
  const { client, server } = await world.pair();
  const flood = await waits(world, "bob");
  const flooding = concat(...Array.from({ length: 2_000 }, () => query("x".repeat(200))));
  await flood.says(flooding);
  equal(flood.peer.unreadBytes > flooding.length - 65_537, true);
  await client.leaves();
  await server.leaves();
  await hearsEarly(await world.server(), startup({ user: "bob" }), flooding);
});

Deno.test("Session tries the next route when a database cannot be reached, with a place of its pool", async () => {
  const world = await World.start({ servers: 2, pool: { size: 1 } });
  const { client, server } = await world.pair();
  const waiter = await waits(world, "bob");
  const refusal = { kind: "tcp", host: "10.0.0.1", port: 5432 } as const;
  world.network.answer(refusal, "refuse");
  await client.leaves();
  await server.leaves();
  const second = await world.server(1);
  await second.hearsBytes(startup({ user: "bob" }));
  equal(world.inUse("db0"), 0);
  equal(world.inUse("db1"), 1);
  await second.says(AUTH_OK, ready());
  await waiter.hears(AUTH_OK, ready());
  equal(world.poolCount("serverDialFailures"), 1);
});
