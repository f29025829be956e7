/**
 * A lock in shared memory that says who holds it, so that a worker which dies with it stops nobody
 * else. It is held for a few loads and stores: spinning for it is cheaper than sleeping.
 *
 * @module
 */

/** One worker's access to a lock. */
export class SharedLock {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #owner: number;

  /**
   * @param at The index in `words` of the one that is the lock, zero at first.
   * @param worker This worker's index.
   */
  constructor(words: Int32Array, at: number, worker: number) {
    this.#words = words;
    this.#at = at;
    this.#owner = worker + 1;
  }

  /** Waits for it. */
  lock(): void {
    while (Atomics.compareExchange(this.#words, this.#at, 0, this.#owner) !== 0) {
      // Another worker is between a few stores: it will be done before this thread could sleep.
    }
  }

  /** Gives it back, or away from the worker that it was seized from. */
  unlock(): void {
    Atomics.store(this.#words, this.#at, 0);
  }

  /**
   * Waits for it, or takes it from a worker that does not run any more.
   *
   * @returns Whether that one had it: what it was about to do is half done.
   */
  seize(dead: number): boolean {
    for (;;) {
      const holder = Atomics.compareExchange(this.#words, this.#at, 0, dead + 1);
      if (holder === dead + 1) return true;
      if (holder === 0) return false;
    }
  }
}
