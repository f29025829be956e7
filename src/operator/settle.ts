/**
 * Waiting for what workers do.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/** How often shared memory is looked at: nobody notices so long a pause. */
const LOOK_MS = 50;

/** What is waited for. */
export interface Settling {
  /** How much is left; it is over at 0. */
  readonly left: () => number;
  readonly waitMs: number;
  /** Whether nobody wants it any more. */
  readonly isOver?: () => boolean;
}

/**
 * Looks again and again until nothing is left, or time is up.
 *
 * A worker that was about to begin something when it was told not to may count it a moment after a
 * look that has found nothing. So nothing has to be left at two looks in a row.
 *
 * @returns How much is left.
 */
export async function settle(
  clock: Clock,
  { left, waitMs, isOver = () => false }: Settling,
): Promise<number> {
  const deadlineMs = clock.nowMs() + waitMs;
  let before = left();
  for (;;) {
    await pause(clock, LOOK_MS);
    const now = left();
    if (isOver() || (before === 0 && now === 0)) return now;
    if (clock.nowMs() >= deadlineMs) return now;
    before = now;
  }
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}
