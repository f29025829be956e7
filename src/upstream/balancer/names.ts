/**
 * What strategies remember of servers by their names, within a limit.
 *
 * @module
 */

import type { Candidate } from "./strategy.ts";

/** Names that a strategy remembers: ten times as many as there should ever be. */
export const NAMES_MAX = 1_000;

/** Forgets all who are no candidates, if more names than there may be are remembered. */
export function limitNames(
  byName: Map<string, unknown>,
  candidates: readonly Candidate[],
  namesMax = NAMES_MAX,
): void {
  if (byName.size <= namesMax) return;
  const present = new Set(candidates.map(({ name }) => name));
  for (const name of byName.keys()) {
    if (!present.has(name)) byName.delete(name);
  }
}
