import { type Pair, World } from "../../support/dialogue.ts";
import { bind, close, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  complete,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import { answers, can, plug, runs, text } from "../../support/subscribers.ts";

const [PARSED, BOUND, CLOSED] = [message("1"), message("2"), message("3")];
const FAILED = error("ERROR", "42P05", "already exists");

/** A session whose server has an unnamed statement that its client takes for replaced. */
async function outdated(): Promise<Pair> {
  const world = await World.start();
  plug(world.hooks, {
    onQuery(event) {
      const isCached = text(event, "text")?.includes("cached") === true;
      return isCached && runs(event) && can(event, "respond") ? answers("hit") : undefined;
    },
  });
  const pair = await world.pair();
  const { client, server } = pair;
  const statements = [parse("evil"), parseNamed("s", "cached 2"), SYNC];
  await client.says(...statements);
  await server.hears(...statements);
  await server.says(PARSED, PARSED, ready());
  await client.says(parse("cached"), BIND, EXECUTE, SYNC);
  client.peer.take();
  await server.hears();
  return pair;
}

Deno.test("HookedSession never has an unnamed statement run that the client has replaced", async () => {
  const { client, server } = await outdated();
  const said = [parseNamed("a", "x"), parse("skipped"), SYNC];
  await client.says(...said);
  await server.hears(close("S"), ...said);
  await server.says(CLOSED, FAILED, ready());
  await client.hears(FAILED, ready());
});

Deno.test("HookedSession ends it behind a Query that a plugin has answered, too", async () => {
  const { client, server } = await outdated();
  await client.says(query("cached"));
  client.peer.take();
  await client.says(parseNamed("a", "x"), parse("skipped"), SYNC);
  await server.hears(close("S"), parseNamed("a", "x"), parse("skipped"), SYNC);
});

Deno.test("HookedSession ends it once, and prepares the new one when it is needed", async () => {
  const { client, server } = await outdated();
  await client.says(parseNamed("a", "x"), SYNC);
  await server.hears(close("S"), parseNamed("a", "x"), SYNC);
  await server.says(CLOSED, PARSED, ready());
  await client.hears(PARSED, ready());
  await client.says(parseNamed("b", "x"), SYNC);
  await server.hears(parseNamed("b", "x"), SYNC);
  await server.says(PARSED, ready());
  await client.hears(PARSED, ready());
  const limited = [BIND, message("E", "\0\0\0\0\u0005"), SYNC];
  await client.says(...limited);
  await server.hears(parse("cached"), ...limited);
  await server.says(PARSED, BOUND, complete("SELECT 1"), ready());
  await client.hears(BOUND, complete("SELECT 1"), ready());
});

Deno.test("HookedSession needs no server to end it where another unit is answered", async () => {
  const { client, server } = await outdated();
  const unit = [bind({ statement: "s" }), EXECUTE, SYNC];
  await client.says(...unit, ...unit);
  await server.hears();
  client.peer.take();
  await client.says(parseNamed("a", "x"), SYNC);
  await server.hears(close("S"), parseNamed("a", "x"), SYNC);
});

Deno.test("HookedSession passes a Close in a transaction that has failed", async () => {
  const { client, server } = await outdated();
  await client.says(query("begin"), parse("cached"), BIND, EXECUTE, SYNC);
  await server.hears(query("begin"));
  await server.says(complete("BEGIN"), ready("T"));
  await client.says(query("fail"), parse("cached"), BIND, EXECUTE, SYNC);
  await server.hears(query("fail"));
  await server.says(FAILED, ready("E"));
  client.peer.take();
  await client.says(close("S", "a"), SYNC);
  await server.hears(close("S"), close("S", "a"), SYNC);
  await server.says(CLOSED, CLOSED, ready("E"));
  await client.hears(CLOSED, ready("E"));
});

Deno.test("HookedSession sends no Close where the next message replaces it", async () => {
  for (const next of [[parse("x"), SYNC], [query("x")], [close("S"), SYNC]]) {
    const { client, server } = await outdated();
    await client.says(...next);
    await server.hears(...next);
    client.peer.take();
  }
});
