/**
 * Facts that may come with every request of every session: each kind of them is said once in a
 * while, and then of how many.
 *
 * @module
 */

/** Between two facts of one kind. */
const PAUSE_MS = 1_000;

/** One worker's. */
export class RareFacts {
  readonly #nowMs: () => number;
  /** As many as there are kinds: see `next`. */
  readonly #kinds = new Map<string, { saidMs: number; count: number }>();

  /** @param nowMs Of any clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * Counts one more.
   *
   * @param kind One of a fixed number: what is configured, and words of lists.
   * @returns How many there were since this was said before, or 0 if it is too soon to say so.
   */
  next(kind: string): number {
    const nowMs = this.#nowMs();
    const known = this.#kinds.get(kind) ?? { saidMs: -Infinity, count: 0 };
    this.#kinds.set(kind, known);
    known.count += 1;
    if (nowMs - known.saidMs < PAUSE_MS) return 0;
    const { count } = known;
    known.saidMs = nowMs;
    known.count = 0;
    return count;
  }
}
