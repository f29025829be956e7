import { deepEqual, equal } from "node:assert/strict";
import { SERVER_KEY } from "../../support/dialogue.ts";
import { cancelRequest, complete, error, query, ready } from "../../support/messages.ts";
import { connects, exchanges, joins, pooledPair } from "../../support/pooled_world.ts";

Deno.test("PooledSession without a server is sent away at a shutdown, one with a server may finish", async () => {
  const { world, client, server } = await pooledPair();
  const { client: idle } = await joins(world);
  const { client: waiting } = await joins(world);
  await exchanges(client, server, "begin", "BEGIN", "T");
  await waiting.says(query("select 1"));
  let isDrained = false;
  world.planes[0]!.drain(() => isDrained = true);
  await idle.hearsFatal("57P03", /^the gateway is shutting down$/);
  await waiting.hearsFatal("57P03", /^the gateway is shutting down$/);
  await exchanges(client, server, "select 1", "SELECT 1", "T");
  await client.says(query("commit"));
  await server.hears(query("commit"));
  await server.says(complete("COMMIT"), ready());
  const shuttingDown = /^the gateway is shutting down$/;
  await client.hearsFatal("57P03", shuttingDown, complete("COMMIT"), ready());
  equal(isDrained, false);
  for (const one of [idle, waiting, client]) await one.leaves();
  equal(isDrained, true);
  await world.settle();
  equal(server.peer.hasSeenEnd, true);
  await server.leaves();
  await world.pass(600_000);
  await world.isOver();
});

Deno.test("PooledSession is told 57P01 when the gateway does not wait any longer", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await exchanges(client, server, "begin", "BEGIN", "T");
  await other.says(query("select 1"));
  let isDrained = false;
  world.planes[0]!.drain(() => isDrained = true);
  world.planes[0]!.terminate();
  await client.hearsFatal("57P01", /administrator command: the gateway is shutting down$/);
  await server.hears(query("ROLLBACK"));
  await server.says(complete("ROLLBACK"), ready());
  await client.leaves();
  await other.leaves();
  await world.settle();
  equal(isDrained, true);
  equal(server.peer.hasSeenEnd, true);
  await server.leaves();
  await world.pass(600_000);
  await world.isOver();
});

Deno.test("PooledSession that is ended by a shutdown has its query cancelled before the worker stops", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("insert into t select pg_sleep(9)"));
  server.peer.take();
  let isDrained = false;
  world.planes[0]!.drain(() => isDrained = true);
  world.planes[0]!.terminate();
  await client.leaves();
  const cancel = await world.server();
  await cancel.hearsBytes(cancelRequest(SERVER_KEY.processId, SERVER_KEY.key));
  await world.pass(100);
  equal(isDrained, false);
  await cancel.leaves();
  const canceled = error("ERROR", "57014", "canceling statement due to user request");
  await server.says(canceled, ready(), ready());
  await world.pass(100);
  equal(isDrained, true);
});

Deno.test("PooledPlane of several workers shares the size of a pool", async () => {
  const { world, client, server } = await pooledPair({ workers: 3, pool: { size: 1 } });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const others = [];
  for (const worker of [1, 2]) {
    others.push(await connects(world, {}, worker));
  }
  await world.pass(1_000);
  await world.noServer();
  deepEqual(world.states(), {
    "client active": 1,
    "client waiting": 2,
    "db0 active": 1,
    "db0 waiting": 2,
  });
});
