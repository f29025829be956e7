import { deepEqual, equal, match, ok } from "node:assert/strict";
import { VERBS } from "../../src/admin/operator_verbs.ts";
import { FLAG, HEALTH, ROLE } from "../../src/upstream/server_table.ts";
import { OperatorWorld } from "./world.ts";

Deno.test("Operator.pause waits until clients have given back what they use", async () => {
  const world = new OperatorWorld();
  const [a, c] = [world.counter("a"), world.counter("c")];
  a.move(undefined, "active");
  c.move(undefined, "cleaning");
  const pause = world.run("pause", { waitMs: 60_000 });
  await world.pass(1_000);
  deepEqual([world.isPaused, pause.outcome], [true, ""]);
  a.move("active", "idle");
  await world.pass(1_000);
  equal(pause.outcome, "");
  c.move("cleaning", "idle");
  await world.pass(400);
  equal(pause.outcome, "main is paused: no server connection is in use");
  equal(world.isPaused, true);
  equal(world.clock.pending, 0);
});

Deno.test("Operator.pause is not taken in by a connection that is taken a moment later", async () => {
  for (const laterMs of [0, 100]) {
    const world = new OperatorWorld();
    const pause = world.run("pause");
    await world.pass(laterMs);
    world.counter("a").move(undefined, "active"); // by a worker that had not seen it yet
    await world.pass(500);
    equal(pause.outcome, "");
  }
});

Deno.test("Operator.pause stays in force when time is up, and says what to do", async () => {
  const world = new OperatorWorld();
  world.counter("b").move(undefined, "active");
  const pause = world.run("pause", { waitMs: 1_000 });
  await world.pass(2_000);
  match(
    pause.outcome,
    /^timeout: main is paused, but 1 server connection is still in use after 1s; it stays paused/,
  );
  equal(world.isPaused, true);
  equal(world.clock.pending, 0);
});

Deno.test("Operator.pause is about one client, and knows none but those configured", async () => {
  const world = new OperatorWorld();
  world.counter("d").move(undefined, "active");
  const pause = world.run("pause");
  const unknown = world.run("pause", { client: "mian" });
  await world.pass(500);
  equal(pause.outcome, "main is paused: no server connection is in use");
  equal(
    unknown.outcome,
    'unknown: no client is named "mian": there is main, other; did you mean "main"?',
  );
});

Deno.test("Operator.resume ends a pause, also one that waits", async () => {
  const world = new OperatorWorld();
  world.counter("a").move(undefined, "active");
  const pause = world.run("pause");
  await world.pass(100);
  const resume = world.run("resume");
  await world.pass(100);
  deepEqual([pause.outcome, resume.outcome], [
    "refused: main was resumed meanwhile",
    "main is resumed",
  ]);
  equal(world.isPaused, false);
  const again = world.run("resume");
  await world.pass(0);
  equal(again.outcome, "main was not paused");
});

Deno.test("Operator.disable and enable set a flag that health checks keep", async () => {
  const world = new OperatorWorld();
  world.found("b", { role: ROLE.replica, flags: FLAG.lagging });
  const { index } = world.member("b");
  const disable = world.run("disable", { server: "b:5432" });
  await world.pass(0);
  equal(disable.outcome, "b:5432 of main: disabled, what runs there goes on");
  equal(world.table.flags(index), FLAG.disabled | FLAG.lagging);
  world.found("b", { role: ROLE.replica });
  equal(world.table.flags(index), FLAG.disabled);
  const enable = world.run("enable", { server: "b" });
  const again = world.run("enable", { server: "b" });
  await world.pass(0);
  equal(enable.outcome, "b:5432 of main: enabled");
  equal(again.outcome, "b:5432 of main: was neither disabled nor draining");
  equal(world.table.flags(index), 0);
});

Deno.test("Operator.disable says when no server is left", async () => {
  const world = new OperatorWorld();
  world.found("c", { health: HEALTH.down });
  world.run("disable", { server: "a" });
  const last = world.run("disable", { server: "b" });
  await world.pass(0);
  match(last.outcome, /; no server of main takes new work now$/);
});

Deno.test("Operator.drain has connections closed, and waits until none is left", async () => {
  const world = new OperatorWorld();
  const { table } = world;
  const [a, b] = [world.counter("a"), world.counter("b")];
  a.move(undefined, "idle");
  b.move(undefined, "active");
  const before = table.epoch(world.member("b").index);
  const drain = world.run("drain", { server: "b:5432", waitMs: 60_000 });
  await world.pass(500);
  const { index } = world.member("b");
  deepEqual([table.flags(index), table.epoch(index)], [FLAG.draining, before + 1]);
  equal(table.flags(world.member("a").index), 0);
  equal(drain.outcome, "");
  b.move("active", undefined);
  await world.pass(400);
  equal(drain.outcome, "b:5432 of main: drained, no connection is left");
});

Deno.test("Operator.drain of a client is of all its servers, until one is enabled", async () => {
  const world = new OperatorWorld();
  world.counter("c").move(undefined, "active");
  const drain = world.run("drain", { waitMs: 60_000 });
  await world.pass(100);
  const { table } = world;
  const draining = () =>
    ["a", "b", "c", "d"].map((host) =>
      (table.flags(world.member(host).index) & FLAG.draining) !== 0
    );
  deepEqual(draining(), [true, true, true, false]);
  world.run("enable", { server: "a" });
  await world.pass(100);
  equal(drain.outcome, "refused: a:5432, b:5432, c:5432 of main: enabled meanwhile");
  deepEqual(draining(), [false, true, true, false]);
});

Deno.test("Operator.drain says how many connections are left when time is up", async () => {
  const world = new OperatorWorld();
  world.counter("c").move(undefined, "active");
  world.counter("c").move(undefined, "idle");
  const drain = world.run("drain", { server: "c", waitMs: 0 });
  await world.pass(500);
  match(drain.outcome, /^timeout: c:5432 of main: draining, but 2 connections are left after 0ms/);
});

Deno.test("Operator names the nearest server of a client", async () => {
  const world = new OperatorWorld();
  const wrong = world.run("disable", { server: "b:5433" });
  await world.pass(0);
  equal(
    wrong.outcome,
    'unknown: no single server of main is "b:5433": there is a:5432, b:5432, c:5432; ' +
      'did you mean "b:5432"?',
  );
});

Deno.test("Operator.status tells of every server", () => {
  const world = new OperatorWorld();
  world.found("b", {
    role: ROLE.replica,
    flags: FLAG.fenced | FLAG.lagging,
    lagMs: 5,
    lagSize: 6,
    timeline: 7,
  });
  world.counter("b").move(undefined, "active");
  world.counter("b").move(undefined, "idle");
  const [main, other] = world.operator.status();
  deepEqual([main!.client, main!.isPaused, main!.servers.length], ["main", false, 3]);
  deepEqual(main!.servers[1], {
    server: "b:5432",
    role: "replica",
    health: "up",
    flags: ["fenced", "lagging"],
    lagMs: 5,
    lagSize: 6,
    timeline: 7,
    connections: 2,
    connectionsInUse: 1,
  });
  deepEqual([other!.client, other!.servers.length], ["other", 1]);
});

Deno.test("Operator logs each verb, and what came of it", async () => {
  const world = new OperatorWorld();
  world.run("resume");
  world.run("pause", { client: "nobody" });
  await world.pass(0);
  deepEqual(world.log, [
    "info: operator's verb carried out: resume main",
    "warn: operator's verb not carried out: pause nobody",
  ]);
});

Deno.test("Operator.runForAll is for all groups", async () => {
  const world = new OperatorWorld();
  world.operator.runForAll("pause");
  await world.pass(400);
  ok(world.operator.status().every(({ isPaused }) => isPaused));
  world.operator.runForAll("resume");
  await world.pass(400);
  ok(world.operator.status().every(({ isPaused }) => !isPaused));
});

Deno.test("VERBS without a server, or with one, are all carried out", async () => {
  for (const [verb, { server }] of Object.entries(VERBS)) {
    const world = new OperatorWorld();
    world.found("a", { role: ROLE.primary });
    world.found("b", { role: ROLE.replica });
    world.promote = () => {
      world.found("b", { role: ROLE.primary });
      return Promise.resolve();
    };
    const result = world.run(verb as keyof typeof VERBS, { server: server === "none" ? "" : "b" });
    await world.pass(1_000);
    match(result.outcome, /^(main|b:5432)/, verb);
  }
});
