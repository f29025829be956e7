/**
 * Whose turn it is on Deno's event loop. Of the sockets that have something to read, its runtime
 * looks at no more than 128 in a row (the budget of a task in Tokio); those that it puts off it
 * takes up again in the reverse order. So where more are busy all the time, the same ones are
 * served again and again, and others wait for seconds. While there is such a crowd, whoever was
 * served waits here until nobody else has anything.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** So many served in one turn of the event loop are a crowd; reads and writes share the budget. */
const CROWD_SIZE_MIN = 64;

/** The runtime takes up what it has put off when it has nothing else to do, if only so long. */
const LOOK_MS = 1;

/**
 * So many looks are enough for 8,000 sockets that have something. Where new ones come all the time,
 * somebody always has.
 */
const LOOKS_MAX = 64;

/** The turns of one thread's sockets. */
export class FairTurns {
  #sockets = 0;
  /** Who was served in this turn; in a crowd, since the last look. */
  #served = 0;
  #isCounting = false;
  #looks = 0;
  #waiting: (() => void)[] = [];

  /** A socket begins to read. */
  join(): void {
    this.#sockets += 1;
  }

  /** It reads no more. */
  leave(): void {
    this.#sockets -= 1;
  }

  /** A socket was served. @returns What it waits for before its next turn, if it has to. */
  next(): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#sockets < CROWD_SIZE_MIN) return undefined;
    this.#served += 1;
    if (this.#waiting.length === 0) {
      if (!this.#isCounting) this.#count();
      if (this.#served < CROWD_SIZE_MIN) return undefined;
      this.#served = this.#looks = 0;
      setTimeout(() => this.#look(), LOOK_MS);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #count(): void {
    this.#isCounting = true;
    setImmediate(() => {
      this.#isCounting = false;
      if (this.#waiting.length === 0) this.#served = 0;
    });
  }

  #look(): void {
    this.#looks += 1;
    const isDone = this.#served === 0 || this.#looks >= LOOKS_MAX;
    this.#served = 0;
    if (!isDone) return void setTimeout(() => this.#look(), LOOK_MS);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
