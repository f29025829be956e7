import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { World } from "../support/dialogue.ts";
import { LOOKING_ON } from "../support/looking_on.ts";
import {
  BIND,
  type Bytes,
  complete,
  COPY_DONE,
  copyData,
  dataRow,
  error,
  EXECUTE,
  FLUSH,
  message,
  notification,
  parameterStatus,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
  TERMINATE,
} from "../support/messages.ts";

/** One thing that a side says; the other must hear exactly that. */
type Line = readonly [who: "client" | "server", ...messages: Bytes[]];

const LARGE = "x".repeat(100_000);
const COPY_IN = message("G", "\0\0\0");
const COPY_OUT = message("H", "\0\0\0");

const STORIES: Readonly<Record<string, readonly Line[]>> = {
  "a simple query": [
    ["client", query("select 'a'")],
    ["server", ROW_DESCRIPTION, dataRow("a"), complete("SELECT 1"), ready()],
  ],
  "a simple query that fails": [
    ["client", query("selec 1")],
    ["server", error("ERROR", "42601", "syntax error"), ready()],
  ],
  "a transaction block": [
    ["client", query("begin")],
    ["server", complete("BEGIN"), ready("T")],
    ["client", query("x")],
    ["server", error("ERROR", "42601", "syntax error"), ready("E")],
    ["client", query("rollback")],
    ["server", complete("ROLLBACK"), ready()],
  ],
  "large messages both ways": [
    ["client", query(LARGE)],
    ["server", ROW_DESCRIPTION, dataRow(LARGE), dataRow("b"), complete("SELECT 2"), ready()],
  ],
  "the extended protocol": [
    ["client", parse("select 1"), BIND, message("D", "P\0"), EXECUTE, SYNC],
    ["server", message("1"), message("2"), ROW_DESCRIPTION, dataRow("1")],
    ["server", complete("SELECT 1"), ready()],
  ],
  "the extended protocol with Flush": [
    ["client", parse("select 1"), message("D", "S\0"), FLUSH],
    ["server", message("1"), message("t", "\0\0"), ROW_DESCRIPTION],
    ["client", BIND, EXECUTE, FLUSH],
    ["server", message("2"), dataRow("1"), message("s")],
    ["client", message("C", "S\0"), SYNC],
    ["server", message("3"), ready()],
  ],
  "a pipeline with an error in it": [
    ["client", parse("a"), BIND, EXECUTE, SYNC, parse("b"), BIND, EXECUTE, SYNC],
    ["server", message("1"), message("2"), complete("SELECT 0"), ready()],
    ["server", error("ERROR", "42601", "b"), ready()],
  ],
  "COPY FROM STDIN": [
    ["client", query("copy t from stdin")],
    ["server", COPY_IN],
    ["client", copyData("1\n"), copyData(LARGE), COPY_DONE],
    ["server", complete("COPY 2"), ready()],
  ],
  "COPY FROM STDIN that the client ends with an error": [
    ["client", query("copy t from stdin")],
    ["server", COPY_IN],
    ["client", copyData("1\n"), message("f", "no more\0")],
    ["server", error("ERROR", "57014", "COPY from stdin failed: no more"), ready()],
  ],
  "COPY TO STDOUT": [
    ["client", query("copy t to stdout")],
    ["server", COPY_OUT, copyData("1\n"), copyData(LARGE), COPY_DONE, complete("COPY 2"), ready()],
  ],
  "replication, which copies both ways": [
    ["client", query("START_REPLICATION 0/0")],
    ["server", message("W", "\0\0\0"), copyData("w"), copyData("k")],
    ["client", copyData("r")],
    ["server", copyData("k")],
    ["client", COPY_DONE],
    ["server", COPY_DONE, complete("START_STREAMING"), ready()],
  ],
  "a function call": [
    ["client", message("F", "\0\0\0\u0001\0\0\0\0\0\0")],
    ["server", message("V", "\0\0\0\0"), ready()],
  ],
  "what comes while nothing runs": [
    ["server", notification("news", "hello"), parameterStatus("TimeZone", "UTC")],
    ["server", error("WARNING", "57P01", "soon", "N")],
    ["client", query("select 1")],
    ["server", complete("SELECT 1"), ready(), notification("news", "again")],
  ],
  "an empty query": [["client", query("")], ["server", message("I"), ready()]],
};

for (const [what, story] of Object.entries(STORIES)) {
  Deno.test(`Session passes ${what} to the byte, however it is cut`, async () => {
    for (const readSizeMax of [Infinity, 1, 2, 3, 5, 7, 11]) {
      const hasLarge = concat(...story.flatMap(([, ...messages]) => messages)).length > 20_000;
      if (hasLarge && readSizeMax < 7) continue; // nothing new in a hundred thousand small reads
      const world = await World.start();
      const { client, server } = await world.pair();
      world.network.readSizeMax = hasLarge && readSizeMax !== Infinity ? 997 : readSizeMax;
      for (const [who, ...messages] of story) {
        const [speaker, listener] = who === "client" ? [client, server] : [server, client];
        await speaker.says(...messages);
        await listener.hears(...messages);
      }
      await client.leaves();
      await server.hearsEnd(TERMINATE); // nothing is due: the story is told to its end
      await world.noServer();
      await server.leaves();
      await world.isOver();
    }
  });
}

Deno.test("Session counts queries, transactions, errors and bytes", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  const before = world.poolCount("bytesFromServers");
  const up = concat(query("begin"), query("x"), query("rollback"));
  const failed = error("ERROR", "42601", "no");
  const down = concat(
    complete("BEGIN"),
    ready("T"),
    failed,
    ready("E"),
    complete("ROLLBACK"),
    ready(),
  );
  await client.says(up);
  await server.says(down);
  equal(world.poolCount("queries"), 3);
  equal(world.poolCount("transactions"), 1);
  equal(world.poolCount("bytesFromClients"), up.length);
  equal(world.poolCount("bytesFromServers") - before, down.length);
  deepEqual(world.errors(), { "server 42601": 1 });
});

Deno.test("Session knows that PostgreSQL ignores Sync in copy-in mode", async () => {
  for (const isFast of [true, false]) {
    const world = await World.start();
    const { client, server } = await world.pair();
    const begin = [parse("copy t from stdin"), BIND, EXECUTE];
    await client.says(...begin, ...(isFast ? [SYNC] : [FLUSH]));
    await server.says(message("1"), message("2"), COPY_IN);
    await client.says(...(isFast ? [] : [SYNC]), copyData("1\n"), COPY_DONE, SYNC);
    await server.says(complete("COPY 1"), ready());
    await client.leaves();
    await world.noServer(); // one ReadyForQuery has answered all: nothing is cancelled
    server.peer.take();
    await server.leaves();
    await world.isOver();
  }
});

Deno.test("Session holds a message back until it is whole, and streams a large one", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  const small = dataRow("x".repeat(1_000));
  await server.says(ready(), small.subarray(0, 900));
  await client.hears(ready());
  await server.says(small.subarray(900));
  await client.hears(small);
  const large = dataRow(LARGE);
  await server.says(large.subarray(0, 20_000));
  const passed = LOOKING_ON === "all" ? 0 : 20_000;
  await client.hearsBytes(large.subarray(0, passed));
  await server.says(large.subarray(20_000));
  await client.hearsBytes(large.subarray(passed));
});
