import { deepEqual, equal } from "node:assert/strict";
import { bind, close, describe, parseNamed } from "../../support/extended_messages.ts";
import { IS_LOOKED_AT } from "../../support/looking_on.ts";
import {
  BIND,
  type Bytes,
  complete,
  COPY_DONE,
  error,
  EXECUTE,
  FLUSH,
  message,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import { admits, exchanges, pooledPair } from "../../support/pooled_world.ts";
import {
  BOUND,
  CLOSED,
  does,
  PARSED,
  PREPARED,
  prepared,
  RUN,
} from "../../support/prepared_world.ts";

function use(name: string): Bytes[] {
  return [bind({ statement: name }), EXECUTE, SYNC];
}

Deno.test("ClientStatements gives a statement a name that all clients share", async () => {
  const { client, server, other } = await prepared();
  await does(client, server, use("a"), use("sluice_1"), RUN, RUN);
  const said = [parseNamed("q", "select 1"), ...use("q")];
  await does(other, server, said, use("sluice_1"), RUN, [PARSED, ...RUN]);
});

Deno.test("ClientStatements tells statements apart by text and by types of parameters", async () => {
  const { server, other } = await prepared();
  for (const [number, text, types] of [[2, "select 2", []], [3, "select 1", [23]]] as const) {
    const said = [parseNamed("q", text, types), close("S", "q"), SYNC];
    const heard = [parseNamed(`sluice_${number}`, text, types), SYNC];
    await does(other, server, said, heard, PREPARED, [PARSED, CLOSED, ready()]);
  }
});

Deno.test("ClientStatements answers an omitted Parse in its place among the server's answers", async () => {
  const { server, other } = await prepared();
  const said = [parse("select 2"), parseNamed("q", "select 1"), describe("S", "q"), ...use("q")];
  const heard = [parse("select 2"), describe("S", "sluice_1"), ...use("sluice_1")];
  await other.says(...said);
  await server.hears(...heard);
  await other.hears();
  await server.says(PARSED);
  await other.hears(PARSED, PARSED);
  await server.says(message("t", "\0\0"), message("n"), ...RUN);
  await other.hears(message("t", "\0\0"), message("n"), ...RUN);
});

Deno.test("ClientStatements prepares a statement on a server that lacks it, unseen", async () => {
  const { world, client, server, other } = await prepared({ pool: { size: 2 } });
  await exchanges(other, server, "begin", "BEGIN", "T");
  await client.says(...use("a"));
  const second = await admits(world);
  await second.hears(parseNamed("sluice_1", "select 1"), ...use("sluice_1"));
  await second.says(PARSED, ...RUN);
  await client.hears(...RUN);
  await does(client, second, use("a"), use("sluice_1"), RUN, RUN);
});

Deno.test("ClientStatements forgets names that an error in a pipeline kept from being", async () => {
  const { client, server } = await prepared();
  const said = [parse("bad"), parseNamed("b", "select 2"), close("S", "a"), SYNC];
  await client.says(...said);
  await server.hears(parse("bad"), parseNamed("sluice_2", "select 2"), SYNC);
  await server.says(error("ERROR", "42601", "no"), ready());
  await client.hears(error("ERROR", "42601", "no"), ready());
  // "a" was not closed, and "b" is not there.
  await does(client, server, use("a"), use("sluice_1"), RUN, RUN);
  await does(client, server, use("b"), use("b"), [
    error("ERROR", "26000", 'prepared statement "b" does not exist'),
    ready(),
  ], [error("ERROR", "26000", 'prepared statement "b" does not exist'), ready()]);
  await does(
    client,
    server,
    [parseNamed("b", "select 2"), SYNC],
    [parseNamed("sluice_2", "select 2"), SYNC],
    PREPARED,
    PREPARED,
  );
});

Deno.test("ClientStatements sends what is said before an error is known as if nothing were skipped", async () => {
  const { client, server } = await prepared();
  await client.says(parse("bad"), FLUSH);
  await server.hears(parse("bad"), FLUSH);
  await server.says(error("ERROR", "42601", "no"));
  await client.says(parseNamed("b", "select 2"), ...use("b"));
  server.peer.take();
  await server.says(ready());
  await client.hears(error("ERROR", "42601", "no"), ready());
  await client.says(...use("b"));
  await server.hears(...use("b")); // it is not known: the server says so
});

Deno.test("ClientStatements lets the server refuse a name that is prepared twice", async () => {
  const { client, server } = await prepared();
  await client.says(parseNamed("a", "select 2"), SYNC);
  const heard = server.peer.take();
  equal(new TextDecoder().decode(heard).includes("sluice_1\0"), true);
  const text = (name: string) => `prepared statement "${name}" already exists`;
  await server.says(error("ERROR", "42P05", text("sluice_1")), ready());
  await client.hears(error("ERROR", "42P05", text("a")), ready());
  await does(client, server, use("a"), use("sluice_1"), RUN, RUN);
});

Deno.test("ClientStatements closes a name by itself, and the server keeps the statement", async () => {
  const { client, server } = await prepared();
  await does(client, server, [close("S", "a"), SYNC], [SYNC], [ready()], [CLOSED, ready()]);
  const gone = [error("ERROR", "26000", "no"), ready()];
  await does(client, server, use("a"), use("a"), gone, gone);
  const again = [parseNamed("a", "select 1"), SYNC];
  await does(client, server, again, [SYNC], [ready()], PREPARED);
});

Deno.test("ClientStatements passes Close of a portal and of a name that is not known", async () => {
  const { client, server } = await prepared();
  const said = [close("P", "a"), close("S", "zzz"), SYNC];
  const answers = [CLOSED, CLOSED, ready()];
  await does(client, server, said, said, answers, answers);
});

Deno.test("ClientStatements closes on a server what was used least when there are too many", async () => {
  const { client, server } = await prepared({ pool: { preparedStatementsMax: 2 } });
  const second = [parseNamed("b", "select 2"), SYNC];
  const named = [parseNamed("sluice_2", "select 2"), SYNC];
  await does(client, server, second, named, PREPARED, PREPARED);
  await does(client, server, use("a"), use("sluice_1"), RUN, RUN);
  await does(
    client,
    server,
    [parseNamed("c", "select 3"), SYNC],
    [parseNamed("sluice_3", "select 3"), close("S", "sluice_2"), SYNC],
    [PARSED, CLOSED, ready()],
    PREPARED,
  );
  // "b" is the client's still, and prepared anew; "a" has to go for it.
  await does(
    client,
    server,
    use("b"),
    [parseNamed("sluice_2", "select 2"), close("S", "sluice_1"), ...use("sluice_2")],
    [PARSED, CLOSED, ...RUN],
    RUN,
  );
});

Deno.test("ClientStatements does not take a portal's name for a statement's", async () => {
  const { client, server } = await prepared();
  await client.says(parseNamed("b", "select 2"), SYNC, describe("P", "b"), SYNC);
  await server.hears(parseNamed("sluice_2", "select 2"), SYNC, describe("P", "b"), SYNC);
});

Deno.test("ClientStatements goes on behind a Sync that a copy ignores", async () => {
  const { client, server } = await prepared();
  await client.says(parseNamed("b", "copy t from stdin"), bind({ statement: "b" }), EXECUTE, SYNC);
  await client.says(COPY_DONE, bind({ statement: "b" }), EXECUTE, SYNC);
  const copy = [parseNamed("sluice_2", "copy t from stdin"), bind({ statement: "sluice_2" })];
  await server.hears(...copy, EXECUTE, SYNC, COPY_DONE);
  await server.says(PARSED, BOUND, message("G", "\0\0\0"));
  await server.hears(bind({ statement: "sluice_2" }), EXECUTE, SYNC);
});

Deno.test("ClientStatements does not let a client use names of the gateway's own", async () => {
  const { server, other } = await prepared();
  await other.says(...use("sluice_1"));
  const heard = new TextDecoder().decode(server.peer.take());
  equal(heard.includes("sluice_1\0"), false, heard);
  await server.says(error("ERROR", "26000", "no"), ready());
  await other.says(close("S", "sluice_1"), SYNC);
  equal(new TextDecoder().decode(server.peer.take()).includes("sluice_1\0"), false);
});

Deno.test("ClientStatements prepares a text that is too long to keep under the client's name", async () => {
  const { world, client, server } = await prepared();
  world.network.readSizeMax = 10_000; // so that it comes in pieces
  const long = `select '${"x".repeat(200_000)}'`;
  const said = [parseNamed("long", long), SYNC];
  // What is looked at comes as a whole, and can be kept.
  const heard = [parseNamed("sluice_2", long), SYNC];
  if (IS_LOOKED_AT) return await does(client, server, said, heard, PREPARED, PREPARED);
  await does(client, server, said, said, PREPARED, PREPARED);
  deepEqual(world.states(), { "client active": 2, "db0 active": 1 }, "only this server has it");
  await does(client, server, use("long"), use("long"), RUN, RUN);
  const closing = [close("S", "long"), SYNC];
  await does(client, server, closing, closing, [CLOSED, ready()], [CLOSED, ready()]);
  deepEqual(world.states(), { "client active": 2, "db0 idle": 1 });
});

Deno.test("ClientStatements passes names as they are where statements are not tracked", async () => {
  for (
    const pool of [{ preparedStatementsMax: 0 }, { mode: "session" as const, size: 2 }]
  ) {
    const { client, server } = await pooledPair({ pool });
    const said = [parseNamed("a", "select 1"), describe("S", "a"), ...use("a")];
    const answers = [PARSED, message("t", "\0\0"), message("n"), ...RUN];
    await does(client, server, said, said, answers, answers);
  }
});

Deno.test("ClientStatements leaves it to the server to refuse a name without an end", async () => {
  const { client, server } = await prepared();
  for (const tag of ["P", "B", "D", "C"]) {
    const said = [message(tag, "Sabc"), SYNC];
    const answers = [error("ERROR", "08P01", "invalid string in message"), ready()];
    await does(client, server, said, said, answers, answers);
  }
  await does(client, server, use("a"), use("sluice_1"), RUN, RUN);
});

Deno.test("ClientStatements prepares anew what it is asked to once the schema has changed", async () => {
  const { client, server, other } = await prepared();
  await exchanges(other, server, "alter table t add c int", "ALTER TABLE");
  const said = [parseNamed("b", "select 1"), SYNC];
  await does(client, server, said, [parseNamed("sluice_2", "select 1"), SYNC], PREPARED, PREPARED);
});

Deno.test("ClientStatements asks the server about a Parse in a failed transaction", async () => {
  const { client, server } = await prepared();
  await exchanges(client, server, "begin", "BEGIN", "E");
  await client.says(parseNamed("b", "select 1"), SYNC);
  await server.hears(parseNamed("sluice_1", "select 1"), SYNC);
  const aborted = [error("ERROR", "25P02", "current transaction is aborted"), ready("E")];
  await server.says(...aborted);
  await client.hears(...aborted);
  await client.says(query("rollback"));
  await server.hears(query("rollback"));
});

Deno.test("ClientStatements prepares under the client's own name what is beyond its limit", async () => {
  const { world, client, server } = await prepared();
  const said = Array.from({ length: 9_999 }, (_, i) => parseNamed(`n${i}`, "select 1"));
  await client.says(...said, SYNC);
  await server.hears(SYNC);
  await server.says(ready());
  equal(client.peer.take().length, 9_999 * PARSED.length + ready().length);
  const raw = [parseNamed("n9999", "select 1"), SYNC];
  await does(client, server, raw, raw, PREPARED, PREPARED);
  deepEqual(world.states(), { "client active": 2, "db0 active": 1 });
});

Deno.test("ClientStatements of one client keep at most 16 MiB of texts", async () => {
  const { world, client, server } = await prepared();
  const text = (i: number) => `select ${i} -- ${"x".repeat(60_000)}`;
  const count = Math.ceil(16 * 1024 * 1024 / 60_000);
  for (let i = 0; i < count; i++) {
    await client.says(parseNamed(`n${i}`, text(i)), SYNC);
    server.peer.take();
    await server.says(...PREPARED);
    client.peer.take();
  }
  equal(world.states()["db0 idle"], 1, "what is kept is prepared on any server");
  const raw = [parseNamed("raw", text(count)), SYNC];
  await does(client, server, raw, raw, PREPARED, PREPARED);
  equal(world.states()["db0 active"], 1, "only this server has it");
  await does(client, server, [close("S", "raw"), SYNC], [close("S", "raw"), SYNC], [
    CLOSED,
    ready(),
  ], [CLOSED, ready()]);
  // The server refuses what is there already, whoever keeps how much.
  const twice = [parseNamed("n0", text(count)), SYNC];
  await client.says(...twice);
  equal(new TextDecoder().decode(server.peer.take()).includes("sluice_2\0"), true);
  await server.says(error("ERROR", "42P05", "there is one"), ready());
  client.peer.take();
  await does(client, server, [close("S", "n0"), close("S", "n1"), SYNC], [SYNC], [ready()], [
    CLOSED,
    CLOSED,
    ready(),
  ]);
  await client.says(parseNamed("kept", text(count)), SYNC);
  equal(new TextDecoder().decode(server.peer.take()).includes("kept\0"), false, "there is room");
});

Deno.test("ClientStatements refuse a name of more than 1 KiB, which is prepared nowhere", async () => {
  const { client, server } = await prepared();
  const longest = "n".repeat(1024);
  const said = [parseNamed(longest, "select 2"), SYNC];
  await does(client, server, said, [parseNamed("sluice_2", "select 2"), SYNC], PREPARED, PREPARED);
  await client.says(parseNamed(`${longest}n`, "select 3"), SYNC);
  await client.hearsFatal(
    "54000",
    /prepared statement name too long: 1025 bytes, it may have 1024/,
  );
  equal(new TextDecoder().decode(server.peer.take()).includes("select 3"), false);
});

Deno.test("ClientStatements refuse the 10,001st name that only one server knows", async () => {
  const { client, server } = await prepared();
  const kept = Array.from({ length: 9_999 }, (_, i) => parseNamed(`k${i}`, "select 1"));
  await client.says(...kept, SYNC);
  await server.says(ready());
  for (let at = 0; at < 10_000; at += 5_000) {
    const raw = Array.from({ length: 5_000 }, (_, i) => parseNamed(`r${at + i}`, "select 1"));
    await client.says(...raw, SYNC);
    await server.says(...raw.map(() => PARSED), ready());
  }
  client.peer.take();
  server.peer.take();
  await client.says(parseNamed("r9999", "select 1"), parseNamed("much", "select 1"), SYNC);
  await client.hearsFatal("54000", /too many prepared statements: at most 10000 /);
  equal(new TextDecoder().decode(server.peer.take()).includes("much"), false);
});

Deno.test("ClientStatements answers a Parse of ROLLBACK in a failed transaction that has it", async () => {
  const { client, server } = await pooledPair();
  for (const [i, status] of (["I", "E"] as const).entries()) {
    if (status === "E") await exchanges(client, server, "begin", "BEGIN", "E");
    const said = [parseNamed(`r${i}`, "rollback"), ...use(`r${i}`)];
    await client.says(...said);
    const heard = status === "E" ? [] : [parseNamed("sluice_1", "rollback")];
    await server.hears(...heard, ...use("sluice_1"));
    const done = [BOUND, complete("ROLLBACK"), ready()];
    await server.says(...(status === "E" ? [] : [PARSED]), ...done);
    await client.hears(PARSED, ...done);
  }
});

Deno.test("ClientStatements has the server answer a Parse behind what may end a failed transaction", async () => {
  const { client, server } = await prepared();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await client.says(query("bad"));
  server.peer.take();
  const bad = error("ERROR", "42601", "no");
  await server.says(bad, ready("E"));
  await client.hears(bad, ready("E"));
  await client.says(parse("rollback"), BIND, EXECUTE, parseNamed("b", "select 1"), SYNC);
  const again = [close("S", "sluice_1"), parseNamed("sluice_1", "select 1")];
  await server.hears(parse("rollback"), BIND, EXECUTE, ...again, SYNC);
});

Deno.test("ClientStatements tells a client of the name that it used, of several for one statement", async () => {
  const { client, server } = await prepared();
  await client.says(...use("a"), parseNamed("b", "select 1"), SYNC, ...use("b"));
  server.peer.take();
  const wrong = (name: string) =>
    error("ERROR", "08P01", `bind message supplies 0 parameters, but "${name}" requires 2`);
  await server.says(wrong("sluice_1"), ready());
  await client.hears(wrong("a"), ready());
  await server.says(message("3"), PARSED, ready());
  await client.hears(PARSED, ready());
  server.peer.take();
  await server.says(wrong("sluice_1"), ready());
  await client.hears(wrong("b"), ready());
});
