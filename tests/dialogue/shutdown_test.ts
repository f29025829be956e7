import { deepEqual, equal, ok } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { SERVER_KEY, SERVERS, World } from "../support/dialogue.ts";
import { LOOKING_ON } from "../support/looking_on.ts";
import {
  auth,
  AUTH_OK,
  cancelRequest,
  complete,
  dataRow,
  password,
  query,
  ready,
  startup,
  TERMINATE,
} from "../support/messages.ts";

const DRAINED = /^the gateway is shutting down$/;
const TERMINATED = /^terminating connection due to administrator command/;

function drain(world: World): () => boolean {
  let isDrained = false;
  world.planes[0]!.drain(() => isDrained = true);
  return () => isDrained;
}

Deno.test("DataPlane drains at once when it has no sessions, and listens no more", async () => {
  const world = await World.start();
  ok(drain(world)());
  await world.client().then(() => ok(false, "nobody listens"), () => {});
});

Deno.test("DataPlane sends those away who have no session, and lets the others finish", async () => {
  const world = await World.start({ pool: { size: 2 } });
  const active = await world.pair();
  const login = await world.client();
  await login.says(startup({ user: "bob" }));
  const loginServer = await world.server();
  await loginServer.says(auth(3));
  await login.hears(auth(3));
  const waiting = await world.client();
  await waiting.says(startup({ user: "eve" }));
  const silent = await world.client();
  const isDrained = drain(world);
  for (const client of [waiting, silent]) {
    await client.hearsFatal("57P03", DRAINED);
    await client.leaves();
  }
  await login.says(password("secret"));
  await loginServer.hearsBytes(concat(
    startup({ user: "bob" }),
    password("secret"),
  ));
  await loginServer.says(AUTH_OK, ready());
  await login.hears(AUTH_OK, ready());
  await active.client.says(query("select 1"));
  await active.server.says(complete("SELECT 1"), ready());
  await active.client.hears(complete("SELECT 1"), ready());
  for (
    const [client, server] of [[login, loginServer], [active.client, active.server]] as const
  ) {
    equal(isDrained(), false);
    await client.says(TERMINATE);
    await server.leaves();
    await client.leaves();
  }
  ok(isDrained());
  await world.isOver();
});

Deno.test("DataPlane sends those away who dial", async () => {
  const world = await World.start({ server: { retries: 5 } });
  world.network.answer(SERVERS[0]!, "refuse");
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  const isDrained = drain(world);
  await client.hearsFatal("57P03", DRAINED);
  await client.leaves();
  ok(isDrained());
  await world.isOver();
});

Deno.test("DataPlane still forwards a cancel that came before it drains", async () => {
  const world = await World.start();
  const { client, server, key } = await world.pair();
  const canceller = await world.client();
  await canceller.says(cancelRequest(key.processId, key.key));
  const isDrained = drain(world);
  const cancelled = await world.server();
  await cancelled.hearsBytes(cancelRequest(SERVER_KEY.processId, SERVER_KEY.key));
  await cancelled.leaves();
  await canceller.hearsEnd();
  await canceller.leaves();
  await client.leaves();
  await server.leaves();
  ok(isDrained());
});

Deno.test("DataPlane terminates every session, with a word where one fits", async () => {
  const world = await World.start();
  const idle = await world.pair();
  const busy = await world.pair();
  const streaming = await world.pair();
  await busy.client.says(query("select pg_sleep(9)"));
  await busy.server.hears(query("select pg_sleep(9)"));
  const large = dataRow("x".repeat(50_000));
  await streaming.server.says(large.subarray(0, 20_000));
  const isDrained = drain(world);
  world.planes[0]!.terminate();
  await idle.client.hearsFatal("57P01", TERMINATED);
  await idle.server.hears(TERMINATE);
  await busy.client.hearsFatal("57P01", TERMINATED);
  const cancelled = await world.server();
  await cancelled.hearsBytes(cancelRequest(SERVER_KEY.processId, SERVER_KEY.key));
  const hasPart = LOOKING_ON !== "all";
  if (hasPart) await streaming.client.hearsBytes(large.subarray(0, 20_000));
  else await streaming.client.hearsFatal("57P01", TERMINATED);
  ok(streaming.client.peer.hasSeenEnd);
  await cancelled.leaves();
  await world.pass(2_000); // LINGER_MS
  ok(!isDrained(), "the servers have not closed yet");
  for (const { server } of [idle, busy, streaming]) await server.leaves();
  ok(isDrained());
  await world.isOver();
  deepEqual(world.errors(), { "gateway 57P01": hasPart ? 2 : 3 });
});

Deno.test("DataPlane breaks off those that are closing already when it terminates", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  const isDrained = drain(world);
  await server.leaves();
  equal(world.states()["client closing"], 1);
  world.planes[0]!.terminate();
  await world.settle();
  ok(isDrained());
  await client.leaves();
  await world.isOver();
});

Deno.test("DataPlane gives no two sessions one number, also not after a restart", async () => {
  const numbers: unknown[] = [];
  for (const generation of [0, 1, 2, 1_000]) {
    const world = await World.start({ workers: 3, generation });
    for (const worker of [0, 1, 2, 2, 1, 0]) await world.client(worker);
    numbers.push(...world.logged("client connected").map(({ fields }) => fields["session"]));
  }
  equal(numbers.length, 24);
  equal(new Set(numbers).size, 24);
  ok(numbers.every((number) => Number.isSafeInteger(number)));
});
