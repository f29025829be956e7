/**
 * Why a session stays with its server, beyond what its pool's mode says: it holds what only that
 * server has.
 *
 * @module
 */

import { LateSet } from "../../base/late_collections.ts";
import { type Cells, POOL_CELL } from "../../observe/counters.ts";
import type { Observer } from "../../observe/facts.ts";
import type { PooledRoute } from "./pooled_context.ts";

/** Whose pins they are. */
interface Routed {
  /** Whose server the session has, or had last. */
  readonly route: PooledRoute;
}

/** One session's. */
export class Pins {
  readonly #observer: Observer;
  readonly #session: number;
  readonly #routed: Routed;
  /** No more than there are `PIN_REASONS`. */
  readonly #reasons = new LateSet<string>();
  /** Where the session is counted as pinned; undefined while it is not. */
  #countedIn: Cells | undefined;
  #isOver = false;

  constructor(observer: Observer, session: number, routed: Routed) {
    this.#observer = observer;
    this.#session = session;
    this.#routed = routed;
  }

  get isEmpty(): boolean {
    return this.#reasons.size === 0;
  }

  /** @param reason One of `PIN_REASONS`. A second time it does nothing. */
  add(reason: string): void {
    // A server may still answer what the gateway had asked for a session that is over by then.
    if (this.#isOver || this.#reasons.has(reason)) return;
    this.#reasons.add(reason);
    const { settings: { pool }, cells } = this.#routed.route;
    this.#observer.emit({ kind: "session_pinned", session: this.#session, pool, reason });
    if (this.#countedIn !== undefined) return;
    this.#countedIn = cells;
    cells.add(POOL_CELL.sessionsPinned, 1);
  }

  /** A reason has ended, if it was one. */
  delete(reason: string): void {
    if (this.#reasons.delete(reason) && this.isEmpty) this.#uncount();
  }

  /** As {@linkcode Pins.add} or {@linkcode Pins.delete}. */
  set(reason: string, isHeld: boolean): void {
    if (isHeld) this.add(reason);
    else this.delete(reason);
  }

  /** All reasons have ended. */
  clear(): void {
    this.#reasons.clear();
    this.#uncount();
  }

  /** The session is over. */
  end(): void {
    this.#isOver = true;
    this.clear();
  }

  #uncount(): void {
    this.#countedIn?.add(POOL_CELL.sessionsPinned, -1);
    this.#countedIn = undefined;
  }
}
