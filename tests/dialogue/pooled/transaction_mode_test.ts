import { deepEqual, equal } from "node:assert/strict";
import { bind, copyFail, execute, parseNamed } from "../../support/extended_messages.ts";
import { IS_LOOKED_AT, LOOKING_ON } from "../../support/looking_on.ts";
import {
  BIND,
  complete,
  COPY_DONE,
  copyData,
  dataRow,
  error,
  EXECUTE,
  FLUSH,
  message,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
} from "../../support/messages.ts";
import { exchanges, joins, pooledPair } from "../../support/pooled_world.ts";

const PARSED = message("1");
const BOUND = message("2");
const CLOSED = message("3");
const COPY_IN = message("G", "\0\0\0");

/** Two clients and the one server they share; `other` waits for it. */
async function rivals() {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  return { world, client, server, other };
}

Deno.test("PooledSession names the key of the limit that a message is above", async () => {
  const { client } = await pooledPair({ listener: { messageSizeMax: 65_536 } });
  await client.says(Uint8Array.of(0x51, 0, 1, 0, 5));
  const fields = await client.hearsFatal("08P01", /it must be 4 to 65540 bytes, but is 65541$/);
  equal(fields.get("H"), "The limit is servers.main.messageSizeMax.");
});

Deno.test("PooledSession gives the server back at ReadyForQuery I, not at T or E", async () => {
  const { client, server, other, world } = await rivals();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await other.says(query("select 2"));
  await server.hears();
  await client.says(query("select nothing"));
  await server.hears(query("select nothing"));
  await server.says(error("ERROR", "42703", "no"), ready("E"));
  await client.hears(error("ERROR", "42703", "no"), ready("E"));
  await server.hears();
  deepEqual(world.states(), { "client active": 2, "db0 active": 1, "db0 waiting": 1 });
  await client.says(query("rollback"));
  await server.hears(query("rollback"));
  await server.says(complete("ROLLBACK"), ready());
  await server.hears(query("select 2"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("ROLLBACK"), ready());
  await other.hears(complete("SELECT 1"), ready());
  deepEqual(world.states(), { "client active": 2, "db0 idle": 1 });
});

Deno.test("PooledSession keeps the server until all pipelined requests are answered", async () => {
  const { client, server, other } = await rivals();
  await client.says(query("select 1"), query("select 2"), parse("select 3"), BIND, EXECUTE, SYNC);
  server.peer.take();
  await other.says(query("select 4"));
  for (const text of ["1", "2"]) {
    await server.says(complete(`SELECT ${text}`), ready());
    await server.hears();
  }
  await server.says(PARSED, BOUND, complete("SELECT 3"));
  await server.hears();
  await server.says(ready());
  await server.hears(query("select 4"));
});

Deno.test("PooledSession counts one ReadyForQuery for each Sync, errors and skipped messages included", async () => {
  const { client, server, other } = await rivals();
  const group = [parse("select 1"), BIND, EXECUTE, SYNC];
  await client.says(...group, ...group, SYNC);
  server.peer.take();
  await other.says(query("select 4"));
  await server.says(error("ERROR", "42601", "no"), ready(), PARSED, error("ERROR", "1", "x"));
  await server.says(ready());
  await server.hears();
  await server.says(ready());
  await server.hears(query("select 4"));
});

Deno.test("PooledSession that has not sent its Sync keeps the server", async () => {
  const { client, server, other } = await rivals();
  await client.says(parse("insert"), BIND, EXECUTE, FLUSH);
  await server.hears(parse("insert"), BIND, EXECUTE, FLUSH);
  await server.says(PARSED, BOUND, complete("INSERT 0 1"));
  await other.says(query("select 2"));
  await client.says(FLUSH); // nothing is due, and still the transaction is open
  await server.hears(FLUSH);
  await client.says(copyData("stray"));
  await server.hears(copyData("stray"));
  await client.says(SYNC);
  await server.hears(SYNC);
  await server.says(ready());
  await server.hears(query("select 2"));
});

Deno.test("PooledSession keeps the server when only an omitted Close follows what is unsynced", async () => {
  const { client, server, other } = await rivals();
  await client.says(parseNamed("a", "insert"), bind({ statement: "a" }), EXECUTE, FLUSH);
  server.peer.take();
  await server.says(PARSED, BOUND, complete("INSERT 0 1"));
  await other.says(query("select 2"));
  await client.says(message("C", "Sa\0"), FLUSH);
  await client.hears(PARSED, BOUND, complete("INSERT 0 1"), CLOSED);
  await server.hears(FLUSH);
  await client.says(SYNC);
  await server.hears(SYNC);
});

Deno.test("PooledSession answers Sync, and drops Flush and the rest of a copy, without a server", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(copyData("1"), COPY_DONE, copyFail("no"), FLUSH, SYNC, SYNC);
  await client.hears(ready(), ready());
  await server.hears();
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
});

Deno.test("PooledSession keeps the server for a whole COPY FROM STDIN, large data in pieces", async () => {
  const { world, client, server, other } = await rivals();
  await client.says(query("copy t from stdin"));
  await server.hears(query("copy t from stdin"));
  await other.says(query("select 2"));
  await server.says(COPY_IN);
  await client.hears(COPY_IN);
  const data = copyData("x".repeat(100_000));
  client.peer.write(data.subarray(0, 50_000));
  await world.settle();
  await client.says(data.subarray(50_000), COPY_DONE);
  await server.hears(data, COPY_DONE);
  await server.says(complete("COPY 1"), ready());
  await server.hears(query("select 2"));
});

Deno.test("PooledSession does not give the server back in the middle of a large CopyData", async () => {
  const { client, server, other, world } = await rivals();
  await client.says(query("copy t from stdin"));
  server.peer.take();
  await server.says(COPY_IN);
  const data = copyData("x".repeat(100_000));
  await client.says(data.subarray(0, 50_000));
  server.peer.take();
  await other.says(query("select 2"));
  await server.says(error("ERROR", "22P02", "invalid input"), ready());
  await client.hears(COPY_IN, error("ERROR", "22P02", "invalid input"), ready());
  // What somebody has to see as a whole has not begun.
  if (LOOKING_ON !== "all") await server.hears();
  await client.says(data.subarray(50_000));
  const heard = server.peer.take();
  deepEqual(
    new Uint8Array(heard.subarray(heard.length - query("select 2").length)),
    query("select 2"),
  );
  await server.says(complete("SELECT 1"), ready());
  await other.hears(complete("SELECT 1"), ready());
  await client.says(copyData("more"), COPY_DONE);
  await server.hears();
  await client.hears();
  deepEqual(world.states(), { "client active": 2, "db0 idle": 1 });
});

Deno.test("PooledSession ends a copy in the extended protocol at the Sync behind it", async () => {
  const { client, server, other } = await rivals();
  await client.says(parse("copy t from stdin"), BIND, EXECUTE, SYNC); // ignored in copy-in mode
  server.peer.take();
  await server.says(PARSED, BOUND, COPY_IN);
  await other.says(query("select 2"));
  await client.says(copyData("1"), COPY_DONE, SYNC);
  await server.hears(copyData("1"), COPY_DONE, SYNC);
  await server.says(complete("COPY 1"));
  await server.hears();
  await server.says(ready());
  await server.hears(query("select 2"));
});

Deno.test("PooledSession that pipelines a copy which fails before it begins keeps count", async () => {
  const { client, server, other } = await rivals();
  const copy = [parse("copy missing from stdin"), BIND, EXECUTE, copyData("1"), COPY_DONE, SYNC];
  await client.says(...copy, query("select 1"));
  server.peer.take();
  await other.says(query("select 2"));
  await server.says(PARSED, BOUND, error("ERROR", "42P01", "missing"), ready());
  await server.hears();
  await server.says(complete("SELECT 1"), ready());
  await server.hears(query("select 2"));
});

Deno.test("PooledSession closes a server whose copy failed so that its count is not certain", async () => {
  for (const isEarly of [false, true]) {
    const { world, client, server } = await pooledPair();
    await client.says(parse("copy view from stdin"), BIND, EXECUTE, SYNC);
    server.peer.take();
    const rest = [copyData("1"), COPY_DONE, SYNC];
    if (isEarly) await client.says(...rest);
    // PostgreSQL checks the kind of relation after it has asked for data: it reads both Syncs.
    await server.says(PARSED, BOUND, COPY_IN, error("ERROR", "42809", "cannot copy to view"));
    if (!isEarly) await client.says(...rest);
    await server.says(ready());
    await server.says(ready());
    await world.settle();
    equal(server.peer.hasSeenEnd, true);
    await server.leaves();
  }
});

Deno.test("PooledSession passes COPY TO STDOUT and fast-path calls", async () => {
  const { client, server } = await pooledPair();
  await client.says(query("copy t to stdout"));
  server.peer.take();
  const rows = [message("H", "\0\0\0"), copyData("1"), COPY_DONE, complete("COPY 1"), ready()];
  await server.says(...rows);
  await client.hears(...rows);
  const call = message("F", "\0\0\0\u0001\0\0\0\0\0\0");
  await client.says(call);
  await server.hears(call);
  await server.says(message("V", "\0\0\0\0"), ready());
  await client.hears(message("V", "\0\0\0\0"), ready());
});

Deno.test("PooledSession gets a server for a whole message only, and for a large one at its start", async () => {
  const { world, client, server } = await pooledPair();
  const small = query("select 1");
  await client.says(small.subarray(0, 8));
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
  await client.says(small.subarray(8));
  await server.hears(small);
  await server.says(complete("SELECT 1"), ready());
  const large = query(`select '${"x".repeat(200_000)}'`);
  await client.says(large.subarray(0, 100_000));
  const state = IS_LOOKED_AT ? "db0 idle" : "db0 active";
  deepEqual(world.states(), { "client active": 1, [state]: 1 });
  await client.says(large.subarray(100_000));
  await server.hears(large);
});

Deno.test("PooledSession passes rows of any size and cut", async () => {
  const { world, client, server } = await pooledPair();
  const rows = [ROW_DESCRIPTION, dataRow("x".repeat(100_000)), complete("SELECT 1"), ready()];
  for (const sizeMax of [Infinity, 1_000, 7]) {
    world.network.readSizeMax = sizeMax;
    await client.says(query("select 1"));
    await server.hears(query("select 1"));
    await server.says(...rows);
    await client.hears(...rows);
  }
});

Deno.test("PooledSession goes on when a pipeline is longer than what is kept account of", async () => {
  const { client, server, world } = await pooledPair();
  const pairs = 20_000;
  const one = [bind({ statement: "" }), execute()];
  await client.says(parse("insert"), ...Array.from({ length: pairs }, () => one).flat(), SYNC);
  let [heard, answered] = [0, 0];
  const answer = message("2").length + complete("INSERT 0 1").length;
  for (let round = 0; round < 1_000 && answered < pairs; round++) {
    heard += server.peer.take().length;
    const size = one[0]!.length + one[1]!.length;
    const arrived = Math.min(pairs, Math.floor((heard - parse("insert").length) / size));
    const answers = Array.from({ length: arrived - answered }, () => [
      BOUND,
      complete("INSERT 0 1"),
    ]);
    if (answered === 0) await server.says(PARSED);
    answered = arrived;
    await server.says(...answers.flat());
  }
  equal(answered, pairs);
  await server.says(ready());
  await world.settle();
  equal(client.peer.take().length, PARSED.length + pairs * answer + ready().length);
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
});
