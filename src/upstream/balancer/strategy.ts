/**
 * What a balancing strategy is asked, and what it answers. It orders servers; whether one of them
 * may be used was decided before, and whether one can be used is found out afterwards.
 *
 * @module
 */

/** A server that could serve. */
export interface Candidate {
  /** Its identity, unique among candidates: strategies remember it. Such as `a/main@db1:5432`. */
  readonly name: string;
  /**
   * From 0, and may be a fraction: slow start scales it. One with 0 comes behind all that have
   * more. If none has more, all count as if they had 1.
   */
  readonly weight: number;
  /** Connections of this worker that are in use there now. */
  readonly connections: number;
  /** What a `PeakEwma` makes of its latency, in milliseconds; 0 if nothing is known. */
  readonly latencyMs: number;
}

/** One listener's way to choose among servers. It has a state, and belongs to one worker. */
export interface Strategy {
  /**
   * Orders candidates, of which there are 1 to 100 or so. The first one is taken to be used: a turn
   * counts for it.
   *
   * @param key Who belongs together, for CONSISTENT_HASH; "" for the others, which ignore it.
   * @returns Indexes into `candidates`, the best first, each once. Good until the next call.
   */
  order(candidates: readonly Candidate[], key: string): readonly number[];
}

/** Names of strategies, as a configuration has them. */
export type StrategyName =
  | "ORDERED"
  | "ROUND_ROBIN"
  | "RANDOM"
  | "WEIGHTED_ROUND_ROBIN"
  | "LEAST_CONNECTIONS"
  | "LEAST_LATENCY"
  | "CONSISTENT_HASH";

/** Returns numbers from 0 to below 1, such as `Math.random`. */
export type Chance = () => number;
