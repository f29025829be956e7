/**
 * The time of day, for whoever asks for it often.
 *
 * @module
 */

import type { Clock } from "./clock.ts";

/** For so long the system's own time is not asked for again. */
const KEPT_MS = 50;

/**
 * Milliseconds since 1970, by a clock that costs less than the system's time of day: what sets that
 * one is noticed 50 ms later.
 *
 * @param read The system's time of day, in milliseconds.
 */
export function wallClockBy(clock: Clock, read: () => number = Date.now): () => number {
  let readMs = -Infinity;
  let offsetMs = 0;
  return () => {
    const nowMs = clock.nowMs();
    if (nowMs - readMs > KEPT_MS) {
      readMs = nowMs;
      offsetMs = read() - nowMs;
    }
    return Math.floor(nowMs + offsetMs);
  };
}
