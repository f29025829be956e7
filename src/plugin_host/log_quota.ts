/**
 * How much a plugin may log.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/** Bytes of a record; what is longer is cut. */
export const LOG_RECORD_SIZE_MAX = 4096;

/** What one plugin may log in one worker, in any second. */
const LOG_LIMIT = { recordsPerSecond: 100, bytesPerSecond: 65_536 } as const;

const SECOND_MS = 1000;

/** Counts by second: a new one begins with the first record behind the last one. */
export class LogQuota {
  readonly #clock: Clock;
  #startMs = -Infinity;
  #records = 0;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns Whether a record of so many bytes may be written. */
  take(size: number): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#startMs >= SECOND_MS) {
      this.#startMs = nowMs;
      this.#records = 0;
      this.#bytes = 0;
    }
    if (this.#records >= LOG_LIMIT.recordsPerSecond) return false;
    if (this.#bytes + size > LOG_LIMIT.bytesPerSecond) return false;
    this.#records += 1;
    this.#bytes += size;
    return true;
  }
}
