/**
 * Strategies by their names.
 *
 * @module
 */

import { ConsistentHash } from "./consistent_hash.ts";
import { LeastLatency } from "./least_latency.ts";
import { connectionsScore, LeastScore, turnScore } from "./least_score.ts";
import { Ordered, RandomOrder } from "./simple_orders.ts";
import type { Chance, Strategy, StrategyName } from "./strategy.ts";
import { WeightedRoundRobin } from "./weighted_round_robin.ts";

/**
 * Returns a strategy that has seen nothing yet.
 *
 * @param random Such as `Math.random`. If it only returns 0, orders are those of the definitions.
 */
export function makeStrategy(name: StrategyName, random: Chance): Strategy {
  switch (name) {
    case "ORDERED":
      return new Ordered();
    case "ROUND_ROBIN":
      return new LeastScore(random, turnScore);
    case "RANDOM":
      return new RandomOrder(random);
    case "WEIGHTED_ROUND_ROBIN":
      return new WeightedRoundRobin(random);
    case "LEAST_CONNECTIONS":
      return new LeastScore(random, connectionsScore);
    case "LEAST_LATENCY":
      return new LeastLatency(random);
    case "CONSISTENT_HASH":
      return new ConsistentHash();
  }
}
