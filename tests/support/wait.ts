/**
 * Waiting in tests. A deadline is there to fail with words instead of hanging; it says nothing of
 * how long something takes, so it is generous.
 *
 * @module
 */

/** Enough for a machine that is busy with other things. */
export const PATIENCE_MS = 30_000;

const POLL_INTERVAL_MS = 20;

/**
 * What `promise` resolves to.
 *
 * @throws {Error} If that takes more than `ms` milliseconds; `what` says what did not happen.
 */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks `check` again and again until it gives something else than undefined or false.
 *
 * @throws {Error} If that takes more than `ms` milliseconds; and what `check` throws.
 */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  ms = PATIENCE_MS,
): Promise<T> {
  const deadlineMs = performance.now() + ms;
  for (;;) {
    const result = await check();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${ms} ms`);
    await pause(POLL_INTERVAL_MS);
  }
}

/** Lets time pass. Only for what must be given a chance to go wrong, never to be in time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
