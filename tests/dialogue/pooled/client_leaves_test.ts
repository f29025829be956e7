import { deepEqual, equal } from "node:assert/strict";
import { type Actor, SERVER_KEY, type World } from "../../support/dialogue.ts";
import { close, copyFail, parseNamed } from "../../support/extended_messages.ts";
import { IS_LOOKED_AT } from "../../support/looking_on.ts";
import {
  BIND,
  cancelRequest,
  complete,
  copyData,
  dataRow,
  error,
  EXECUTE,
  FLUSH,
  message,
  parameterStatus,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
  TERMINATE,
} from "../../support/messages.ts";
import {
  admits,
  exchanges,
  follows,
  joins,
  pooledPair,
  read,
  reading,
} from "../../support/pooled_world.ts";

const CANCELLED = error("ERROR", "57014", "canceling statement due to user request");

/** The gateway cancels what runs. */
async function takesCancel(world: World): Promise<void> {
  const cancel = await world.server();
  await cancel.hearsBytes(cancelRequest(SERVER_KEY.processId, SERVER_KEY.key));
  await cancel.leaves();
}

/** The next client finds the server as if it were new. */
async function isClean(world: World, server: Actor): Promise<void> {
  deepEqual(world.states()["db0 idle"], 1);
  const { client } = await joins(world);
  await exchanges(client, server, "select 'next'", "SELECT 1");
}

Deno.test("PooledSession that leaves when it has no server leaves servers alone", async () => {
  for (const isPolite of [true, false]) {
    const { world, client, server } = await pooledPair();
    if (isPolite) await client.says(TERMINATE);
    await client.leaves();
    await server.hears();
    await isClean(world, server);
  }
});

Deno.test("PooledSession is over at Terminate, whether the client closes or not", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(TERMINATE, query("drop table t"));
  await client.hearsEnd();
  await server.hears();
  deepEqual(world.states(), { "db0 idle": 1 });
  await client.leaves();
});

Deno.test("PooledSession sends all that was asked for before Terminate, to who reads late, too", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("select 1"), TERMINATE);
  await server.hears(query("select 1"));
  client.peer.isReading = false;
  const rows = Array.from({ length: 20 }, () => dataRow("x".repeat(50_000)));
  await server.says(ROW_DESCRIPTION, ...rows, complete("SELECT 20"), ready());
  client.peer.isReading = true;
  await client.hearsEnd(ROW_DESCRIPTION, ...rows, complete("SELECT 20"), ready());
  await client.leaves();
  deepEqual(world.states(), { "db0 idle": 1 });
});

Deno.test("PooledSession that leaves in a transaction has it rolled back", async () => {
  for (const status of ["T", "E"] as const) {
    const { world, client, server } = await pooledPair();
    await exchanges(client, server, "begin", "BEGIN", status);
    const { client: other } = await joins(world);
    await other.says(query("select 2"));
    await client.leaves();
    await server.hears(query("ROLLBACK"));
    await server.says(complete("ROLLBACK"), ready());
    await server.hears(query("select 2"));
    await server.says(complete("SELECT 1"), ready());
    await other.hears(complete("SELECT 1"), ready());
  }
});

Deno.test("PooledSession that leaves in the middle of a query has it cancelled", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await client.leaves();
  await server.hears(SYNC);
  const cancel = await world.server();
  await cancel.hearsBytes(cancelRequest(SERVER_KEY.processId, SERVER_KEY.key));
  await server.says(CANCELLED, ready(), ready());
  deepEqual(world.states(), { "db0 cleaning": 1 }, "the cancel may still come");
  await cancel.leaves();
  await isClean(world, server);
});

Deno.test("PooledSession that leaves has its query cancelled once the gateway's own ahead of it is done", async () => {
  const { world, client, server } = await pooledPair({ pool: { preparedStatementsMax: 1 } });
  for (const name of ["a", "b"]) await client.says(parseNamed(name, "select 1 --" + name), SYNC);
  server.peer.take();
  await server.says(message("1"), ready(), message("1"), message("3"), ready());
  await client.says(query("execute a"));
  const again = [parseNamed("sluice_1", "select 1 --a"), close("S", "sluice_2"), SYNC];
  await server.hears(...again, query("execute sluice_1"));
  await client.leaves();
  await server.hears(SYNC);
  await world.noServer(); // a cancel would hit the Parse
  await server.says(message("1"), message("3"), ready());
  await takesCancel(world);
  await server.says(CANCELLED, ready(), ready());
  await isClean(world, server);
});

Deno.test("PooledSession that leaves has its transaction rolled back behind the cancelled query", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await client.leaves();
  await takesCancel(world);
  await server.hears(SYNC);
  await server.says(CANCELLED, ready("E"), ready("E"));
  await server.hears(query("ROLLBACK"));
  await server.says(complete("ROLLBACK"), ready());
  await isClean(world, server);
});

Deno.test("PooledSession that leaves with a server that does not become clean has it closed", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("select pg_sleep(9)"));
  await client.leaves();
  await takesCancel(world);
  server.peer.take();
  await world.pass(4_999);
  equal(server.peer.hasSeenEnd, false);
  await world.pass(1);
  await server.hearsEnd();
});

Deno.test("PooledSession that leaves in a copy has it failed", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("copy t from stdin"));
  await server.hears(query("copy t from stdin"));
  await server.says(message("G", "\0\0\0"));
  await client.says(copyData("1"));
  await client.leaves();
  await takesCancel(world);
  await server.hears(copyData("1"), copyFail("the client is gone"), SYNC);
  await server.says(error("ERROR", "57014", "COPY from stdin failed"), ready(), ready());
  await isClean(world, server);
});

Deno.test("PooledSession that leaves before its copy begins has it failed, too", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("copy t from stdin"));
  await client.leaves();
  await takesCancel(world);
  await server.hears(query("copy t from stdin"), SYNC);
  await server.says(message("G", "\0\0\0")); // the cancel came too late, the Sync is ignored
  await server.hears(copyFail("the client is gone"), SYNC);
  await server.says(error("ERROR", "57014", "COPY from stdin failed"), ready());
  await server.says(ready());
  await world.settle();
  // Whether the first Sync was read within the copy cannot be told: the connection may be closed.
  deepEqual(world.states()["db0 cleaning"], undefined);
});

Deno.test("PooledSession that leaves in the middle of a message costs its server", async () => {
  const { world, client, server } = await pooledPair();
  const large = query(`select '${"x".repeat(200_000)}'`);
  await client.says(large.subarray(0, 100_000));
  await client.leaves();
  await world.settle();
  equal(server.peer.hasSeenEnd, !IS_LOOKED_AT, "it has nothing of what is looked at as a whole");
  equal(server.peer.take().includes(0x58), false, "a Terminate would be read as a part of it");
});

Deno.test("PooledSession that leaves before its Sync has nothing committed by a Sync of ours", async () => {
  for (const [isAnswered, isPolite] of [[false, false], [true, false], [true, true]] as const) {
    const { world, client, server } = await pooledPair();
    await client.says(parse("insert"), BIND, EXECUTE, FLUSH);
    await server.hears(parse("insert"), BIND, EXECUTE, FLUSH);
    if (isAnswered) await server.says(message("1"), message("2"), complete("INSERT 0 1"));
    if (isPolite) await client.says(TERMINATE);
    await client.leaves();
    if (!isPolite) await takesCancel(world);
    await server.hearsEnd();
    await server.leaves();
    const { client: next } = await joins(world);
    await next.says(query("select 'next'"));
    await (await admits(world)).hears(query("select 'next'"));
  }
});

Deno.test("PooledSession that leaves after an error that it has not synced is synced", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(parse("nonsense"), FLUSH);
  server.peer.take();
  await server.says(error("ERROR", "42601", "no"));
  await client.leaves();
  await takesCancel(world);
  await server.hears(SYNC);
  await server.says(ready());
  await isClean(world, server);
});

Deno.test("PooledSession that leaves while its SET is under way has the server reset", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("set work_mem = '1GB'"));
  await server.hears(query("set work_mem = '1GB'"));
  await client.leaves();
  await takesCancel(world);
  await server.hears(SYNC);
  await server.says(complete("SET"), ready(), ready()); // before the cancel came
  await server.hears(query("DISCARD ALL"));
  await server.says(complete("DISCARD ALL"), ready());
  await isClean(world, server);
});

Deno.test("PooledSession that leaves while its PREPARE is under way has the server reset", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("prepare a as select 1"));
  await client.leaves();
  await takesCancel(world);
  server.peer.take();
  await server.says(complete("PREPARE"), ready(), ready());
  await server.hears(query("DISCARD ALL"));
});

Deno.test("PooledSession that leaves while its parameter is read has the server reset", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(query("set work_mem = '1GB'"));
  await server.hears(query("set work_mem = '1GB'"));
  await server.says(complete("SET"), ready());
  await client.leaves();
  await server.hears(reading("work_mem"), SYNC);
  await server.says(read("1GB"), ready());
  await server.hears(query("DISCARD ALL"));
  await server.says(complete("DISCARD ALL"), ready());
  await isClean(world, server);
});

Deno.test("PooledSession whose server does not take the reset query costs that server", async () => {
  const { world, client, server } = await pooledPair({ pool: { resetQuery: "reset what" } });
  await exchanges(client, server, "listen a", "LISTEN");
  await client.leaves();
  await server.hears(query("reset what"));
  await server.says(error("ERROR", "42704", 'unrecognized parameter "what"'), ready());
  await server.hearsEnd();
  const { reason, error: why } = world.logged("server connection closed")[0]!.fields;
  deepEqual([reason, why], [
    "unclean",
    "it could not be made clean, pools.db0.resetQuery failed with 42704: " +
    `unrecognized parameter "what"`,
  ]);
});

Deno.test("PooledSession whose server does not take the rollback costs that server", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await client.leaves();
  await server.hears(query("ROLLBACK"));
  await server.says(error("ERROR", "XX000", "no"), ready());
  await server.hearsEnd();
  const { error: why } = world.logged("server connection closed")[0]!.fields;
  equal(why, "it could not be made clean, ROLLBACK failed with XX000: no");
});

Deno.test("PooledSession that leaves has what the server reports of its end counted", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await client.says(query("set timezone = 'Asia/Tokyo'"));
  await server.hears(query("set timezone = 'Asia/Tokyo'"));
  await server.says(complete("SET"), parameterStatus("TimeZone", "Asia/Tokyo"), ready("T"));
  await client.leaves();
  await server.hears(query("ROLLBACK"));
  await server.says(complete("ROLLBACK"), parameterStatus("TimeZone", "UTC"), ready());
  const text = server.peer.take();
  if (text.length > 0) await server.says(complete("DISCARD ALL"), ready());
  await isClean(world, server);
});

Deno.test("PooledSession that leaves has parameters reset although its reset query does not", async () => {
  const { world, client, server } = await pooledPair({ pool: { resetQuery: "discard temp" } });
  const { client: next } = await joins(world);
  await client.says(query("create temp table t (i int)"));
  await server.hears(query("create temp table t (i int)"));
  await server.says(complete("CREATE TABLE"), ready());
  await client.leaves();
  await server.hears(query("discard temp"));
  await server.says(complete("DISCARD TEMP"), ready());
  await next.says(query("select 1"));
  const everything = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL";
  await follows(server, { [everything]: [complete("RESET")] }, query("select 1"));
});
