import { deepEqual, equal } from "node:assert/strict";
import { type Pair, World } from "../../support/dialogue.ts";
import { execute } from "../../support/extended_messages.ts";
import {
  BIND,
  complete,
  cut,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import {
  admits,
  connects,
  exchanges,
  pooledPair,
  startPooled,
} from "../../support/pooled_world.ts";
import {
  answers,
  can,
  type Handlers,
  plug,
  rejects,
  routes,
  runs,
  text,
} from "../../support/subscribers.ts";

const FAILED = error("ERROR", "22012", "zero");

async function relayed(
  handlers: Handlers,
  types?: string,
): Promise<Pair & { readonly world: World }> {
  const world = await World.start();
  plug(world.hooks, handlers, types === undefined ? {} : { types });
  return { world, ...await world.pair() };
}

/** What the log says of verdicts that were ignored. */
function ignored(world: World): unknown[] {
  return world.logged("verdict of a plugin ignored").map(({ fields }) => fields["error"]);
}

const NO_RESPOND = "the verdict respond is not possible now";
const NO_ROUTE = "the verdict route is not possible now";

Deno.test("HookedSession asks the server where an answer is not possible, and says so", async () => {
  const all = await relayed({ onQuery: () => answers("x") });
  await all.client.says(query("begin; fail"));
  equal(cut(all.client.peer.take()).length, 4);
  deepEqual(ignored(all.world), []);
  const said = [parse("x"), BIND, execute("", 5), SYNC];
  await all.client.says(...said);
  await all.server.hears(...said);
  deepEqual(ignored(all.world), [NO_RESPOND, NO_RESPOND]);
  // A Query mid-way through what a Sync has still to conclude.
  const late = await relayed({ onQuery: (event) => event.phase === 1 ? answers("x") : undefined });
  await late.client.says(parse("x"), query("y"));
  await late.server.hears(parse("x"), query("y"));
  deepEqual(ignored(late.world), [NO_RESPOND]);
});

Deno.test("HookedSession asks the server where a transaction has failed, and says so", async () => {
  const { world, client, server } = await relayed({
    onQuery: (event) => text(event, "text") === "cached" ? answers("x") : undefined,
  });
  await client.says(query("begin; fail"));
  await server.says(FAILED, ready("E"));
  client.peer.take();
  server.peer.take();
  await client.says(query("cached"));
  await server.hears(query("cached"));
  deepEqual(ignored(world), [NO_RESPOND]);
});

Deno.test("HookedSession lets messages be answered that are a Query, and no other", async () => {
  const told: string[] = [];
  const { world, client, server } = await relayed({
    onTrafficFromClient(event) {
      told.push(`${String.fromCharCode(event.messageType)} ${can(event, "respond")}`);
      return answers("x");
    },
  });
  const said = [parse("x"), BIND, EXECUTE, SYNC];
  await client.says(...said);
  await server.hears(...said);
  await client.says(query("x"));
  await server.hears();
  deepEqual(told, ["P false", "B false", "E false", "S false", "Q true"]);
  equal(ignored(world).length, 4);
});

Deno.test("HookedSession ignores verdicts that a hook does not have", async () => {
  const { world, client, server } = await relayed({
    onTrafficToServer: () => rejects("no"),
    onTrafficFromServer: () => answers("x"),
    onTrafficToClient: () => routes("db0"),
    onQueryEnd: () => answers("x"),
    onTransactionEnd: () => answers("x"),
  }, "QCZ");
  await client.says(query("x"));
  await server.hears(query("x"));
  await server.says(complete("X"), ready());
  await client.hears(complete("X"), ready());
  equal(client.peer.hasSeenEnd, false);
  equal(world.logged("internal error").length, 0);
});

Deno.test("HookedSession cannot route what is relayed, or what no proxy is", async () => {
  const { world, client, server } = await relayed({ onQuery: () => routes("db0") });
  await client.says(query("x"));
  await server.hears(query("x"));
  deepEqual(ignored(world), [NO_ROUTE]);
  const pooled = await pooledPair();
  plug(pooled.world.hooks, { onQuery: () => routes("nowhere") });
  await exchanges(pooled.client, pooled.server, "x", "X");
  deepEqual(ignored(pooled.world), ["it routes to what is no proxy of the listener"]);
});

Deno.test("HookedSession routes nothing in the middle of a transaction, or of a unit", async () => {
  const told: string[] = [];
  const world = await startPooled({ servers: 2 });
  const client = await connects(world);
  const first = await admits(world);
  client.peer.take();
  plug(world.hooks, {
    onQuery(event) {
      told.push(`${text(event, "text")} ${can(event, "route")}`);
      return text(event, "text")?.includes("there") === true ? routes("db1") : undefined;
    },
  });
  await exchanges(client, first, "begin", "BEGIN", "T");
  await exchanges(client, first, "there 1", "A", "T");
  await client.says(parse("there 2"), BIND, EXECUTE, SYNC);
  await first.hears(parse("there 2"), BIND, EXECUTE, SYNC);
  await first.says(message("1"), message("2"), complete("B"), ready("T"));
  client.peer.take();
  await exchanges(client, first, "commit", "COMMIT");
  deepEqual(ignored(world), [NO_ROUTE, NO_ROUTE, NO_ROUTE]);
  deepEqual(told, [
    "begin true",
    "there 1 false",
    "there 2 false",
    "there 2 false",
    "commit false",
  ]);
  await client.says(query("there 3"));
  const second = await admits(world, {}, 1);
  await second.hears(query("there 3"));
});

Deno.test("HookedSession takes a route back that a plugin's answer has made needless", async () => {
  const world = await startPooled({ servers: 2 });
  const client = await connects(world);
  const first = await admits(world);
  client.peer.take();
  plug(world.hooks, {
    onQuery(event) {
      const said = text(event, "text")!;
      if (said.includes("rejected") && runs(event)) return rejects("no");
      if (said.includes("cached") && runs(event)) return answers("x");
      return said.includes("there") ? routes("db1") : undefined;
    },
  });
  for (const said of ["there cached", "there rejected"]) {
    await client.says(parse(said), BIND, EXECUTE, SYNC);
    client.peer.take();
    await world.noServer(1);
    await exchanges(client, first, "here", "HERE");
  }
  await world.noServer(1);
});
