/**
 * Finds out that nothing has passed for some time, at the cost of one timer and of one look at the
 * clock for each piece that passes.
 *
 * @module
 */

import type { Clock, Timer } from "../base/clock.ts";

/** One session's. */
export class IdleTimeout {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  /** 0 is without limit. */
  #limitMs = 0;
  #lastMs = 0;
  #timer: Timer | undefined;

  /** It has no limit yet. */
  constructor(clock: Clock, onIdle: () => void) {
    this.#clock = clock;
    this.#onIdle = onIdle;
  }

  /** Begins to measure against a limit in milliseconds; 0 is without limit. */
  setLimit(limitMs: number): void {
    this.stop();
    this.#limitMs = limitMs;
    this.touch();
    if (limitMs > 0) this.#wait(limitMs);
  }

  /** Something has passed. */
  touch(): void {
    if (this.#limitMs > 0) this.#lastMs = this.#clock.nowMs();
  }

  stop(): void {
    this.#limitMs = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(ms: number): void {
    this.#timer = this.#clock.after(ms, () => {
      const leftMs = this.#lastMs + this.#limitMs - this.#clock.nowMs();
      if (leftMs > 0) this.#wait(leftMs);
      else this.#onIdle();
    });
  }
}
