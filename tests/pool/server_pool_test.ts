import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { PoolUse, ServerPools } from "../../src/pool/server_pools.ts";
import { placesBuffer, SharedPlaces } from "../../src/pool/shared_places.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { idle, served, states, world } from "./one_worker.ts";
import type { PoolWorld } from "./pool_world.ts";
import { type FakeClient, OPTIONS } from "./pool_world_parts.ts";

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
  const of = world({ size: 1, waitersMax: 1e6 });
  const [a] = await served(of, 1) as [FakeClient];
  const { pool } = a.use!;
  const order: number[] = [];
  const many = 20_000; // as calls within calls they would not fit the stack
  for (let i = 0; i < many; i++) {
    pool.acquire({
      onServer(server) {
        order.push(i);
        pool.release(server);
      },
      onRefused() {},
      onNotice() {},
    });
  }
  of.release(a);
  deepEqual(order, Array.from({ length: many }, (_, i) => i));
  of.check();
});

Deno.test("ServerPool puts one who asks while others are served behind them", async () => {
  const of = world({ size: 1 });
  const [a] = await served(of, 1) as [FakeClient];
  const { pool } = a.use!;
  const order: string[] = [];
  const ask = (name: string, then = () => {}) =>
    pool.acquire({
      onServer(server) {
        order.push(name);
        pool.release(server);
        then();
      },
      onRefused() {},
      onNotice() {},
    });
  ask("first", () => ask("third"));
  ask("second");
  of.release(a);
  deepEqual(order, ["first", "second", "third"]);
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
  deepEqual(clients[3]!.refusal, { kind: "queue_full", waitersMax: 1, full: "pool" });
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

Deno.test("ServerPool tries for one who comes in the pause, soon and one at a time", async () => {
  let failure: { failure?: string } = { failure: "no route" };
  const of = world({ size: 9 }, { opening: () => ({ ms: 2, ...failure }), random: () => 0.999 });
  for (let i = 0; i < 1_500; i++) {
    for (let j = 0; j < 3; j++) of.ask(0);
    ok(i < 60 || of.opening.size <= 3, "no more than come at the same time");
    await of.pass(10);
  }
  ok(of.opens.failed > 50 && of.opens.failed < 90, `${of.opens.failed} attempts in 15 s`);
  failure = {};
  let waitedMs = 0;
  while (of.ask(0).state === "refused") {
    await of.pass(10);
    waitedMs += 10;
  }
  ok(waitedMs <= 250, `refused for ${waitedMs} ms after the server was back`);
  const crowd = [of.ask(0), of.ask(0)];
  equal(of.opening.size, 1); // it is not certain yet
  await of.pass(5);
  deepEqual(states(...crowd), ["served", "served"]);
});

Deno.test("ServerPool tries less often where it takes long to fail", async () => {
  const of = world({}, { opening: () => ({ ms: 8_000, failure: "no" }), random: () => 0.999 });
  for (let i = 0; i < 7; i++) {
    of.ask(0);
    await of.pass(8_000);
    equal(of.ask(0).state, "refused");
    await of.pass(5_000);
  }
  of.ask(0);
  await of.pass(8_000 + 1_990);
  equal(of.ask(0).state, "refused");
  await of.pass(20);
  equal(of.ask(0).state, "waiting");
  await of.pass(100);
  equal(of.opens.failed, 8);
});

Deno.test("ServerPool opens what minSize asks for only after the whole pause", async () => {
  let failure: { failure?: string } = {};
  const of = world({ size: 3, minSize: 1 }, { opening: () => ({ ms: 1, ...failure }) });
  await served(of, 1);
  failure = { failure: "no route" };
  of.lose(of.clients[0]!);
  await of.pass(30_000);
  ok(of.opens.failed < 15, `${of.opens.failed} attempts in 30 s`);
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

Deno.test("ServerPool opens again by itself after the pause for one who waits", async () => {
  const failures = [undefined, "too many clients"];
  const of = world({}, {
    opening: () => {
      const failure = failures.shift();
      return failure === undefined ? { ms: 1 } : { ms: 1, failure };
    },
  });
  await served(of, 1);
  const a = of.ask(0);
  await of.pass(70);
  equal(a.state, "waiting");
  await of.pass(35);
  equal(a.state, "served");
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

Deno.test("ServerPool goes on when an opening throws", () => {
  const clock = new FakeClock();
  let opened = 0;
  const pools = new ServerPools<string, string>({
    places: new SharedPlaces(placesBuffer(1), 0, 1, () => clock.nowMs()),
    clock,
    random: () => 0.5,
    settingsFor: () => ({
      options: OPTIONS,
      caps: [],
      observer: { onWaitEnded() {}, onOpenEnded() {}, onClosed() {} },
      connector: {
        open() {
          opened += 1;
          if (opened === 1) throw new Error("no memory");
          return { cancel() {} };
        },
        close() {},
        validate() {},
      },
    }),
    tell() {},
  });
  const use = pools.use({ pool: "p", database: "d", user: "u" });
  ok(use instanceof PoolUse);
  const waiter = { onServer() {}, onRefused() {}, onNotice() {} };
  throws(() => use.pool.acquire(waiter), /no memory/);
  use.pool.acquire(waiter);
  equal(opened, 2);
});
