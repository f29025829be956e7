import { deepEqual, equal, match } from "node:assert/strict";
import { FLAG, HEALTH, ROLE, type ServerFacts } from "../../src/upstream/server_table.ts";
import { OperatorWorld } from "./world.ts";

/** A primary, and two replicas of which c is less behind. */
function makeWorld(): OperatorWorld {
  const world = new OperatorWorld();
  world.found("a", { role: ROLE.primary });
  world.found("b", { role: ROLE.replica, lagSize: 900 });
  world.found("c", { role: ROLE.replica, lagSize: 100 });
  return world;
}

/** Has a promotion do what servers and health checks would. */
function promoting(world: OperatorWorld, to: string): void {
  world.promote = () => {
    world.found("a", { role: ROLE.replica });
    world.found(to, { role: ROLE.primary });
    return Promise.resolve();
  };
}

Deno.test("switchOver promotes while nothing is in use, and lets clients go on", async () => {
  const world = makeWorld();
  const a = world.counter("a");
  a.move(undefined, "active");
  const seen: unknown[] = [];
  world.promote = ({ from, to, timeoutMs }) => {
    seen.push([world.isPaused, world.table.connections.inUse(from.index), timeoutMs]);
    world.found("a", { role: ROLE.replica });
    world.found(to.address.kind === "tcp" ? to.address.host : "", { role: ROLE.primary });
    return Promise.resolve();
  };
  const epoch = world.table.epoch(world.member("a").index);
  const result = world.run("switch-over", { waitMs: 60_000 });
  await world.pass(5_000);
  deepEqual([world.isPaused, seen, result.outcome], [true, [], ""]);
  a.move("active", "idle");
  await world.pass(1_000);
  deepEqual(seen, [[true, 0, 10_000]]);
  match(
    result.outcome,
    /^c:5432 is the primary of main instead of a:5432; clients waited for \d+s/,
  );
  equal(world.isPaused, false);
  equal(world.table.epoch(world.member("a").index), epoch + 1);
});

Deno.test("switchOver waits until health checks see the new primary", async () => {
  const world = makeWorld();
  const result = world.run("switch-over", { server: "b" });
  await world.pass(3_000);
  deepEqual([world.isPaused, result.outcome], [true, ""]);
  world.found("b", { role: ROLE.primary, health: HEALTH.down });
  await world.pass(3_000);
  equal(result.outcome, "");
  world.found("b", { role: ROLE.primary });
  await world.pass(400);
  match(result.outcome, /^b:5432 is the primary of main instead of a:5432/);
});

Deno.test("switchOver changes nothing where clients do not come to an end", async () => {
  const world = makeWorld();
  world.counter("b").move(undefined, "active");
  const result = world.run("switch-over", { waitMs: 2_000 });
  await world.pass(5_000);
  match(
    result.outcome,
    /^timeout: nothing was changed: 1 server connection is still in use after 2s; main goes on/,
  );
  deepEqual([world.changes, world.isPaused], [[], false]);
});

Deno.test("switchOver lets clients go on when the promotion fails", async () => {
  const world = makeWorld();
  world.promote = () => Promise.reject(new Error("Patroni answers 503: no"));
  const result = world.run("switch-over");
  await world.pass(1_000);
  match(
    result.outcome,
    /^failed: the promotion failed: Patroni answers 503: no; main goes on; look/,
  );
  equal(world.isPaused, false);
});

Deno.test("switchOver lets clients go on when nobody sees the new primary", async () => {
  const world = makeWorld();
  const result = world.run("switch-over");
  await world.pass(9_000);
  equal(result.outcome, "");
  await world.pass(2_000);
  match(result.outcome, /^failed: .* health checks have not seen c:5432 as the primary within 10s/);
  equal(world.isPaused, false);
});

Deno.test("switchOver has time where clients do not wait for a primary at all", async () => {
  const world = makeWorld();
  world.failoverTimeoutMs = 0;
  promoting(world, "c");
  const result = world.run("switch-over");
  await world.pass(1_000);
  equal(world.changes[0]!.timeoutMs, 30_000);
  match(result.outcome, /^c:5432 is the primary/);
});

Deno.test("switchOver leaves paused what was paused before", async () => {
  const world = makeWorld();
  promoting(world, "c");
  world.run("pause");
  await world.pass(1_000);
  const result = world.run("switch-over");
  await world.pass(1_000);
  match(result.outcome, /; main is still paused, as it was before$/);
  equal(world.isPaused, true);
});

Deno.test("switchOver is alone: others are refused until its end", async () => {
  const world = makeWorld();
  world.run("switch-over");
  await world.pass(500);
  const others = [world.run("resume"), world.run("pause"), world.run("switch-over")];
  await world.pass(0);
  for (const { outcome } of others) {
    equal(outcome, "refused: the primary of main is being changed: wait for its end");
  }
  await world.pass(20_000);
  const after = world.run("resume");
  await world.pass(0);
  equal(after.outcome, "main was not paused");
});

const REFUSED: Readonly<
  Record<
    string,
    readonly [
      facts: Readonly<Record<string, Partial<ServerFacts>>>,
      server: string,
      why: RegExp,
    ]
  >
> = {
  "to the primary": [{}, "a", /a:5432 is the primary already; name another/],
  "to a server that is down": [
    { b: { role: ROLE.replica, health: HEALTH.down } },
    "b",
    /b:5432 cannot become the primary: it is down; name another/,
  ],
  "to a server that is fenced": [
    { b: { role: ROLE.replica, flags: FLAG.fenced } },
    "b",
    /it is fenced/,
  ],
  "to a server whose role nobody knows": [{ b: {} }, "b", /it is not known to be a replica/],
  "without a primary": [{ a: { role: ROLE.replica } }, "b", /no server of main is known to be its/],
  "with a primary that is down": [
    { a: { role: ROLE.primary, health: HEALTH.down } },
    "b",
    /known to be its primary, and up/,
  ],
  "where all replicas are too far behind": [
    {
      b: { role: ROLE.replica, flags: FLAG.lagging },
      c: { role: ROLE.replica, flags: FLAG.lagging },
    },
    "",
    /no server of main is a replica that is up, enabled and not too far behind/,
  ],
};

for (const [name, [facts, server, why]] of Object.entries(REFUSED)) {
  Deno.test(`switchOver is refused ${name}`, async () => {
    const world = makeWorld();
    for (const [host, found] of Object.entries(facts)) world.found(host, found);
    const result = world.run("switch-over", { server });
    await world.pass(1_000);
    match(result.outcome, /^refused: /);
    match(result.outcome, why);
    deepEqual([world.changes, world.isPaused], [[], false]);
  });
}

Deno.test("switchOver is refused for servers that an operator has taken out", async () => {
  for (const verb of ["disable", "drain"] as const) {
    const world = makeWorld();
    world.run(verb, { server: "b" });
    await world.pass(500);
    const result = world.run("switch-over", { server: "b" });
    await world.pass(500);
    match(result.outcome, /^refused: b:5432 cannot become the primary: it is (disabled|draining);/);
  }
});

Deno.test("switchOver is refused where nothing says how", async () => {
  const world = makeWorld();
  world.promote = undefined;
  const result = world.run("switch-over");
  await world.pass(1_000);
  equal(
    result.outcome,
    "refused: nothing says how the primary of main is changed: set clients.main.patroni, or " +
      "clients.main.switchoverScript",
  );
});
