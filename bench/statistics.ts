/**
 * The few numbers that a table of repeated measurements needs.
 *
 * @module
 */

/** The middle of what was measured, and how far the rounds lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Summarizes one measurement a round; at least one. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/**
 * Compares two contestants round by round, so that what disturbed a whole round cancels out.
 *
 * @param values One measurement a round.
 * @param references The same rounds of whom it is compared with.
 */
export function spreadOfRatios(values: readonly number[], references: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / references[round]!));
}

/** The smallest value that at least the share `quantile` (0 to 1) of `sorted` does not exceed. */
export function percentile(sorted: ArrayLike<number>, quantile: number): number {
  const index = Math.ceil(sorted.length * quantile) - 1;
  return sorted[Math.max(0, index)] ?? Number.NaN;
}

/** The middle half of what was measured: for many values, of which some are far out. */
export function middleHalfOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    median: spreadOf(sorted).median,
    min: percentile(sorted, 0.25),
    max: percentile(sorted, 0.75),
  };
}

/** The middle half of the ratios, round by round: see {@linkcode spreadOfRatios}. */
export function middleHalfOfRatios(
  values: readonly number[],
  references: readonly number[],
): Spread {
  return middleHalfOf(values.map((value, round) => value / references[round]!));
}
