/**
 * What failed calls of one plugin have taken from everybody else in the worker. Calls that fail can
 * be the longest that there are, and several in one turn of the worker's loop would be felt: so
 * their time is paid back with time in which the plugin is not called.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";

/** Failures may have so much of a worker's time, in the long run. */
const SHARE = 1 / 20;

/** Milliseconds that are owed before the plugin is not called any more. */
const DEBT_MAX_MS = 20;

/** For a million units: 1 to 5 were measured on an idle machine. */
const MS_PER_MILLION_UNITS = 5;

/** Of one plugin in one worker. */
export class FailureDebt {
  readonly #clock: Clock;
  #debtMs = 0;
  #atMs = 0;
  /** 0 while the plugin may be called. */
  #restUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A call has failed.
   *
   * @param units Of fuel that it used.
   * @param renewMs How long it took to make a new instance.
   * @returns For how long the plugin is not to be called, in milliseconds: 0 if it may be.
   */
  add(units: number, renewMs: number): number {
    const nowMs = this.#clock.nowMs();
    const paidMs = (nowMs - this.#atMs) * SHARE;
    const costMs = units / 1_000_000 * MS_PER_MILLION_UNITS + renewMs;
    this.#debtMs = Math.max(0, this.#debtMs - paidMs) + costMs;
    this.#atMs = nowMs;
    const restMs = Math.max(0, this.#debtMs - DEBT_MAX_MS) / SHARE;
    this.#restUntilMs = restMs > 0 ? nowMs + restMs : 0;
    return restMs;
  }

  /** Whether the plugin is not to be called now. */
  get isResting(): boolean {
    if (this.#restUntilMs === 0) return false;
    if (this.#clock.nowMs() < this.#restUntilMs) return true;
    this.#restUntilMs = 0;
    return false;
  }
}
