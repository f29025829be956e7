/**
 * An order that is made by one candidate after the other, in memory that is used again and again.
 *
 * @module
 */

import type { Candidate } from "./strategy.ts";

/**
 * Places that are exactly right. Who comes behind them matters after as many servers have failed,
 * and sorting everybody would be work that grows faster than their number.
 */
export const PLACES = 8;

/** Orders candidates by score, the lowest first; those without weight come last, as given. */
export class Ranking {
  readonly #order: number[] = [];
  #size = 0;
  /** Of those in the first places. */
  readonly #scores = new Float64Array(PLACES);
  readonly #ties = new Float64Array(PLACES);
  readonly #weightless: number[] = [];
  #weightlessCount = 0;
  #isWeighted = false;

  /** Forgets the last order. */
  begin(candidates: readonly Candidate[]): void {
    this.#size = 0;
    this.#weightlessCount = 0;
    this.#isWeighted = isWeighted(candidates);
  }

  /** The weight that counts: above 0, or 0 for one that comes last. */
  weightOf({ weight }: Candidate): number {
    if (!this.#isWeighted) return 1;
    return weight > 0 ? weight : 0;
  }

  /** Takes one with a weight above 0. `tie` decides among equal scores, and then who was first. */
  add(index: number, score: number, tie: number): void {
    const order = this.#order;
    let place = this.#size++;
    if (place >= PLACES) {
      if (!this.#isBefore(score, tie, PLACES - 1)) {
        order[place] = index;
        return;
      }
      order[place] = order[PLACES - 1]!;
      place = PLACES - 1;
    }
    while (place > 0 && this.#isBefore(score, tie, place - 1)) {
      order[place] = order[place - 1]!;
      this.#scores[place] = this.#scores[place - 1]!;
      this.#ties[place] = this.#ties[place - 1]!;
      place -= 1;
    }
    order[place] = index;
    this.#scores[place] = score;
    this.#ties[place] = tie;
  }

  /** Takes one behind all that were taken so far. */
  append(index: number): void {
    this.#order[this.#size++] = index;
  }

  /** Takes one without weight. */
  addWeightless(index: number): void {
    this.#weightless[this.#weightlessCount++] = index;
  }

  /** Exchanges two places. */
  swap(a: number, b: number): void {
    const index = this.#order[a]!;
    this.#order[a] = this.#order[b]!;
    this.#order[b] = index;
  }

  /** How many have been taken, without those that have no weight. */
  get size(): number {
    return this.#size;
  }

  /** @returns The order, good until the next `begin`. */
  end(): readonly number[] {
    for (let i = 0; i < this.#weightlessCount; i++) this.append(this.#weightless[i]!);
    // Setting a length makes garbage even if it is the same.
    if (this.#order.length !== this.#size) this.#order.length = this.#size;
    return this.#order;
  }

  #isBefore(score: number, tie: number, place: number): boolean {
    const other = this.#scores[place]!;
    return score < other || (score === other && tie < this.#ties[place]!);
  }
}

function isWeighted(candidates: readonly Candidate[]): boolean {
  for (const { weight } of candidates) {
    if (weight > 0) return true;
  }
  return false;
}
