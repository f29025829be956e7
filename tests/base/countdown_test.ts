import { deepEqual, equal } from "node:assert/strict";
import { Countdown } from "../../src/base/countdown.ts";
import { FakeClock } from "../support/fake_clock.ts";

function fixture(totalMs: number) {
  const clock = new FakeClock();
  const overAt: number[] = [];
  const countdown = new Countdown(clock, totalMs, () => overAt.push(clock.nowMs()));
  return { clock, countdown, overAt };
}

Deno.test("Countdown does not run before it is started", async () => {
  const { clock, countdown, overAt } = fixture(10);
  await clock.pass(1_000);
  countdown.stop();
  await clock.pass(1_000);
  deepEqual(overAt, []);
  equal(clock.pending, 0);
  countdown.start();
  await clock.pass(9);
  deepEqual(overAt, []);
  await clock.pass(1);
  deepEqual(overAt, [2_010]);
});

Deno.test("Countdown keeps what was used up, however often it is stopped", async () => {
  const { clock, countdown, overAt } = fixture(10);
  for (let i = 0; i < 3; i++) {
    countdown.start();
    await clock.pass(3);
    countdown.stop();
    equal(clock.pending, 0);
    await clock.pass(100);
  }
  countdown.start();
  await clock.pass(5);
  deepEqual(overAt, [310]);
});

Deno.test("Countdown started or stopped twice does as if it were once", async () => {
  const { clock, countdown, overAt } = fixture(10);
  countdown.start();
  await clock.pass(6);
  countdown.start();
  equal(clock.pending, 1);
  countdown.stop();
  await clock.pass(50);
  countdown.stop();
  countdown.start();
  await clock.pass(4);
  deepEqual(overAt, [60]);
});

Deno.test("Countdown calls back once, and can be stopped after that", async () => {
  const { clock, countdown, overAt } = fixture(10);
  countdown.start();
  await clock.pass(10);
  countdown.stop();
  await clock.pass(10);
  deepEqual(overAt, [10]);
  equal(clock.pending, 0);
});
