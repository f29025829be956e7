import { deepEqual, equal, ok } from "node:assert/strict";
import { concat, int32At } from "../../../src/base/bytes.ts";
import { FIELD, type HookEvent, PHASE } from "../../../src/hooks/event.ts";
import { type Pair, World } from "../../support/dialogue.ts";
import { bind, execute, int16, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  complete,
  COPY_DONE,
  copyData,
  dataRow,
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
  type Handlers,
  plug,
  rejects,
  replaces,
  type SubscriberOptions,
  text,
} from "../../support/subscribers.ts";

const MIB = 1024 * 1024;

/** Larger than a read buffer. */
const LARGE = 200_000;

/** Larger than what plugins are shown. */
const HUGE = 16 * MIB;

const COPY_IN = message("G", "\0", int16(0));
const [PARSED, BOUND] = [message("1"), message("2")];

async function relayed(
  handlers: Handlers,
  options: SubscriberOptions = {},
): Promise<Pair & { readonly world: World }> {
  const world = await World.start();
  plug(world.hooks, handlers, options);
  return { world, ...await world.pair() };
}

/** Types and sizes of whole messages, as in "Q200006". */
function shape(stream: Uint8Array): string {
  const messages: string[] = [];
  for (let at = 0; at < stream.length;) {
    const size = 1 + int32At(stream, at + 1);
    messages.push(`${String.fromCharCode(stream[at]!)}${size}`);
    at += size;
    ok(at <= stream.length, "the last message is whole");
  }
  return messages.join(" ");
}

function typesOf(stream: Uint8Array): string {
  return shape(stream).split(" ").map((one) => one[0]).join("");
}

function sizes(told: unknown[]): (event: HookEvent) => void {
  return (event) => void told.push(event.payload.length);
}

Deno.test("HookedSession shows a large Query whole, and once, and replaces it", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed({
    onTrafficFromClient: sizes(told),
    onQuery(event) {
      told.push(event.payload.length);
      return replaces("small");
    },
    onTrafficToServer: sizes(told),
  }, { types: "Q" });
  const said = query("x".repeat(LARGE));
  for (const piece of [said.slice(0, 3), said.slice(3, 70_000), said.slice(70_000)]) {
    await server.hears();
    await client.says(piece);
  }
  await client.says(query("next"));
  await server.hears(query("small"), query("small"));
  deepEqual(told.slice(0, 3), [said.length, LARGE, query("small").length]);
});

Deno.test("HookedSession rejects and answers a large Query, and serves what is behind it", async () => {
  for (const verdict of [rejects("no"), answers("x")]) {
    const { client, server } = await relayed({
      onQuery: (event) => event.payload.length >= LARGE ? verdict : undefined,
    });
    await client.says(query("x".repeat(LARGE)), query("next"));
    await server.hears(query("next"));
    const types = verdict.kind === "reject" ? "EZ" : "TDCZ";
    equal(typesOf(client.peer.take()), types);
  }
});

Deno.test("HookedSession shows a large unit whole, and answers or passes it", async () => {
  for (const isAnswered of [true, false]) {
    const texts: number[] = [];
    const { client, server } = await relayed({
      onQuery(event) {
        texts.push(event.payload.length);
        return isAnswered && event.phase === 3 ? answers("x") : undefined;
      },
    });
    const unit = [parse("x".repeat(LARGE)), BIND, EXECUTE, SYNC];
    await client.says(...unit);
    deepEqual(texts, [LARGE, LARGE]);
    if (isAnswered) equal(typesOf(client.peer.take()), "12DCZ");
    else await server.hears(...unit);
  }
});

Deno.test("HookedSession holds nothing of large data up that nobody wants to see", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed({ onQuery() {}, onQueryEnd: sizes(told) });
  await client.says(query("copy t from stdin"));
  await server.says(COPY_IN);
  const data = copyData("x".repeat(HUGE));
  server.peer.take();
  await client.says(data.slice(0, LARGE));
  ok(server.peer.take().length > LARGE / 2);
  await client.says(data.slice(LARGE), COPY_DONE);
  const rest = server.peer.take();
  ok(rest.length > HUGE - LARGE);
  await server.says(complete("COPY 1"), ready());
  await client.hears(COPY_IN, complete("COPY 1"), ready());
  equal(told.length, 1);
});

Deno.test("HookedSession shows data in whole messages to who wants it, and refuses what is too large", async () => {
  for (const isPooled of [false, true]) {
    const told: unknown[] = [];
    const world = isPooled ? await pooledPair() : await relayed({});
    plug(world.world.hooks, { onTrafficFromClient: sizes(told) }, { types: "d" });
    const { client, server } = world;
    await client.says(query("copy t from stdin"));
    await server.says(COPY_IN);
    server.peer.take();
    await client.says(copyData("x".repeat(LARGE)));
    equal(shape(server.peer.take()), `d${LARGE + 5}`);
    await client.says(copyData("x".repeat(HUGE - 5)).slice(0, LARGE));
    await server.hears();
    await client.says(copyData("x".repeat(HUGE - 5)).slice(LARGE));
    equal(shape(server.peer.take()), `d${HUGE}`);
    await client.says(copyData("x".repeat(HUGE - 4)).slice(0, 20));
    deepEqual(told, [LARGE + 5, HUGE]);
    await client.says(new Uint8Array(LARGE));
    const fatal = await client.hearsFatal("58000", /at most 16777216 bytes.*type "d"/, COPY_IN);
    equal(fatal.get("M")!.includes("xxx"), false);
    equal(server.peer.take().includes(0x78), false); // x
  }
});

Deno.test("HookedSession shows a large row to who wants rows, and refuses what is too large", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed({
    onRow: (event) => void told.push(event.rows, event.payload.length),
  });
  await client.says(query("x"));
  const row = dataRow("x".repeat(LARGE));
  await server.says(ROW_DESCRIPTION, dataRow("a"), row.slice(0, 1_000));
  await client.hears(ROW_DESCRIPTION, dataRow("a"));
  await server.says(row.slice(1_000), dataRow("b"));
  await client.hears(row, dataRow("b"));
  deepEqual(told, [1, 12, 1, row.length, 1, 12]);
  const huge = dataRow("x".repeat(HUGE));
  await server.says(huge.slice(0, LARGE));
  await client.hearsFatal("58000", /type "D" has 16777227 bytes; plugins are shown at most/);
});

Deno.test("HookedSession counts huge rows that nobody wants to see, and captures no part", async () => {
  const told: unknown[] = [];
  const kept: number[] = [];
  const { client, server } = await relayed({
    onQuery: (event) => void event.capture?.(MIB, ({ length }) => void kept.push(length)),
    onQueryEnd: (event) => void told.push(event.rows, text(event, "commandTag")),
  });
  for (const size of [LARGE, HUGE]) {
    const answer = [ROW_DESCRIPTION, dataRow("x".repeat(size)), dataRow("y")];
    await client.says(query("x"));
    await server.says(...answer, complete("SELECT 2"), ready());
    equal(shape(client.peer.take()), shape(concat(...answer, complete("SELECT 2"), ready())));
  }
  deepEqual(told, [2, "SELECT 2", 2, "SELECT 2"]);
  const whole = [ROW_DESCRIPTION, dataRow("x".repeat(LARGE)), dataRow("y"), complete("SELECT 2")];
  deepEqual(kept, [concat(...whole).length]);
});

Deno.test("HookedSession passes a huge Query that is wanted by none, and tells no other's text", async () => {
  const told: unknown[] = [];
  const { client, server } = await relayed({
    onQueryEnd: (event) => void told.push(text(event, "text"), text(event, "commandTag")),
  });
  await client.says(query("x".repeat(HUGE)));
  await server.says(complete("HUGE"), ready());
  await client.hears(complete("HUGE"), ready());
  ok(server.peer.take().length > HUGE);
  await client.says(parse("small"), SYNC, parseNamed("s", "small"), SYNC);
  await server.says(PARSED, ready(), PARSED, ready());
  client.peer.take();
  await client.says(parse("x".repeat(HUGE)), BIND, EXECUTE, SYNC);
  await server.says(PARSED, BOUND, complete("HUGE"), ready());
  deepEqual(told, [undefined, "HUGE", undefined, "HUGE"]);
  server.peer.take();
  await client.says(BIND, EXECUTE, SYNC);
  await server.hears(BIND, EXECUTE, SYNC);
  await server.says(BOUND, complete("AGAIN"), ready());
  // A Bind that nobody has looked at has replaced what was bound.
  const value = "x".repeat(HUGE);
  await client.says(bind({ statement: "s" }), bind({ statement: "h", values: [value] }));
  await client.says(EXECUTE, SYNC);
  await server.says(BOUND, BOUND, complete("BOUND"), ready());
  deepEqual(told.slice(4), [undefined, "AGAIN", undefined, "BOUND"]);
});

Deno.test("HookedSession refuses a huge Query that a plugin wants to see", async () => {
  for (const isPooled of [false, true]) {
    const pair = isPooled ? await pooledPair() : await relayed({});
    plug(pair.world.hooks, { onQuery() {} });
    await pair.client.says(query("x".repeat(HUGE)).slice(0, 10));
    await pair.client.says(new Uint8Array(LARGE));
    await pair.client.hearsFatal("58000", /at most 16777216 bytes.*type "Q" is larger/);
    equal(pair.server.peer.take().includes(0x78), false);
  }
});

Deno.test("HookedSession knows values of any size that come before their Execute, up to 16 MiB of them", async () => {
  const told: (number | undefined)[] = [];
  const { client } = await relayed({
    onQuery(event) {
      if (event.phase === PHASE.execute) told.push(event.field(FIELD.parameters)?.length);
    },
  });
  const large = bind({ portal: "p", values: ["x".repeat(LARGE)] });
  for (const said of [[parse("insert")], [large], [execute("p")]]) await client.says(...said);
  deepEqual(told.splice(0), [1 + 4 + LARGE]);
  const huge = ["p", "q"].map((portal) => bind({ portal, values: ["x".repeat(9 * MIB)] }));
  for (const said of [...huge, execute("p"), execute("q")]) await client.says(said);
  deepEqual(told.splice(0), [1 + 4 + (9 * MIB), undefined]);
  // What is done with makes room.
  for (const said of [huge[1]!, execute("q")]) await client.says(said);
  deepEqual(told, [1 + 4 + (9 * MIB)]);
});
