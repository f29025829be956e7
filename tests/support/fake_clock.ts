/**
 * A clock that stands still until a test moves it: timers run in the order they are due, and those
 * due at the same instant in the order they were set.
 *
 * @module
 */

import type { Clock, Timer } from "../../src/base/clock.ts";

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that is moved by hand. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #due: Due[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const due: Due = { atMs: this.#nowMs + delayMs, run };
    const later = this.#due.findIndex(({ atMs }) => atMs > due.atMs);
    this.#due.splice(later < 0 ? this.#due.length : later, 0, due);
    return { cancel: () => void (this.#due = this.#due.filter((other) => other !== due)) };
  }

  /** Timers that have neither run nor been cancelled: zero when nothing was forgotten. */
  get pending(): number {
    return this.#due.length;
  }

  /** Moves time by `byMs` and runs what becomes due; awaits `settle` first and after each timer. */
  async pass(byMs: number, settle: () => Promise<void> = async () => {}): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (;;) {
      const next = this.#due[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#due.shift();
      this.#nowMs = next.atMs;
      next.run();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }
}
