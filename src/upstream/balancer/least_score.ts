/**
 * Orders servers by a score, the lowest first, and equals by whose turn is longest ago. With a
 * score that is always the same this is a round robin; others differ in their score only.
 *
 * @module
 */

import { Ranking } from "./ranking.ts";
import type { Candidate, Chance, Strategy } from "./strategy.ts";
import { Turns } from "./turns.ts";

/** The score of one; `weight` is what counts of its weight, above 0. */
export type ScoreOf = (candidate: Candidate, weight: number) => number;

/** A strategy that is a score. */
export class LeastScore implements Strategy {
  readonly #ranking = new Ranking();
  readonly #turns: Turns;
  readonly #scoreOf: ScoreOf;

  constructor(random: Chance, scoreOf: ScoreOf) {
    this.#turns = new Turns(random);
    this.#scoreOf = scoreOf;
  }

  order(candidates: readonly Candidate[]): readonly number[] {
    const ranking = this.#ranking;
    ranking.begin(candidates);
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const weight = ranking.weightOf(candidate);
      if (weight === 0) ranking.addWeightless(i);
      else ranking.add(i, this.#scoreOf(candidate, weight), this.#turns.lastOf(candidate.name));
    }
    const order = ranking.end();
    this.#turns.take(candidates, order);
    return order;
  }
}

/** The score of ROUND_ROBIN: nobody's is lower, so the turn decides. Weights do not count. */
export function turnScore(): number {
  return 0;
}

/**
 * The score of LEAST_CONNECTIONS. The one is the connection that is about to be made: without it, a
 * server with next to no weight would get one whenever it has none.
 *
 * Source: the scheduler "shortest expected delay" of Linux Virtual Server, ip_vs_sed.c.
 */
export function connectionsScore({ connections }: Candidate, weight: number): number {
  return (connections + 1) / weight;
}
