import { deepEqual, equal } from "node:assert/strict";
import { type Pair, World } from "../../support/dialogue.ts";
import {
  BIND,
  complete,
  error,
  EXECUTE,
  message,
  notification,
  parse,
  query,
  ready,
  SYNC,
  TERMINATE,
} from "../../support/messages.ts";
import { pooledPair } from "../../support/pooled_world.ts";
import {
  answers,
  can,
  type Handlers,
  plug,
  rejects,
  runs,
  text,
} from "../../support/subscribers.ts";

const [PARSED, BOUND] = [message("1"), message("2")];
const NO = error("ERROR", "42501", "no");

/** Holds back for a second what has "slow" in it, and rejects what has "bad". */
const HOLDS: Handlers = {
  onQuery(event) {
    const said = text(event, "text") ?? "";
    if (said.includes("slow") && runs(event)) event.delayMs = 1_000;
    if (said.includes("bad")) return rejects("no");
    return said.includes("cached") && can(event, "respond") ? answers("hit") : undefined;
  },
};

async function relayed(handlers = HOLDS): Promise<Pair & { readonly world: World }> {
  const world = await World.start();
  plug(world.hooks, handlers);
  return { world, ...await world.pair() };
}

Deno.test("HookedSession holds a Query back, and what is behind it, in order", async () => {
  const { client, server, world } = await relayed();
  await client.says(query("slow"), query("next"));
  await world.pass(999);
  await server.hears();
  await world.pass(1);
  await server.hears(query("slow"), query("next"));
  await server.says(complete("SLOW"), ready(), complete("NEXT"), ready());
  await client.hears(complete("SLOW"), ready(), complete("NEXT"), ready());
});

Deno.test("HookedSession holds back what is larger than a socket's queue", async () => {
  const { client, server, world } = await relayed();
  const large = query(`slow ${"x".repeat(3 * 1024 * 1024)}`);
  await client.says(large, query("next"));
  await world.pass(1_000);
  let size = 0;
  for (let i = 0; i < 100; i++) {
    size += server.peer.take().length;
    await world.settle();
  }
  equal(size, large.length + query("next").length);
});

Deno.test("HookedSession lets what came before pass while it holds something back", async () => {
  const { client, server, world } = await relayed();
  await client.says(query("first"), query("slow"), query("next"));
  await server.hears(query("first"));
  await server.says(complete("FIRST"), ready());
  await client.hears(complete("FIRST"), ready());
  await world.pass(1_000);
  await server.hears(query("slow"), query("next"));
});

Deno.test("HookedSession looks once at what it holds back, however it comes in", async () => {
  let asked = 0;
  const { client, server, world } = await relayed({
    onQuery(event) {
      asked += 1;
      if (text(event, "text")?.includes("slow")) event.delayMs = 1_000;
    },
  });
  const said = query("slow");
  await client.says(said.slice(0, 7));
  await client.says(said.slice(7));
  for (let i = 0; i < 5; i++) await client.says(query(`next ${i}`));
  await world.pass(500);
  equal(asked, 1);
  await world.pass(500);
  equal(asked, 6);
  await server.hears(said, ...[0, 1, 2, 3, 4].map((i) => query(`next ${i}`)));
});

Deno.test("HookedSession holds several back one behind the other", async () => {
  const { client, server, world } = await relayed();
  await client.says(query("slow 1"), query("slow 2"));
  await world.pass(1_000);
  await server.hears(query("slow 1"));
  await server.says(complete("A"), ready());
  await client.hears(complete("A"), ready());
  await world.pass(999);
  await server.hears();
  await world.pass(1);
  await server.hears(query("slow 2"));
});

Deno.test("HookedSession holds a unit of the extended protocol back as a whole", async () => {
  const { client, server, world } = await relayed();
  await client.says(parse("slow"), BIND, EXECUTE, SYNC);
  await server.hears();
  await world.pass(1_000);
  await server.hears(parse("slow"), BIND, EXECUTE, SYNC);
  await server.says(PARSED, BOUND, complete("SELECT 0"), ready());
  await client.hears(PARSED, BOUND, complete("SELECT 0"), ready());
});

Deno.test("HookedSession holds back what it answers and rejects by itself, too", async () => {
  for (const slow of ["slow bad", "slow cached"]) {
    for (const said of [[query(slow)], [parse(slow), BIND, EXECUTE, SYNC]]) {
      const { client, server, world } = await relayed();
      await client.says(query("cached first"), ...said);
      if (said.length > 1 && slow === "slow bad") continue; // rejected as it is prepared
      equal(textOf(client.peer.take()), said.length > 1 ? "TDCZ12" : "TDCZ");
      await world.pass(999);
      await server.says(notification("n", "1"));
      await client.hears(notification("n", "1"));
      await world.pass(1);
      equal(textOf(client.peer.take()).at(-1), "Z");
      await server.hears();
    }
  }
});

Deno.test("HookedSession answers in order around what it holds back", async () => {
  const { client, server, world } = await relayed();
  await client.says(query("cached"), query("real"), query("slow cached"), query("cached"));
  await server.hears(query("real"));
  equal(textOf(client.peer.take()), "TDCZ");
  await server.says(complete("REAL"), ready());
  await client.hears(complete("REAL"), ready());
  await world.pass(1_000);
  equal(textOf(client.peer.take()), "TDCZTDCZ");
  await server.hears();
});

Deno.test("HookedSession forgets what it holds back when the client goes", async () => {
  for (const goes of ["leaves", "breaks"] as const) {
    const { client, server, world } = await relayed({
      onQuery: (event) => void (event.delayMs = 60_000),
    });
    await client.says(query("slow"));
    await client[goes]();
    await server.hearsEnd(TERMINATE);
    await server.leaves();
    await world.pass(2_000);
    await world.isOver();
  }
});

Deno.test("HookedSession runs what it holds back before a Terminate", async () => {
  const { client, server, world } = await relayed();
  await client.says(query("slow"), TERMINATE);
  await world.pass(1_000);
  await server.hears(query("slow"), TERMINATE);
});

Deno.test("HookedSession takes no server from the pool for what it holds back", async () => {
  const { world, client, server } = await pooledPair();
  plug(world.hooks, HOLDS);
  await client.says(query("slow"));
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
  await world.pass(1_000);
  await server.hears(query("slow"));
  await server.says(complete("SLOW"), ready());
  await client.hears(complete("SLOW"), ready());
  await client.says(query("slow bad"));
  await client.hears();
  await world.pass(1_000);
  await client.hears(NO, ready());
  await server.hears();
  await client.says(query("slow"));
  await client.leaves();
  await world.pass(1_000);
  await server.hears();
  deepEqual(world.states(), { "db0 idle": 1 });
});

Deno.test("HookedSession may end while it holds something back", async () => {
  const { client, server, world } = await relayed();
  await client.says(query("slow"));
  const fatal = error("FATAL", "57P01", "terminating");
  await server.says(fatal);
  await server.leaves();
  await client.hearsEnd(fatal);
  await client.leaves();
  await world.pass(1_000);
  await world.isOver();
});

/** Types of messages, one letter each. */
function textOf(stream: Uint8Array): string {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  let types = "";
  for (let at = 0; at < stream.length; at += 1 + view.getInt32(at + 1)) {
    types += String.fromCharCode(stream[at]!);
  }
  return types;
}
