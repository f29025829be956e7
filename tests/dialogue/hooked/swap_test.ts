import { deepEqual, equal } from "node:assert/strict";
import { HookChain, NO_HOOKS } from "../../../src/hooks/chain.ts";
import { type Pair, World } from "../../support/dialogue.ts";
import { bind, describe, execute, int16, parseNamed } from "../../support/extended_messages.ts";
import { onlooker } from "../../support/looking_on.ts";
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
  parse,
  query,
  ready,
  ROW_DESCRIPTION,
  SYNC,
} from "../../support/messages.ts";
import { exchanges, pooledPair } from "../../support/pooled_world.ts";
import {
  answers,
  can,
  type Handlers,
  plug,
  rejects,
  runs,
  subscriber,
  text,
} from "../../support/subscribers.ts";

const [PARSED, BOUND, SUSPENDED] = [message("1"), message("2"), message("s")];
const NO = error("ERROR", "42501", "no");

/** What client and server say to each other, in turn. */
type Dialogue = readonly { readonly client?: Bytes; readonly server?: Bytes }[];

const COPY_IN = message("G", "\0", int16(0));

/** A session in which there is some of everything. */
const DIALOGUE: Dialogue = [
  ...[query("begin"), parseNamed("s", "select")].map((client) => ({ client })),
  ...[complete("BEGIN"), ready("T")].map((server) => ({ server })),
  ...[bind({ portal: "p", statement: "s" }), describe("P", "p"), execute("p", 1), FLUSH]
    .map((client) => ({ client })),
  ...[PARSED, BOUND, ROW_DESCRIPTION, dataRow("a"), SUSPENDED].map((server) => ({ server })),
  ...[execute("p", 1), SYNC, parse("x"), BIND, EXECUTE, SYNC].map((client) => ({ client })),
  ...[dataRow("b"), complete("SELECT 1"), ready("T"), PARSED, BOUND, dataRow("c")]
    .map((server) => ({ server })),
  ...[complete("SELECT 1"), ready("T")].map((server) => ({ server })),
  { client: query("copy t from stdin") },
  { server: COPY_IN },
  ...[copyData("a"), SYNC, copyData("b"), COPY_DONE].map((client) => ({ client })),
  ...[complete("COPY 2"), ready("T")].map((server) => ({ server })),
  { client: query("commit") },
  ...[complete("COMMIT"), ready()].map((server) => ({ server })),
  { client: query("copy t to stdout") },
  ...[message("H", "\0", int16(0)), copyData("a"), COPY_DONE, complete("COPY 1"), ready()]
    .map((server) => ({ server })),
  { client: query("last") },
  ...[error("ERROR", "22012", "zero"), ready()].map((server) => ({ server })),
];

/** Says it all, changing plugins before some of its steps. Everybody hears what the other said. */
async function speaks({ client, server }: Pair, change: (step: number) => void): Promise<void> {
  let kept: Bytes[] = [];
  for (const [step, said] of DIALOGUE.entries()) {
    change(step);
    if (said.client !== undefined) {
      kept.push(said.client);
      await client.says(said.client);
      continue;
    }
    if (kept.length > 0) await server.hears(...kept);
    kept = [];
    await server.says(said.server!);
    await client.hears(said.server!);
  }
}

Deno.test("HookedSession changes nothing when onlookers come and go between any two messages", async () => {
  const chains = [new HookChain([onlooker()]), NO_HOOKS];
  for (let at = 0; at < DIALOGUE.length; at++) {
    for (const [before, after] of [chains, chains.toReversed()]) {
      const world = await World.start();
      const pair = await world.pair();
      world.hooks.chain = before!;
      await speaks(pair, (step) => {
        if (step === at) world.hooks.chain = after!;
      });
    }
  }
});

Deno.test("HookedSession changes nothing when onlookers change before each message", async () => {
  const some = [
    "onQuery",
    "onRow",
    "onQueryEnd",
    "onTrafficToServer",
    "onTrafficFromServer",
  ] as const;
  const chains = some.map((name) => new HookChain([subscriber({ [name]() {} })]));
  for (const [first, chain] of chains.entries()) {
    const world = await World.start();
    world.hooks.chain = chain;
    await speaks(await world.pair(), (step) => {
      world.hooks.chain = step % 3 === 0 ? NO_HOOKS : chains[(first + step) % chains.length]!;
    });
  }
});

Deno.test("HookedSession has a plugin see what comes once nothing is under way, and no half of it", async () => {
  const told: (string | undefined)[] = [];
  const seeing: Handlers = {
    onQuery: (event) => void told.push(text(event, "text")),
    onQueryEnd: (event) => void told.push(text(event, "commandTag")),
  };
  const world = await World.start();
  world.hooks.chain = NO_HOOKS;
  const { client, server } = await world.pair();
  await client.says(query("begin"));
  plug(world.hooks, seeing);
  await client.says(query("in"));
  await server.says(complete("BEGIN"), ready("T"), complete("IN"), ready("T"));
  await client.says(query("commit"));
  await server.says(complete("COMMIT"), ready());
  deepEqual(told, []);
  await client.says(query("seen"));
  await server.says(complete("SEEN"), ready());
  deepEqual(told, ["seen", "SEEN"]);
});

Deno.test("HookedSession has a rejection stand whose plugin has gone since", async () => {
  const rejecting: Handlers = {
    onQuery(event) {
      if (text(event, "text") === "bad") return rejects("no");
      const isCached = text(event, "text") === "cached" && can(event, "respond") && runs(event);
      return isCached ? answers("x") : undefined;
    },
  };
  for (const isPooled of [false, true]) {
    const world = isPooled ? await pooledPair() : undefined;
    const relayed = isPooled ? undefined : await World.start();
    const { client, server } = world ?? await relayed!.pair();
    const { hooks } = (world?.world ?? relayed)!;
    plug(hooks, rejecting);
    await client.says(query("begin"), query("bad"), query("cached"));
    hooks.chain = NO_HOOKS;
    await server.hears(query("begin"), query('rejected by plugin "p"'));
    await server.says(complete("BEGIN"), ready("T"), error("ERROR", "42601", "x"), ready("E"));
    const aborted =
      "current transaction is aborted, commands ignored until end of transaction block";
    await client.hears(
      complete("BEGIN"),
      ready("T"),
      NO,
      ready("E"),
      error("ERROR", "25P02", aborted),
      ready("E"),
    );
    await exchanges(client, server, "rollback", "ROLLBACK");
    await exchanges(client, server, "bad", "BAD");
    plug(hooks, rejecting);
    await client.says(query("bad"));
    await client.hears(NO, ready());
  }
});

Deno.test("HookedSession passes a unit on whose plugin goes, and answers one it comes to", async () => {
  const cache: Handlers = {
    onQuery: (event) => runs(event) && can(event, "respond") ? answers("x") : undefined,
  };
  const unit = [parse("x"), BIND, EXECUTE, SYNC];
  for (let at = 1; at < unit.length; at++) {
    const world = await World.start();
    const { client, server } = await world.pair();
    plug(world.hooks, cache);
    for (const one of unit.slice(0, at)) await client.says(one);
    world.hooks.chain = NO_HOOKS;
    for (const one of unit.slice(at)) await client.says(one);
    if (at < 3) {
      await server.hears(...unit);
      await server.says(PARSED, BOUND, complete("X"), ready());
      await client.hears(PARSED, BOUND, complete("X"), ready());
    } else await client.hears(PARSED, BOUND, dataRow("x"), complete("SELECT 1"), ready());
    // One that was there from the start, but did not look at queries.
    plug(world.hooks, { onRow() {} });
    for (const one of unit.slice(0, at)) await client.says(one);
    plug(world.hooks, cache);
    for (const one of unit.slice(at)) await client.says(one);
    const heard = server.peer.take();
    if (at < 3) {
      // Its Parse, or more, is at the server: only the Execute is answered, in order.
      await server.says(...[PARSED, BOUND].slice(0, at), ready());
    } else await server.says(PARSED, BOUND, complete("X"), ready());
    equal(heard.length > 0, true);
    const answer = at < 3 ? [dataRow("x"), complete("SELECT 1")] : [complete("X")];
    await client.hears(PARSED, BOUND, ...answer, ready());
  }
});

Deno.test("HookedSession prepares what a plugin has answered that has gone since", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  plug(world.hooks, { onQuery: (event) => runs(event) ? answers("x") : undefined });
  await client.says(parse("x"), BIND, EXECUTE, SYNC);
  await client.hears(PARSED, BOUND, dataRow("x"), complete("SELECT 1"), ready());
  world.hooks.chain = NO_HOOKS;
  await client.says(BIND, EXECUTE, SYNC);
  await server.hears(parse("x"), BIND, EXECUTE, SYNC);
  await server.says(PARSED, BOUND, complete("X"), ready());
  await client.hears(BOUND, complete("X"), ready());
});

Deno.test("HookedSession says nothing of settings that it has missed, and of those it has seen", async () => {
  const told: (string | undefined)[] = [];
  const world = await World.start();
  plug(world.hooks, { onRow() {}, onQuery: (event) => void told.push(text(event, "settings")) });
  const { client, server } = await world.pair();
  await client.says(query("set"));
  await server.says(message("S", "a\0b\0"), complete("SET"), ready());
  await client.says(query("x"));
  await server.says(complete("X"), ready());
  const handlers = world.hooks.chain;
  world.hooks.chain = NO_HOOKS;
  await exchangesAll(client, server);
  world.hooks.chain = handlers;
  await client.says(query("y"));
  deepEqual(told, ["", "a\0b\0", undefined]);
});

async function exchangesAll(client: Pair["client"], server: Pair["server"]): Promise<void> {
  client.peer.take();
  server.peer.take();
  await exchanges(client, server, "missed", "MISSED");
}
