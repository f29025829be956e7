/**
 * Servers to choose among, and what is counted of the choices.
 *
 * @module
 */

import { makeStrategy } from "../../../src/upstream/balancer/make_strategy.ts";
import type { Candidate, Strategy, StrategyName } from "../../../src/upstream/balancer/strategy.ts";
import { Random } from "../../support/random.ts";

/** A server without connections, of unknown latency. */
export function candidate(name: string, facts: Partial<Candidate> = {}): Candidate {
  return { name, weight: 1, connections: 0, latencyMs: 0, ...facts };
}

/** Servers named by the letters, all alike. */
export function candidates(letters: string, facts: Partial<Candidate> = {}): Candidate[] {
  return [...letters].map((letter) => candidate(letter, facts));
}

/** A strategy without chance: what is left to chance comes as it is given. */
export function exact(name: StrategyName): Strategy {
  return makeStrategy(name, () => 0);
}

/** Numbers from 0 to below 1 that are the same in each run. */
export function chance(seed: number): () => number {
  const random = new Random(seed);
  return () => random.below(2 ** 32) / 2 ** 32;
}

/** The names in the order of one choice. */
export function orderOf(strategy: Strategy, among: readonly Candidate[], key = ""): string {
  return strategy.order(among, key).map((index) => among[index]!.name).join("");
}

/** The first names of several choices. */
export function firsts(strategy: Strategy, among: readonly Candidate[], times: number): string {
  return Array.from({ length: times }, () => orderOf(strategy, among)[0]).join("");
}

/** How often each letter is in a text, by letter. */
export function countOf(text: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const letter of text) counts[letter] = (counts[letter] ?? 0) + 1;
  return counts;
}

/** Pearson's statistic of counts that should all be equal. */
export function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}
