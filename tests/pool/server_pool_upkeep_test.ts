import { deepEqual, equal } from "node:assert/strict";
import { idle, served, world } from "./one_worker.ts";
import type { PoolWorld } from "./pool_world.ts";
import type { FakeClient, FakeServer } from "./pool_world_parts.ts";

function closing({ servers }: PoolWorld): number {
  return [...servers].filter(({ state }) => state === "closing").length;
}

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
  deepEqual([of.servers.size, of.closed.length], [1, 3]);
});

Deno.test("ServerPool closes no more at the same time than minSize allows", async () => {
  const of = world({ size: 4, minSize: 1, idleTimeoutMs: 1_500 });
  await idle(of, 4);
  await of.pass(3_000);
  deepEqual([of.servers.size, of.closed.length, of.opens.opened], [1, 3, 4]);
});

Deno.test("ServerPool counts what is closing as gone already", async () => {
  const of = world({ size: 3, minSize: 2, idleTimeoutMs: 500 }, { closingMs: () => 60_000 });
  await idle(of, 3);
  await of.pass(5_000);
  deepEqual([closing(of), of.servers.size, of.opens.opened], [1, 3, 3]);
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

Deno.test("ServerPool replaces nothing more before what it closes is gone", async () => {
  const options = { size: 3, minSize: 3, maxLifetimeMs: 5_000 };
  const of = world(options, { closingMs: () => 4_500 });
  await idle(of, 1);
  await of.pass(10_000);
  deepEqual([closing(of), of.closed.length], [1, 0]);
  await of.pass(2_500);
  deepEqual([closing(of), of.closed.length, of.opens.opened], [1, 1, 4]);
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

Deno.test("ServerPool does not wait for the end of one that got too old in its check", async () => {
  const of = world(
    { validation: "foreground", validationIntervalMs: 10, maxLifetimeMs: 500 },
    { checking: () => ({ ms: 30, isAlive: true }), closingMs: () => 300 },
  );
  await idle(of, 1);
  await of.pass(480);
  const a = of.ask(0);
  await of.pass(35);
  deepEqual([a.state, of.servers.size], ["served", 2]);
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
  pools.drain(() => {});
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

Deno.test("ServerPool when draining closes what was given back from within the serving", async () => {
  const of = world({ size: 1 });
  const [a] = await served(of, 1) as [FakeClient];
  const { pool } = a.use!;
  pool.acquire({
    onServer(server) {
      pool.release(server); // to the one behind, who leaves
      b.cancel();
    },
    onRefused() {},
    onNotice() {},
  });
  const b = pool.acquire({ onServer() {}, onRefused() {}, onNotice() {} });
  of.threads[0]!.pools.drain(() => {});
  of.release(a);
  deepEqual(of.closed, ["drain"]);
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

Deno.test("ServerPool at reconnect tries at once what could not be opened before", async () => {
  let failure: { failure?: string } = { failure: "no route" };
  const of = world({}, { opening: () => ({ ms: 1, ...failure }) });
  of.ask(0);
  await of.pass(1);
  equal(of.ask(0).state, "refused");
  failure = {};
  of.threads[0]!.pools.reconnect();
  await served(of, 1);
});

Deno.test("ServerPool at closeIdle closes what is idle and nothing else", async () => {
  const of = world();
  const [a] = await served(of, 2) as [FakeClient];
  of.release(a);
  of.threads[0]!.pools.closeIdle();
  deepEqual([of.closed, of.servers.size], [["close_idle"], 1]);
});
