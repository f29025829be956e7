import { deepEqual, equal, throws } from "node:assert/strict";
import { membersOf } from "../../src/upstream/members.ts";
import { ServerLoad } from "../../src/upstream/server_loads.ts";
import {
  type ServerFacts,
  ServerTable,
  serverTableBuffer,
  serverTableFor,
} from "../../src/upstream/server_table.ts";
import { WriteMarks, writeMarksBuffer } from "../../src/upstream/write_marks.ts";
import { FakeClock } from "../support/fake_clock.ts";

const address = (port: number) => ({ kind: "tcp", host: "db", port }) as const;
const GROUPS = new Map([
  ["a", { address: address(1), others: [address(2)] }],
  ["b", { address: address(3), others: [] }],
]);

const FACTS: ServerFacts = {
  role: 1,
  health: 1,
  flags: 8,
  timeline: 7,
  upSinceMs: 1.7e12,
  lagMs: 0.5,
  lagSize: 2 ** 40,
  position: 2 ** 50,
};

Deno.test("membersOf numbers servers and groups through", () => {
  const members = [...membersOf(GROUPS).values()].flat();
  deepEqual(members.map(({ index, group, name }) => [index, group, name]), [
    [0, 0, "a@db:1"],
    [1, 0, "a@db:2"],
    [2, 1, "b@db:3"],
  ]);
});

Deno.test("ServerTable gives another thread what was written, and nothing of other rows", () => {
  for (const [count, groups] of [[1, 1], [3, 2], [4, 1]] as const) {
    const table = new ServerTable(serverTableBuffer(count, groups), count, groups);
    const reader = new ServerTable(table.buffer, count, groups);
    const last = count - 1;
    table.set(last, FACTS);
    table.setCaughtUp(last, 5);
    table.newEpoch(last);
    reader.countFailure(last);
    table.setPaused(groups - 1, true);
    const { role, health, flags, timeline, upSinceMs, lagMs, lagSize, position } = FACTS;
    const rowOf = (member: number) => [
      ...[reader.role(member), reader.health(member), reader.flags(member)],
      ...[reader.timeline(member), reader.caughtUpRound(member), reader.epoch(member)],
      ...[reader.failures(member), reader.upSinceMs(member), reader.lagMs(member)],
      ...[reader.lagSize(member), reader.position(member)],
    ];
    const written = [role, health, flags, timeline, 5, 1, 1, upSinceMs, lagMs, lagSize, position];
    deepEqual(rowOf(last), written);
    for (let member = 0; member < last; member++) deepEqual(rowOf(member), Array(11).fill(0));
    for (let group = 0; group < groups; group++) {
      equal(reader.isPaused(group), group === groups - 1);
    }
  }
  throws(() => new ServerTable(serverTableBuffer(2, 1), 3, 1), /the table has its size/);
});

Deno.test("ServerTable counts the changes that routing depends on, and no others", () => {
  const table = serverTableFor(GROUPS, 1);
  const changes = (act: () => void) => {
    const before = table.changes;
    act();
    return table.changes - before;
  };
  equal(changes(() => table.set(0, FACTS)), 1);
  equal(changes(() => table.set(0, FACTS)), 0);
  const measured = { ...FACTS, lagMs: 9, lagSize: 9, position: 9, upSinceMs: 9 };
  equal(changes(() => table.set(0, measured)), 0, "what is only measured");
  for (const key of ["role", "health", "flags", "timeline"] as const) {
    equal(changes(() => table.set(0, { ...measured, [key]: 2 })), 1, key);
    table.set(0, measured);
  }
  equal(changes(() => table.newEpoch(1)), 1);
  equal(changes(() => table.setPaused(1, true)), 1);
  equal(changes(() => table.countFailure(1)), 0);
  equal(changes(() => table.setCaughtUp(1, table.beginRound())), 0);
  deepEqual([table.round, table.beginRound()], [1, 2]);
});

Deno.test("WriteMarks tells since when names are written to, in every thread", () => {
  const buffer = writeMarksBuffer();
  const [marks, reader] = [new WriteMarks(buffer), new WriteMarks(buffer)];
  const rounds = () => [["t"], ["u"], ["t", "u"], [], undefined].map((one) => reader.roundOf(one));
  deepEqual(rounds(), [-1, -1, -1, -1, -1]);
  marks.mark(["t"], 0);
  deepEqual(rounds(), [0, -1, 0, -1, 0], "a first round is a round");
  marks.mark(["t", "u"], 4);
  marks.mark(["t"], 3);
  deepEqual(rounds(), [4, 4, 4, -1, 4], "an older round takes nothing back");
  marks.mark(undefined, 6);
  deepEqual(rounds(), [6, 6, 6, 6, 6], "what is not known may be anything");
  marks.mark([], 9);
  deepEqual(rounds(), [6, 6, 6, 6, 6]);
});

Deno.test("ServerLoad suspects a server for a second, or until there is news", async () => {
  const clock = new FakeClock();
  const load = new ServerLoad(clock);
  equal(load.isSuspect, false);
  load.onUnreachable();
  await clock.pass(999);
  equal(load.isSuspect, true);
  await clock.pass(1);
  equal(load.isSuspect, false);
  load.onUnreachable();
  load.clear();
  equal(load.isSuspect, false);
});
