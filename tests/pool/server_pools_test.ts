import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { PoolUse } from "../../src/pool/server_pools.ts";
import type { ServerPoolOptions } from "../../src/pool/server_pool_types.ts";
import { KEY_SIZE_MAX } from "../../src/pool/shared_places.ts";
import { PoolWorld } from "./pool_world.ts";
import { type FakeClient, OPTIONS, pairOf } from "./pool_world_parts.ts";

/** Two workers unless it says otherwise. */
function world(options: Partial<ServerPoolOptions> = {}, more: Partial<PoolWorld["plan"]> = {}) {
  return new PoolWorld({ workers: 2, options: () => ({ ...OPTIONS, ...options }), ...more });
}

async function served(of: PoolWorld, worker: number, pairs: readonly string[]) {
  const clients = pairs.map((pair) => of.ask(worker, pair));
  await of.pass(5);
  deepEqual(clients.map(({ state }) => state), clients.map(() => "served"));
  return clients;
}

/** Clients that ask again as soon as they were served for a while: there is never a pause. */
function saturate(of: PoolWorld, worker: number, clients: number, useMs: number, pair = "d/u") {
  const serve = () => {
    for (const client of of.clients) {
      if (client.state !== "served" || client.server === undefined) continue;
      if (client.thread.worker !== worker || client.pair !== pair) continue;
      if (of.clock.nowMs() < client.sinceMs + client.waitedMs + useMs) continue;
      of.release(client);
      of.ask(worker, pair);
    }
    of.clock.after(1, serve);
  };
  for (let i = 0; i < clients; i++) of.ask(worker, pair);
  serve();
}

Deno.test("ServerPools give one pool to all who use a pair, until it is unused for long", async () => {
  const of = world();
  const { pools } = of.threads[0]!;
  const use = pools.use(pairOf("d/u"));
  const other = pools.use(pairOf("d/u"));
  ok(use instanceof PoolUse && other instanceof PoolUse);
  equal(use.pool, other.pool);
  use[Symbol.dispose]();
  use[Symbol.dispose]();
  await of.pass(70_000);
  equal([...pools.pools()].length, 1);
  other[Symbol.dispose]();
  await of.pass(59_000);
  equal([...pools.pools()].length, 1);
  await of.pass(3_000);
  deepEqual([[...pools.pools()].length, of.clock.pending], [0, 0]);
  const late = { onServer() {}, onRefused() {}, onNotice() {} };
  throws(() => use.pool.acquire(late), /who uses a pool keeps it/);
});

Deno.test("ServerPools refuse what shared memory has no room for, after a look for unused ones", async () => {
  const of = world({}, { entriesMax: 3, caps: () => [{ name: "all", size: 9 }] });
  const { pools } = of.threads[0]!;
  const use = (name: string) => pools.use(pairOf(name));
  equal(use(`${"d".repeat(KEY_SIZE_MAX)}/u`), "key_too_long");
  const first = use("a/u");
  const second = use("b/u");
  ok(first instanceof PoolUse && second instanceof PoolUse);
  equal(use("c/u"), "too_many_entries");
  equal(of.threads[1]!.pools.use(pairOf("c/u")), "too_many_entries");
  first[Symbol.dispose]();
  const third = use("c/u");
  ok(third instanceof PoolUse);
  deepEqual([...pools.pools()].map(([{ database }]) => database), ["b", "c"]);
  for (const one of [second, third]) one[Symbol.dispose]();
  await of.pass(70_000);
  const free = ["x/u", "y/u"].map((name) => of.threads[1]!.pools.use(pairOf(name)));
  ok(free.every((one) => one instanceof PoolUse));
});

Deno.test("ServerPools count connections over all workers", async () => {
  const of = world({ size: 3 });
  await served(of, 0, ["d/u", "d/u"]);
  await served(of, 1, ["d/u"]);
  const a = of.ask(1);
  await of.pass(500);
  equal(a.state, "waiting");
});

Deno.test("ServerPools give an idle connection's place to a worker that has none", async () => {
  const of = world({ size: 1 });
  const [a] = await served(of, 0, ["d/u"]) as [FakeClient];
  of.release(a);
  const b = of.ask(1);
  await of.pass(5);
  deepEqual([b.state, of.closed], ["served", ["moved"]]);
  deepEqual(of.messages.map(({ kind }) => kind), ["give", "wake"]);
});

Deno.test("ServerPools do not count one who waits for what is idle in another worker", async () => {
  for (const waitersMax of [0, 1, 2]) {
    const of = world({ size: 1, waitersMax }, { closingMs: () => 5 });
    for (let i = 0; i < 6; i++) {
      const client = of.ask(i % 2);
      await of.pass(10);
      equal(client.state, "served", `client ${i} with waitersMax ${waitersMax}`);
      of.release(client);
    }
    const first = of.ask(0);
    await of.pass(2);
    deepEqual([[...of.servers][0]!.state, first.state], ["closing", "waiting"]);
    const others = Array.from({ length: waitersMax + 1 }, () => of.ask(0));
    equal(others.pop()!.state, "refused");
    ok(others.every(({ state }) => state === "waiting"));
    equal(of.ask(1).state, waitersMax === 0 ? "refused" : "waiting"); // that place is not for it
  }
});

Deno.test("ServerPools do not count those who wait for places that are free or idle under a cap", async () => {
  const of = world({ size: 12, waitersMax: 0 }, { caps: () => [{ name: "all", size: 10 }] });
  const here = await served(of, 0, ["e/u", "e/u"]);
  for (const client of here) of.release(client);
  const clients = Array.from({ length: 11 }, () => of.ask(1));
  deepEqual(clients.pop()!.refusal, { kind: "queue_full", waitersMax: 0, full: "all" });
  equal(of.opening.size, 8); // of the ten who may have one
  await of.pass(200);
  ok(clients.every(({ state }) => state === "served"));
  equal(of.ask(0, "f/u").state, "refused");
});

Deno.test("ServerPools let a connection that is not strict move only for a long wait", async () => {
  const of = world({ size: 4 });
  const here = await served(of, 0, ["d/u", "d/u", "d/u"]);
  await served(of, 1, ["d/u"]);
  for (const client of here) of.release(client);
  const [a, b] = [of.ask(1), of.ask(1)];
  await of.pass(90);
  deepEqual([a.state, b.state], ["waiting", "waiting"]); // maybe the one they have comes free
  await of.pass(20);
  deepEqual([a.state, b.state], ["served", "waiting"]);
  await of.pass(80);
  equal(b.state, "waiting");
  await of.pass(40);
  equal(b.state, "served");
});

Deno.test("ServerPools let one connection that is not strict move at a time while it is needed", async () => {
  const of = world({ size: 4 });
  const here = await served(of, 0, ["d/u", "d/u", "d/u", "d/u"]);
  const there = [of.ask(1), of.ask(1), of.ask(1)];
  await of.pass(60);
  for (let i = 0; i < 8; i++) of.ask(0);
  of.release(here[0]!);
  await of.pass(5);
  for (const client of here.slice(1)) of.release(client);
  await of.pass(20);
  deepEqual([there.map(({ state }) => state), of.closed], [
    ["served", "waiting", "waiting"],
    ["moved"],
  ]);
});

Deno.test("ServerPools move strict connections at once, one for each who waits", async () => {
  const of = world({ size: 4, isStrict: true });
  const here = await served(of, 0, ["d/u", "d/u", "d/u", "d/u"]);
  const [a, b] = [of.ask(1), of.ask(1)];
  await of.pass(7);
  for (const client of here) of.release(client);
  await of.pass(5);
  deepEqual([a.state, b.state, of.closed], ["served", "served", ["moved", "moved"]]);
});

Deno.test("ServerPools serve strict waiters in order over all workers", async () => {
  const of = world({ size: 1, isStrict: true }, { workers: 3 });
  const [first] = await served(of, 0, ["d/u"]) as [FakeClient];
  const order: FakeClient[] = [];
  for (const worker of [1, 0, 2, 1, 0, 0, 2]) {
    order.push(of.ask(worker));
    await of.pass(10);
  }
  of.release(first);
  for (let i = 0; i < order.length; i++) {
    await of.pass(30);
    const expected = order.map((_, j) => j <= i ? "served" : "waiting");
    deepEqual(order.map(({ state }) => state), expected);
    of.release(order[i]!);
  }
});

for (const isStrict of [true, false]) {
  const kind = isStrict ? "strict" : "not strict";
  Deno.test(`ServerPools starve no worker beside a saturated one, ${kind}`, async () => {
    const of = world({ size: 2, isStrict }, { workers: 3 });
    saturate(of, 0, 40, 3);
    await of.pass(300);
    saturate(of, 1, 1, 3);
    saturate(of, 2, 10, 3);
    await of.pass(3_000);
    const count = (worker: number) =>
      of.clients.filter(({ thread, state }) => thread.worker === worker && state === "served")
        .length;
    // 51 clients, 2 servers, 3 ms and up to 1 ms until it is noticed: 102 ms if all were equal.
    const longestMs = Math.max(...of.clients.map((one) => one.waitedMs));
    ok(longestMs < 1_000, `one waited ${longestMs} ms`);
    ok(count(1) >= 10 && count(2) >= 50, `${count(1)} and ${count(2)} were served`);
    const moves = of.closed.length;
    if (!isStrict) ok(moves <= 3 * 33, `${moves} moves in 3.3 s`);
  });
}

for (const caps of [[], [{ name: "all", size: 1 }]]) {
  const what = caps.length === 0 ? "the pair" : "a cap";
  Deno.test(`ServerPools forget one who waited for ${what} and has left`, async () => {
    const of = world({ size: 1, isStrict: true }, { caps: () => caps });
    const [a] = await served(of, 0, ["d/u"]) as [FakeClient];
    const b = of.ask(1, caps.length === 0 ? "d/u" : "e/u");
    await of.pass(20);
    of.leave(b);
    of.release(a);
    deepEqual([of.closed, of.servers.size], [[], 1]);
  });
}

Deno.test("ServerPools do not ask for what is idle no more", async () => {
  const of = world();
  const [a, b] = await served(of, 0, ["d/u", "d/u"]) as [FakeClient, FakeClient];
  of.release(a);
  of.release(b);
  await served(of, 0, ["d/u", "d/u"]);
  of.ask(1);
  await of.pass(50);
  deepEqual(of.messages, []);
});

Deno.test("ServerPools keep no entry of a pair whose caps found no room", () => {
  const caps: Record<string, string[]> = { b: ["y", "z"] };
  const of = world({}, {
    entriesMax: 4,
    caps: (pair) => (caps[pair[0]!] ?? ["x"]).map((name) => ({ name, size: 1 })),
  });
  const { pools } = of.threads[0]!;
  ok(pools.use(pairOf("a/u")) instanceof PoolUse);
  equal(pools.use(pairOf("b/u")), "too_many_entries");
  ok(pools.use(pairOf("c/u")) instanceof PoolUse);
  ok(pools.use(pairOf("d/u")) instanceof PoolUse);
  equal(pools.use(pairOf("e/u")), "too_many_entries");
});

Deno.test("ServerPools lose nothing but time when messages get lost", async () => {
  const of = world({ size: 1 }, { messageMs: () => undefined });
  const [a] = await served(of, 0, ["d/u"]) as [FakeClient];
  const b = of.ask(1);
  await of.pass(7);
  of.release(a);
  await of.pass(105);
  deepEqual([b.state, of.messages.length > 0], ["served", true]);
});

Deno.test("ServerPools get the places of a worker that died", async () => {
  const of = world({ size: 2 });
  await served(of, 0, ["d/u", "d/u"]);
  const b = of.ask(1);
  await of.pass(10);
  of.kill(0);
  await of.pass(110);
  equal(b.state, "served");
});

Deno.test("ServerPools do not leave a place for a worker that died waiting", async () => {
  const of = world({ size: 1 });
  const [a] = await served(of, 0, ["d/u"]) as [FakeClient];
  of.ask(1);
  await of.pass(50);
  of.kill(1);
  const b = of.ask(0);
  of.release(a);
  equal(b.state, "served");
});

Deno.test("ServerPools take no notice of late messages", async () => {
  const of = world({ size: 1 });
  const [a] = await served(of, 0, ["d/u"]) as [FakeClient];
  of.release(a);
  const { pools } = of.threads[0]!;
  for (const key of ["p\0default\0d\0u", "p\0default\0d\0x", "c\0all"]) {
    for (const kind of ["wake", "give"] as const) pools.onMessage(1, { kind, key });
  }
  deepEqual([of.closed, of.servers.size, of.opening.size], [[], 1, 0]);
});

const ALL = { caps: () => [{ name: "all", size: 2 }] };

Deno.test("ServerPools close the coldest idle connection of another pair for a cap", async () => {
  const of = world({}, { ...ALL, workers: 1 });
  const [a, b] = await served(of, 0, ["d/u", "e/u"]) as [FakeClient, FakeClient];
  of.release(b);
  await of.pass(5);
  of.release(a);
  const c = of.ask(0, "f/u");
  await of.pass(5);
  deepEqual([c.state, of.closed], ["served", ["moved"]]);
  deepEqual([...of.servers].map(({ pair }) => pair), ["d/u", "f/u"]);
});

Deno.test("ServerPools ask another worker for an idle connection under a cap", async () => {
  const of = world({}, ALL);
  const [a, b] = await served(of, 0, ["d/u", "d/u"]) as [FakeClient, FakeClient];
  of.release(b);
  const c = of.ask(1, "e/u");
  await of.pass(5);
  const d = of.ask(1, "f/u");
  await of.pass(5);
  deepEqual([c.state, d.state, of.closed], ["served", "waiting", ["moved"]]);
  of.release(a);
  await of.pass(5);
  deepEqual([d.state, of.closed], ["served", ["moved", "moved"]]);
});

Deno.test("ServerPools say which cap was full", async () => {
  const of = world({ size: 9, acquireTimeoutMs: 50 }, ALL);
  await served(of, 0, ["d/u", "d/u"]);
  const c = of.ask(1, "e/u");
  await of.pass(60);
  deepEqual(c.refusal, { kind: "timeout", waitedMs: 50, full: "all" });
});

for (const isStrict of [true, false]) {
  for (const workers of [1, 2]) {
    const what = `${isStrict ? "strict" : "not strict"}, ${workers} workers`;
    Deno.test(`ServerPools starve no pair under a cap that others fill, ${what}`, async () => {
      const of = world({ size: 9, isStrict }, { ...ALL, workers });
      saturate(of, 0, 20, 3, "d/u");
      saturate(of, workers - 1, 20, 3, "e/u");
      await of.pass(500);
      saturate(of, 0, 1, 3, "f/u");
      await of.pass(2_000);
      const count = of.clients.filter((one) => one.pair === "f/u" && one.state === "served").length;
      const longestMs = Math.max(...of.clients.map(({ waitedMs }) => waitedMs));
      ok(longestMs < 1_000, `one waited ${longestMs} ms`);
      ok(count >= 5, `${count} were served`);
    });
  }
}

Deno.test("ServerPools that are drained close what a pool made later leaves idle", async () => {
  const of = world();
  of.threads[0]!.pools.drain(() => {});
  const [a] = await served(of, 0, ["d/u"]) as [FakeClient];
  of.release(a);
  deepEqual(of.closed, ["drain"]);
});
