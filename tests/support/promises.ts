/**
 * Lets promises settle where no time passes.
 *
 * @module
 */

/** Links that a chain of promises in the code under test may have; the longest has about ten. */
const PROMISE_LINKS_MAX = 24;

/** Resolves once chains of promises that can settle have settled. */
export async function promisesToSettle(): Promise<void> {
  for (let link = 0; link < PROMISE_LINKS_MAX; link++) await Promise.resolve();
}
