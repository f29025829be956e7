import { deepEqual, equal } from "node:assert/strict";
import { type HookEvent, IS } from "../../../src/hooks/event.ts";
import { World } from "../../support/dialogue.ts";
import { bind, describe, execute, parseNamed } from "../../support/extended_messages.ts";
import {
  complete,
  dataRow,
  error,
  message,
  password,
  query,
  ready,
  ROW_DESCRIPTION,
  startup,
  SYNC,
} from "../../support/messages.ts";
import { admits, connects, startPooled } from "../../support/pooled_world.ts";
import { type Handlers, plug, rejects, replaces, routes, text } from "../../support/subscribers.ts";

const [PARSED, BOUND] = [message("1"), message("2")];

async function relayed(handlers: Handlers) {
  const world = await World.start();
  plug(world.hooks, handlers);
  return { world, ...await world.pair() };
}

Deno.test("HookedSession tells of each statement's end, and of the transaction's", async () => {
  const told: unknown[] = [];
  const { client, server, world } = await relayed({
    onQueryEnd: (event) =>
      void told.push([
        event.request,
        text(event, "commandTag"),
        text(event, "sqlstate"),
        event.rows,
      ]),
    onTransactionEnd: (event) =>
      void told.push([String.fromCharCode(event.transactionStatus), event.durationUs]),
  });
  const failed = error("ERROR", "22012", "zero");
  await client.says(query("begin; select; select"), query("x"));
  await world.pass(5);
  await server.says(complete("BEGIN"), ROW_DESCRIPTION, dataRow("a"), dataRow("b"));
  await server.says(complete("SELECT 2"), complete("SELECT 0"), ready("T"), failed, ready("E"));
  await client.says(query("rollback"));
  await server.says(complete("ROLLBACK"), ready());
  deepEqual(told, [
    [1, "BEGIN", undefined, 0],
    [1, "SELECT 2", undefined, 2],
    [1, "SELECT 0", undefined, 0],
    [2, undefined, "22012", 0],
    ["E", 5_000],
    [3, "ROLLBACK", undefined, 0],
    ["I", 5_000],
  ]);
});

Deno.test("HookedSession tells of statements, portals, parameters and formats", async () => {
  const told: unknown[] = [];
  const tell = (event: HookEvent) =>
    void told.push([
      event.phase,
      event.request,
      (event.flags & IS.pipelined) !== 0,
      text(event, "text"),
      text(event, "statementName"),
      text(event, "portalName"),
      event.field(4)?.length,
      event.field(5)?.join(),
    ]);
  const { client, server } = await relayed({
    onQuery: tell,
    onRow: (event) => void told.push([event.rows, event.request, event.field(5)?.join()]),
  });
  const bound = bind({ portal: "p", statement: "s", values: ["12", null], resultFormats: [1, 0] });
  await client.says(parseNamed("s", "select"), bound, describe("P", "p"), execute("p"), SYNC);
  await server.says(PARSED, BOUND, ROW_DESCRIPTION, dataRow("a"), dataRow("b"));
  deepEqual(told, [
    [2, 1, false, "select", "s", undefined, undefined, undefined],
    [3, 4, false, "select", "s", "p", 12, "1,0"],
    [2, 4, "1,0"],
  ]);
});

Deno.test("HookedSession replaces texts, rows and errors", async () => {
  for (const rows of [[], [dataRow("x")], [dataRow("x"), dataRow("y")]]) {
    const bytes = new Uint8Array(rows.flatMap((row) => [...row]));
    const { client, server } = await relayed({
      onQuery: () => replaces("other"),
      onRow: () => replaces(bytes),
      onError: () => replaces(error("ERROR", "P0001", "mine")),
    });
    await client.says(query("x"));
    await server.hears(query("other"));
    const failed = error("ERROR", "22012", "secret");
    await server.says(ROW_DESCRIPTION, dataRow("1"), dataRow("2"), failed, ready());
    await client.hears(ROW_DESCRIPTION, ...rows, error("ERROR", "P0001", "mine"), ready());
  }
});

Deno.test("HookedSession leaks nothing where a replacement is none", async () => {
  for (const size of [10, 100_000]) {
    const { client, server } = await relayed({ onRow: () => replaces(dataRow("x").slice(0, 5)) });
    await client.says(query("x"));
    await server.says(ROW_DESCRIPTION, dataRow("s".repeat(size)), complete("SELECT 1"), ready());
    await client.hearsFatal("58000", /in the place of a message of type "D"/, ROW_DESCRIPTION);
  }
});

Deno.test("HookedSession captures an answer, and replays it to the byte", async () => {
  let kept: Uint8Array | undefined;
  const { client, server } = await relayed({
    onQuery(event) {
      if (kept !== undefined) {
        return { kind: "respond", plugin: "p", reply: { kind: "messages", bytes: kept } };
      }
      equal(event.capture?.(1_000, (bytes) => void (kept = bytes)), true);
      return undefined;
    },
  });
  const answer = [ROW_DESCRIPTION, dataRow("a"), complete("SELECT 1"), ready()];
  for (const texts of ["two", "error", "large"]) {
    await client.says(query(texts));
    if (texts === "two") await server.says(...answer.slice(0, 3), ...answer);
    if (texts === "error") await server.says(error("ERROR", "22012", "zero"), ready());
    if (texts === "large") await server.says(ROW_DESCRIPTION, dataRow("a".repeat(2_000)));
    if (texts === "large") await server.says(complete("SELECT 1"), ready());
    equal(kept, undefined, texts);
  }
  client.peer.take();
  server.peer.take();
  await client.says(query("x"));
  await server.says(...answer);
  await client.hears(...answer);
  await client.says(query("x"));
  await client.hears(...answer);
  await server.hears(query("x"));
});

Deno.test("HookedSession never shows passwords, nor how the login goes", async () => {
  const seen: string[] = [];
  const see = (event: HookEvent) => void seen.push(String.fromCharCode(event.messageType));
  const world = await World.start();
  plug(world.hooks, {
    onTrafficFromClient: see,
    onTrafficToServer: see,
    onTrafficFromServer: see,
    onTrafficToClient: see,
  });
  const client = await world.client();
  await client.says(startup({ user: "ann" }));
  const server = await world.server();
  await server.says(message("R", "\0\0\0\x03"));
  await client.says(password("secret"));
  await server.hearsBytes(new Uint8Array([...startup({ user: "ann" }), ...password("secret")]));
  await server.says(message("R", "\0\0\0\0"), message("K", "\0\0\0\x01abcd"), ready());
  deepEqual(seen, ["Z", "Z"]);
});

Deno.test("Session ends a login that a plugin rejects, relayed and pooled", async () => {
  const { world, client } = await (async () => {
    const world = await startPooled();
    plug(world.hooks, { onAuthenticated: () => rejects("not you") });
    return { world, client: await connects(world) };
  })();
  await admits(world);
  const heard = new TextDecoder().decode(client.peer.take());
  equal(/FATAL.*42501.*not you/.test(heard), true);
  equal(client.peer.hasSeenEnd, true);
});

Deno.test("HookedSession routes one transaction, and not what was asked before it", async () => {
  const world = await startPooled({ servers: 2 });
  plug(world.hooks, {
    onQuery: (event) => text(event, "text") === "there" ? routes("db1") : undefined,
  });
  const client = await connects(world);
  const first = await admits(world);
  client.peer.take();
  await client.says(query("there"));
  const second = await admits(world, {}, 1);
  await second.hears(query("there"));
  await second.says(complete("A"), ready());
  await client.says(query("here"), query("there"));
  await first.hears(query("here"), query("there"));
});
