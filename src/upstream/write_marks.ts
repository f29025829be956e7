/**
 * Since when users, or tables, have been written to: rounds of the server table, in shared memory,
 * for all workers. A place stands for all names of one hash: two of one place wait for each other's
 * writes, which costs time and nothing else.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import { murmur3 } from "../base/murmur3.ts";

/** Names are told apart by this many places; a power of two. */
const PLACES = 4_096;

/** The place of what is not known. */
const ANY = PLACES;

/** Shared memory for them. */
export function writeMarksBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer((PLACES + 1) * 4);
}

/** One thread's access. A mark is one more than its round, so that 0 is none. */
export class WriteMarks {
  readonly #marks: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#marks = new Int32Array(buffer);
  }

  /** Names were written to, up to now; undefined is any name. */
  mark(names: Iterable<string> | undefined, round: number): void {
    if (names === undefined) return this.#raise(ANY, round);
    for (const name of names) this.#raise(placeOf(name), round);
  }

  /** The newest round in which any of the names was written to; -1 if none was. */
  roundOf(names: Iterable<string> | undefined): number {
    let newest = Atomics.load(this.#marks, ANY);
    if (names === undefined) {
      for (let place = 0; place < PLACES; place++) {
        newest = Math.max(newest, Atomics.load(this.#marks, place));
      }
      return newest - 1;
    }
    for (const name of names) newest = Math.max(newest, Atomics.load(this.#marks, placeOf(name)));
    return newest - 1;
  }

  #raise(place: number, round: number): void {
    for (let seen = Atomics.load(this.#marks, place); seen < round + 1;) {
      const before = Atomics.compareExchange(this.#marks, place, seen, round + 1);
      if (before === seen) return;
      seen = before;
    }
  }
}

function placeOf(name: string): number {
  return murmur3(utf8(name), 0) & (PLACES - 1);
}
