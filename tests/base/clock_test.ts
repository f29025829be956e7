import { deepEqual, equal, ok } from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("SYSTEM_CLOCK never goes backwards, and runs what is not cancelled", async () => {
  const before = SYSTEM_CLOCK.nowMs();
  const runs: string[] = [];
  const cancelled = SYSTEM_CLOCK.after(0, () => runs.push("cancelled"));
  cancelled.cancel();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = SYSTEM_CLOCK.after(1, () => {
    runs.push("run");
    resolve();
  });
  await promise;
  timer.cancel(); // too late: does nothing
  deepEqual(runs, ["run"]);
  ok(SYSTEM_CLOCK.nowMs() >= before);
});

Deno.test("FakeClock runs timers when they are due, in order, also those that timers set", async () => {
  const clock = new FakeClock();
  const runs: string[] = [];
  const note = (name: string) => () => runs.push(`${name} at ${clock.nowMs()}`);
  clock.after(20, note("c"));
  clock.after(10, () => {
    note("a")();
    clock.after(5, note("b"));
  });
  clock.after(10, note("a2"));
  clock.after(12, note("never")).cancel();
  await clock.pass(19);
  deepEqual(runs, ["a at 10", "a2 at 10", "b at 15"]);
  equal(clock.pending, 1);
  await clock.pass(1);
  deepEqual(runs.at(-1), "c at 20");
  equal(clock.nowMs(), 20);
});
