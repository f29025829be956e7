/**
 * Checks of what this program promises itself, not of what others send.
 *
 * @module
 */

/** A promise of our own was broken: a defect of Sluice, whatever the input was. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** @throws {AssertionError} If `condition` is false. */
export function assert(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new AssertionError(`Broken invariant: ${rule}`);
}
