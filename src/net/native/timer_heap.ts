/**
 * Timers of one thread, the next one first. Setting and calling off takes no system call, and one
 * that is called off is gone: a query's limits are set and called off with each query.
 *
 * @module
 */

import type { Timer } from "../../base/clock.ts";

interface Entry {
  readonly dueMs: number;
  /** In the order of their making, for those that are due together. */
  readonly number: number;
  readonly run: () => void;
  /** Where it is in the heap; -1 once it is not. */
  index: number;
}

/** A binary heap of timers. */
export class TimerHeap {
  readonly #entries: Entry[] = [];
  #made = 0;

  /** How many there are. */
  get count(): number {
    return this.#entries.length;
  }

  /** When the next one is due; undefined if there is none. */
  get nextMs(): number | undefined {
    return this.#entries[0]?.dueMs;
  }

  /** @param dueMs On the clock that {@linkcode TimerHeap.takeDue} is asked with. */
  add(dueMs: number, run: () => void): Timer {
    this.#made += 1;
    const entry = { dueMs, number: this.#made, run, index: this.#entries.length };
    this.#entries.push(entry);
    this.#rise(entry);
    return { cancel: () => this.#remove(entry) };
  }

  /** Takes out the next one that is due, if there is one. */
  takeDue(nowMs: number): (() => void) | undefined {
    const first = this.#entries[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.#remove(first);
    return first.run;
  }

  #remove(entry: Entry): void {
    const { index } = entry;
    if (index < 0) return;
    entry.index = -1;
    const last = this.#entries.pop()!;
    if (last === entry) return;
    this.#put(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    while (entry.index > 0) {
      const above = this.#entries[(entry.index - 1) >> 1]!;
      if (!isBefore(entry, above)) return;
      this.#swap(entry, above);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#entries[2 * entry.index + 1];
      const right = this.#entries[2 * entry.index + 2];
      if (left === undefined) return;
      const least = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(least, entry)) return;
      this.#swap(entry, least);
    }
  }

  #swap(a: Entry, b: Entry): void {
    const { index } = a;
    this.#put(a, b.index);
    this.#put(b, index);
  }

  #put(entry: Entry, index: number): void {
    this.#entries[index] = entry;
    entry.index = index;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.number < b.number);
}
