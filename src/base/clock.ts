/**
 * Time as an argument: protocol logic never reads a clock of its own, so a test moves time by hand.
 *
 * @module
 */

/** Something due later that can be called off. */
export interface Timer {
  /** Calls it off; does nothing when it has run already. */
  cancel(): void;
}

/** Where a room gets its time from. */
export interface Clock {
  /** Milliseconds since an arbitrary start, with fractions; never goes backwards. */
  nowMs(): number;
  /** Calls `run` once, `delayMs` milliseconds from now, unless it is cancelled before. */
  after(delayMs: number, run: () => void): Timer;
}

/** The machine's monotonic clock. */
export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const id = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(id) };
  },
};
