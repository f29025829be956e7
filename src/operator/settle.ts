/**
 * Waiting for what workers do.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/** How often shared memory is looked at. */
const LOOK_MS = 50;

/**
 * How long nothing has to be left until it is over. A worker sees what was written for it within
 * 100 ms, and until then may begin what it was about to: a client that waits for a connection which
 * is being opened, for example. Twice that, for workers that are busy.
 */
export const QUIET_MS = 200;

/** What is waited for. */
export interface Settling {
  /** How much is left; it is over at 0. */
  readonly left: () => number;
  readonly waitMs: number;
  /** How long it has to stay at 0. */
  readonly quietMs: number;
  /** Whether nobody wants it any more. */
  readonly isOver?: () => boolean;
}

/**
 * Looks again and again until nothing is left, or time is up.
 *
 * @returns How much is left.
 */
export async function settle(
  clock: Clock,
  { left, waitMs, quietMs, isOver = () => false }: Settling,
): Promise<number> {
  const deadlineMs = clock.nowMs() + waitMs;
  let quietSinceMs: number | undefined;
  for (;;) {
    const [count, nowMs] = [left(), clock.nowMs()];
    if (count > 0) quietSinceMs = undefined;
    else quietSinceMs ??= nowMs;
    const isQuiet = quietSinceMs !== undefined && nowMs - quietSinceMs >= quietMs;
    const isTimeUp = quietSinceMs === undefined && nowMs >= deadlineMs;
    if (isOver() || isQuiet || isTimeUp) return count;
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve));
  }
}
