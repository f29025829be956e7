/**
 * One worker's view of one pool: asks for places in the shared budget, keeps who waits here, and
 * ends a wait when its time is up. It knows nothing of what a place is used for.
 *
 * @module
 */

import type { Clock, Timer } from "../base/clock.ts";
import type { SharedBudget, Turn } from "./shared_budget.ts";

/** How a pool behaves. */
export interface PoolOptions {
  readonly name: string;
  readonly acquireTimeoutMs: number;
  readonly waitersMax: number;
}

/** Who asks for a place. Exactly one of these is called, at most once, never after `cancel`. */
export interface Waiter {
  /** A place is free: dispose of the lease when it is not needed any more. */
  onLease(lease: Lease): void;
  /** There is none: too many wait already, or it took longer than `acquireTimeoutMs`. */
  onRefused(reason: "refused" | "timeout"): void;
}

/** Where a place comes from. */
interface Lessor {
  giveBack(): void;
}

/** The right to one place, until it is disposed of. */
export class Lease implements Disposable {
  #lessor: Lessor | undefined;

  constructor(lessor: Lessor) {
    this.#lessor = lessor;
  }

  /** Gives the place back. A second time it does nothing. */
  [Symbol.dispose](): void {
    const lessor = this.#lessor;
    this.#lessor = undefined;
    lessor?.giveBack();
  }
}

/** A wait that can be given up. */
export interface Acquisition {
  /** Gives it up; does nothing once the waiter was called. */
  cancel(): void;
}

interface Waiting {
  readonly waiter: Waiter;
  readonly timer: Timer;
}

/** Tickets are 31-bit so that they fit the budget's words; they wrap after two billion waits. */
const TICKET_MAX = 0x7fffffff;

/** Places of one pool, as one worker sees them. */
export class Pool {
  readonly options: PoolOptions;
  readonly #budget: SharedBudget;
  readonly #clock: Clock;
  readonly #tellWorker: (turn: Turn) => void;
  readonly #waiting = new Map<number, Waiting>();
  /** Turns whose place was given back before we were told of them; emptied as we are. */
  readonly #pastTurns = new Set<number>();
  #lastTicket = 0;

  /** @param tellWorker Tells another worker that a turn is its own; never called for this one's. */
  constructor(
    options: PoolOptions,
    budget: SharedBudget,
    clock: Clock,
    tellWorker: (turn: Turn) => void,
  ) {
    this.options = options;
    this.#budget = budget;
    this.#clock = clock;
    this.#tellWorker = tellWorker;
  }

  /** How many places the pool has, over all workers. */
  get size(): number {
    return this.#budget.capacity;
  }

  /**
   * Asks for a place. If one is free, or none can be waited for, `waiter` is called before this
   * returns.
   */
  acquire(waiter: Waiter): Acquisition {
    const ticket = this.#lastTicket = this.#lastTicket % TICKET_MAX + 1;
    const admission = this.#budget.acquire(ticket);
    if (admission === "queued") {
      const timer = this.#clock.after(
        this.options.acquireTimeoutMs,
        () => this.#expire(ticket, waiter),
      );
      this.#waiting.set(ticket, { waiter, timer });
    } else if (admission === "granted") {
      waiter.onLease(new Lease(this));
    } else {
      waiter.onRefused("refused");
    }
    return { cancel: () => this.#abandon(ticket) };
  }

  /** A place that became free was given to this worker, for the waiter of this ticket. */
  onTurn(ticket: number): void {
    if (this.#pastTurns.delete(ticket)) return;
    const waiting = this.#waiting.get(ticket);
    if (waiting === undefined) return;
    this.#waiting.delete(ticket);
    waiting.timer.cancel();
    waiting.waiter.onLease(new Lease(this));
  }

  #expire(ticket: number, waiter: Waiter): void {
    this.#abandon(ticket);
    waiter.onRefused("timeout");
  }

  /**
   * If its turn has come already, the place is given back at once: the word of it may still be on
   * its way, or lost with a worker that died.
   */
  #abandon(ticket: number): void {
    const waiting = this.#waiting.get(ticket);
    if (waiting === undefined) return;
    waiting.timer.cancel();
    this.#waiting.delete(ticket);
    if (this.#budget.leave(ticket)) return;
    this.#pastTurns.add(ticket);
    this.giveBack();
  }

  /** For a {@linkcode Lease}: its place is free, or the next one's. */
  giveBack(): void {
    const turn = this.#budget.release();
    if (turn === undefined) return;
    // Later, since whoever gives back is in the middle of something of its own.
    if (turn.worker === this.#budget.worker) queueMicrotask(() => this.onTurn(turn.ticket));
    else this.#tellWorker(turn);
  }
}
