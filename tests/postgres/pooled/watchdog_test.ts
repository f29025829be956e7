import { deepEqual, equal } from "node:assert/strict";
import { Watchdog, type Watched } from "../../../src/postgres/pooled/watchdog.ts";
import { FakeClock } from "../../support/fake_clock.ts";

/** Remembers when it was looked at. */
function watched(shortestMs: number): Watched & { readonly seenMs: number[] } {
  const seenMs: number[] = [];
  return { place: 0, shortestMs, seenMs, check: (nowMs) => void seenMs.push(nowMs) };
}

Deno.test("Watchdog looks often enough for the shortest limit, and within its bounds", async () => {
  for (const [limitMs, everyMs] of [[1, 10], [1_000, 100], [60_000, 500]] as const) {
    const clock = new FakeClock();
    const startMs = clock.nowMs();
    const dog = new Watchdog(clock);
    const one = watched(limitMs);
    dog.add(one);
    await clock.pass(3 * everyMs);
    deepEqual(one.seenMs.map((ms) => ms - startMs), [everyMs, 2 * everyMs, 3 * everyMs]);
  }
});

Deno.test("Watchdog becomes faster with a shorter limit, and runs only while it is needed", async () => {
  const clock = new FakeClock();
  const startMs = clock.nowMs();
  const dog = new Watchdog(clock);
  const [slow, fast] = [watched(60_000), watched(1_000)];
  dog.add(slow);
  await clock.pass(450);
  dog.add(fast);
  await clock.pass(100);
  deepEqual(fast.seenMs.map((ms) => ms - startMs), [550]);
  deepEqual(slow.seenMs, fast.seenMs);
  dog.remove(fast);
  equal(clock.pending, 1);
  dog.remove(slow);
  equal(clock.pending, 0);
  await clock.pass(5_000);
  equal(slow.seenMs.length, 1);
  const again = watched(60_000);
  dog.add(again);
  await clock.pass(499);
  deepEqual(again.seenMs, []);
  dog.remove(again);
});

Deno.test("Watchdog can be left, and joined, by those it looks at", async () => {
  const clock = new FakeClock();
  const dog = new Watchdog(clock);
  const late = watched(1_000);
  const leaving: Watched = {
    place: 0,
    shortestMs: 1_000,
    check() {
      dog.remove(leaving);
      dog.add(late);
    },
  };
  dog.add(leaving);
  await clock.pass(100);
  equal(clock.pending, 1, "one timer, not two");
  await clock.pass(100);
  equal(late.seenMs.length, 1);
  dog.remove(late);
  equal(clock.pending, 0);
});
