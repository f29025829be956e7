/**
 * A time limit that can be interrupted: what has been used up stays used up.
 *
 * @module
 */

import type { Clock, Timer } from "./clock.ts";

/** Calls back once it has run for its time in all, not counting the times it was stopped. */
export class Countdown {
  readonly #clock: Clock;
  readonly #onOver: () => void;
  #leftMs: number;
  #sinceMs = 0;
  #timer: Timer | undefined;

  /** It does not run yet. */
  constructor(clock: Clock, totalMs: number, onOver: () => void) {
    this.#clock = clock;
    this.#leftMs = totalMs;
    this.#onOver = onOver;
  }

  /** Lets it run; does nothing if it runs already. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#sinceMs = this.#clock.nowMs();
    this.#timer = this.#clock.after(this.#leftMs, this.#onOver);
  }

  /** Stops it; does nothing if it does not run. */
  stop(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.#leftMs = Math.max(0, this.#leftMs - (this.#clock.nowMs() - this.#sinceMs));
  }
}
