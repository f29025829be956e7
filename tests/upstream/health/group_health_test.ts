import { deepEqual, equal, notEqual } from "node:assert/strict";
import { FLAG } from "../../../src/upstream/server_table.ts";
import { GroupScene } from "./scene.ts";

/** One primary on timeline 1, and two replicas of it. */
function settled(options: ConstructorParameters<typeof GroupScene>[0] = {}): GroupScene {
  const scene = new GroupScene(options);
  scene.primary(0, 1);
  scene.replica(1, 1);
  scene.replica(2, 1);
  scene.primary(0, 1);
  scene.takeFacts();
  return scene;
}

Deno.test("GroupHealth names no primary before every server has been asked", () => {
  const scene = new GroupScene();
  scene.primary(0, 1); // it does not know that the third one has taken over
  scene.replica(1, 1);
  deepEqual(scene.all, ["unknown up", "replica up", "unknown unknown"]);
  equal(scene.health.isComplete, false);
  scene.primary(2, 2);
  deepEqual(scene.all, ["unknown up fenced", "replica up", "primary up"]);
  equal(scene.health.isComplete, true);
  equal(scene.primariesMax, 1);
});

Deno.test("GroupHealth does not wait for a server that cannot be reached", () => {
  const scene = new GroupScene();
  scene.primary(0, 1);
  scene.replica(1, 1);
  scene.fails(2);
  deepEqual(scene.all, ["primary up", "replica up", "unknown unknown"]);
});

Deno.test("GroupHealth follows a failover in the pass in which it is seen", () => {
  const scene = settled();
  const epoch = scene.table.epoch(0);
  scene.dies(0);
  deepEqual(scene.all, ["primary down", "replica up", "replica up"], "nobody else is it yet");
  notEqual(scene.table.epoch(0), epoch);
  scene.primary(1, 2);
  deepEqual(scene.all, ["unknown down fenced", "primary up", "replica up"]);
  deepEqual(scene.takeFacts(), [
    "down 0",
    "fenced 0",
    "role_changed 0",
    "role_changed 1",
    "primary_changed 1",
  ]);
  equal(scene.primariesMax, 1);
});

Deno.test("GroupHealth leaves connections to who only lets its checks in no more", () => {
  const scene = settled();
  const epoch = scene.table.epoch(1);
  for (let i = 0; i < 5; i++) scene.fails(1, "login");
  deepEqual(scene.all, ["primary up", "replica down", "replica up"]);
  equal(scene.table.epoch(1), epoch);
});

Deno.test("GroupHealth fences an old primary that comes back, before anything is published", () => {
  const scene = settled();
  scene.dies(0);
  scene.primary(1, 2);
  for (let i = 0; i < 5; i++) scene.primary(0, 1);
  deepEqual(scene.all, ["unknown up fenced", "primary up", "replica up"]);
  equal(scene.primariesMax, 1);
  scene.replica(0, 2);
  deepEqual(scene.all, ["replica up", "primary up", "replica up"]);
  equal(scene.takeFacts().includes("unfenced 0"), true);
});

Deno.test("GroupHealth fences a primary that is alive when another one has taken over", () => {
  const scene = settled();
  const epoch = scene.table.epoch(0);
  scene.primary(2, 2);
  deepEqual(scene.all, ["unknown up fenced", "replica up", "primary up"]);
  notEqual(scene.table.epoch(0), epoch, "its connections are not to be used");
  equal(scene.primariesMax, 1);
  const fenced = scene.facts.find(({ kind }) => kind === "fenced");
  deepEqual(fenced, {
    kind: "fenced",
    member: scene.members[0],
    timeline: 1,
    primary: scene.members[2],
    newestTimeline: 2,
  });
});

Deno.test("GroupHealth keeps the old one out while the new one is gone", () => {
  const scene = settled();
  scene.dies(0);
  scene.primary(1, 2);
  scene.dies(1);
  scene.primary(0, 1);
  scene.primary(0, 1);
  deepEqual(scene.all, ["unknown up fenced", "primary down", "replica up"]);
  scene.primary(1, 2);
  scene.primary(1, 2);
  deepEqual(scene.all, ["unknown up fenced", "primary up", "replica up"]);
});

Deno.test("GroupHealth believes a replica that knows of a newer timeline", () => {
  const scene = new GroupScene();
  scene.primary(0, 1);
  scene.replica(1, 2);
  scene.fails(2);
  deepEqual(scene.all, ["unknown up fenced", "replica up", "unknown unknown"]);
});

Deno.test("GroupHealth keeps the primary that it knew when another has its timeline", () => {
  const scene = settled();
  scene.primary(1, 1);
  deepEqual(scene.all, ["primary up", "unknown up fenced", "replica up"]);
  deepEqual(scene.takeFacts(), ["two_primaries 0", "fenced 1", "role_changed 1"]);
  scene.primary(1, 1);
  deepEqual(scene.takeFacts(), [], "it is said once");
  // That the first one goes does not make it right.
  scene.dies(0);
  scene.primary(1, 1);
  deepEqual(scene.all, ["primary down", "unknown up fenced", "replica up"]);
  scene.replica(1, 1);
  deepEqual(scene.all, ["primary down", "replica up", "replica up"]);
  equal(scene.primariesMax, 1);
});

Deno.test("GroupHealth takes the first of two that say the same from the start", () => {
  const scene = new GroupScene();
  scene.primary(1, 4);
  scene.replica(2, 4);
  scene.primary(0, 4);
  deepEqual(scene.all, ["primary up", "unknown up fenced", "replica up"]);
  equal(scene.takeFacts().includes("two_primaries 0"), true);
  equal(scene.primariesMax, 1);
});

Deno.test("GroupHealth takes one on the same timeline when the known one is down", () => {
  const scene = settled();
  scene.dies(0);
  scene.primary(1, 1); // its standby.signal was removed
  deepEqual(scene.all, ["unknown down fenced", "primary up", "replica up"]);
  scene.primary(0, 1);
  scene.primary(0, 1);
  deepEqual(scene.all, ["unknown up fenced", "primary up", "replica up"]);
  equal(scene.primariesMax, 1);
});

Deno.test("GroupHealth follows a planned switch, in which both are replicas for a moment", () => {
  const scene = settled();
  scene.replica(0, 1);
  deepEqual(scene.all, ["replica up", "replica up", "replica up"]);
  equal(scene.health.primary, undefined);
  scene.primary(2, 2);
  deepEqual(scene.all, ["replica up", "replica up", "primary up"]);
  deepEqual(scene.takeFacts(), ["role_changed 0", "role_changed 2", "primary_changed 2"]);
});

Deno.test("GroupHealth lets a fenced one be the primary that was promoted anew", () => {
  const scene = settled();
  scene.primary(1, 2);
  equal(scene.shown(0), "unknown up fenced");
  scene.primary(0, 3); // it was a replica between two checks
  deepEqual(scene.all, ["primary up", "unknown up fenced", "replica up"]);
  equal(scene.primariesMax, 1);
});

Deno.test("GroupHealth forgives a server whose past an operator does not count", () => {
  const scene = settled();
  scene.dies(0);
  scene.primary(1, 2);
  scene.dies(1); // for ever: the first one was restored
  scene.primary(0, 1);
  scene.primary(0, 1);
  equal(scene.shown(0), "unknown up fenced");
  scene.health.forgive(scene.members);
  scene.replica(2, 1);
  scene.primary(0, 1);
  deepEqual(scene.all, ["primary up", "unknown down", "replica up"]);
});

Deno.test("GroupHealth survives a primary that flaps, and nobody takes over by that", () => {
  const scene = settled();
  for (let i = 0; i < 10; i++) {
    scene.fails(0);
    scene.fails(0);
    scene.primary(0, 1);
  }
  deepEqual(scene.all, ["primary up", "replica up", "replica up"]);
  for (let i = 0; i < 3; i++) scene.fails(0);
  equal(scene.shown(0), "primary down");
  scene.primary(0, 1);
  equal(scene.shown(0), "primary down");
  scene.fails(0);
  scene.primary(0, 1);
  equal(scene.shown(0), "primary down");
  scene.nowMs = 77;
  scene.primary(0, 1);
  equal(scene.shown(0), "primary up");
  equal(scene.table.upSinceMs(0), 1_000_077);
  equal(scene.takeFacts().filter((fact) => fact.startsWith("role")).length, 0);
});

Deno.test("GroupHealth counts failures of workers once for each check, however many", () => {
  const scene = settled();
  const member = scene.members[1]!;
  equal(scene.health.takeFailures(member), false);
  for (let i = 0; i < 100; i++) scene.table.countFailure(1);
  equal(scene.health.takeFailures(member), true);
  equal(scene.shown(1), "replica up");
  for (let i = 0; i < 2; i++) {
    scene.table.countFailure(1);
    scene.health.takeFailures(member);
  }
  equal(scene.shown(1), "replica down");
  equal(scene.health.takeFailures(member), false);
});

Deno.test("GroupHealth says once that a check fails, until it is another failure or works", () => {
  const scene = settled();
  scene.fails(1, "login", "wrong password");
  scene.fails(1, "login", "wrong password");
  deepEqual(scene.takeFacts(), ["check_failed 1"]);
  scene.fails(1, "login", "wrong password");
  deepEqual(scene.takeFacts(), ["down 1"]);
  scene.fails(1, "login", "wrong password");
  deepEqual(scene.takeFacts(), []);
});

Deno.test("GroupHealth flags a replica that is too far behind, in bytes or in time", () => {
  const scene = settled({ lagMaxMs: 2_000, lagSizeMax: 500 });
  scene.primary(0, 1, 2_000);
  scene.replica(1, 1, 1_000);
  equal(scene.shown(1), "replica up lagging");
  equal(scene.table.lagSize(1), 1_000);
  scene.replica(1, 1, 1_900);
  equal(scene.shown(1), "replica up");
  scene.nowMs += 2_001;
  scene.replica(1, 1, 1_900);
  equal(scene.shown(1), "replica up lagging");
  equal(scene.table.lagMs(1), 2_001);
  scene.replica(1, 1, 2_000);
  equal(scene.shown(1), "replica up");
  const lags = scene.takeFacts();
  deepEqual(lags, ["lags 1", "lags_no_more 1", "lags 1", "lags_no_more 1"]);
});

Deno.test("GroupHealth calls a replica caught up with rounds that it has replayed", () => {
  const scene = settled();
  const written = scene.table.round; // a session writes now
  scene.replica(1, 1, 1_000);
  equal(scene.table.caughtUpRound(1) > written, false);
  scene.primary(0, 1, 2_000);
  scene.replica(1, 1, 1_999);
  equal(scene.table.caughtUpRound(1) > written, false);
  scene.replica(1, 1, 2_000);
  equal(scene.table.caughtUpRound(1), written + 1);
});

Deno.test("GroupHealth does not call a replica caught up by an old primary's positions", () => {
  const scene = settled();
  scene.primary(0, 1, 9_000);
  scene.dies(0);
  const before = scene.table.caughtUpRound(2);
  scene.primary(1, 2, 5_000);
  const written = scene.table.round;
  // The third one had received more than the second one, and is on a branch that is dead.
  scene.replica(2, 1, 9_000);
  equal(scene.table.caughtUpRound(2), before);
  scene.primary(1, 2, 6_000);
  scene.replica(2, 1, 9_000);
  equal(scene.table.caughtUpRound(2) > written, false);
  // It was rewound and follows.
  scene.replica(2, 2, 5_500);
  equal(scene.table.caughtUpRound(2) > written, false);
  scene.replica(2, 2, 6_000);
  equal(scene.table.caughtUpRound(2) > written, true);
});

Deno.test("GroupHealth takes back what a replica had replayed when it was restored", () => {
  const scene = settled();
  scene.primary(0, 1, 2_000);
  scene.replica(1, 1, 2_000);
  notEqual(scene.table.caughtUpRound(1), 0);
  scene.replica(1, 1, 500);
  equal(scene.table.caughtUpRound(1), 0);
});

Deno.test("GroupHealth keeps the operator's flags beside its own", () => {
  const scene = settled();
  scene.health.setFlag(scene.members[0]!, FLAG.disabled, true);
  scene.health.setFlag(scene.members[0]!, FLAG.draining, true);
  scene.primary(1, 2);
  equal(scene.shown(0), "unknown up disabled draining fenced");
  scene.health.setFlag(scene.members[0]!, FLAG.disabled, false);
  equal(scene.shown(0), "unknown up draining fenced");
});

Deno.test("GroupHealth takes roles from who manages the group, and health from checks", () => {
  const scene = new GroupScene();
  const [first, second] = scene.members;
  const leader = { isLeader: true, timeline: 3, lagSize: 0 };
  const replica = { isLeader: false, timeline: 3, lagSize: 10 };
  scene.health.onManaged(new Map([[first!, leader], [second!, replica]]));
  deepEqual(scene.all, ["primary unknown", "replica unknown", "unknown unknown"]);
  equal(scene.table.lagSize(1), 10);
  for (const place of [0, 1, 2]) scene.alive(place, undefined, undefined);
  deepEqual(scene.all, ["primary up", "replica up", "unknown up"]);
  scene.health.onManaged(new Map([[first!, replica], [second!, leader]]));
  deepEqual(scene.all, ["replica up", "primary up", "unknown up"]);
  equal(scene.takeFacts().includes("primary_changed 1"), true);
  // Its leader is not promoted yet, and the old one does not know.
  scene.replica(1, 3);
  scene.primary(0, 3);
  deepEqual(scene.all, ["unknown up fenced", "replica up", "unknown up"]);
  scene.health.onManaged(undefined);
  scene.primary(1, 4);
  equal(scene.shown(1), "primary up");
  equal(scene.primariesMax, 1);
});
