/**
 * How long a pool opens nothing after it could not: what cannot be reached is not asked in a hot
 * loop, and not by everybody at once when it comes back. For one attempt at a time, for somebody
 * who waits, the pause is short: he is served soon after the server is back.
 *
 * @module
 */

const PAUSE_MS_MIN = 100;
/** Without anybody who waits, a server that is up again is found within this time. */
const PAUSE_MS_MAX = 5_000;

/** The longest pause before a single attempt, if the one that failed was no longer than that. */
const SINGLE_PAUSE_MS = 250;

/**
 * A server that does not even refuse costs who waits for it much time: he is told so at once for
 * this share of the time that the attempt took, and others of `proxies` have their chance.
 */
const SINGLE_PAUSE_SHARE = 1 / 4;

/** A pause that doubles with every failure until one succeeds. */
export class OpenPause<F> {
  readonly #random: () => number;
  #pauseMs = 0;
  #untilMs = -Infinity;
  #singleUntilMs = -Infinity;
  #failure: { readonly failure: F } | undefined;

  /** @param random From 0 to below 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** When it is over, ms; in the past if there is none. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** When there may be one attempt, if there is no other, ms; not after `untilMs`. */
  get singleUntilMs(): number {
    return this.#singleUntilMs;
  }

  /** The failure that it is for, if not even one attempt may be made. */
  failureAt(nowMs: number): { readonly failure: F } | undefined {
    return nowMs < this.#singleUntilMs ? this.#failure : undefined;
  }

  /**
   * Several attempts that fail together count once: only one after a pause doubles it.
   *
   * @param tookMs How long the attempt took.
   */
  onFailed(failure: F, nowMs: number, tookMs: number): void {
    this.#failure = { failure };
    // Not below three quarters, so that workers and pairs come one after the other.
    const factor = 0.75 + this.#random() / 4;
    if (nowMs >= this.#untilMs) {
      this.#pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, 2 * this.#pauseMs));
      this.#untilMs = nowMs + this.#pauseMs * factor;
    }
    const singleMs = Math.max(SINGLE_PAUSE_MS, tookMs * SINGLE_PAUSE_SHARE) * factor;
    this.#singleUntilMs = Math.min(this.#untilMs, nowMs + singleMs);
  }

  /** One succeeded, or there is reason to try at once. */
  reset(): void {
    this.#pauseMs = 0;
    this.#untilMs = this.#singleUntilMs = -Infinity;
    this.#failure = undefined;
  }
}
