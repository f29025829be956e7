/**
 * Reads go to a replica and everything else to the primary: in which order, what waits for what,
 * and what a client can say itself.
 *
 * @module
 */

import { deepEqual, match } from "node:assert/strict";
import type { Actor } from "../support/dialogue.ts";
import { bind, describe, execute, parseNamed } from "../support/extended_messages.ts";
import { KEEPS_UNITS } from "../support/looking_on.ts";
import {
  BIND,
  type Bytes,
  complete,
  cut,
  dataRow,
  errorFields,
  EXECUTE,
  FLUSH,
  message,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
} from "../support/messages.ts";
import { answersRead, exchanges } from "../support/pooled_world.ts";
import { elect, ends, opens, say, startServed, startSplit } from "../support/routed_world.ts";

const [PARSED, BOUND, NO_DATA] = [message("1"), message("2"), message("n")];

/** What is said is heard by this server only, and answered. */
async function served(
  client: Actor,
  [server, other]: readonly [Actor, Actor],
  said: readonly Bytes[],
  ...answers: readonly Bytes[]
): Promise<void> {
  await client.says(...said);
  await other.hears();
  await server.hears(...said);
  await server.says(...answers);
  await client.hears(...answers);
}

Deno.test("Split sends reads to a replica, and writes and unknown texts to the primary", async () => {
  const { world, client, primary, replica } = await startServed();
  for (const text of ["select 1", "table t", "values (1)", "begin read only", "explain select 1"]) {
    await exchanges(client, replica, text, "X");
    await primary.hears();
  }
  const writes = ["update t set a = 1", "begin", "select 1 for update", "selct", "select f()"];
  for (const text of [...writes, "select 1; delete from t", "create table a ()", "vacuum"]) {
    // The replica has got all of it.
    world.table.setCaughtUp(1, world.table.beginRound());
    await exchanges(client, primary, text, "X");
    await replica.hears();
  }
  await ends(world, client, primary, replica);
});

Deno.test("Split keeps a transaction where it began", async () => {
  const { world, client, primary, replica } = await startServed();
  await exchanges(client, primary, "begin", "BEGIN", "T");
  await exchanges(client, primary, "select 1", "SELECT 1", "T");
  await exchanges(client, primary, "commit", "COMMIT");
  world.table.beginRound();
  world.table.setCaughtUp(1, 1);
  await exchanges(client, replica, "begin read only", "BEGIN", "T");
  await exchanges(client, replica, "delete from t", "DELETE 1", "T");
  await exchanges(client, replica, "commit", "COMMIT");
  await ends(world, client, primary, replica);
});

Deno.test("Split has a write wait for the read before it, and go to the primary then", async () => {
  const { world, client, primary, replica } = await startServed();
  await client.says(query("select 1"), query("delete from t"), query("select 2"));
  await replica.hears(query("select 1"));
  await primary.hears();
  await replica.says(ROW_DESCRIPTION, dataRow("1"));
  await primary.hears();
  await replica.says(complete("SELECT 1"), ready());
  await primary.hears(query("delete from t"), query("select 2"));
  await primary.says(complete("DELETE 1"), ready(), complete("SELECT 1"), ready());
  await client.hears(
    ...[ROW_DESCRIPTION, dataRow("1"), complete("SELECT 1"), ready()],
    ...[complete("DELETE 1"), ready(), complete("SELECT 1"), ready()],
  );
  await replica.hears();
  await ends(world, client, primary, replica);
});

Deno.test("Split has a write wait for a read before it whose server is no primary any more", async () => {
  const { world, client, primary, replica } = await startServed();
  say(world.table, 1, { role: "replica", flags: ["disabled"] });
  await client.says(query("select 1"));
  await primary.hears(query("select 1"));
  elect(world, 1);
  await world.settle();
  await client.says(query("delete from t"));
  await primary.hears();
  await primary.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
  await replica.hears(query("delete from t"));
  await replica.says(complete("DELETE 1"), ready());
  await client.hears(complete("DELETE 1"), ready());
  await ends(world, client, primary, replica);
});

Deno.test("Split has a write wait for the end of a transaction that is sent before it", async () => {
  const { world, client, primary, replica } = await startServed();
  const transaction = ["begin read only", "select 1", "commit"].map(query);
  await client.says(...transaction, query("delete from t"));
  await replica.hears(...transaction);
  await replica.says(complete("BEGIN"), ready("T"));
  await replica.says(complete("SELECT 1"), ready("T"));
  await replica.hears();
  await replica.says(complete("COMMIT"), ready());
  await primary.hears(query("delete from t"));
  await primary.says(complete("DELETE 1"), ready());
  await client.hears(
    ...[complete("BEGIN"), ready("T"), complete("SELECT 1"), ready("T")],
    ...[complete("COMMIT"), ready(), complete("DELETE 1"), ready()],
  );
  await client.says(query("begin read only"), query("delete from t"));
  await replica.hears();
  await primary.hears(query("begin read only"), query("delete from t"));
  await ends(world, client, primary, replica);
});

Deno.test("Split has a write wait while its client is slow to take what was read", async () => {
  const { world, client, primary, replica } = await startServed();
  client.peer.isReading = false;
  await client.says(query("select 1"));
  await replica.hears(query("select 1"));
  const row = dataRow("x".repeat(100_000));
  await replica.says(ROW_DESCRIPTION, ...Array(20).fill(row), complete("SELECT 20"), ready());
  await client.says(query("delete from t"));
  await primary.hears();
  client.peer.isReading = true;
  await primary.hears(query("delete from t"));
  await primary.says(complete("DELETE 1"), ready());
  await world.settle();
  deepEqual(
    cut(client.peer.take()).map(({ tag }) => tag).join(""),
    `T${"D".repeat(20)}CZCZ`,
  );
  await ends(world, client, primary, replica);
});

Deno.test("Split chooses for all that is sent up to a Sync", async () => {
  const { world, client, primary, replica } = await startServed();
  const [toPrimary, toReplica] = [[primary, replica], [replica, primary]] as const;
  const answers = [PARSED, BOUND, complete("X"), ready()];
  await served(client, toReplica, [parse("select 1"), BIND, EXECUTE, SYNC], ...answers);
  const both = [parse("select 1"), BIND, EXECUTE, parse("delete from t"), BIND, EXECUTE, SYNC];
  const twice = [PARSED, BOUND, complete("X")];
  await served(client, toPrimary, both, ...twice, ...twice, ready());
  await ends(world, client, primary, replica);
});

Deno.test("Split sends a unit of which not all is there to the primary", async () => {
  const { world, client, primary, replica } = await startServed();
  // Where somebody may answer in a server's place, it is held back until all of it is there.
  const isHeldBack = KEEPS_UNITS;
  const [server, other] = isHeldBack ? [replica, primary] : [primary, replica];
  const [first, rest] = [[parse("select 1")], [BIND, EXECUTE, SYNC]];
  await client.says(...first);
  await other.hears();
  await server.hears(...isHeldBack ? [] : first);
  await client.says(...rest);
  await server.hears(...isHeldBack ? first : [], ...rest);
  await server.says(PARSED, BOUND, complete("SELECT 1"), ready());
  await client.hears(PARSED, BOUND, complete("SELECT 1"), ready());
  await ends(world, client, primary, replica);
});

Deno.test("Split serves who prepares first and waits, by what is prepared", async () => {
  const { world, client, primary, replica } = await startServed();
  for (
    const [text, server, other] of [
      ["select 1", replica, primary],
      ["delete from t", primary, replica],
    ] as const
  ) {
    await client.says(parse(text), describe("S"), FLUSH);
    await other.hears();
    await server.hears(parse(text), describe("S"), FLUSH);
    await server.says(PARSED, message("t", "\0\0"), NO_DATA);
    await client.hears(PARSED, message("t", "\0\0"), NO_DATA);
    await served(client, [server, other], [BIND, EXECUTE, SYNC], BOUND, complete("X"), ready());
  }
  await ends(world, client, primary, replica);
});

Deno.test("Split knows what was prepared before, by its name and without one", async () => {
  const { world, client, primary, replica } = await startServed();
  for (
    const [name, text] of [["r", "select 1"], ["w", "delete from t"], ["", "select 2"]] as const
  ) {
    const server = text.startsWith("select") ? replica : primary;
    await client.says(parseNamed(name, text), SYNC);
    await world.settle();
    deepEqual(cut(server.peer.take()).map(({ tag }) => tag).join(""), "PS");
    await server.says(PARSED, ready());
    await client.hears(PARSED, ready());
    world.table.setCaughtUp(1, world.table.beginRound());
  }
  for (const [name, server] of [["r", replica], ["w", primary], ["", replica]] as const) {
    await client.says(bind({ statement: name }), execute(), SYNC);
    await world.settle();
    deepEqual(cut(server.peer.take()).map(({ tag }) => tag).join(""), "BES", name);
    await server.says(BOUND, complete("X"), ready());
    await client.hears(BOUND, complete("X"), ready());
    world.table.setCaughtUp(1, world.table.beginRound());
  }
  await ends(world, client, primary, replica);
});

Deno.test("Split serves reads from the primary while no replica can, and from a replica again", async () => {
  const { world, client, primary, replica } = await startServed();
  for (
    const said of [{ health: "down" }, { flags: ["lagging"] }, { flags: ["draining"] }] as const
  ) {
    say(world.table, 1, { role: "replica", ...said });
    await exchanges(client, primary, "select 1", "SELECT 1");
    elect(world);
    await exchanges(client, replica, "select 1", "SELECT 1");
  }
  await ends(world, client, primary, replica);
});

Deno.test("Split serves reads while there is no primary, and holds writes", async () => {
  const { world, client, primary, replica } = await startServed();
  say(world.table, 0, { role: "unknown", health: "down" });
  await exchanges(client, replica, "select 1", "SELECT 1");
  await client.says(query("delete from t"));
  await world.pass(1_000);
  await primary.hears();
  await replica.hears();
  deepEqual(world.states()["db0 waiting"], 1);
  elect(world, 1);
  await world.pass(50);
  await replica.hears(query("delete from t"));
  await replica.says(complete("DELETE 1"), ready());
  await client.hears(complete("DELETE 1"), ready());
  await ends(world, client, primary, replica);
});

Deno.test("Split keeps a session where it is pinned", async () => {
  const { world, client, primary, replica } = await startServed();
  await exchanges(client, primary, "create temp table a ()", "CREATE TABLE");
  world.table.beginRound();
  world.table.setCaughtUp(1, 1);
  await exchanges(client, primary, "select 1", "SELECT 1");
  await replica.hears();
  await ends(world, client, primary, replica);
});

// Hints -------------------------------------------------------------------------------------------

Deno.test("Hint says where a statement runs", async () => {
  const { world, client, primary, replica } = await startServed();
  await exchanges(client, primary, "/* sluice: role=primary */ select 1", "SELECT 1");
  await exchanges(
    client,
    replica,
    "select pg_advisory_lock_shared(1) /* sluice: role=replica */",
    "X",
  );
  await exchanges(client, replica, "select 1 /* sluice: proxy=db0 */", "SELECT 1");
  await ends(world, client, primary, replica);
});

Deno.test("SET sluice.role says where a session's statements run", async () => {
  const { world, client, primary, replica } = await startServed();
  await exchanges(client, primary, "set sluice.role = 'primary'", "SET");
  await answersRead(primary, "sluice.role", "primary");
  await exchanges(client, primary, "select 1", "SELECT 1");
  await replica.hears();
  await ends(world, client, primary, replica);
});

Deno.test("Hint that is wrong is told, and ignored", async () => {
  const { world, client, primary, replica } = await startServed();
  for (
    const [hint, problem] of [
      ["role=leader", /role must be "primary" or "replica", not "leader"/],
      ["proxy=nobody", /proxy=nobody: the listener has no proxy of that name/],
    ] as const
  ) {
    const text = `/* sluice: ${hint} */ select 1`;
    await client.says(query(text));
    const [notice] = cut(client.peer.take());
    match(errorFields(notice!.bytes).get("M")!, problem);
    await replica.hears(query(text));
    await replica.says(complete("SELECT 1"), ready());
    await client.hears(complete("SELECT 1"), ready());
  }
  await ends(world, client, primary, replica);
});

Deno.test("Hint is a comment like any other where hints are switched off", async () => {
  const { world, client, primary, replica } = await startServed({ routing: { hints: false } });
  await exchanges(client, replica, "/* sluice: role=primary */ select 1", "SELECT 1");
  await exchanges(client, replica, "/* sluice: role=leader */ select 1", "SELECT 1");
  await ends(world, client, primary, replica);
});

Deno.test("Hint names the proxy that a statement runs by", async () => {
  const { world, client, primary } = await startSplit({
    servers: 2,
    members: 1,
    routing: { readWriteSplit: false },
  });
  elect(world);
  say(world.table, 1, { role: "primary" });
  const other = await opens(world, client, "/* sluice: proxy=db1 */ select 1", 1);
  await exchanges(client, primary, "select 1", "SELECT 1");
  await exchanges(client, other, "/* sluice: proxy=db1 */ select 1", "SELECT 1");
  await client.leaves();
});
