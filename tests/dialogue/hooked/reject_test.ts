import { deepEqual, equal } from "node:assert/strict";
import { FAILING_PORTAL } from "../../../src/postgres/hooked/texts.ts";
import { type Actor, type Pair, World } from "../../support/dialogue.ts";
import { bind, copyFail, int16, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  type Bytes,
  complete,
  COPY_DONE,
  copyData,
  cut,
  dataRow,
  error,
  errorFields,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
  TERMINATE,
} from "../../support/messages.ts";
import { pooledPair } from "../../support/pooled_world.ts";
import { CLOSES, type Handlers, plug, rejects, text } from "../../support/subscribers.ts";

const [PARSED, BOUND] = [message("1"), message("2")];
const NO = error("ERROR", "42501", "no");
const COPY_IN = message("G", "\0", int16(0));

/** What a server makes of a Query, or an Execute, that is there to fail. */
const FAILED_QUERY = query('rejected by plugin "p"');
const FAILED_EXECUTE = message("E", `${FAILING_PORTAL} rejected by plugin p\0\0\0\0\0`);
const SYNTAX = error("ERROR", "42601", "syntax error");
const NO_PORTAL = error("ERROR", "34000", "no such portal");

/** Rejects texts with "bad" in them, at the phases given. */
function bad(...phases: readonly number[]): Handlers {
  return {
    onQuery(event) {
      const isBad = text(event, "text")?.includes("bad") === true;
      return isBad && phases.includes(event.phase) ? rejects("no") : undefined;
    },
  };
}

const [SIMPLE, PARSE, EXECUTING] = [1, 2, 3];

async function relayed(handlers: Handlers): Promise<Pair & { readonly world: World }> {
  const world = await World.start();
  plug(world.hooks, handlers);
  return { world, ...await world.pair() };
}

async function begins(client: Actor, server: Actor): Promise<void> {
  await client.says(query("begin"));
  await server.hears(query("begin"));
  await server.says(complete("BEGIN"), ready("T"));
  await client.hears(complete("BEGIN"), ready("T"));
}

Deno.test("HookedSession rejects a Query without a server where no transaction is", async () => {
  const { client, server } = await relayed(bad(SIMPLE));
  await client.says(query("bad"), query("bad 2"));
  await client.hears(NO, ready(), NO, ready());
  await server.hears();
});

Deno.test("HookedSession has the transaction fail in which it rejects a Query", async () => {
  const { client, server } = await relayed(bad(SIMPLE));
  await begins(client, server);
  await client.says(query("bad"));
  await server.hears(FAILED_QUERY);
  await server.says(SYNTAX, ready("E"));
  await client.hears(NO, ready("E"));
});

Deno.test("HookedSession rejects in order behind what was asked before", async () => {
  const { client, server } = await relayed(bad(SIMPLE));
  await client.says(query("begin"), query("bad"), query("next"));
  await server.hears(query("begin"), FAILED_QUERY, query("next"));
  await server.says(complete("BEGIN"), ready("T"), SYNTAX, ready("E"), SYNTAX, ready("E"));
  await client.hears(complete("BEGIN"), ready("T"), NO, ready("E"), SYNTAX, ready("E"));
});

Deno.test("HookedSession shows an error that ends the connection, and not a plugin's", async () => {
  const { client, server } = await relayed(bad(SIMPLE));
  const fatal = error("FATAL", "57P01", "terminating");
  await begins(client, server);
  await client.says(query("bad"));
  await server.says(fatal);
  await client.hears(fatal);
});

Deno.test("HookedSession rejects a Parse and an Execute, and skips up to the Sync", async () => {
  for (const phase of [PARSE, EXECUTING]) {
    const { client, server } = await relayed(bad(phase!));
    await client.says(parse("bad"), BIND, EXECUTE, parse("other"), BIND, EXECUTE, SYNC);
    await client.hears(NO, ready());
    await server.hears();
    await client.says(parse("other"), BIND, EXECUTE, SYNC);
    await server.hears(parse("other"), BIND, EXECUTE, SYNC);
  }
});

Deno.test("HookedSession rejects a Bind and an Execute of a named statement", async () => {
  for (const type of ["B", "E"]) {
    const world = await World.start();
    plug(world.hooks, { onTrafficFromClient: () => rejects("no"), onQuery() {} }, { types: type });
    const { client, server } = await world.pair();
    await client.says(bind({ statement: "s" }), EXECUTE, SYNC);
    await client.hears(NO, ready());
    await server.hears();
  }
});

Deno.test("HookedSession rolls back what came before in the same cycle", async () => {
  const { client, server } = await relayed(bad(PARSE, EXECUTING));
  const insert = [parse("insert"), BIND, EXECUTE];
  await client.says(...insert, parse("bad"), BIND, EXECUTE, parse("more"), SYNC);
  await server.hears(...insert, FAILED_EXECUTE, SYNC);
  await server.says(PARSED, BOUND, complete("INSERT 0 1"), NO_PORTAL, ready());
  await client.hears(PARSED, BOUND, complete("INSERT 0 1"), NO, ready());
});

Deno.test("HookedSession rejects an Execute in a transaction", async () => {
  const { client, server } = await relayed(bad(EXECUTING));
  await begins(client, server);
  await client.says(parse("bad"), BIND, EXECUTE, SYNC);
  await server.hears(FAILED_EXECUTE, SYNC);
  await server.says(NO_PORTAL, ready("E"));
  await client.hears(NO, ready("E"));
});

Deno.test("HookedSession rejects pooled, with and without a server", async () => {
  const { world, client, server } = await pooledPair();
  plug(world.hooks, bad(SIMPLE, PARSE));
  await client.says(query("bad"));
  await client.hears(NO, ready());
  await server.hears();
  await begins(client, server);
  await client.says(parse("bad"), BIND, EXECUTE, SYNC);
  await server.hears(FAILED_EXECUTE, SYNC);
  await server.says(NO_PORTAL, ready("E"));
  await client.hears(NO, ready("E"));
  await client.says(query("rollback"));
  await server.hears(query("rollback"));
  await server.says(complete("ROLLBACK"), ready());
  await client.hears(complete("ROLLBACK"), ready());
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
});

Deno.test("HookedSession has a copy fail that it rejects the data of", async () => {
  const failing = copyFail('rejected by plugin "p"');
  const failed = error("ERROR", "57014", "COPY from stdin failed");
  const world = await World.start();
  plug(world.hooks, {
    onTrafficFromClient: (event) =>
      text(event, "payload")?.includes("bad") ? rejects("no") : undefined,
  }, { types: "d" });
  const { client, server } = await world.pair();
  await client.says(query("copy t from stdin"));
  await server.says(COPY_IN);
  await client.says(copyData("good"), copyData("bad"), COPY_DONE);
  await server.hears(query("copy t from stdin"), copyData("good"), failing, COPY_DONE);
  await server.says(failed, ready());
  await client.hears(COPY_IN, NO, ready());
  await client.says(query("next"));
  await server.hears(query("next"));
  await server.says(complete("NEXT"), ready());
  await client.hears(complete("NEXT"), ready());
  // By the extended protocol, and all at once.
  const begin = [parse("copy t from stdin"), BIND, EXECUTE];
  await client.says(...begin, copyData("bad"), COPY_DONE, SYNC, query("next"));
  await server.hears(...begin, failing, COPY_DONE, SYNC, query("next"));
  await server.says(PARSED, BOUND, COPY_IN, failed, ready(), complete("NEXT"), ready());
  await client.hears(PARSED, BOUND, COPY_IN, NO, ready(), complete("NEXT"), ready());
  // One that has not begun fails for its own reason.
  await client.says(query("copy missing from stdin"), copyData("bad"), COPY_DONE);
  await server.says(SYNTAX, ready());
  await client.hears(SYNTAX, ready());
});

Deno.test("HookedSession goes on where a plugin wants what is not possible", async () => {
  const world = await World.start();
  plug(world.hooks, { onTrafficFromClient: () => rejects("no") }, { types: "SHX" });
  const { client, server } = await world.pair();
  await client.says(SYNC, message("H"), TERMINATE);
  await server.hears(SYNC, message("H"), TERMINATE);
});

Deno.test("HookedSession names the plugin where it gives no reason", async () => {
  const { client } = await relayed({
    onQuery: () => ({
      kind: "reject",
      plugin: "p",
      rejection: { sqlState: "", message: "", hint: "Ask." },
    }),
  });
  await client.says(query("x"));
  const [first] = cut(client.peer.take());
  const fields = errorFields(first!.bytes);
  deepEqual([fields.get("C"), fields.get("M"), fields.get("H")], [
    "42501",
    'rejected by plugin "p"',
    "Ask.",
  ]);
});

Deno.test("HookedSession closes without a word, and calls nobody behind that", async () => {
  let calls = 0;
  const { client, server } = await relayed({
    onQuery() {
      calls += 1;
      return CLOSES;
    },
  });
  await client.says(query("a"), query("b"));
  await client.hearsEnd();
  equal(calls, 1);
  await server.hears(TERMINATE);
});

Deno.test("HookedSession closes in the middle of what a server writes", async () => {
  for (const size of [10, 100_000]) {
    const { world, client, server } = await relayed({ onRow: () => CLOSES });
    await client.says(query("x"));
    await server.says(ROW_DESCRIPTION, dataRow("x".repeat(size)), complete("SELECT 1"), ready());
    await client.hearsEnd(ROW_DESCRIPTION);
    equal(world.logged("internal error").length, 0);
  }
});

Deno.test("HookedSession does not take one statement for another of the same name", async () => {
  const texts: (string | undefined)[] = [];
  const { client, server } = await relayed({
    onQuery: (event) => void (event.phase === EXECUTING && texts.push(text(event, "text"))),
  });
  const run = [bind({ statement: "s" }), EXECUTE, SYNC];
  const first = [parseNamed("s", "evil"), SYNC];
  const second = [parseNamed("s", "innocent"), SYNC];
  await client.says(...first);
  await server.says(PARSED, ready());
  // The server will refuse the second: which one runs is only known then.
  await client.says(...second, ...run);
  await server.hears(...first, ...second);
  await server.says(error("ERROR", "42P05", "already exists"), ready());
  await server.hears(...run);
  deepEqual(texts, ["evil"]);
  // A Close that is skipped closes nothing.
  const closing: Bytes[] = [parse("broken"), message("C", "Ss\0"), SYNC];
  await server.says(BOUND, complete("SELECT 0"), ready());
  await client.says(...closing, ...run);
  await server.says(SYNTAX, ready());
  await server.hears(...closing, ...run);
  deepEqual(texts, ["evil", "evil"]);
});

Deno.test("HookedSession tells names apart that are no UTF-8", async () => {
  const texts: (string | undefined)[] = [];
  const { client } = await relayed({
    onQuery: (event) => void (event.phase === EXECUTING && texts.push(text(event, "text"))),
  });
  const [a, b] = [Uint8Array.of(0xfe), Uint8Array.of(0xff)];
  const named = (name: Uint8Array, text: string) => message("P", name, `\0${text}\0\0\0`);
  const bound = (name: Uint8Array) => message("B", "\0", name, "\0\0\0\0\0\0\0");
  await client.says(named(a, "evil"), named(b, "innocent"), bound(a), EXECUTE, SYNC);
  deepEqual(texts, ["evil"]);
});

Deno.test("HookedSession knows what was bound while an earlier transaction ends", async () => {
  const texts: (string | undefined)[] = [];
  const world = await World.start();
  plug(world.hooks, {
    onQuery: (event) => void (event.phase === EXECUTING && texts.push(text(event, "text"))),
  }, { mayRespond: false });
  const { client, server } = await world.pair();
  await client.says(query("a"), parse("b"), BIND);
  await server.says(complete("A"), ready());
  await client.says(EXECUTE, SYNC);
  deepEqual(texts, ["b"]);
});
