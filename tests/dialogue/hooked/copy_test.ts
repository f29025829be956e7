import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { type HookEvent, IS } from "../../../src/hooks/event.ts";
import { type Pair, World } from "../../support/dialogue.ts";
import {
  bind,
  copyFail,
  execute,
  functionCall,
  int16,
  parseNamed,
} from "../../support/extended_messages.ts";
import {
  BIND,
  type Bytes,
  complete,
  COPY_DONE,
  copyData,
  dataRow,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
} from "../../support/messages.ts";
import { pooledPair } from "../../support/pooled_world.ts";
import {
  answers,
  can,
  type Handlers,
  plug,
  rejects,
  replaces,
  runs,
  type SubscriberOptions,
  text,
} from "../../support/subscribers.ts";

const [PARSED, BOUND, SUSPENDED] = [message("1"), message("2"), message("s")];
const [COPY_IN, COPY_OUT] = [message("G", "\0", int16(0)), message("H", "\0", int16(0))];
const FAILED_QUERY = query('rejected by plugin "p"');
const NO = error("ERROR", "42501", "no");
const SYNTAX = error("ERROR", "42601", "syntax error");

async function relayed(
  handlers: Handlers,
  options: SubscriberOptions = {},
): Promise<Pair & { readonly world: World }> {
  const world = await World.start();
  plug(world.hooks, handlers, options);
  return { world, ...await world.pair() };
}

/** Notes how each query ended. */
function ends(told: unknown[]): Handlers {
  return {
    onQueryEnd: (event) =>
      void told.push([
        event.request,
        text(event, "text"),
        text(event, "commandTag") ?? text(event, "sqlstate"),
        event.rows,
      ]),
  };
}

Deno.test("HookedSession shows and replaces what a copy brings to the client", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed({
    ...ends(told),
    onTrafficFromServer(event) {
      const said = text(event, "payload")!.slice(5);
      if (said === "secret\n") return replaces(copyData("***\n"));
      if (said === "none\n") return replaces("");
      return said === "two\n" ? replaces(concat(copyData("1\n"), copyData("2\n"))) : undefined;
    },
  }, { types: "d" });
  await client.says(query("copy t to stdout"));
  const rows = ["a\n", "secret\n", "none\n", "two\n"].map(copyData);
  await server.says(COPY_OUT, ...rows, COPY_DONE, complete("COPY 4"), ready());
  const shown = ["a\n", "***\n", "1\n", "2\n"].map(copyData);
  await client.hears(COPY_OUT, ...shown, COPY_DONE, complete("COPY 4"), ready());
  deepEqual(told, [[1, "copy t to stdout", "COPY 4", 0]]);
});

Deno.test("HookedSession shows and replaces what a copy brings to the server", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed({
    ...ends(told),
    onTrafficFromClient: (event) =>
      text(event, "payload")?.includes("secret") ? replaces(copyData("***\n")) : undefined,
  }, { types: "d" });
  await client.says(query("copy t from stdin"));
  await server.hears(query("copy t from stdin"));
  await server.says(COPY_IN);
  await client.says(copyData("a\n"), copyData("secret\n"), SYNC, COPY_DONE);
  await server.hears(copyData("a\n"), copyData("***\n"), SYNC, COPY_DONE);
  await server.says(complete("COPY 2"), ready());
  await client.hears(COPY_IN, complete("COPY 2"), ready());
  // The Sync was ignored, as a server does: the next answer belongs to the next request.
  await client.says(query("next"));
  await server.says(complete("NEXT"), ready());
  deepEqual(told, [[1, "copy t from stdin", "COPY 2", 0], [4, "next", "NEXT", 0]]);
});

Deno.test("HookedSession tells how copies end that fail, and one of a unit", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed(ends(told));
  const failed = error("ERROR", "57014", "COPY from stdin failed");
  await client.says(query("copy t from stdin"), copyData("a"), copyFail("no"), query("next"));
  await server.says(COPY_IN, failed, ready(), complete("NEXT"), ready());
  const unit = [parse("copy t from stdin"), BIND, EXECUTE, copyData("a"), COPY_DONE, SYNC];
  await client.says(...unit);
  await server.says(PARSED, BOUND, COPY_IN, complete("COPY 1"), ready());
  await client.says(query("last"));
  await server.says(complete("LAST"), ready());
  deepEqual(told.map((one) => (one as unknown[]).slice(1, 3)), [
    ["copy t from stdin", "57014"],
    ["next", "NEXT"],
    ["copy t from stdin", "COPY 1"],
    ["last", "LAST"],
  ]);
});

Deno.test("HookedSession rejects and answers behind a copy that is pipelined", async () => {
  const handlers: Handlers = {
    onQuery(event) {
      const said = text(event, "text")!;
      if (said === "bad") return rejects("no");
      return said === "cached" && runs(event) && can(event, "respond") ? answers("x") : undefined;
    },
  };
  const hit = [dataRow("x"), complete("SELECT 1")];
  const copy = [query("copy t from stdin"), copyData("a"), COPY_DONE];
  for (const isHeard of [false, true]) {
    const { client, server } = await relayed(handlers);
    await client.says(...copy.slice(0, 2));
    if (isHeard) await server.says(COPY_IN);
    await client.says(COPY_DONE, query("bad"), parse("cached"), BIND, EXECUTE, SYNC, query("next"));
    await server.hears(...copy, FAILED_QUERY, query("next"));
    if (!isHeard) await server.says(COPY_IN);
    await server.says(complete("COPY 1"), ready());
    await client.hears(COPY_IN, complete("COPY 1"), ready());
    await server.says(SYNTAX, ready());
    await client.hears(NO, ready(), PARSED, BOUND, ...hit, ready());
    await server.says(complete("NEXT"), ready());
    await client.hears(complete("NEXT"), ready());
  }
});

Deno.test("HookedSession answers behind a copy in which a Sync was ignored", async () => {
  for (const isHeard of [false, true]) {
    const { client, server } = await relayed({
      onQuery: (event) => text(event, "text") === "cached" ? answers("x") : undefined,
    });
    await client.says(query("copy t from stdin"));
    if (isHeard) await server.says(COPY_IN);
    await client.says(SYNC, COPY_DONE);
    if (!isHeard) await server.says(COPY_IN);
    await server.says(complete("COPY 0"), ready());
    await client.hears(COPY_IN, complete("COPY 0"), ready());
    await client.says(query("cached"));
    equal(client.peer.take().length > 0, true);
  }
});

Deno.test("HookedSession has a pooled copy fail that it rejects the data of", async () => {
  const { world, client, server } = await pooledPair();
  plug(world.hooks, {
    onTrafficFromClient: (event) =>
      text(event, "payload")?.includes("bad") ? rejects("no") : undefined,
  }, { types: "d" });
  await client.says(query("copy t from stdin"));
  await server.hears(query("copy t from stdin"));
  await server.says(COPY_IN);
  await client.says(copyData("bad"), copyData("good"), COPY_DONE);
  await server.hears(copyFail('rejected by plugin "p"'), copyData("good"), COPY_DONE);
  await server.says(error("ERROR", "57014", "COPY from stdin failed"), ready());
  await client.hears(COPY_IN, NO, ready());
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
});

Deno.test("HookedSession tells of a FunctionCall and replaces its result", async () => {
  const told: unknown[] = [];
  const tell = (event: HookEvent) =>
    void told.push([String.fromCharCode(event.messageType), event.request]);
  const { client, server } = await relayed({
    ...ends(told),
    onTrafficFromClient: tell,
    onTrafficFromServer(event) {
      tell(event);
      const isResult = event.messageType === 0x56;
      return isResult ? replaces(message("V", "\0\0\0\x01", "2")) : undefined;
    },
    onTransactionEnd: (event) => void told.push(String.fromCharCode(event.transactionStatus)),
  }, { types: "FVZ" });
  told.length = 0; // the login's ReadyForQuery
  const call = functionCall(1, ["1"]);
  await client.says(call, query("next"));
  await server.hears(call, query("next"));
  await server.says(message("V", "\0\0\0\x01", "1"), ready(), complete("NEXT"), ready());
  await client.hears(message("V", "\0\0\0\x01", "2"), ready(), complete("NEXT"), ready());
  deepEqual(told.filter((one) => Array.isArray(one)), [
    ["F", 1],
    ["V", 1],
    ["Z", 1],
    [2, "next", "NEXT", 0],
    ["Z", 2],
  ]);
  deepEqual(told.filter((one) => one === "I").length, 2);
});

Deno.test("HookedSession rejects a FunctionCall, and leaves the unnamed statement", async () => {
  const { client, server } = await relayed({
    onTrafficFromClient: () => rejects("no"),
    onQuery: (event) =>
      text(event, "text") === "cached" && can(event, "respond") ? answers("x") : undefined,
  }, { types: "F" });
  await client.says(parse("x"), SYNC);
  await server.says(PARSED, ready());
  await client.says(functionCall(1, []), BIND, EXECUTE, SYNC);
  await server.hears(parse("x"), SYNC, BIND, EXECUTE, SYNC);
  await server.says(BOUND, complete("X"), ready());
  await client.hears(PARSED, ready(), NO, ready(), BOUND, complete("X"), ready());
  await client.says(parse("cached"), BIND, EXECUTE, SYNC, functionCall(1, []));
  client.peer.take();
  const limited = [BIND, execute("", 1), SYNC];
  await client.says(...limited);
  await server.hears(parse("cached"), ...limited);
  await server.says(PARSED, BOUND, complete("X"), ready());
  await client.says(query("begin"));
  await server.says(complete("BEGIN"), ready("T"));
  client.peer.take();
  server.peer.take();
  await client.says(functionCall(1, []));
  await server.hears(FAILED_QUERY);
  await server.says(SYNTAX, ready("E"));
  await client.hears(NO, ready("E"));
});

Deno.test("HookedSession tells of each part of a portal's rows", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed({
    ...ends(told),
    onRow: (event) => void told.push([event.rows, event.request]),
  });
  const begin = [parseNamed("s", "select"), bind({ portal: "p", statement: "s" })];
  await client.says(...begin, execute("p", 2), execute("p", 2), SYNC);
  const rows = ["a", "b", "c"].map(dataRow);
  const answer: Bytes[] = [
    PARSED,
    BOUND,
    ...rows.slice(0, 2),
    SUSPENDED,
    rows[2]!,
    complete("SELECT 1"),
    ready(),
  ];
  await server.says(...answer);
  await client.hears(...answer);
  deepEqual(told, [
    [2, 3],
    [3, "select", "", 2],
    [1, 4],
    [4, "select", "SELECT 1", 1],
  ]);
});

Deno.test("HookedSession says that what a plugin made is from a plugin", async () => {
  const told: unknown[] = [];
  const flag = (event: HookEvent) => (event.flags & IS.fromPlugin) !== 0;
  const { client, server } = await relayed({
    onQuery: (event) => text(event, "text") === "bad" ? rejects("no") : undefined,
    onQueryEnd: (event) => void told.push([text(event, "text"), flag(event), event.rows]),
    onError: (event) => void told.push([text(event, "message"), flag(event)]),
  });
  await client.says(query("bad"), query("begin"), query("bad"));
  await server.says(complete("BEGIN"), ready("T"), SYNTAX, ready("E"));
  await client.says(query("own"));
  await server.says(ROW_DESCRIPTION, dataRow("a"), SYNTAX, ready("E"));
  deepEqual(told, [
    ["no", true],
    ["bad", true, 0],
    ["begin", false, 0],
    ["no", true],
    ["bad", true, 0],
    ["syntax error", false],
    ["own", false, 1],
  ]);
  equal(client.peer.take().length > 0, true);
});
