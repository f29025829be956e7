import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { type Pair, World } from "../../support/dialogue.ts";
import {
  bind,
  close,
  describe,
  execute,
  int16,
  parseNamed,
} from "../../support/extended_messages.ts";
import {
  BIND,
  type Bytes,
  complete,
  cut,
  dataRow,
  error,
  EXECUTE,
  FLUSH,
  int32,
  message,
  notification,
  parse,
  query,
  ready,
  startup,
  SYNC,
} from "../../support/messages.ts";
import { pooledPair } from "../../support/pooled_world.ts";
import {
  answers,
  can,
  type Handlers,
  plug,
  replays,
  runs,
  text,
} from "../../support/subscribers.ts";

const [PARSED, BOUND, NO_DATA] = [message("1"), message("2"), message("n")];
const DESCRIBE = describe("P");

/** What describes the column of `answers`, which is of no table. */
function described(format = 0): Bytes {
  const rest = [int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(format)];
  return message("T", int16(1), "c\0", ...rest);
}

/** Answers what has "cached" in it, where it can. */
const CACHE: Handlers = {
  onQuery(event) {
    const isCached = text(event, "text")?.includes("cached") === true;
    return isCached && runs(event) && can(event, "respond") ? answers("hit") : undefined;
  },
};

async function relayed(handlers: Handlers): Promise<Pair & { readonly world: World }> {
  const world = await World.start();
  plug(world.hooks, handlers);
  return { world, ...await world.pair() };
}

const HIT = [dataRow("hit"), complete("SELECT 1")];

Deno.test("HookedSession answers a Query in a server's place, with its transaction's status", async () => {
  const { client, server } = await relayed(CACHE);
  await client.says(query("cached"));
  await client.hears(described(), ...HIT, ready());
  await client.says(query("begin"));
  await server.hears(query("begin"));
  await server.says(complete("BEGIN"), ready("T"));
  await client.hears(complete("BEGIN"), ready("T"));
  await client.says(query("cached"));
  await client.hears(described(), ...HIT, ready("T"));
  await server.hears();
});

Deno.test("HookedSession gives answers in the order of what was asked", async () => {
  const { client, server } = await relayed(CACHE);
  await client.says(query("a"), query("cached"), query("b"), query("cached"));
  await server.hears(query("a"), query("b"));
  await client.hears();
  await server.says(complete("A"), ready());
  await client.hears(complete("A"), ready(), described(), ...HIT, ready());
  await server.says(complete("B"), ready());
  await client.hears(complete("B"), ready(), described(), ...HIT, ready());
});

Deno.test("HookedSession lets a server say what a failed transaction means", async () => {
  const { client, server } = await relayed(CACHE);
  const failed = error("ERROR", "22012", "division by zero");
  await client.says(query("begin; select 1/0"));
  await server.hears(query("begin; select 1/0"));
  await server.says(complete("BEGIN"), failed, ready("E"));
  await client.hears(complete("BEGIN"), failed, ready("E"));
  await client.says(query("cached"));
  await server.hears(query("cached"));
  await server.says(failed, ready("E"));
  await client.hears(failed, ready("E"));
  // With a unit, too, of which the parts are kept back.
  const unit = [parse("cached"), BIND, DESCRIBE, EXECUTE, SYNC];
  await client.says(...unit);
  await server.hears(...unit);
});

Deno.test("HookedSession answers 25P02 behind what failed meanwhile", async () => {
  const { client, server } = await relayed(CACHE);
  const unit = [parse("cached"), BIND, DESCRIBE, EXECUTE];
  const bad = [parse("other"), BIND, EXECUTE];
  await client.says(query("bad"), query("cached"), ...unit, ...bad, SYNC, query("next"));
  await server.hears(query("bad"), ...bad, SYNC, query("next"));
  const failed = error("ERROR", "22012", "division by zero");
  const aborted = error(
    "ERROR",
    "25P02",
    "current transaction is aborted, commands ignored until end of transaction block",
  );
  await server.says(failed, ready("E"));
  await client.hears(failed, ready("E"), aborted, ready("E"), aborted);
  // The server says it of what it got, too; the client has heard it.
  await server.says(error("ERROR", "25P02", "server's"), ready("E"));
  await client.hears(ready("E"));
  await server.says(complete("NEXT"), ready("E"));
  await client.hears(complete("NEXT"), ready("E"));
});

Deno.test("HookedSession hides what a server answers behind a local error, however large", async () => {
  const { client, server } = await relayed(CACHE);
  const row = dataRow("x".repeat(100_000));
  await client.says(query("bad"), parse("cached"), BIND, EXECUTE);
  await client.says(parse("rollback"), BIND, EXECUTE, SYNC);
  await server.says(error("ERROR", "22012", "zero"), ready("E"));
  deepEqual(cut(client.peer.take()).map(({ tag }) => tag), ["E", "Z", "E"]);
  await server.says(PARSED, BOUND, row, complete("ROLLBACK"), ready());
  await client.hears(ready());
});

Deno.test("HookedSession answers a unit however it is cut", async () => {
  const said = concat(parse("cached"), BIND, DESCRIBE, EXECUTE, SYNC, query("after"));
  for (let at = 1; at < said.length; at++) {
    const { client, server } = await relayed(CACHE);
    await client.says(said.slice(0, at));
    await client.says(said.slice(at));
    await client.hears(PARSED, BOUND, described(), ...HIT, ready());
    await server.hears(query("after"));
  }
});

Deno.test("HookedSession answers units between others of one pipeline", async () => {
  const { client, server } = await relayed(CACHE);
  const hit = [parse("cached"), BIND, DESCRIBE, EXECUTE];
  const miss = [parse("miss"), BIND, EXECUTE];
  await client.says(...miss, ...hit, ...miss, SYNC, ...hit, SYNC);
  await server.hears(...miss, ...miss, SYNC);
  const missed = [PARSED, BOUND, complete("SELECT 0")];
  const found = [PARSED, BOUND, described(), ...HIT];
  await server.says(...missed);
  await client.hears(...missed, ...found);
  await server.says(...missed, ready());
  await client.hears(...missed, ready(), ...found, ready());
});

Deno.test("HookedSession prepares the unnamed statement when it is needed", async () => {
  const { client, server } = await relayed({
    onQuery(event) {
      return runs(event) && text(event, "parameters") === "" ? answers("hit") : undefined;
    },
  });
  const bound = bind({ values: ["1"] });
  await client.says(parse("cached"), BIND, EXECUTE, SYNC);
  await client.hears(PARSED, BOUND, ...HIT, ready());
  await client.says(BIND, EXECUTE, SYNC);
  await client.hears(BOUND, ...HIT, ready());
  await client.says(bound, EXECUTE, SYNC);
  await server.hears(parse("cached"), bound, EXECUTE, SYNC);
  await server.says(PARSED, BOUND, complete("SELECT 0"), ready());
  await client.hears(BOUND, complete("SELECT 0"), ready());
  await client.says(bound, EXECUTE, SYNC);
  await server.hears(bound, EXECUTE, SYNC);
});

Deno.test("HookedSession describes a statement that no server had got", async () => {
  const { client, server } = await relayed(CACHE);
  await client.says(parse("cached"), BIND, EXECUTE, SYNC);
  await client.hears(PARSED, BOUND, ...HIT, ready());
  await client.says(describe("S"), SYNC);
  await server.hears(parse("cached"), describe("S"), SYNC);
  await server.says(PARSED, message("t", int16(0)), NO_DATA, ready());
  await client.hears(message("t", int16(0)), NO_DATA, ready());
});

Deno.test("HookedSession forgets the unnamed statement with a Close, a Query or another Parse", async () => {
  for (const last of [close("S"), query("x"), parse("x")]) {
    const { client, server } = await relayed(CACHE);
    await client.says(parse("cached"), BIND, EXECUTE, SYNC);
    await client.says(last);
    if (last[0] === 0x51) await server.says(complete("X"), ready());
    await client.says(BIND, EXECUTE, SYNC);
    await server.hears(last, BIND, EXECUTE, SYNC);
  }
});

Deno.test("HookedSession answers B E S with a named statement, and with Flush", async () => {
  const { client, server } = await relayed(CACHE);
  const unit = [bind({ statement: "s" }), EXECUTE];
  await client.says(parseNamed("s", "cached"), SYNC);
  await server.hears(parseNamed("s", "cached"), SYNC);
  await server.says(PARSED, ready());
  await client.hears(PARSED, ready());
  await client.says(...unit, FLUSH);
  await client.hears(BOUND, ...HIT);
  await client.says(SYNC);
  await client.hears(ready());
  await server.hears();
});

Deno.test("HookedSession does not answer an Execute with a limit", async () => {
  const { client, server } = await relayed(CACHE);
  const unit = [parse("cached"), BIND, execute("", 5), SYNC];
  await client.says(...unit);
  await server.hears(...unit);
});

Deno.test("HookedSession does not answer a Query while a Sync is owed to the server", async () => {
  const { client, server } = await relayed(CACHE);
  const said = [parse("other"), BIND, EXECUTE, query("cached"), SYNC];
  await client.says(...said);
  await server.hears(...said);
});

Deno.test("HookedSession answers in binary where the client wants that", async () => {
  const { client } = await relayed({
    onQuery(event) {
      if (!runs(event)) return undefined;
      const columns = [{ name: "c", typeOid: 23 }];
      const rows = [[new TextEncoder().encode("258")], [undefined]];
      const reply = { kind: "result", columns, rows, tag: "SELECT 2" } as const;
      return { kind: "respond", plugin: "p", reply };
    },
  });
  await client.says(parse("x"), bind({ resultFormats: [1] }), DESCRIBE, EXECUTE, SYNC);
  const rest = [int32(0), int16(0), int32(23), int16(-1), int32(-1), int16(1)];
  await client.hears(
    PARSED,
    BOUND,
    message("T", int16(1), "c\0", ...rest),
    message("D", int16(1), int32(4), int32(258)),
    message("D", int16(1), int32(-1)),
    complete("SELECT 2"),
    ready(),
  );
});

Deno.test("HookedSession replays what a server said", async () => {
  const insert = complete("INSERT 0 3");
  const { client } = await relayed({
    onQuery: (event) => runs(event) ? replays(insert) : undefined,
  });
  await client.says(query("x"));
  await client.hears(insert, ready());
  await client.says(parse("x"), BIND, DESCRIBE, EXECUTE, SYNC);
  await client.hears(PARSED, BOUND, NO_DATA, insert, ready());
});

Deno.test("HookedSession ends with 58000 where a reply cannot be sent", async () => {
  const row = dataRow("secret");
  const bad: readonly [Bytes, string][] = [
    [concat(row, complete("SELECT 1")), "undescribed rows"],
    [concat(complete("SELECT 1"), row), "no end"],
    [row, "no CommandComplete"],
    [message("C", "X"), "a tag without an end"],
    [concat(complete("SELECT 1"), Uint8Array.of(67, 0)), "a cut message"],
    [concat(ready(), complete("X")), "a ReadyForQuery"],
    [concat(), "nothing"],
  ];
  for (const [bytes] of bad) {
    const { world, client } = await relayed({ onQuery: () => replays(bytes) });
    await client.says(query("x"));
    const fields = await client.hearsFatal("58000", /plugin "p" cannot be sent/);
    equal(fields.get("M")!.includes("secret"), false);
    equal(world.logged("internal error").length, 0);
  }
});

Deno.test("HookedSession answers nobody who has not been let in", async () => {
  const world = await World.start();
  plug(world.hooks, CACHE);
  const client = await world.client();
  await client.says(startup({ user: "ann" }), query("cached"));
  const server = await world.server();
  await server.hearsBytes(startup({ user: "ann" }));
  await client.hears();
  await server.says(message("R", int32(0)), ready());
  await client.hears(message("R", int32(0)), ready(), described(), ...HIT, ready());
});

Deno.test("HookedSession answers pooled sessions without a server", async () => {
  const { world, client, server } = await pooledPair();
  plug(world.hooks, CACHE);
  await client.says(query("cached"), SYNC);
  await client.hears(described(), ...HIT, ready(), ready());
  await client.says(parse("cached"), BIND, DESCRIBE, EXECUTE, SYNC);
  await client.hears(PARSED, BOUND, described(), ...HIT, ready());
  await server.hears();
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
  await client.says(query("cached"), message("X"));
  await client.hearsEnd(described(), ...HIT, ready());
});

Deno.test("HookedSession passes on notices and notifications while answers wait", async () => {
  const { client, server } = await relayed(CACHE);
  const notice = error("NOTICE", "00000", "psst", "N");
  await client.says(query("a"), query("cached"));
  await server.says(notice, notification("n", "1"), complete("A"), ready(), notice);
  await client.hears(
    notice,
    notification("n", "1"),
    complete("A"),
    ready(),
    described(),
    ...HIT,
    ready(),
    notice,
  );
});
