/**
 * The least latency, as this worker sees it, with regard to what is under way already.
 *
 * @module
 */

import { LeastScore } from "./least_score.ts";
import type { Candidate, Chance, Strategy } from "./strategy.ts";

/**
 * LEAST_LATENCY: by latency * (connections + 1) / weight.
 *
 * A server of unknown latency is tried at once if it has no connection, and as long as it has one
 * it counts as slow as the slowest that is known: so one request finds out, not a hundred, and a
 * server whose answer does not come is not forgotten either.
 *
 * All are compared, not two of them by chance: that saves work where there are thousands, and
 * keeps those who see the same old numbers from all going to one server. Here there are few, and
 * the numbers are the worker's own, of this moment.
 *
 * Source: Finagle, com.twitter.finagle.loadbalancer.PeakEwma.
 */
export class LeastLatency implements Strategy {
  readonly #order: LeastScore;
  /** Latency of those of whom nothing is known. */
  #unknownMs = 1;

  constructor(random: Chance) {
    this.#order = new LeastScore(random, (candidate, weight) => this.#scoreOf(candidate, weight));
  }

  order(candidates: readonly Candidate[]): readonly number[] {
    let slowestMs = 0;
    for (const { latencyMs } of candidates) slowestMs = Math.max(slowestMs, latencyMs);
    // If nothing is known of anybody, connections decide, and any number will do.
    this.#unknownMs = slowestMs > 0 ? slowestMs : 1;
    return this.#order.order(candidates);
  }

  #scoreOf({ latencyMs, connections }: Candidate, weight: number): number {
    if (latencyMs > 0) return latencyMs * (connections + 1) / weight;
    return connections > 0 ? this.#unknownMs * (connections + 1) / weight : 0;
  }
}
