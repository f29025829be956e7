import { deepEqual, equal } from "node:assert/strict";
import { SessionKeeper } from "../../src/base/session_keeper.ts";

/** Keeps a session that serves already, or is only about to, and notes what it is told. */
function keep(keeper: SessionKeeper, serves: boolean) {
  const told: string[] = [];
  const session = { told, leaves: () => {} };
  const kept = {
    place: 0,
    start: () => told.push("start"),
    drain: () => {
      told.push("drain");
      if (!serves) session.leaves();
    },
    terminate: () => {
      told.push("terminate");
      session.leaves();
    },
  };
  session.leaves = () => keeper.onOver(kept);
  keeper.serve(kept);
  return session;
}

Deno.test("SessionKeeper starts sessions, and keeps them until they are over", () => {
  const keeper = new SessionKeeper();
  const one = keep(keeper, true);
  const two = keep(keeper, true);
  equal(keeper.size, 2);
  equal(keeper.isDraining, false);
  one.leaves();
  equal(keeper.size, 1);
  two.leaves();
  equal(keeper.size, 0);
  deepEqual([one.told, two.told], [["start"], ["start"]]);
});

Deno.test("SessionKeeper knows a session that is over as soon as it starts", () => {
  const keeper = new SessionKeeper();
  const start = () => keeper.onOver(session);
  const session = { place: 0, start, drain: () => {}, terminate: () => {} };
  keeper.serve(session);
  equal(keeper.size, 0);
});

Deno.test("SessionKeeper lets those finish that serve, and says once that all is over", () => {
  const keeper = new SessionKeeper();
  const waiting = [keep(keeper, false), keep(keeper, false)];
  const serving = keep(keeper, true);
  let times = 0;
  keeper.drain(() => times += 1);
  equal(keeper.isDraining, true);
  for (const { told } of [...waiting, serving]) deepEqual(told, ["start", "drain"]);
  equal(keeper.size, 1);
  equal(times, 0);
  serving.leaves();
  equal(times, 1);
  keep(keeper, true).leaves();
  equal(times, 1, "it is said once");
});

Deno.test("SessionKeeper says at once that all is over where there is nobody", () => {
  let times = 0;
  new SessionKeeper().drain(() => times += 1);
  equal(times, 1);
});

Deno.test("SessionKeeper ends all when the gateway waits no longer", () => {
  const keeper = new SessionKeeper();
  const sessions = [keep(keeper, true), keep(keeper, true)];
  let times = 0;
  keeper.drain(() => times += 1);
  keeper.terminate();
  for (const { told } of sessions) deepEqual(told, ["start", "drain", "terminate"]);
  equal(times, 1);
});
