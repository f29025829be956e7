import { equal } from "node:assert/strict";
import { wallClockBy } from "../../src/base/wall_clock.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("wallClockBy goes on by the clock that it has, and follows what sets the time", async () => {
  const clock = new FakeClock();
  let wallMs = 1_000_000;
  const now = wallClockBy(clock, () => wallMs);
  equal(now(), 1_000_000);
  await clock.pass(20);
  equal(now(), 1_000_020);
  wallMs = 500_000; // somebody has set it back
  await clock.pass(20);
  equal(now(), 1_000_040);
  await clock.pass(20);
  equal(now(), 500_000);
});
