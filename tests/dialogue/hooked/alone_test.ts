import { deepEqual } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { PHASE } from "../../../src/hooks/event.ts";
import { type Pair, World } from "../../support/dialogue.ts";
import { bind, describe, execute, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  type Bytes,
  complete,
  copyData,
  dataRow,
  error,
  EXECUTE,
  message,
  notification,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
  textOfMessages,
} from "../../support/messages.ts";
import { exchanges, joins, pooledPair } from "../../support/pooled_world.ts";
import {
  answers,
  can,
  CLOSES,
  type Handlers,
  plug,
  rejects,
  replaces,
  text,
} from "../../support/subscribers.ts";

const ANSWER = [ROW_DESCRIPTION, dataRow("1"), complete("SELECT 1"), ready()];
const NO = error("ERROR", "42501", "no");

interface Asked extends Pair {
  readonly world: World;
  /** Of what plugins were asked: number, text and transaction status. */
  readonly asked: [number, string | undefined, string][];
}

/** Runs a query that the server answers at once. */
async function runs({ client, server }: Pair, said: string, ...answer: Bytes[]): Promise<void> {
  await client.says(query(said));
  await server.hears(query(said));
  await server.says(...answer);
  await client.hears(...answer);
}

/** A session that rests: a first query has passed alone, and has been answered. */
async function rested(onQuery: NonNullable<Handlers["onQuery"]> = () => {}): Promise<Asked> {
  const world = await World.start();
  const asked: [number, string | undefined, string][] = [];
  plug(world.hooks, {
    onQuery(event) {
      const status = String.fromCharCode(event.transactionStatus);
      asked.push([event.request, text(event, "text"), status]);
      return onQuery(event);
    },
  });
  const pair = { world, asked, ...await world.pair() };
  await runs(pair, "first", ...ANSWER);
  return pair;
}

Deno.test("Queries ask about each that comes alone, and tell its number and the status", async () => {
  const answerable: boolean[] = [];
  const pair = await rested((event) => void answerable.push(can(event, "respond")));
  await runs(pair, "begin", complete("BEGIN"), ready("T"));
  await runs(pair, "select 1", ROW_DESCRIPTION, dataRow("1"), complete("SELECT 1"), ready("T"));
  await runs(pair, "select 1/0", error("ERROR", "22012", "zero"), ready("E"));
  await runs(pair, ";", message("I"), ready("E"));
  await runs(pair, "rollback", complete("ROLLBACK"), ready());
  await runs(pair, "last", ...ANSWER);
  deepEqual(pair.asked, [
    [1, "first", "I"],
    [2, "begin", "I"],
    [3, "select 1", "T"],
    [4, "select 1/0", "T"],
    [5, ";", "E"],
    [6, "rollback", "E"],
    [7, "last", "I"],
  ]);
  deepEqual(answerable, [true, true, true, true, false, false, true]);
});

Deno.test("Queries that come alone may be refused, answered, replaced and ended", async () => {
  const pair = await rested((event) => {
    switch (text(event, "text")) {
      case "refused":
        return rejects("no");
      case "answered":
        return answers("hit");
      case "replaced":
        return replaces("other");
      case "ended":
        return CLOSES;
    }
    return undefined;
  });
  const { client, server } = pair;
  for (let round = 0; round < 2; round++) {
    await client.says(query("refused"));
    await client.hears(NO, ready());
    await client.says(query("answered"));
    deepEqual(textOfMessages(client.peer.take()).map(([tag]) => tag), ["T", "D", "C", "Z"]);
    await server.hears();
    await client.says(query("replaced"));
    await server.hears(query("other"));
    await server.says(...ANSWER);
    await client.hears(...ANSWER);
    await runs(pair, "passes", ...ANSWER);
    await runs(pair, "passes, too", ...ANSWER);
  }
  await client.says(query("ended"));
  await server.hears(message("X"));
});

Deno.test("Statements that come alone are asked about with their values, and pass as they are", async () => {
  const told: (readonly (string | undefined)[])[] = [];
  const pair = await rested((event) => {
    told.push([text(event, "text"), text(event, "statementName"), text(event, "parameters")]);
  });
  const { client, server } = pair;
  const preparing = [parseNamed("s", "by name"), SYNC];
  const named = [bind({ statement: "s", values: ["7"] }), describe("P"), execute(), SYNC];
  const unnamed = [parse("again"), bind(), execute(), SYNC];
  for (const messages of [preparing, named, unnamed, named, unnamed]) {
    await client.says(...messages);
    await server.hears(...messages);
    const isNamed = messages === named;
    const bound = isNamed ? [message("2"), ...ANSWER] : [message("1"), message("2"), ...ANSWER];
    const answer = messages === preparing ? [message("1"), ready()] : bound;
    await server.says(...answer);
    await client.hears(...answer);
  }
  const parsed = ["again", "", undefined];
  const ran = ["again", "", ""];
  const value = ["by name", "s", "\0\x01\0\0\x007"];
  deepEqual(told.slice(1), [
    ["by name", "s", undefined],
    ...[value, parsed, ran],
    ...[value, parsed, ran],
  ]);
  // The same numbers as on the long way: one for each message that is answered.
  deepEqual(pair.asked.map(([request]) => request), [1, 2, 6, 8, 10, 14, 16, 18]);
});

Deno.test("Statements that come alone may be refused and answered, and are asked about once", async () => {
  const pair = await rested((event) => {
    if (event.phase !== PHASE.execute) return undefined;
    const said = text(event, "text");
    return said === "refused" ? rejects("no") : said === "answered" ? answers("hit") : undefined;
  });
  const { client, server } = pair;
  for (let round = 0; round < 2; round++) {
    await client.says(parse("refused"), bind(), execute(), SYNC);
    await client.hears(NO, ready());
    await client.says(parse("answered"), bind(), describe("P"), execute(), SYNC);
    const tags = textOfMessages(client.peer.take()).map(([tag]) => tag);
    deepEqual(tags, ["1", "2", "T", "D", "C", "Z"]);
    await server.hears();
    await runs(pair, "passes", ...ANSWER);
  }
  const [refused, answered] = ["refused", "answered"].map((said) => [said, said]) as string[][];
  const round = [...refused!, ...answered!, "passes"];
  deepEqual(pair.asked.map(([, said]) => said), ["first", ...round, ...round]);
});

Deno.test("Queries behind one that came alone are answered in their order", async () => {
  const pair = await rested((event) =>
    text(event, "text") === "refused" ? rejects("no") : undefined
  );
  const { client, server } = pair;
  await client.says(query("one"));
  await client.says(query("refused"));
  await client.says(parse("two"), BIND, EXECUTE, SYNC);
  // What may come in a transaction is refused by the server, too.
  const refused = query('rejected by plugin "p"');
  await server.hears(query("one"), refused, parse("two"), BIND, EXECUTE, SYNC);
  await client.hears();
  await server.says(...ANSWER, error("ERROR", "42601", "syntax error"), ready());
  await client.hears(...ANSWER, NO, ready());
  const answer = [message("1"), message("2"), complete("SELECT 1"), ready()];
  await server.says(...answer);
  await client.hears(...answer);
  for (const said of ["three", "four"]) await runs(pair, said, ...ANSWER);
  deepEqual(pair.asked.map(([number, said]) => [number, said]), [
    [1, "first"],
    [2, "one"],
    [3, "refused"],
    [4, "two"],
    [6, "two"],
    [8, "three"],
    [9, "four"],
  ]);
});

Deno.test("Queries that came alone are answered in pieces, and between other messages", async () => {
  const pair = await rested();
  const { client, server } = pair;
  await client.says(query("one"));
  await server.hears(query("one"));
  await server.says(notification("a", "b"), ROW_DESCRIPTION);
  await client.hears(notification("a", "b"), ROW_DESCRIPTION);
  await server.says(dataRow("1"));
  await client.hears(dataRow("1"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
  for (const said of ["two", "three"]) await runs(pair, said, ...ANSWER);
});

Deno.test("Queries under way as plugins change are told of by the new ones, as far as is known", async () => {
  const pair = await rested();
  const { client, server, world } = pair;
  const ended: unknown[] = [];
  await client.says(query("one"));
  plug(world.hooks, {
    onQueryEnd: (event) => void ended.push([event.request, event.rows, text(event, "text")]),
  });
  await server.says(...ANSWER);
  await client.hears(...ANSWER);
  server.peer.take();
  for (const said of ["two", "three"]) await runs(pair, said, ...ANSWER);
  deepEqual(ended, [[2, 1, undefined], [3, 1, "two"], [4, 1, "three"]]);
});

Deno.test("Queries that come alone once plugins have changed are told of as a whole", async () => {
  const pair = await rested();
  const told: unknown[] = [];
  plug(pair.world.hooks, {
    onQuery: () => {},
    onQueryEnd: (event) => void told.push([event.request, event.rows, text(event, "text")]),
  });
  for (const said of ["two", "three"]) await runs(pair, said, ...ANSWER);
  deepEqual(told, [[2, 1, "two"], [3, 1, "three"]]);
});

Deno.test("Queries that no Sync has come before may not be answered, though they come alone", async () => {
  const answerable: boolean[] = [];
  const { client, server, ...pair } = await rested((event) => {
    if (event.phase === PHASE.simple) answerable.push(can(event, "respond"));
  });
  await client.says(parseNamed("s", "x"));
  await server.hears(parseNamed("s", "x"));
  await server.says(message("1"));
  await client.hears(message("1"));
  for (const said of ["two", "three"]) await runs({ client, server, ...pair }, said, ...ANSWER);
  deepEqual(answerable, [true, false, false]);
});

Deno.test("Queries are none that stand in another message", async () => {
  const pair = await rested();
  const { client, server } = pair;
  await client.says(query("one"));
  await server.hears(query("one"));
  const data = copyData(concat(new Uint8Array(200_000), query("not asked")));
  const end = query("not asked").length;
  await client.says(data.subarray(0, -end));
  await server.says(...ANSWER);
  await client.hears(...ANSWER);
  await client.says(data.subarray(-end));
  await server.hears(data);
  await runs(pair, "two", ...ANSWER);
  deepEqual(pair.asked.map(([, said]) => said), ["first", "one", "two"]);
});

Deno.test("Queries that end a transaction alone end its portals", async () => {
  const pair = await rested();
  const { client, server } = pair;
  await runs(pair, "begin", complete("BEGIN"), ready("T"));
  const bound = [parseNamed("s", "held"), bind({ portal: "p", statement: "s" }), SYNC];
  await client.says(...bound);
  await server.hears(...bound);
  await server.says(message("1"), message("2"), ready("T"));
  await client.hears(message("1"), message("2"), ready("T"));
  await runs(pair, "one", complete("SELECT 1"), ready("T"));
  await runs(pair, "commit", complete("COMMIT"), ready());
  await client.says(execute("p"), SYNC);
  deepEqual(pair.asked.map(([, said]) => said), [
    "first",
    "begin",
    "held",
    "one",
    "commit",
    undefined,
  ]);
});

Deno.test("Queries that come alone may have their replies captured", async () => {
  const kept: [string, number][] = [];
  const pair = await rested((event) => {
    const said = text(event, "text")!;
    if (!said.startsWith("kept")) return;
    event.capture?.(1_000, (bytes) => void kept.push([said, bytes.length]));
  });
  const size = ROW_DESCRIPTION.length + dataRow("1").length + complete("SELECT 1").length;
  for (const said of ["kept 1", "other", "another", "kept 2"]) await runs(pair, said, ...ANSWER);
  deepEqual(kept, [["kept 1", size], ["kept 2", size]]);
});

Deno.test("Queries that come alone may be held back, and are asked about once", async () => {
  const pair = await rested((event) => {
    if (text(event, "text") === "slow") event.delayMs = 100;
  });
  const { client, server, world } = pair;
  await client.says(query("slow"));
  await server.hears();
  await world.pass(100);
  await server.hears(query("slow"));
  await server.says(...ANSWER);
  await client.hears(...ANSWER);
  for (const said of ["two", "three"]) await runs(pair, said, ...ANSWER);
  deepEqual(pair.asked.map(([, said]) => said), ["first", "slow", "two", "three"]);
});

Deno.test("Queries that come alone and wait for a server are asked about once", async () => {
  const asked: string[] = [];
  const { client, server, world } = await pooledPair({ pool: { size: 1 } });
  plug(world.hooks, { onQuery: (event) => void asked.push(text(event, "text")!) });
  for (const said of ["select 1", "select 2"]) await exchanges(client, server, said, "SELECT 1");
  const { client: other } = await joins(world);
  for (const said of ["select 3", "select 4"]) await exchanges(other, server, said, "SELECT 1");
  await exchanges(client, server, "begin", "BEGIN", "T");
  await other.says(query("select 5"));
  await server.hears();
  await exchanges(client, server, "commit", "COMMIT");
  await server.hears(query("select 5"));
  await server.says(complete("SELECT 1"), ready());
  await other.hears(complete("SELECT 1"), ready());
  await exchanges(other, server, "select 6", "SELECT 1");
  const expected = ["select 1", "select 2", "select 3", "select 4", "begin", "select 5"];
  deepEqual(asked, [...expected, "commit", "select 6"]);
});
