/**
 * Looks at sessions now and then, to end what takes too long: one timer a worker instead of one a
 * query, which would cost more than most queries.
 *
 * @module
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { type Placed, PlacedList } from "../../base/placed_list.ts";

/** How often it looks, in milliseconds: a limit is kept to within this time. */
const INTERVAL_MS_MAX = 500;
const INTERVAL_MS_MIN = 10;

/** Looks at a limit this many times before it is over. */
const LOOKS_A_LIMIT = 10;

/** What is looked at. */
export interface Watched extends Placed {
  /** The shortest of its limits, in milliseconds. */
  readonly shortestMs: number;
  check(nowMs: number): void;
}

/** One worker's. It runs while there is something to look at. */
export class Watchdog {
  readonly #clock: Clock;
  readonly #watched = new PlacedList<Watched>();
  #intervalMs = INTERVAL_MS_MAX;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(watched: Watched): void {
    this.#watched.add(watched);
    const wantedMs = Math.max(INTERVAL_MS_MIN, watched.shortestMs / LOOKS_A_LIMIT);
    const isFaster = wantedMs < this.#intervalMs;
    if (isFaster) this.#intervalMs = wantedMs;
    if (this.#timer !== undefined && !isFaster) return;
    this.#timer?.cancel();
    this.#schedule();
  }

  remove(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#intervalMs = INTERVAL_MS_MAX;
  }

  #schedule(): void {
    this.#timer = this.#clock.after(this.#intervalMs, () => {
      const nowMs = this.#clock.nowMs();
      this.#timer = undefined;
      for (const watched of [...this.#watched.members]) watched.check(nowMs);
      // Somebody who came meanwhile has begun anew.
      if (this.#watched.size > 0 && this.#timer === undefined) this.#schedule();
    });
  }
}
