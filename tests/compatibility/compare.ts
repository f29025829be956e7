/**
 * Compares a run through a gateway with a direct one. What fails directly says nothing about the
 * gateway: only differences count.
 *
 * @module
 */

import type { Results } from "./suite.ts";

/** A test that passes directly, and does something else through the gateway. */
export interface Difference {
  readonly test: string;
  readonly outcome: "failed" | "skipped" | "missing";
  readonly message: string;
}

/** What came of a comparison. */
export interface Comparison {
  /** Tests that pass directly: all that are compared. */
  readonly compared: number;
  readonly differences: readonly Difference[];
}

/** How many tests ended how. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The differences, in the order of the direct run. */
export function compare(direct: Results, through: Results): Comparison {
  const differences: Difference[] = [];
  let compared = 0;
  for (const [test, { outcome }] of direct) {
    if (outcome !== "passed") continue;
    compared += 1;
    const other = through.get(test);
    if (other?.outcome === "passed") continue;
    const message = other?.message ?? "The suite ended before it, or did not know it.";
    differences.push({ test, outcome: other?.outcome ?? "missing", message });
  }
  return { compared, differences };
}

/** Counts outcomes. */
export function count(results: Results): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { outcome } of results.values()) counts[outcome] += 1;
  return counts;
}
