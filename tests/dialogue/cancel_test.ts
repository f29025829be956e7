import { deepEqual, equal } from "node:assert/strict";
import type { LogRecord } from "../../src/observe/log_record.ts";
import { SERVER_KEY, SERVERS, World } from "../support/dialogue.ts";
import {
  backendKeyData,
  BIND,
  type Bytes,
  cancelRequest,
  complete,
  EXECUTE,
  FLUSH,
  parse,
  query,
  ready,
  startup,
  SYNC,
  TERMINATE,
} from "../support/messages.ts";

const NOT_CANCELLED = "cannot cancel query of a client that is gone";

/** What the server gets, whoever asked. */
const FORWARDED = cancelRequest(SERVER_KEY.processId, SERVER_KEY.key);

async function cancels(world: World, request: Bytes, worker = 0) {
  const canceller = await world.client(worker);
  await canceller.says(request);
  return canceller;
}

/** Why the last cancel did not reach its server, as the log has it for a session that there is. */
function whyNot(world: World): unknown {
  const last = world.logged("cancel request").at(-1);
  equal(last?.level, "warn");
  const sessions = world.logged("client connected").map(({ fields }) => fields["session"]);
  equal(sessions.includes(last?.fields["session"] ?? -1), true);
  return last?.fields["error"];
}

Deno.test("Cancel reaches the server under the server's own key, and is not answered", async () => {
  for (const minorVersion of [0, 2]) {
    const world = await World.start();
    const { client, server, key } = await world.pair(0, minorVersion);
    await client.says(query("select pg_sleep(9)"));
    await server.hears(query("select pg_sleep(9)"));
    const canceller = await cancels(world, cancelRequest(key.processId, key.key));
    const cancelled = await world.server();
    await cancelled.hearsBytes(FORWARDED);
    equal(canceller.peer.hasSeenEnd, false, "it is closed once the server has taken note");
    await cancelled.leaves();
    await canceller.hearsEnd();
    await canceller.leaves();
    equal(world.count("cancelsForwarded"), 1);
    await client.says(TERMINATE);
    await server.leaves();
    await client.leaves();
    await world.isOver();
    equal(world.count("loginTimeouts"), 0);
  }
});

Deno.test("Cancel with a wrong key, process id or size of key reaches nobody", async () => {
  const world = await World.start();
  const { key } = await world.pair();
  const wrongKey = key.key.map((byte, i) => i === 3 ? byte ^ 1 : byte);
  const wrong = [
    cancelRequest(key.processId, wrongKey),
    cancelRequest(key.processId + 1, key.key),
    cancelRequest(key.processId | 1 << 30, key.key), // of a worker that there is not
    cancelRequest(key.processId | 1 << 31, key.key),
    cancelRequest(key.processId, new Uint8Array([...key.key, 0])),
    cancelRequest(SERVER_KEY.processId, SERVER_KEY.key),
  ];
  for (const request of wrong) {
    const canceller = await cancels(world, request);
    await canceller.hearsEnd();
    await canceller.leaves();
  }
  await world.noServer();
  equal(world.count("cancelsUnknown"), wrong.length);
  deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
});

Deno.test("Cancel reaches a session of another worker", async () => {
  const world = await World.start({ workers: 3 });
  const { key } = await world.pair(2);
  const canceller = await cancels(world, cancelRequest(key.processId, key.key), 0);
  const cancelled = await world.server();
  await cancelled.hearsBytes(FORWARDED);
  await cancelled.leaves();
  await canceller.hearsEnd();
  equal(world.count("cancelsForwarded"), 1);
});

Deno.test("Cancel ends when the other worker does not answer", async () => {
  const world = await World.start({ workers: 2, listener: { loginTimeoutMs: 1_000 } });
  const { key } = await world.pair(1);
  world.deafWorkers.add(1);
  const canceller = await cancels(world, cancelRequest(key.processId, key.key), 0);
  await world.pass(60_000);
  await canceller.hearsEnd();
  equal(world.count("cancelsFailed"), 1);
  equal(world.count("loginTimeouts"), 0);
  equal(whyNot(world), "worker 1 did not answer");
  equal(world.clock.pending, 0);
});

Deno.test("Cancel with the key of a session that is over reaches nobody", async () => {
  const world = await World.start();
  const { client, server, key } = await world.pair();
  await client.says(TERMINATE);
  await server.leaves();
  await client.leaves();
  const canceller = await cancels(world, cancelRequest(key.processId, key.key));
  await canceller.hearsEnd();
  await world.noServer();
  equal(world.count("cancelsUnknown"), 1);
});

Deno.test("Cancel knows only the last of two keys that a server sends", async () => {
  const world = await World.start();
  const { key: first } = await world.pair();
  const other = await world.pair();
  equal(first.processId === other.key.processId, false);
  const client = await world.client();
  await client.says(startup({ user: "bob" }));
  const server = await world.server();
  await server.says(backendKeyData(1, Uint8Array.of(1, 1, 1, 1)));
  const given = client.peer.take();
  await server.says(backendKeyData(2, Uint8Array.of(2, 2, 2, 2)));
  const revoked = new DataView(given.buffer);
  const canceller = await cancels(world, cancelRequest(revoked.getInt32(5), given.slice(9)));
  await canceller.hearsEnd();
  equal(world.count("cancelsUnknown"), 1);
});

Deno.test("Cancel says nothing when the server cannot be reached or does not take note", async () => {
  for (const answer of ["refuse", "hang"] as const) {
    const world = await World.start();
    const { key } = await world.pair();
    world.network.answer(SERVERS[0]!, answer);
    const canceller = await cancels(world, cancelRequest(key.processId, key.key));
    await world.pass(1_000);
    await canceller.hearsEnd();
    equal(world.count("cancelsFailed"), 1);
  }
  const world = await World.start();
  const { key } = await world.pair();
  const canceller = await cancels(world, cancelRequest(key.processId, key.key));
  await (await world.server()).hearsBytes(FORWARDED);
  await world.pass(10_000);
  await canceller.hearsEnd();
  equal(world.count("cancelsFailed"), 1);
});

Deno.test("Cancel refuses more than 64 at the same time, and takes more when those are done", async () => {
  const world = await World.start();
  const { key } = await world.pair();
  const request = cancelRequest(key.processId, key.key);
  const cancellers = [];
  for (let i = 0; i < 65; i++) cancellers.push(await cancels(world, request));
  equal(world.count("cancelsRefused"), 1);
  equal(whyNot(world), "at most 64 cancels may be on their way in a worker");
  await cancellers[64]!.hearsEnd();
  for (let i = 0; i < 64; i++) await (await world.server()).leaves();
  await world.noServer();
  for (const canceller of cancellers) await canceller.leaves();
  await cancels(world, request);
  await (await world.server()).hearsBytes(FORWARDED);
  equal(world.count("cancelsForwarded"), 64);
});

Deno.test("Cancel tells the worker that was asked why another one could not", async () => {
  const world = await World.start({ workers: 2 });
  const { key } = await world.pair(1);
  world.network.answer(SERVERS[0]!, "refuse");
  const canceller = await cancels(world, cancelRequest(key.processId, key.key), 0);
  await canceller.hearsEnd();
  equal(world.count("cancelsFailed"), 1);
  equal(whyNot(world), "Cannot connect to 10.0.0.1:5432: connection refused");
  world.network.answer(SERVERS[0]!, "accept");
  const request = cancelRequest(key.processId, key.key);
  for (let i = 0; i < 64; i++) await cancels(world, request, 1);
  await (await cancels(world, request, 0)).hearsEnd();
  equal(world.count("cancelsRefused"), 1);
  equal(whyNot(world), "at most 64 cancels may be on their way in a worker");
});

Deno.test("Cancel works when the gateway serves as many clients as it may", async () => {
  const world = await World.start({ listener: { clientsMax: 1 } });
  const { key } = await world.pair();
  await cancels(world, cancelRequest(key.processId, key.key));
  await (await world.server()).hearsBytes(FORWARDED);
});

Deno.test("Session cancels a query whose client has vanished", async () => {
  const requests = [
    [query("select pg_sleep(9)")],
    [parse("select pg_sleep(9)"), EXECUTE, SYNC],
    [query("select 1"), query("select pg_sleep(9)")],
    [parse("select pg_sleep(9)"), BIND, EXECUTE, FLUSH],
    [query("select 1"), SYNC, parse("select pg_sleep(9)"), BIND, EXECUTE],
  ];
  for (const request of requests) {
    for (const goes of ["leaves", "breaks"] as const) {
      const world = await World.start();
      const { client, server } = await world.pair();
      await client.says(...request);
      await server.hears(...request);
      await client[goes]();
      await (await world.server()).hearsBytes(FORWARDED);
      await server.hears(); // no Terminate: it would be read after the query only
      equal(server.peer.hasSeenEnd, true);
    }
  }
});

Deno.test("Session cancels nothing when nobody's query runs", async () => {
  const dialogues: readonly (readonly Uint8Array[])[] = [
    [],
    [query("select 1")],
    [query("select 1"), query("select 2"), parse("x"), SYNC],
  ];
  for (const requests of dialogues) {
    const world = await World.start();
    const { client, server } = await world.pair();
    await client.says(...requests);
    await server.hears(...requests);
    const isAnswered = (request: Uint8Array) => request[0] !== 0x50;
    for (const _ of requests.filter(isAnswered)) await server.says(complete("SELECT 1"), ready());
    client.peer.take();
    await client.leaves();
    await server.hears(TERMINATE);
    await world.noServer();
    await server.leaves();
    await world.isOver();
  }
});

Deno.test("Session cancels nothing for an Execute whose Sync is answered", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await client.says(parse("select 1"), BIND, EXECUTE, FLUSH);
  await server.says(complete("SELECT 1"));
  await client.says(SYNC);
  await server.says(ready());
  await client.leaves();
  await server.hearsEnd(parse("select 1"), BIND, EXECUTE, FLUSH, SYNC, TERMINATE);
  await world.noServer();
});

Deno.test("Session has every abandoned query cancelled, 64 at a time, and refuses none", async () => {
  const world = await World.start({ pool: { size: 70 } });
  const pairs = [];
  for (let i = 0; i < 70; i++) pairs.push(await world.pair());
  for (const { client } of pairs) await client.says(query("select pg_sleep(9)"));
  for (const { client } of pairs) await client.leaves();
  equal(world.network.accepted(SERVERS[0]!).length, 64);
  for (let i = 0; i < 70; i++) {
    const cancelled = await world.server();
    await cancelled.hearsBytes(FORWARDED);
    await cancelled.leaves();
  }
  await world.noServer();
  for (const { server } of pairs) await server.leaves();
  deepEqual(world.logged(NOT_CANCELLED), []);
  equal(world.count("cancelsRefused") + world.count("cancelsForwarded"), 0); // nobody asked
  await world.isOver();
});

Deno.test("Session logs an abandoned query that could not be cancelled", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await client.says(query("select pg_sleep(9)"));
  world.network.answer(SERVERS[0]!, "refuse");
  await client.leaves();
  const [{ level, fields }] = world.logged(NOT_CANCELLED) as [LogRecord];
  equal(level, "warn");
  equal(fields["session"], world.logged("session ready")[0]?.fields["session"]);
  deepEqual([fields["pool"], fields["server"]], ["db0", "10.0.0.1:5432"]);
  equal(fields["error"], "Cannot connect to 10.0.0.1:5432: connection refused");
  await server.leaves();
  await world.isOver();
  equal(JSON.stringify(world.log).includes("pg_sleep"), false);
});

Deno.test("Session leaves a server that does not end its query, after a while", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await client.says(query("select pg_sleep(9)"));
  await client.leaves();
  await (await world.server()).leaves(); // took note of the cancel, and does nothing
  await world.pass(29_999);
  equal(world.inUse(), 1, "the place is not free while the server works");
  await world.pass(1);
  await world.isOver();
  equal(server.peer.hasSeenEnd, true);
});

Deno.test("Session cancels nothing after Terminate, which lets a query run to its end", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await client.says(query("vacuum"), TERMINATE);
  await server.hears(query("vacuum"), TERMINATE);
  await client.leaves();
  await world.noServer();
  await server.hearsEnd();
});

Deno.test("Cancel takes a client that does not wait for the end of it", async () => {
  const world = await World.start();
  const { client, server, key } = await world.pair();
  const canceller = await cancels(world, cancelRequest(key.processId, key.key));
  await canceller.leaves();
  const cancelled = await world.server();
  await cancelled.hearsBytes(FORWARDED);
  await cancelled.leaves();
  equal(world.count("cancelsForwarded"), 1);
  await client.leaves();
  await server.leaves();
  await world.isOver();
});
