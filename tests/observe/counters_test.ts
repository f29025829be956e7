import { deepStrictEqual as assertEquals, throws as assertThrows } from "node:assert/strict";
import {
  counterBuffer,
  type CounterLayout,
  histogramOf,
  LATENCY_BOUNDS_SECONDS,
  LISTENER_CELL,
  POOL_CELL,
  WorkerCounters,
} from "../../src/observe/counters.ts";

const LAYOUT: CounterLayout = { listeners: ["a", "b"], pools: ["p", "q", "r"] };

/** Every cell of every group, by a name that is unlike all others. */
function* cells(counters: WorkerCounters) {
  for (const name of LAYOUT.listeners) {
    for (let cell = 0; cell < LISTENER_CELL.size; cell++) {
      yield { cells: counters.listener(name), cell };
    }
  }
  for (const name of LAYOUT.pools) {
    for (let cell = 0; cell < POOL_CELL.size; cell++) yield { cells: counters.pool(name), cell };
  }
}

Deno.test("WorkerCounters keeps every cell apart from every other and from the SQLSTATEs", () => {
  const counters = new WorkerCounters(LAYOUT, counterBuffer(LAYOUT));
  let number = 0;
  for (const { cells: group, cell } of cells(counters)) group.add(cell, number += 1);
  counters.sqlStates.add("server", "23505");
  number = 0;
  for (const { cells: group, cell } of cells(counters)) {
    assertEquals(group.get(cell), number += 1);
  }
  assertEquals([...counters.sqlStates.entries()], [
    { source: "server", sqlState: "23505", count: 1 },
  ]);
});

Deno.test("WorkerCounters over the same buffer sees what another thread wrote", async () => {
  const buffer = counterBuffer(LAYOUT);
  const source = `
    import { WorkerCounters } from ${
    JSON.stringify(new URL("../../src/observe/counters.ts", import.meta.url).href)
  };
    self.onmessage = ({ data }) => {
      const counters = new WorkerCounters(data.layout, data.buffer);
      for (let i = 0; i < 1000; i++) counters.pool("q").add(${POOL_CELL.queries}, 1);
      counters.sqlStates.add("gateway", "53300");
      self.postMessage("done");
    };`;
  const url = `data:application/javascript,${encodeURIComponent(source)}`;
  const worker = new Worker(url, { type: "module" });
  const done = new Promise<unknown>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
  });
  worker.postMessage({ layout: LAYOUT, buffer });
  assertEquals(await done, "done");
  worker.terminate();
  const counters = new WorkerCounters(LAYOUT, buffer);
  assertEquals(counters.pool("q").get(POOL_CELL.queries), 1000);
  assertEquals([...counters.sqlStates.entries()].length, 1);
});

Deno.test("WorkerCounters throws RangeError for names that the layout does not have", () => {
  const counters = new WorkerCounters(LAYOUT, counterBuffer(LAYOUT));
  assertThrows(() => counters.listener("p"), RangeError);
  assertThrows(() => counters.pool("a"), RangeError);
});

Deno.test("Cells.observe() puts a bound into its bucket and what is above into the next", () => {
  const counters = new WorkerCounters(LAYOUT, counterBuffer(LAYOUT));
  const group = counters.pool("q");
  for (const bound of LATENCY_BOUNDS_SECONDS) {
    group.observe(POOL_CELL.waitSeconds, bound);
    group.observe(POOL_CELL.waitSeconds, bound * 1.0001);
  }
  group.observe(POOL_CELL.waitSeconds, 0);
  const { buckets } = histogramOf([group], POOL_CELL.waitSeconds);
  assertEquals(buckets.length, LATENCY_BOUNDS_SECONDS.length + 1);
  // 0 and the first bound; then one from below and the bound itself; above the last one, one.
  assertEquals(buckets, [2, ...LATENCY_BOUNDS_SECONDS.slice(1).map(() => 2), 1]);
  // Its neighbours are untouched.
  assertEquals(group.get(POOL_CELL.transactions), 0);
  assertEquals(histogramOf([group], POOL_CELL.querySeconds).buckets.every((n) => n === 0), true);
});

Deno.test("histogramOf() sums buckets and seconds over workers", () => {
  const groups = [1, 2].map(() => {
    const group = new WorkerCounters(LAYOUT, counterBuffer(LAYOUT)).pool("p");
    group.observe(POOL_CELL.querySeconds, 0.25);
    group.observe(POOL_CELL.querySeconds, 64);
    return group;
  });
  const histogram = histogramOf(groups, POOL_CELL.querySeconds);
  assertEquals(histogram.sumSeconds, 128.5);
  assertEquals(histogram.buckets[LATENCY_BOUNDS_SECONDS.indexOf(0.25)], 2);
  assertEquals(histogram.buckets.at(-1), 2);
  assertEquals(histogram.buckets.reduce((a, b) => a + b), 4);
});
