/**
 * How often something may happen, for each value of a key: a bucket of tokens that fills up with
 * time. What is taken beyond is owed, and whoever takes it waits until it is there.
 *
 * Source: https://en.wikipedia.org/wiki/Token_bucket
 *
 * @module
 */

/** Keys that are remembered; the one that was used least recently gives way, and starts full. */
const BUCKETS_MAX = 10_000;

/** Of a longer key the beginning counts. */
const KEY_SIZE_MAX = 256;

interface Bucket {
  /** Below 0 while tokens are owed. */
  tokens: number;
  /** When `tokens` was right. */
  atMs: number;
}

/** The buckets of one policy in one worker. */
export class TokenBuckets {
  readonly #ratePerMs: number;
  readonly #burst: number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  /**
   * @param ratePerSecond Tokens that come in a second, above 0.
   * @param burst Tokens that a full bucket has, from 1.
   */
  constructor(ratePerSecond: number, burst: number) {
    this.#ratePerMs = ratePerSecond / 1000;
    this.#burst = burst;
  }

  /** Keys that are remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes a token.
   *
   * @param waitMaxMs How long the caller is ready to wait for it.
   * @returns How long it has to wait; undefined if that is too long: then none was taken.
   */
  take(key: string, nowMs: number, waitMaxMs: number): number | undefined {
    const name = key.slice(0, KEY_SIZE_MAX);
    const bucket = this.#buckets.get(name) ?? { tokens: this.#burst, atMs: nowMs };
    const come = (nowMs - bucket.atMs) * this.#ratePerMs;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + come);
    bucket.atMs = nowMs;
    this.#remember(name, bucket);
    const left = bucket.tokens - 1;
    const waitMs = left >= 0 ? 0 : -left / this.#ratePerMs;
    if (waitMs > waitMaxMs) return undefined;
    bucket.tokens = left;
    return waitMs;
  }

  #remember(name: string, bucket: Bucket): void {
    this.#buckets.delete(name);
    if (this.#buckets.size >= BUCKETS_MAX) {
      const [oldest] = this.#buckets.keys();
      this.#buckets.delete(oldest!);
    }
    this.#buckets.set(name, bucket);
  }
}
