/**
 * What is due while somebody waits: notices, the end of a wait, another attempt. There is one timer
 * for a pool, not one for each waiter, since all of a queue wait equally long at most.
 *
 * @module
 */

import type { Clock, Timer } from "../base/clock.ts";
import type { Waiting, WaitingList } from "./waiting_list.ts";

/** What a pool's queue is timed by; 0: never. */
export interface WaitTimes {
  readonly acquireTimeoutMs: number;
  readonly waitNoticeMs: number;
}

/** Who is called when something is due. */
export interface WaitHandler<C, F> {
  onTimeout(waiting: Waiting<C, F>, waitedMs: number): void;
  /** Another attempt is due. */
  onRetry(nowMs: number): void;
  /** When the next attempt is due, ms; Infinity: when something happens. */
  nextRetryMs(nowMs: number): number;
}

/** The timer of one queue. It runs only while somebody waits, and at most once after that. */
export class WaitDeadlines<C, F> {
  readonly #list: WaitingList<C, F>;
  readonly #times: WaitTimes;
  readonly #clock: Clock;
  readonly #handler: WaitHandler<C, F>;
  #timer: Timer | undefined;
  #dueMs = Infinity;

  constructor(
    list: WaitingList<C, F>,
    times: WaitTimes,
    clock: Clock,
    handler: WaitHandler<C, F>,
  ) {
    this.#list = list;
    this.#times = times;
    this.#clock = clock;
    this.#handler = handler;
  }

  /** One more waits: those before it have the earlier deadlines, unless they were noticed. */
  onQueued(nowMs: number): void {
    const { acquireTimeoutMs, waitNoticeMs } = this.#times;
    const firstMs = Math.min(acquireTimeoutMs || Infinity, waitNoticeMs || Infinity);
    this.arm(Math.min(nowMs + firstMs, this.#handler.nextRetryMs(nowMs)), nowMs);
  }

  /** Makes sure that it looks at the queue at `dueMs`. */
  arm(dueMs: number, nowMs: number): void {
    if (dueMs >= this.#dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = dueMs;
    this.#timer = this.#clock.after(Math.max(0, dueMs - nowMs), () => this.#onTimer());
  }

  /** Nobody waits, and nobody will. */
  stop(): void {
    this.#timer?.cancel();
    this.#dueMs = Infinity;
  }

  #onTimer(): void {
    this.#dueMs = Infinity;
    const nowMs = this.#clock.nowMs();
    this.#endWaits(nowMs);
    this.#giveNotices(nowMs);
    if (this.#list.count === 0) return;
    this.#handler.onRetry(nowMs);
    if (this.#list.count > 0) this.arm(this.#nextMs(nowMs), nowMs);
  }

  #endWaits(nowMs: number): void {
    const { acquireTimeoutMs } = this.#times;
    if (acquireTimeoutMs === 0) return;
    for (;;) {
      const { first } = this.#list;
      if (first === undefined || first.sinceMs + acquireTimeoutMs > nowMs) return;
      this.#list.remove(first);
      this.#handler.onTimeout(first, nowMs - first.sinceMs);
    }
  }

  #giveNotices(nowMs: number): void {
    const { waitNoticeMs } = this.#times;
    if (waitNoticeMs === 0) return;
    for (let waiting = this.#list.first; waiting !== undefined;) {
      if (waiting.sinceMs + waitNoticeMs > nowMs) return;
      const { next } = waiting; // it may leave when it hears how long it takes
      if (!waiting.isNoticed) {
        waiting.isNoticed = true;
        waiting.waiter.onNotice(nowMs - waiting.sinceMs);
      }
      waiting = next;
    }
  }

  #nextMs(nowMs: number): number {
    const { acquireTimeoutMs, waitNoticeMs } = this.#times;
    const { first } = this.#list;
    let nextMs = this.#handler.nextRetryMs(nowMs);
    if (acquireTimeoutMs > 0) nextMs = Math.min(nextMs, first!.sinceMs + acquireTimeoutMs);
    if (waitNoticeMs === 0) return nextMs;
    let unnoticed = first;
    while (unnoticed?.isNoticed) unnoticed = unnoticed.next;
    return Math.min(nextMs, (unnoticed?.sinceMs ?? Infinity) + waitNoticeMs);
  }
}
