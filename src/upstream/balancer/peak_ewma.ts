/**
 * A mean of latency that believes bad news at once and good news slowly.
 *
 * Source: Finagle, com.twitter.finagle.loadbalancer.PeakEwma.
 *
 * @module
 */

/** After this many time constants without news, nothing is known any more. */
const FORGOTTEN_AFTER = 3;

/** Shortest time that counts, in milliseconds: 0 would say that nothing is known. */
const DURATION_MS_MIN = 0.001;

/**
 * An exponentially weighted moving average over time, of the peaks. What is above it, it becomes;
 * what is below pulls it down by the part 1 - exp(-t / time constant), where t is the time since
 * the last observation. While there is none it falls in the same way, so that a server that was
 * slow is tried again.
 */
export class PeakEwma {
  readonly #timeConstantMs: number;
  #averageMs = 0;
  #observedMs = 0;

  /** @param timeConstantMs After this time an old value counts 1/e, which is 37 %. Above 0. */
  constructor(timeConstantMs = 10_000) {
    this.#timeConstantMs = timeConstantMs;
  }

  /**
   * Takes in how long something took.
   *
   * @param nowMs Of a clock that never goes backwards.
   */
  observe(durationMs: number, nowMs: number): void {
    const duration = Math.max(durationMs, DURATION_MS_MIN);
    const sinceMs = nowMs - this.#observedMs;
    this.#observedMs = nowMs;
    if (duration >= this.#averageMs || this.#isForgotten(sinceMs)) {
      this.#averageMs = duration;
      return;
    }
    const old = this.#partLeft(sinceMs);
    this.#averageMs = this.#averageMs * old + duration * (1 - old);
  }

  /** What to expect, in milliseconds; 0 if nothing is known, or not any more. */
  value(nowMs: number): number {
    const sinceMs = nowMs - this.#observedMs;
    if (this.#isForgotten(sinceMs)) return 0;
    return this.#averageMs * this.#partLeft(sinceMs);
  }

  /**
   * Otherwise, after a quiet hour, a server would seem so fast that it got a hundred requests
   * before the first one was answered.
   */
  #isForgotten(sinceMs: number): boolean {
    return sinceMs > FORGOTTEN_AFTER * this.#timeConstantMs;
  }

  #partLeft(sinceMs: number): number {
    return Math.exp(-sinceMs / this.#timeConstantMs);
  }
}
