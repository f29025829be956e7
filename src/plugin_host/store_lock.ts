/**
 * Mutual exclusion over threads, by one word in shared memory, for steps that copy up to a
 * megabyte. Who has to wait spins for some microseconds, then sleeps for parts of a millisecond.
 *
 * A thread that ends between `lock` and `unlock` leaves the word behind; nobody tells the others.
 * So a lock that stays the same hold for {@linkcode PATIENCE_MS} is broken: who breaks it holds it
 * then, knows so, and must not trust what it protects. Should the former holder still run (it was
 * not scheduled for that long), its `unlock` says that the lock was broken.
 *
 * The lock in `pool/` is another: its holders do a few stores, and the control plane says who died.
 *
 * @module
 */

/** How long one hold is waited for, in milliseconds of sleep of the one that waits. */
export const PATIENCE_MS = 250;

/** Words of shared memory that a lock needs, zero at first: the lock, then how many were made. */
export const LOCK_WORDS = 2;

/** Reads before the first sleep: some microseconds, longer than most holds are. */
const SPINS = 500;

const SLEEP_MIN_MS = 0.05;
const SLEEP_MAX_MS = 4;

/** Each hold has a number of its own: which access, and its how manyth hold. Both wrap around. */
const ACCESSES = 2_047;
const TURNS = 2 ** 20;

/** One thread's access to a lock. */
export class StoreLock {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #firstHold: number;
  #turn = 0;

  /** @param at The index in `words` of the first of {@linkcode LOCK_WORDS}. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
    const made = Atomics.add(words, at + 1, 1) >>> 0;
    this.#firstHold = (1 + made % ACCESSES) * TURNS;
  }

  /** Waits for it. @returns Whether it was broken: what it protects is half changed. */
  lock(): boolean {
    this.#turn = (this.#turn + 1) % TURNS;
    const hold = this.#firstHold + this.#turn;
    if (Atomics.compareExchange(this.#words, this.#at, 0, hold) === 0) return false;
    return this.#wait(hold);
  }

  /** Gives it back. @returns False if it was broken meanwhile. */
  unlock(): boolean {
    const hold = this.#firstHold + this.#turn;
    return Atomics.compareExchange(this.#words, this.#at, hold, 0) === hold;
  }

  /** As {@linkcode StoreLock.lock}. */
  #wait(hold: number): boolean {
    const words = this.#words;
    const at = this.#at;
    for (let spins = 0; spins < SPINS; spins++) {
      if (Atomics.load(words, at) !== 0) continue;
      if (Atomics.compareExchange(words, at, 0, hold) === 0) return false;
    }
    let waitedFor = 0;
    let sleptMs = 0;
    let sleepMs = SLEEP_MIN_MS;
    for (;;) {
      const other = Atomics.compareExchange(words, at, 0, hold);
      if (other === 0) return false;
      if (other !== waitedFor) {
        waitedFor = other;
        sleptMs = 0;
        sleepMs = SLEEP_MIN_MS;
      }
      if (sleptMs >= PATIENCE_MS) {
        if (Atomics.compareExchange(words, at, other, hold) === other) return true;
        continue;
      }
      // Own sleep is counted, not the clock: while the whole process is stopped, nobody is late.
      Atomics.wait(words, at, other, sleepMs);
      sleptMs += sleepMs;
      sleepMs = Math.min(2 * sleepMs, SLEEP_MAX_MS);
    }
  }
}
