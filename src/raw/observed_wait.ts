/**
 * One wait for a place in a pool, and the facts of it.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Observer, WaitOutcome } from "../observe/facts.ts";
import type { Acquisition, Pool, Waiter } from "../pool/pool.ts";

/** What a wait works with. */
export interface WaitParts {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly session: number;
}

/** One session's wait. Who gets a place at once has not waited; who is refused at once has. */
export class ObservedWait {
  readonly #pool: Pool;
  readonly #parts: WaitParts;
  readonly #startedMs: number;
  #hasWaited = false;
  #isOver = false;
  #acquisition: Acquisition | undefined;

  constructor(pool: Pool, parts: WaitParts) {
    this.#pool = pool;
    this.#parts = parts;
    this.#startedMs = parts.clock.nowMs();
  }

  /** Asks for the place; `waiter` may be called before this returns. */
  start(waiter: Waiter): void {
    const acquisition = this.#pool.acquire({
      onLease: (lease) => {
        this.#end("acquired");
        waiter.onLease(lease);
      },
      onRefused: (reason) => {
        this.#end(reason);
        waiter.onRefused(reason);
      },
    });
    if (this.#isOver) return;
    this.#acquisition = acquisition;
    this.#begin();
  }

  /** Gives it up; does nothing once it is over. */
  cancel(): void {
    if (this.#isOver) return;
    this.#end("abandoned");
    this.#acquisition?.cancel();
  }

  #begin(): void {
    const { observer, session } = this.#parts;
    this.#hasWaited = true;
    observer.emit({ kind: "wait_started", pool: this.#pool.options.name, session });
  }

  #end(outcome: WaitOutcome): void {
    this.#isOver = true;
    if (!this.#hasWaited && outcome === "acquired") return;
    if (!this.#hasWaited) this.#begin();
    const { clock, observer, session } = this.#parts;
    const waitMs = clock.nowMs() - this.#startedMs;
    observer.emit({ kind: "wait_ended", session, pool: this.#pool.options.name, outcome, waitMs });
  }
}
