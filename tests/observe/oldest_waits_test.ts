import { deepStrictEqual as assertEquals, throws as assertThrows } from "node:assert/strict";
import { counterBuffer, POOL_CELL, WorkerCounters } from "../../src/observe/counters.ts";
import { FactCounter } from "../../src/observe/fact_counter.ts";
import { oldestWaitMs, OldestWaits, WaitingSessions } from "../../src/observe/oldest_waits.ts";

const LAYOUT = { listeners: [], pools: ["p", "q", "r"] };
const START_MS = 1_795_000_000_000;

function newCounters(): WorkerCounters {
  return new WorkerCounters(LAYOUT, counterBuffer(LAYOUT));
}

Deno.test("WaitingSessions knows the first of those who wait, in whatever order they end", () => {
  const waiting = new WaitingSessions();
  assertEquals(waiting.oldestSinceMs, 0);
  for (const session of [7, 3, 5]) waiting.begin(session, 100 + session);
  assertEquals(waiting.oldestSinceMs, 107);
  waiting.end(3);
  waiting.end(4);
  assertEquals(waiting.oldestSinceMs, 107);
  waiting.end(7);
  assertEquals(waiting.oldestSinceMs, 105);
  waiting.end(5);
  assertEquals(waiting.oldestSinceMs, 0);
});

Deno.test("FactCounter.count() writes down since when the first relayed session waits", () => {
  const counters = newCounters();
  let nowMs = START_MS;
  const counter = new FactCounter(counters, () => nowMs);
  const since = (pool: string) => counters.pool(pool).get(POOL_CELL.relayedWaitSince);
  const started = (session: number, pool = "p") =>
    counter.count({ kind: "wait_started", pool, session });
  const ended = (session: number) =>
    counter.count({ kind: "wait_ended", pool: "p", session, outcome: "abandoned", waitMs: 1 });
  started(1);
  nowMs += 10;
  started(2);
  started(2, "q"); // a session may wait for another pool after the first
  assertEquals([since("p"), since("q"), since("r")], [START_MS, START_MS + 10, 0]);
  ended(1);
  assertEquals(since("p"), START_MS + 10);
  nowMs += 5;
  started(1);
  ended(2);
  assertEquals(since("p"), START_MS + 15);
  ended(1);
  assertEquals([since("p"), since("q")], [0, START_MS + 10]);
});

Deno.test("OldestWaits.measure() writes down the longest wait of each pool, and forgets the rest", () => {
  const counters = newCounters();
  let nowMs = START_MS;
  const waits = new OldestWaits(counters, ["p", "q"], () => nowMs);
  const since = () => ["p", "q", "r"].map((p) => counters.pool(p).get(POOL_CELL.pooledWaitSince));
  waits.measure([
    { pool: "p", waitedMs: 40 },
    { pool: "p", waitedMs: 700 },
    { pool: "p", waitedMs: 0 },
    { pool: "q", waitedMs: 0 },
    { pool: "gone", waitedMs: 9 },
  ]);
  assertEquals(since(), [START_MS - 700, 0, 0]);
  nowMs += 1_000;
  waits.measure([{ pool: "q", waitedMs: 30 }]);
  assertEquals(since(), [0, START_MS + 970, 0]);
  waits.measure([]);
  assertEquals(since(), [0, 0, 0]);
});

Deno.test("oldestWaitMs() is what was seen last, and nothing once nobody waits", () => {
  const counters = newCounters();
  const cells = counters.pool("p");
  let nowMs = START_MS;
  const waits = new OldestWaits(counters, ["p"], () => nowMs);
  cells.set(POOL_CELL.waiters, 1);
  waits.measure([{ pool: "p", waitedMs: 40 }]);
  nowMs += 970;
  // Maybe it is another one that waits by now: the wait that was seen has not grown.
  assertEquals(oldestWaitMs(cells, nowMs), 40);
  cells.set(POOL_CELL.waiters, 0);
  assertEquals(oldestWaitMs(cells, nowMs), 0);
  cells.set(POOL_CELL.waiters, 1);
  nowMs += 10_000; // nobody has looked for long: the worker does not turn
  assertEquals(oldestWaitMs(cells, nowMs), 40 + 970 + 10_000);
  nowMs = START_MS - 60_000; // somebody has set the clock back
  assertEquals(oldestWaitMs(cells, nowMs), 40);
});

Deno.test("new OldestWaits() throws RangeError on a pool that has no cells", () => {
  assertThrows(() => new OldestWaits(newCounters(), ["s"], () => 0), RangeError);
});
