/**
 * How many of something there may be over all workers, and who is next: a count and a FIFO queue
 * in shared memory. A place that becomes free goes straight to whoever has waited longest, in
 * whichever worker that is; nobody who comes later can overtake.
 *
 * Layout, in 32-bit words:
 *
 *     | lock | capacity | in use | head | length | gaps | held: 1 a worker | ring: 2 a waiter |
 *
 * A waiter is (worker + 1, ticket); worker + 1 is zero, a gap, once it has left the queue.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { SharedLock } from "./shared_lock.ts";

const LOCK = 0;
const CAPACITY = 1;
const IN_USE = 2;
const HEAD = 3;
const LENGTH = 4;
const GAPS = 5;
const HELD = 6;

/** A waiter in some worker's queue. */
export interface Turn {
  readonly worker: number;
  readonly ticket: number;
}

/** What asking for a place gives. */
export type Admission = "granted" | "queued" | "refused";

/** Memory for one budget. `waitersMax` may be 0: then nobody ever waits. */
export function budgetBuffer(capacity: number, waitersMax: number, workers: number) {
  const buffer = new SharedArrayBuffer(4 * (HELD + workers + 2 * waitersMax));
  new Int32Array(buffer)[CAPACITY] = capacity;
  return buffer;
}

/** One worker's access to a budget. */
export class SharedBudget {
  readonly #words: Int32Array;
  readonly #lock: SharedLock;
  /** This worker's index. */
  readonly worker: number;
  readonly #ring: number;
  readonly #waitersMax: number;

  /**
   * @param buffer Made by {@linkcode budgetBuffer}, the same for all workers.
   * @param worker This worker's index, 0 to `workers - 1`.
   */
  constructor(buffer: SharedArrayBuffer, worker: number, workers: number) {
    this.#words = new Int32Array(buffer);
    this.#lock = new SharedLock(this.#words, LOCK, worker);
    this.worker = worker;
    this.#ring = HELD + workers;
    this.#waitersMax = (this.#words.length - this.#ring) / 2;
  }

  /** How many places there are. */
  get capacity(): number {
    return this.#words[CAPACITY]!;
  }

  /** How many places are taken now, by any worker. */
  get inUse(): number {
    return Atomics.load(this.#words, IN_USE);
  }

  /**
   * Asks for a place. A ticket that is queued gets its turn from a later `release`, here or in
   * another worker.
   *
   * @param ticket This worker's own number for the request; not among those waiting now.
   */
  acquire(ticket: number): Admission {
    return this.#locked(() => this.#admit(ticket));
  }

  /**
   * Gives a place back.
   *
   * @returns Whose turn it is now: the place is that worker's already, and it must be told.
   */
  release(): Turn | undefined {
    return this.#locked(() => {
      this.#addHeld(this.worker, -1);
      return this.#passOn();
    });
  }

  /**
   * Leaves the queue.
   *
   * @returns False if the ticket is not waiting: its turn has come, so the place is this worker's,
   * which must release it and take no notice of the turn it will be told of.
   */
  leave(ticket: number): boolean {
    return this.#locked(() => {
      const slot = this.#find(this.worker, ticket);
      if (slot < 0) return false;
      this.#makeGap(slot);
      this.#dropLeavers(); // mostly it is the first who leaves: queues would fill with gaps
      return true;
    });
  }

  /**
   * Takes back everything that a worker held or waited for, because it is gone. If it died while it
   * held the lock, the places are counted anew.
   *
   * @returns Whose turns it is now.
   */
  reclaim(worker: number): Turn[] {
    const isHalfDone = this.#lock.seize(worker);
    try {
      if (isHalfDone) this.#countPlaces();
      const turns: Turn[] = [];
      for (let i = 0; i < this.#words[LENGTH]!; i++) {
        const slot = this.#slot(this.#words[HEAD]! + i);
        if (this.#words[slot] === worker + 1) this.#makeGap(slot);
      }
      while (this.#words[HELD + worker]! > 0) {
        this.#addHeld(worker, -1);
        const turn = this.#passOn();
        if (turn !== undefined) turns.push(turn);
      }
      return turns;
    } finally {
      this.#lock.unlock();
    }
  }

  #countPlaces(): void {
    const held = this.#words.subarray(HELD, this.#ring);
    Atomics.store(this.#words, IN_USE, held.reduce((sum, count) => sum + count, 0));
  }

  #admit(ticket: number): Admission {
    this.#dropLeavers();
    if (this.#words[IN_USE]! < this.#words[CAPACITY]! && this.#words[LENGTH] === 0) {
      Atomics.add(this.#words, IN_USE, 1);
      this.#addHeld(this.worker, 1);
      return "granted";
    }
    if (this.#words[LENGTH]! >= this.#waitersMax && this.#words[GAPS]! > 0) this.#closeGaps();
    if (this.#words[LENGTH]! >= this.#waitersMax) return "refused";
    const slot = this.#slot(this.#words[HEAD]! + this.#words[LENGTH]!);
    this.#words[slot] = this.worker + 1;
    this.#words[slot + 1] = ticket;
    this.#words[LENGTH]! += 1;
    return "queued";
  }

  /** Hands one free place to the first waiter, or puts it back. */
  #passOn(): Turn | undefined {
    this.#dropLeavers();
    if (this.#words[LENGTH] === 0) {
      Atomics.sub(this.#words, IN_USE, 1);
      return undefined;
    }
    const slot = this.#slot(this.#words[HEAD]!);
    const turn = { worker: this.#words[slot]! - 1, ticket: this.#words[slot + 1]! };
    this.#dropFirst();
    this.#addHeld(turn.worker, 1);
    return turn;
  }

  #makeGap(slot: number): void {
    this.#words[slot] = 0;
    this.#words[GAPS]! += 1;
  }

  #dropLeavers(): void {
    while (this.#words[LENGTH]! > 0 && this.#words[this.#slot(this.#words[HEAD]!)] === 0) {
      this.#dropFirst();
      this.#words[GAPS]! -= 1;
    }
  }

  #dropFirst(): void {
    this.#words[HEAD] = (this.#words[HEAD]! + 1) % this.#waitersMax;
    this.#words[LENGTH]! -= 1;
  }

  /** Those who left in the middle of a full queue make room for new ones. */
  #closeGaps(): void {
    const head = this.#words[HEAD]!;
    const length = this.#words[LENGTH]!;
    let kept = 0;
    for (let i = 0; i < length; i++) {
      const from = this.#slot(head + i);
      if (this.#words[from] === 0) continue;
      const to = this.#slot(head + kept);
      this.#words[to] = this.#words[from]!;
      this.#words[to + 1] = this.#words[from + 1]!;
      kept += 1;
    }
    this.#words[LENGTH] = kept;
    this.#words[GAPS] = 0;
  }

  #find(worker: number, ticket: number): number {
    for (let i = 0; i < this.#words[LENGTH]!; i++) {
      const slot = this.#slot(this.#words[HEAD]! + i);
      if (this.#words[slot] === worker + 1 && this.#words[slot + 1] === ticket) return slot;
    }
    return -1;
  }

  #slot(position: number): number {
    return this.#ring + 2 * (position % this.#waitersMax);
  }

  #addHeld(worker: number, amount: number): void {
    const held = this.#words[HELD + worker]! + amount;
    assert(held >= 0, "a worker gives back no more places than it holds");
    this.#words[HELD + worker] = held;
  }

  #locked<Result>(act: () => Result): Result {
    this.#lock.lock();
    try {
      return act();
    } finally {
      this.#lock.unlock();
    }
  }
}
