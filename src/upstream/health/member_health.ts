/**
 * Whether one server is up, from what checks of it found:
 *
 *                         success                       rise successes in a row
 *     unknown ----------------------------> up <--------------------------------- down
 *        |                                   |                                     ^
 *        +-----------------------------------+-------------------------------------+
 *              fall failures in a row, or one that leaves no doubt
 *
 * @module
 */

import { HEALTH } from "../server_table.ts";

/** How many checks it takes. */
export interface HealthCounts {
  /** Successes in a row that make a server healthy that was down. From 1. */
  readonly rise: number;
  /** Failures in a row until it counts as down. From 1. */
  readonly fall: number;
}

/** One server's. */
export class MemberHealth {
  readonly #counts: HealthCounts;
  #health: number = HEALTH.unknown;
  #successes = 0;
  #failures = 0;
  #upSinceMs = 0;

  constructor(counts: HealthCounts) {
    this.#counts = counts;
  }

  /** A value of `HEALTH`. */
  get health(): number {
    return this.#health;
  }

  /** When it came back, in milliseconds since 1970; 0 if it was never down. */
  get upSinceMs(): number {
    return this.#upSinceMs;
  }

  /** @param nowMs Milliseconds since 1970. @returns Whether it is up by this, and was not. */
  onSuccess(nowMs: number): boolean {
    this.#failures = 0;
    if (this.#health === HEALTH.up) return false;
    this.#successes += 1;
    // Who was never seen to be down has nothing to recover from.
    if (this.#health === HEALTH.down && this.#successes < this.#counts.rise) return false;
    if (this.#health === HEALTH.down) this.#upSinceMs = nowMs;
    this.#health = HEALTH.up;
    return true;
  }

  /** @param isCertain Whether one is enough. @returns Whether it is down by this, and was not. */
  onFailure(isCertain: boolean): boolean {
    this.#successes = 0;
    if (this.#health === HEALTH.down) return false;
    this.#failures += 1;
    if (!isCertain && this.#failures < this.#counts.fall) return false;
    this.#health = HEALTH.down;
    this.#failures = 0;
    return true;
  }
}
