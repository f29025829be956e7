/**
 * Turns in proportion to weights, spread evenly: with weights 5, 1 and 1 it is a a b a c a a, not
 * a a a a a b c.
 *
 * Source: nginx, ngx_http_upstream_get_peer() in src/http/ngx_http_upstream_round_robin.c, and the
 * message of the commit that brought it, "Upstream: smooth weighted round-robin balancing".
 *
 * @module
 */

import { limitNames } from "./names.ts";
import { Ranking } from "./ranking.ts";
import type { Candidate, Chance, Strategy } from "./strategy.ts";

/** What a server has saved up. The sum over those that are always there stays the same. */
interface Credit {
  current: number;
}

/** WEIGHTED_ROUND_ROBIN. */
export class WeightedRoundRobin implements Strategy {
  readonly #ranking = new Ranking();
  readonly #random: Chance;
  readonly #credits = new Map<string, Credit>();

  /** @param random Where each one begins: otherwise all workers began with the heaviest. */
  constructor(random: Chance) {
    this.#random = random;
  }

  order(candidates: readonly Candidate[]): readonly number[] {
    const ranking = this.#ranking;
    ranking.begin(candidates);
    let total = 0;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const weight = ranking.weightOf(candidate);
      if (weight === 0) {
        ranking.addWeightless(i);
        continue;
      }
      const credit = this.#creditOf(candidate.name, weight);
      credit.current += weight;
      total += weight;
      ranking.add(i, -credit.current, 0);
    }
    const order = ranking.end();
    const first = candidates[order[0] ?? 0];
    if (first !== undefined) this.#creditOf(first.name, 0).current -= total;
    limitNames(this.#credits, candidates);
    return order;
  }

  #creditOf(name: string, weight: number): Credit {
    let credit = this.#credits.get(name);
    if (credit === undefined) {
      credit = { current: -this.#random() * weight };
      this.#credits.set(name, credit);
    }
    return credit;
  }
}
