/**
 * Who waits, first come first served. A waiter that leaves from the middle costs as little as one
 * that is served, and waiting allocates nothing but the one object that its caller cancels with.
 *
 * @module
 */

import type { Acquisition } from "./pool.ts";
import type { ServerWaiter } from "./server_pool_types.ts";

/** What one who was answered at once has left to cancel. */
export const ENDED: Acquisition = { cancel() {} };

/** One who waits; its `cancel` takes it out. */
export class Waiting<C, F> implements Acquisition {
  readonly waiter: ServerWaiter<C, F>;
  /** When it came, on the pool's clock. */
  readonly sinceMs: number;
  /** The same on the clock that all workers share. */
  readonly since: number;
  /** Whether it was told that it waits long. */
  isNoticed = false;
  next: Waiting<C, F> | undefined;
  previous: Waiting<C, F> | undefined;
  /** Where it waits, until it is served, refused or leaves. */
  list: WaitingList<C, F> | undefined;

  constructor(waiter: ServerWaiter<C, F>, sinceMs: number, since: number) {
    this.waiter = waiter;
    this.sinceMs = sinceMs;
    this.since = since;
  }

  cancel(): void {
    const { list } = this;
    if (list === undefined) return;
    list.remove(this);
    list.onLeft(this);
  }
}

/** A queue of waiters, oldest first. */
export class WaitingList<C, F> {
  /** Called when one has left by itself. */
  readonly onLeft: (waiting: Waiting<C, F>) => void;
  #first: Waiting<C, F> | undefined;
  #last: Waiting<C, F> | undefined;
  #count = 0;

  constructor(onLeft: (waiting: Waiting<C, F>) => void) {
    this.onLeft = onLeft;
  }

  /** Who has waited longest. */
  get first(): Waiting<C, F> | undefined {
    return this.#first;
  }

  get count(): number {
    return this.#count;
  }

  /** Appends one that is in no list. */
  push(waiting: Waiting<C, F>): void {
    waiting.list = this;
    waiting.previous = this.#last;
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.next = waiting;
    this.#last = waiting;
    this.#count += 1;
  }

  /** Takes out one that is in this list. */
  remove(waiting: Waiting<C, F>): void {
    const { previous, next } = waiting;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    waiting.previous = waiting.next = waiting.list = undefined;
    this.#count -= 1;
  }
}
