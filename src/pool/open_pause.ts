/**
 * How long a pool opens nothing after it could not: what cannot be reached is not asked in a hot
 * loop, and not by everybody at once when it comes back.
 *
 * @module
 */

const PAUSE_MS_MIN = 100;
/** A server that is up again is found within this time. */
const PAUSE_MS_MAX = 5_000;

/** A pause that doubles with every failure until one succeeds. */
export class OpenPause<F> {
  readonly #random: () => number;
  #pauseMs = 0;
  #untilMs = -Infinity;
  #failure: { readonly failure: F } | undefined;

  /** @param random From 0 to below 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** When it is over, ms; in the past if there is none. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** The failure that it is for, if one is on. */
  failureAt(nowMs: number): { readonly failure: F } | undefined {
    return nowMs < this.#untilMs ? this.#failure : undefined;
  }

  /** Several attempts that fail together count once: only one after a pause doubles it. */
  onFailed(failure: F, nowMs: number): void {
    this.#failure = { failure };
    if (nowMs < this.#untilMs) return;
    this.#pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, 2 * this.#pauseMs));
    // Not below three quarters, so that workers and pairs come one after the other.
    this.#untilMs = nowMs + this.#pauseMs * (0.75 + this.#random() / 4);
  }

  /** One succeeded, or there is reason to try at once. */
  reset(): void {
    this.#pauseMs = 0;
    this.#untilMs = -Infinity;
    this.#failure = undefined;
  }
}
