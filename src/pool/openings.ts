/**
 * Connections that a pool is opening: how many at the same time, and when none because it could
 * not.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { OpenPause } from "./open_pause.ts";
import type { PairSettings } from "./server_pool_types.ts";

/** Attempts at the same time: a server that has just come back gets no herd of logins. */
const OPENS_MAX = 8;

/** Who hears how attempts end. */
export interface OpeningsHandler<C, F> {
  onOpened(connection: C): void;
  onFailed(failure: F): void;
}

interface Attempt {
  readonly startedMs: number;
  cancel(): void;
}

/** All attempts of one pool. */
export class Openings<C, F> {
  readonly pause: OpenPause<F>;
  readonly #settings: PairSettings<C, F>;
  readonly #clock: Clock;
  readonly #handler: OpeningsHandler<C, F>;
  readonly #attempts = new Set<Attempt>();
  #hasSucceeded = false;

  /** @param random From 0 to below 1. */
  constructor(
    settings: PairSettings<C, F>,
    clock: Clock,
    random: () => number,
    handler: OpeningsHandler<C, F>,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.pause = new OpenPause(random);
    this.#handler = handler;
  }

  get count(): number {
    return this.#attempts.size;
  }

  /** Whether there was ever a connection. */
  get hasSucceeded(): boolean {
    return this.#hasSucceeded;
  }

  /** Whether there may be one more, for somebody who waits. */
  mayOpen(nowMs: number): boolean {
    return this.#attempts.size < OPENS_MAX && nowMs >= this.pausedUntilMs;
  }

  /** Whether there may be one more, for nobody. */
  mayOpenSpare(nowMs: number): boolean {
    return this.#attempts.size < OPENS_MAX && nowMs >= this.pause.untilMs;
  }

  /** Until when there is none more because of a failure, ms; in the past if there may be one. */
  get pausedUntilMs(): number {
    return this.#attempts.size === 0 ? this.pause.singleUntilMs : this.pause.untilMs;
  }

  /** Starts one, for which a place is taken. */
  open(nowMs: number): void {
    const attempt: Attempt = { startedMs: nowMs, cancel() {} };
    this.#attempts.add(attempt);
    const { cancel } = this.#settings.connector.open({
      onOpened: (connection) => {
        this.#end(attempt, "opened");
        this.#hasSucceeded = true;
        this.pause.reset();
        this.#handler.onOpened(connection);
      },
      onFailed: (failure) => {
        const nowMs = this.#end(attempt, "failed");
        this.pause.onFailed(failure, nowMs, nowMs - attempt.startedMs);
        this.#handler.onFailed(failure);
      },
    });
    attempt.cancel = cancel;
  }

  /** Calls one off; its place is the caller's again. There must be one. */
  cancelOne(): void {
    const [attempt] = this.#attempts;
    attempt!.cancel();
    this.#end(attempt!, "cancelled");
  }

  #end(attempt: Attempt, outcome: "opened" | "failed" | "cancelled"): number {
    const wasOn = this.#attempts.delete(attempt);
    assert(wasOn, "an attempt ends once, and not after it was called off");
    const nowMs = this.#clock.nowMs();
    this.#settings.observer.onOpenEnded(outcome, nowMs - attempt.startedMs);
    return nowMs;
  }
}
