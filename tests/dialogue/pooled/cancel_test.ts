import { deepEqual, equal } from "node:assert/strict";
import { type Actor, SERVER_KEY, SERVERS, type World } from "../../support/dialogue.ts";
import { cancelRequest, complete, error, query, ready, TERMINATE } from "../../support/messages.ts";
import {
  admits,
  connects,
  exchanges,
  hearsWelcome,
  joins,
  pooledPair,
} from "../../support/pooled_world.ts";

const FORWARDED = cancelRequest(SERVER_KEY.processId, SERVER_KEY.key);

interface Key {
  readonly processId: number;
  readonly key: Uint8Array;
}

async function cancels(world: World, { processId, key }: Key, worker = 0): Promise<Actor> {
  const canceller = await world.client(worker);
  await canceller.says(cancelRequest(processId, key));
  return canceller;
}

Deno.test("Cancel with the gateway's key reaches the server that works for the client now", async () => {
  const { world, client, server, key } = await pooledPair();
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  const canceller = await cancels(world, key);
  const cancel = await world.server();
  await cancel.hearsBytes(FORWARDED);
  await cancel.leaves();
  await canceller.hearsEnd();
  await server.says(error("ERROR", "57014", "canceled"), ready());
  await client.hears(error("ERROR", "57014", "canceled"), ready());
  deepEqual(world.states()["db0 idle"], 1);
  equal(world.count("cancelsForwarded"), 1);
});

Deno.test("Cancel of a client without a server, or that waits for one, is sent to nobody", async () => {
  const { world, client, server, key } = await pooledPair();
  await (await cancels(world, key)).hearsEnd();
  await world.noServer();
  const { client: other } = await joins(world);
  await exchanges(other, server, "begin", "BEGIN", "T");
  await client.says(query("select 1"));
  await (await cancels(world, key)).hearsEnd();
  await world.noServer();
  equal(world.count("cancelsForwarded"), 0);
});

Deno.test("Cancel with the server's own key, or with that of a session that is over, reaches nobody", async () => {
  const { world, client, server, key } = await pooledPair();
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await (await cancels(world, SERVER_KEY)).hearsEnd();
  await world.noServer();
  await server.says(complete("SELECT 1"), ready());
  await client.leaves();
  const { client: other } = await joins(world);
  await other.says(query("select pg_sleep(9)"));
  await (await cancels(world, key)).hearsEnd();
  await world.noServer();
  equal(world.count("cancelsUnknown"), 2);
});

Deno.test("Cancel keeps the server from the next client until it has arrived", async () => {
  const { world, client, server, key } = await pooledPair();
  const { client: other } = await joins(world);
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await other.says(query("select 2"));
  const canceller = await cancels(world, key);
  const cancel = await world.server();
  await server.says(complete("SELECT 1"), ready()); // it was done before it was cancelled
  await client.hears(complete("SELECT 1"), ready());
  await server.hears();
  await cancel.leaves();
  await canceller.hearsEnd();
  await server.hears(query("select 2"));
});

Deno.test("Cancel that is never answered costs the connection that it may still hit", async () => {
  const { world, client, server, key } = await pooledPair({
    pool: { acquireTimeoutMs: 60_000 },
  });
  const { client: other } = await joins(world);
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await other.says(query("select 2"));
  await cancels(world, key);
  const cancel = await world.server();
  await cancel.hearsBytes(FORWARDED); // from now on it may come through at any time
  await server.says(complete("SELECT 1"), ready());
  await server.hears();
  await world.pass(10_000);
  await server.hearsEnd();
  await server.leaves();
  const next = await admits(world);
  await next.hears(query("select 2"));
  const [reason] = world.logged("server connection closed").map(({ fields }) => fields);
  equal(JSON.stringify(reason).includes("a cancel for its last session may still hit it"), true);
});

Deno.test("Cancel that is never answered leaves the session its server as long as it needs it", async () => {
  const { world, client, server, key } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await cancels(world, key);
  await (await world.server()).breaks(); // who knows whether it was read
  equal(world.count("cancelsFailed"), 1);
  await server.says(complete("SELECT 1"), ready("T"));
  await client.hears(complete("SELECT 1"), ready("T"));
  await exchanges(client, server, "select 2", "SELECT 1", "T");
  await exchanges(client, server, "commit", "COMMIT");
  await server.hearsEnd();
  await server.leaves();
  await client.says(query("select 3"));
  await (await admits(world)).hears(query("select 3"));
});

Deno.test("Cancel that is never answered costs the connection of a client that left, too", async () => {
  const { world, client, server, key } = await pooledPair();
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await cancels(world, key);
  await world.server();
  await client.says(TERMINATE);
  await client.leaves();
  server.peer.take();
  await server.says(complete("SELECT 1"), ready(), ready());
  await world.pass(9_999);
  equal(server.peer.hasSeenEnd, false);
  await world.pass(1);
  await server.hearsEnd();
  await server.leaves();
  deepEqual(world.states()["db0 idle"], undefined);
});

Deno.test("Cancel that could not be sent leaves the connection for the next client", async () => {
  const { world, client, server, key } = await pooledPair();
  const { client: other } = await joins(world);
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await other.says(query("select 2"));
  world.network.answer(SERVERS[0]!, "refuse");
  await (await cancels(world, key)).hearsEnd();
  equal(world.count("cancelsFailed"), 1);
  await server.says(complete("SELECT 1"), ready());
  await server.hears(query("select 2"));
});

Deno.test("Cancel of two at once holds the server until both have arrived", async () => {
  const { world, client, server, key } = await pooledPair();
  const { client: other } = await joins(world);
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await other.says(query("select 2"));
  await cancels(world, key);
  await cancels(world, key);
  const [first, second] = [await world.server(), await world.server()];
  await server.says(error("ERROR", "57014", "canceled"), ready());
  await first.leaves();
  await server.hears();
  await second.leaves();
  await server.hears(query("select 2"));
});

Deno.test("Cancel reaches a client of another worker", async () => {
  const { world, client, server } = await pooledPair({ workers: 2, pool: { size: 2 } });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const other = await connects(world, {}, 1);
  const otherServer = await admits(world);
  const key = await hearsWelcome(world, other);
  await other.says(query("select pg_sleep(9)"));
  await otherServer.hears(query("select pg_sleep(9)"));
  const canceller = await cancels(world, key, 0);
  const cancel = await world.server();
  await cancel.hearsBytes(FORWARDED);
  await cancel.leaves();
  await canceller.hearsEnd();
});

Deno.test("Cancel of a client that leaves meanwhile does not hit the next one", async () => {
  const { world, client, server, key } = await pooledPair();
  const { client: other } = await joins(world);
  await exchanges(client, server, "begin", "BEGIN", "T");
  await other.says(query("select 2"));
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await cancels(world, key);
  const first = await world.server();
  await client.leaves();
  const second = await world.server();
  server.peer.take();
  await server.says(error("ERROR", "57014", "canceled"), ready("E"), ready("E"));
  await server.hears();
  await first.leaves();
  await server.hears();
  await second.leaves();
  await server.hears(query("ROLLBACK"));
  await server.says(complete("ROLLBACK"), ready());
  await server.hears(query("select 2"));
});
