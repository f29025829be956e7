import { deepEqual, equal, throws } from "node:assert/strict";
import { type FakeClient, type FakeServer, OPTIONS, PoolWorld } from "./pool_world.ts";
import type { ServerPoolOptions } from "../../src/pool/server_pool_types.ts";

/** One worker and the pool of d/u. */
function world(options: Partial<ServerPoolOptions> = {}, more: Partial<PoolWorld["plan"]> = {}) {
  return new PoolWorld({ options: () => ({ ...OPTIONS, ...options }), ...more });
}

/** Clients that have all been served, after the time it takes to open. */
async function served(of: PoolWorld, count: number): Promise<FakeClient[]> {
  const clients = Array.from({ length: count }, () => of.ask(0));
  await of.pass(5);
  deepEqual(clients.map(({ state }) => state), clients.map(() => "served"));
  return clients;
}

/** All clients that asked when nobody waited and none was idle have servers; then none has. */
async function idle(of: PoolWorld, count: number): Promise<void> {
  for (const client of await served(of, count)) of.release(client);
}

function states(...clients: readonly FakeClient[]): string[] {
  return clients.map(({ state }) => state);
}

function stats(of: PoolWorld) {
  const [member] = [...of.threads[0]!.pools.pools()];
  return member![1].stats;
}

Deno.test("ServerPool opens up to its size, then lets wait, first come first served", async () => {
  const of = world();
  const [a, b] = await served(of, 2) as [FakeClient, FakeClient];
  const [c, d] = [of.ask(0), of.ask(0)];
  await of.pass(100);
  deepEqual(states(c, d), ["waiting", "waiting"]);
  const inUse = { used: 2, idle: 0, opening: 0, checking: 0, closing: 0 };
  deepEqual(stats(of), { ...inUse, waiting: 2, oldestWaitMs: 100 });
  const server = b.server;
  of.release(b);
  deepEqual(states(c, d), ["served", "waiting"]);
  equal(c.server, server);
  of.lose(a);
  await of.pass(1);
  deepEqual(states(d), ["served"]);
  equal(of.opens.opened, 3);
});

Deno.test("ServerPool gives the hottest connection before acquire returns", async () => {
  const of = world();
  const [a, b] = await served(of, 2) as [FakeClient, FakeClient];
  const [first, second] = [a.server, b.server];
  of.release(a);
  await of.pass(1);
  of.release(b);
  equal(of.ask(0).server, second);
  equal(of.ask(0).server, first);
});

Deno.test("ServerPool says so when a connection is given back by one who does not use it", async () => {
  const of = world();
  const [a] = await served(of, 1) as [FakeClient];
  const { pool } = a.use!;
  const server = a.server!;
  of.release(a);
  throws(() => pool.release(server), /only who uses a connection gives it back/);
  pool.gone(server);
  pool.gone(server);
  pool.release(server);
  deepEqual(of.closed, ["lost"]);
});

Deno.test("ServerPool keeps a connection that was opened for one who has left", async () => {
  const of = world();
  const a = of.ask(0);
  of.leave(a);
  await of.pass(5);
  equal(of.ask(0).state, "served");
  deepEqual(of.opens, { opened: 1, failed: 0, cancelled: 0 });
  deepEqual(of.outcomes, ["cancelled", "served"]);
});

Deno.test("ServerPool serves those who wait while one who is served gives back at once", async () => {
  const of = world({ size: 1, acquireTimeoutMs: 10 });
  const [a] = await served(of, 1) as [FakeClient];
  const { pool } = a.use!;
  const order: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    // Each would be a call within the call before, if they were not called one after the other.
    pool.acquire({
      onServer: (server) => {
        order.push(i);
        pool.release(server);
      },
      onRefused: () => order.push(-1),
      onNotice() {},
    });
    if (i === 998) break;
  }
  of.release(a);
  deepEqual(order, Array.from({ length: 999 }, (_, i) => i));
  of.check();
});

Deno.test("ServerPool ends a wait at acquireTimeoutMs, and says what was full", async () => {
  const of = world({ size: 1, acquireTimeoutMs: 50 });
  await served(of, 1);
  const a = of.ask(0);
  await of.pass(49);
  const b = of.ask(0);
  await of.pass(1);
  deepEqual(states(a, b), ["refused", "waiting"]);
  deepEqual(a.refusal, { kind: "timeout", waitedMs: 50, full: "pool" });
  await of.pass(49);
  equal(b.state, "refused");
});

Deno.test("ServerPool lets waitersMax wait besides those whose connection is coming", async () => {
  const of = world({ waitersMax: 1 });
  const clients = [of.ask(0), of.ask(0), of.ask(0), of.ask(0)];
  deepEqual(states(...clients), ["waiting", "waiting", "waiting", "refused"]);
  deepEqual(clients[3]!.refusal, { kind: "queue_full", waitersMax: 1 });
  await of.pass(5);
  deepEqual(states(...clients), ["served", "served", "waiting", "refused"]);
  equal(of.ask(0).state, "refused");
  of.leave(clients[2]!);
  equal(of.ask(0).state, "waiting");
});

Deno.test("ServerPool tells a waiter once that it waits long", async () => {
  const of = world({ size: 1, waitNoticeMs: 30 });
  await served(of, 1);
  const a = of.ask(0);
  await of.pass(20);
  const b = of.ask(0);
  await of.pass(10);
  deepEqual([a.notices, b.notices], [1, 0]);
  await of.pass(19);
  equal(b.notices, 0);
  await of.pass(1);
  const c = of.ask(0); // behind those who know
  await of.pass(30);
  deepEqual([a.notices, b.notices, c.notices], [1, 1, 1]);
});

Deno.test("ServerPool opens its reserve for a long wait, and closes it when nobody waits", async () => {
  const of = world({ size: 1, reserve: 1, reserveTimeoutMs: 70 });
  const [a] = await served(of, 1) as [FakeClient];
  const [b, c] = [of.ask(0), of.ask(0)];
  await of.pass(69);
  equal(of.opening.size, 0);
  await of.pass(5);
  deepEqual(states(b, c), ["served", "waiting"]);
  of.release(b);
  equal(c.state, "served");
  of.release(c);
  deepEqual(of.closed, ["surplus"]);
  of.release(a);
  equal(of.servers.size, 1);
});

Deno.test("ServerPool opens at most eight connections at the same time", async () => {
  const of = world({ size: 20 });
  const clients = Array.from({ length: 20 }, () => of.ask(0));
  equal(of.opening.size, 8);
  await of.pass(1);
  equal(of.opening.size, 8);
  await of.pass(2);
  equal(clients.every(({ state }) => state === "served"), true);
});

Deno.test("ServerPool refuses all when none can be opened, and does not try again in a hot loop", async () => {
  let failure: { failure?: string } = { failure: "no route" };
  const of = world({ size: 3 }, { opening: () => ({ ms: 1, ...failure }), random: () => 0 });
  const clients = [of.ask(0), of.ask(0), of.ask(0), of.ask(0)];
  await of.pass(1);
  deepEqual(
    clients.map(({ refusal }) => refusal),
    clients.map(() => ({
      kind: "failed",
      failure: "no route",
    })),
  );
  equal(of.opens.failed, 3); // which failed together, so that the pause is the first one
  deepEqual(of.ask(0).refusal, { kind: "failed", failure: "no route" });
  await of.pass(74.9);
  equal(of.ask(0).state, "refused");
  equal(of.opens.failed, 3);
  await of.pass(0.2);
  equal(of.ask(0).state, "waiting");
  await of.pass(1);
  await of.pass(149.8);
  equal(of.ask(0).state, "refused"); // the pause is twice as long
  await of.pass(0.3);
  failure = {};
  await served(of, 1);
  failure = { failure: "again" };
  of.lose(of.clients.at(-1)!);
  of.ask(0);
  await of.pass(1);
  await of.pass(75);
  equal(of.ask(0).state, "waiting"); // and short again after a success
});

Deno.test("ServerPool pauses for five seconds at most", async () => {
  const of = world({}, { opening: () => ({ ms: 1, failure: "no" }), random: () => 0.999 });
  for (let i = 0; i < 12; i++) {
    of.ask(0);
    await of.pass(5_001);
  }
  equal(of.opens.failed, 12);
});

Deno.test("ServerPool lets wait when an open fails but another connection is used", async () => {
  let failure: { failure?: string } = {};
  const of = world({}, { opening: () => ({ ms: 1, ...failure }) });
  const [a] = await served(of, 1) as [FakeClient];
  failure = { failure: "too many clients" };
  const [b, c] = [of.ask(0), of.ask(0)];
  await of.pass(1);
  deepEqual(states(b, c), ["waiting", "waiting"]);
  of.release(a);
  deepEqual(states(b, c), ["served", "waiting"]);
  failure = {};
  await of.pass(100); // it is tried again after the pause, by itself
  equal(c.state, "served");
});

Deno.test("ServerPool opens minSize connections after the first, and again when they are lost", async () => {
  const of = world({ size: 5, minSize: 3, idleTimeoutMs: 2_000 });
  await of.pass(5_000);
  equal(of.servers.size, 0);
  await idle(of, 1);
  equal(of.servers.size, 3);
  await of.pass(10_000);
  deepEqual([of.servers.size, of.closed], [3, []]);
  of.die([...of.servers][0]!);
  await of.pass(2);
  equal(of.servers.size, 3);
});

Deno.test("ServerPool closes what is idle for idleTimeoutMs, the coldest first", async () => {
  const of = world({ size: 4, minSize: 1, idleTimeoutMs: 1_500 });
  const clients = await served(of, 4);
  for (const client of clients.slice(0, 3)) of.release(client);
  await of.pass(1_100);
  of.release(of.ask(0));
  await of.pass(1_000);
  deepEqual([of.closed, of.servers.size], [["idle_timeout", "idle_timeout"], 2]);
  of.release(clients[3]!);
  await of.pass(3_000);
  equal(of.servers.size, 1);
});

Deno.test("ServerPool closes what is older than maxLifetimeMs, 10 % more or less", async () => {
  const chances = [0, 0.999];
  const of = world({ maxLifetimeMs: 10_000 }, { random: () => chances.shift() ?? 0.5 });
  const [a, b] = await served(of, 2) as [FakeClient, FakeClient];
  const [first, second] = [a.server!, b.server!];
  of.release(a);
  await of.pass(8_900);
  equal(first.state, "open");
  await of.pass(1_100);
  equal(first.state, "gone");
  await of.pass(500);
  equal(second.state, "open"); // it is used
  await of.pass(1_000);
  of.release(b);
  deepEqual([second.state, of.closed], ["gone", ["max_lifetime", "max_lifetime"]]);
});

Deno.test("ServerPool replaces what is too old one at a time where minSize wants it", async () => {
  const of = world({ size: 3, minSize: 3, maxLifetimeMs: 5_000 });
  await idle(of, 1);
  const first = [...of.servers];
  await of.pass(6_100);
  const gone = () => first.filter(({ state }) => state === "gone").length;
  equal(gone(), 1);
  await of.pass(1_000);
  deepEqual([gone(), of.servers.size], [2, 3]);
  await of.pass(1_000);
  deepEqual([gone(), of.servers.size], [3, 3]);
});

Deno.test("ServerPool in the foreground checks what was idle for long before it is given", async () => {
  const alive = [true, false, true];
  const of = world(
    { validation: "foreground", validationIntervalMs: 100 },
    { checking: () => ({ ms: 2, isAlive: alive.shift()! }) },
  );
  await idle(of, 2);
  const [first, second] = [...of.servers] as [FakeServer, FakeServer];
  of.release(of.ask(0)); // not idle for long
  await of.pass(101);
  const a = of.ask(0);
  equal(a.state, "waiting");
  await of.pass(2);
  deepEqual([a.state, of.opens.opened], ["served", 2]);
  of.release(a);
  await of.pass(101);
  const b = of.ask(0);
  await of.pass(2);
  equal(b.state, "waiting"); // the other one is checked now
  await of.pass(2);
  deepEqual([b.state, of.opens.opened, of.closed], ["served", 2, ["validation"]]);
  deepEqual([first.state, second.state].sort(), ["gone", "open"]);
});

Deno.test("ServerPool in the background checks what is idle, and closes what fails", async () => {
  const alive = [true, false, true];
  const of = world(
    { size: 3, validation: "background", validationIntervalMs: 1_500 },
    { checking: () => ({ ms: 2, isAlive: alive.shift() ?? true }) },
  );
  await idle(of, 3);
  await of.pass(1_005 - 5);
  equal(alive.length, 3);
  await of.pass(1_020);
  deepEqual([alive.length, of.closed, of.servers.size], [0, ["validation"], 2]);
  deepEqual([of.ask(0).state, of.ask(0).state], ["served", "served"]);
});

Deno.test("ServerPool forgets a check when the connection is gone meanwhile", async () => {
  const of = world({ validation: "foreground", validationIntervalMs: 10 });
  await idle(of, 1);
  await of.pass(20);
  const a = of.ask(0);
  of.die([...of.servers][0]!);
  equal(of.opening.size, 1);
  await of.pass(5);
  deepEqual([a.state, of.closed], ["served", ["lost"]]);
});

Deno.test("ServerPool gives nobody a connection whose end has begun", async () => {
  const of = world();
  await idle(of, 1);
  of.die([...of.servers][0]!, 10);
  const a = of.ask(0);
  equal(a.state, "waiting");
  await of.pass(5);
  deepEqual([a.state, of.servers.size], ["served", 2]);
  const b = of.ask(0);
  await of.pass(4);
  deepEqual([b.state, of.closed], ["waiting", []]); // it has its place until it is gone
  await of.pass(5);
  deepEqual([b.state, of.closed], ["served", ["lost"]]);
});

Deno.test("ServerPool when draining closes what is idle or released, and still serves", async () => {
  const of = world({ minSize: 1 });
  const [a, b] = await served(of, 2) as [FakeClient, FakeClient];
  of.release(a);
  const { pools } = of.threads[0]!;
  pools.drain();
  deepEqual(of.closed, ["drain"]);
  const c = of.ask(0);
  await of.pass(5);
  equal(c.state, "served");
  const d = of.ask(0);
  of.release(b);
  equal(d.state, "served");
  of.release(c);
  of.release(d);
  equal(of.servers.size, 0);
  const e = of.ask(0);
  of.leave(e);
  deepEqual([of.opening.size, of.opens.cancelled], [0, 1]);
});

Deno.test("ServerPool at reconnect closes every connection that it has once it is free", async () => {
  const of = world({ size: 3 });
  const [a, b] = await served(of, 2) as [FakeClient, FakeClient];
  of.release(a);
  const c = of.ask(0);
  const d = of.ask(0);
  equal(of.opening.size, 1);
  of.threads[0]!.pools.reconnect();
  deepEqual([of.opens.cancelled, of.opening.size], [1, 1]);
  await of.pass(2);
  deepEqual([c.state, d.state], ["served", "served"]);
  of.release(b);
  of.release(c);
  of.release(d);
  deepEqual([of.closed, of.servers.size], [["reconnect", "reconnect"], 1]);
});

Deno.test("ServerPool at closeIdle closes what is idle and nothing else", async () => {
  const of = world();
  const [a] = await served(of, 2) as [FakeClient];
  of.release(a);
  of.threads[0]!.pools.closeIdle();
  deepEqual([of.closed, of.servers.size], [["close_idle"], 1]);
});
