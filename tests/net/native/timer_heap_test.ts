/**
 * Timers in the order in which they are due, however many are set and called off.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import type { Timer } from "../../../src/base/clock.ts";
import { TimerHeap } from "../../../src/net/native/timer_heap.ts";
import { Random } from "../../support/random.ts";

Deno.test("TimerHeap gives what is due, by time and then by the order of setting", () => {
  const heap = new TimerHeap();
  const ran: string[] = [];
  heap.add(20, () => ran.push("c"));
  heap.add(10, () => ran.push("a"));
  heap.add(10, () => ran.push("b"));
  heap.add(30, () => ran.push("d"));
  equal(heap.nextMs, 10);
  for (let run = heap.takeDue(25); run !== undefined; run = heap.takeDue(25)) run();
  deepEqual(ran, ["a", "b", "c"]);
  equal(heap.nextMs, 30);
  equal(heap.takeDue(29.9), undefined);
});

Deno.test("TimerHeap forgets what is called off, whenever and however often", () => {
  const heap = new TimerHeap();
  const first = heap.add(1, () => {});
  const second = heap.add(2, () => {});
  first.cancel();
  first.cancel();
  equal(heap.count, 1);
  equal(heap.nextMs, 2);
  equal(typeof heap.takeDue(2), "function");
  second.cancel(); // has run
  equal(heap.count, 0);
  equal(heap.nextMs, undefined);
});

Deno.test("TimerHeap does what a sorted list does", () => {
  const random = new Random(7);
  const heap = new TimerHeap();
  const model = new Map<number, number>();
  const timers = new Map<number, Timer>();
  const taken: number[] = [];
  for (let i = 0, nowMs = 0; i < 5_000; i += 1) {
    if (random.below(3) > 0) {
      const dueMs = nowMs + random.below(100);
      model.set(i, dueMs);
      timers.set(i, heap.add(dueMs, () => taken.push(i)));
    } else if (random.below(2) === 0 && model.size > 0) {
      const one = [...model.keys()][random.below(model.size)]!;
      model.delete(one);
      timers.get(one)!.cancel();
    } else {
      nowMs += random.below(40);
      taken.length = 0;
      for (let run = heap.takeDue(nowMs); run !== undefined; run = heap.takeDue(nowMs)) run();
      const due = [...model].filter(([, dueMs]) => dueMs <= nowMs)
        .sort(([a, aMs], [b, bMs]) => aMs - bMs || a - b).map(([one]) => one);
      deepEqual(taken, due);
      for (const one of due) model.delete(one);
    }
    equal(heap.count, model.size);
    equal(heap.nextMs, model.size === 0 ? undefined : Math.min(...model.values()));
  }
});
