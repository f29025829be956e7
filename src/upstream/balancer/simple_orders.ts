/**
 * Strategies that do not look at servers at all: as they are given, and by chance.
 *
 * @module
 */

import { Ranking } from "./ranking.ts";
import type { Candidate, Chance, Strategy } from "./strategy.ts";

/** ORDERED: as they are given. */
export class Ordered implements Strategy {
  readonly #ranking = new Ranking();

  order(candidates: readonly Candidate[]): readonly number[] {
    appendAll(this.#ranking, candidates);
    return this.#ranking.end();
  }
}

/** RANDOM: every order is as likely as any other, whatever their weights. */
export class RandomOrder implements Strategy {
  readonly #ranking = new Ranking();
  readonly #random: Chance;

  constructor(random: Chance) {
    this.#random = random;
  }

  order(candidates: readonly Candidate[]): readonly number[] {
    const ranking = this.#ranking;
    appendAll(ranking, candidates);
    // Fisher and Yates: D. Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 P.
    for (let left = ranking.size; left > 1; left--) {
      ranking.swap(left - 1, Math.floor(this.#random() * left));
    }
    return ranking.end();
  }
}

function appendAll(ranking: Ranking, candidates: readonly Candidate[]): void {
  ranking.begin(candidates);
  for (let i = 0; i < candidates.length; i++) {
    if (ranking.weightOf(candidates[i]!) === 0) ranking.addWeightless(i);
    else ranking.append(i);
  }
}
