import { deepEqual, equal, ok } from "node:assert/strict";
import { bind, parseNamed } from "../../support/extended_messages.ts";
import { IS_LOOKED_AT } from "../../support/looking_on.ts";
import {
  BIND,
  complete,
  cut,
  error,
  EXECUTE,
  message,
  notification,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import { exchanges, follows, joins, pooledPair } from "../../support/pooled_world.ts";
import { BOUND, PARSED, PREPARED } from "../../support/prepared_world.ts";

const PINNED = { "client active": 1, "db0 active": 1 };
const FREE = { "client active": 1, "db0 idle": 1 };

const PINNING: Readonly<Record<string, string>> = {
  "listen a": "listen",
  "select pg_advisory_lock(1)": "advisory lock",
  "create temp table t (c int)": "temporary object",
  "select 1 into temp t": "temporary object",
  "begin; declare c cursor with hold for select 1; commit": "holdable cursor",
  "load 'x'": "load",
};

Deno.test("PooledSession stays with a server that only its own session can use", async () => {
  for (const [text, reason] of Object.entries(PINNING)) {
    const { world, client, server } = await pooledPair();
    await exchanges(client, server, text, "DONE");
    deepEqual(world.states(), PINNED, text);
    const [record] = world.log.filter(({ fields }) => fields["reason"] === reason);
    ok(record !== undefined, `the log says that ${text} pins`);
    await client.leaves();
    await server.hears(query("DISCARD ALL"));
    await server.says(complete("DISCARD ALL"), ready());
    deepEqual(world.states(), { "db0 idle": 1 });
  }
});

Deno.test("PooledSession stays with its server for what a prepared statement does", async () => {
  const { world, client, server } = await pooledPair();
  await client.says(parse("listen a"), BIND, EXECUTE, SYNC);
  server.peer.take();
  await server.says(message("1"), message("2"), complete("LISTEN"), ready());
  deepEqual(world.states(), PINNED);
});

Deno.test("PooledSession lets its server go when the reason has ended", async () => {
  const ends: Readonly<Record<string, string>> = {
    "unlisten *": "listen a",
    "select pg_advisory_unlock_all()": "select pg_advisory_lock(1)",
    "discard temp": "create temp table t (c int)",
    "discard all": "load 'x'",
    "close all": "begin; declare c cursor with hold for select 1; commit",
  };
  for (const [end, begin] of Object.entries(ends)) {
    const { world, client, server } = await pooledPair();
    await exchanges(client, server, begin, "DONE");
    deepEqual(world.states(), PINNED, begin);
    await exchanges(client, server, end, "DONE");
    deepEqual(world.states(), FREE, end);
  }
});

Deno.test("PooledSession stays when the end of the reason is rolled back or fails", async () => {
  for (const [status, tag] of [["T", "ROLLBACK"], ["E", "ROLLBACK"]] as const) {
    const { world, client, server } = await pooledPair();
    await exchanges(client, server, "listen a", "LISTEN");
    await exchanges(client, server, "begin", "BEGIN", "T");
    await exchanges(client, server, "unlisten *", "UNLISTEN", status);
    await exchanges(client, server, "rollback", tag);
    deepEqual(world.states(), PINNED);
  }
});

Deno.test("PooledSession that listens hears notifications at any time", async () => {
  const { client, server } = await pooledPair();
  await exchanges(client, server, "listen a", "LISTEN");
  await server.says(notification("a", "hello"));
  await client.hears(notification("a", "hello"));
});

Deno.test("PooledSession does not hear notifications of another one's server", async () => {
  const { world, client, server } = await pooledPair();
  await server.says(notification("a", "left over"));
  const { client: other } = await joins(world);
  await exchanges(other, server, "select 1", "SELECT 1");
  await client.hears();
});

Deno.test("PooledSession with pin: false has the server refuse what would hold it", async () => {
  for (const [text, reason] of Object.entries(PINNING)) {
    const { world, client, server } = await pooledPair({ pool: { pin: false } });
    await client.says(query(text));
    const heard = new TextDecoder().decode(server.peer.take());
    equal(heard.includes(`${text}\0`), false);
    ok(/^Q....DO \$sluice\$BEGIN RAISE EXCEPTION USING ERRCODE='0A000'/s.test(heard), heard);
    ok(heard.includes(`may not hold its server: ${reason}`), heard);
    await server.says(error("ERROR", "0A000", "no"), ready());
    await client.hears(error("ERROR", "0A000", "no"), ready());
    deepEqual(world.states(), FREE);
  }
});

Deno.test("PooledSession with pin: false refuses prepared statements, named and not", async () => {
  for (const name of ["", "a"]) {
    const { client, server } = await pooledPair({ pool: { pin: false } });
    await client.says(parseNamed(name, "listen a"), SYNC);
    const [parsed, synced, ...rest] = cut(server.peer.take());
    ok(new TextDecoder().decode(parsed!.bytes).includes("RAISE EXCEPTION"));
    deepEqual([parsed!.tag, synced!.tag, rest], ["P", "S", []]);
  }
});

Deno.test("PooledSession with pin: false drops all of a large text that it refuses", async () => {
  const { client, server, world } = await pooledPair({ pool: { pin: false } });
  world.network.readSizeMax = 10_000;
  // What the client puts into its text must not be taken for messages.
  const smuggled = new TextDecoder().decode(query("drop table t"));
  await client.says(query(`listen a; select '${smuggled.repeat(20_000)}'`));
  const heard = cut(server.peer.take());
  deepEqual(heard.map(({ tag }) => tag), ["Q"]);
  ok(new TextDecoder().decode(heard[0]!.bytes).includes("RAISE EXCEPTION"));
  await server.says(error("ERROR", "0A000", "no"), ready());
  await client.hears(error("ERROR", "0A000", "no"), ready());
  await client.says(query("select 1"));
  if (IS_LOOKED_AT) return await server.hears(query("select 1")); // it was seen as a whole
  // What such a text sets cannot be seen, so all is reset: as if it had been sent.
  const asked = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL";
  const resets = ["RESET", "RESET", "RESET"].map((tag) => complete(tag));
  await follows(server, { [asked]: resets }, query("select 1"));
});

Deno.test("PooledSession with pin: false has a Bind refused by that, whatever it binds", async () => {
  const { client, server } = await pooledPair({ pool: { pin: false } });
  const values = { values: ["1"] };
  for (const name of ["", "a"]) {
    await client.says(parseNamed(name, "select pg_advisory_lock($1)"), SYNC);
    server.peer.take();
    await server.says(...PREPARED);
    await client.hears(...PREPARED);
    await client.says(bind({ statement: name, ...values }), EXECUTE, SYNC);
    const bound = cut(server.peer.take()).find(({ tag }) => tag === "B")!;
    const nothing = bind({ statement: name === "" ? "" : "sluice_2" });
    equal(new TextDecoder().decode(bound.bytes), new TextDecoder().decode(nothing));
    const refused = error("ERROR", "0A000", "no");
    await server.says(...(name === "" ? [PARSED] : []), BOUND, refused, ready());
    await client.hears(BOUND, refused, ready());
  }
});
