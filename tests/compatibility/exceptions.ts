/**
 * The differences that are understood: tests that pass directly and cannot, or need not, pass
 * through the gateway, and why. A difference that is not here is a defect until it is explained.
 *
 * @module
 */

import type { Label } from "./targets.ts";

/** Some tests, and why they differ. */
export interface Exception {
  readonly suites: readonly string[];
  readonly labels: readonly Label[];
  /** Matches the test's name. */
  readonly test: RegExp;
  /** One sentence or more, for the page. */
  readonly why: string;
}

/** Every one of them. */
export const EXCEPTIONS: readonly Exception[] = [];

/** Why this difference is one, or undefined if nobody has said so. */
export function exceptionFor(
  suite: string,
  label: Label,
  test: string,
  exceptions: readonly Exception[] = EXCEPTIONS,
): Exception | undefined {
  return exceptions.find((exception) =>
    exception.suites.includes(suite) && exception.labels.includes(label) &&
    exception.test.test(test)
  );
}
