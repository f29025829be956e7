/**
 * Whose turn it is: of several, the one whose last turn was longest ago. One that was away for a
 * while has one turn sooner when it is back, and no more; nobody gets what it would have had.
 *
 * @module
 */

import { limitNames } from "./names.ts";
import type { Candidate, Chance } from "./strategy.ts";

/** The last turns of all servers that were seen. */
export class Turns {
  readonly #random: Chance;
  readonly #lastTurns = new Map<string, { turn: number }>();
  #turn = 0;

  /** @param random Orders those who had no turn yet: otherwise all workers began with the same. */
  constructor(random: Chance) {
    this.#random = random;
  }

  /** When its last turn was: the lowest is next. Above 0 if it had one. */
  lastOf(name: string): number {
    return this.#of(name).turn;
  }

  /** Counts a turn for the first of an order. */
  take(candidates: readonly Candidate[], order: readonly number[]): void {
    const first = candidates[order[0] ?? 0];
    if (first === undefined) return;
    this.#of(first.name).turn = ++this.#turn;
    limitNames(this.#lastTurns, candidates);
  }

  #of(name: string): { turn: number } {
    let last = this.#lastTurns.get(name);
    if (last === undefined) {
      last = { turn: -this.#random() };
      this.#lastTurns.set(name, last);
    }
    return last;
  }
}
