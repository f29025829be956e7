/**
 * Finds a server connection for one session: asks the pool of its route, waits, and goes on to the
 * next route where nobody answers.
 *
 * @module
 */

import { POOL_CELL } from "../../observe/counters.ts";
import type { Acquisition } from "../../pool/pool.ts";
import type { Refusal } from "../../pool/server_pool_types.ts";
import type { Backend } from "./backend.ts";
import type { OpenFailure } from "./backend_opener.ts";
import type { PooledRoute } from "./pooled_context.ts";

/** Who searches. */
export interface ServerSearchOwner {
  onServer(backend: Backend): void;
  /** There is none to be had. */
  onRefused(refusal: Refusal<OpenFailure>): void;
  /** It takes longer than clients expect. */
  onNotice(waitedMs: number): void;
  guard(act: () => void): void;
}

/** One session's search. */
export class ServerSearch {
  readonly routes: readonly PooledRoute[];
  readonly #owner: ServerSearchOwner;
  /** The first route that answers, as far as is known. */
  #route = 0;
  /** A route that somebody chose for what comes next. */
  #chosen: number | undefined;
  #acquisition: Acquisition | undefined;

  /** @param routes In the order they are tried; at least one. */
  constructor(routes: readonly PooledRoute[], owner: ServerSearchOwner) {
    this.routes = routes;
    this.#owner = owner;
  }

  get route(): PooledRoute {
    return this.routes[this.#chosen ?? this.#route]!;
  }

  get isWaiting(): boolean {
    return this.#acquisition !== undefined;
  }

  /** The next server is to be of this proxy. @returns False if there is none by that name. */
  choose(proxy: string): boolean {
    const index = this.routes.findIndex((route) => route.proxy === proxy);
    if (index < 0 || this.isWaiting) return false;
    this.#chosen = index;
    return true;
  }

  /** What the choice was made for is over. */
  forgetChoice(): void {
    this.#chosen = undefined;
  }

  /**
   * Asks; `then` is called if it takes a while, and not if it is cancelled.
   *
   * @returns True if there was a server at once.
   */
  acquire(then: () => void): boolean {
    let [isOver, isLate, isFound] = [false, false, false];
    const { route } = this;
    const acquisition = route.use.pool.acquire({
      onServer: (backend) => {
        isOver = isFound = true;
        this.#stopWaiting(route, isLate);
        this.#owner.onServer(backend);
        if (isLate) this.#owner.guard(then);
      },
      onRefused: (refusal) => {
        isOver = true;
        this.#stopWaiting(route, isLate);
        this.#owner.guard(() => this.#onRefused(refusal, then, isLate));
      },
      onNotice: (waitedMs) => this.#owner.onNotice(waitedMs),
    });
    if (isOver) return isFound;
    isLate = true;
    route.cells.add(POOL_CELL.waiters, 1);
    this.#acquisition = {
      cancel: () => {
        route.cells.add(POOL_CELL.waiters, -1);
        acquisition.cancel();
      },
    };
    return false;
  }

  /** The session is over. */
  cancel(): void {
    this.#acquisition?.cancel();
    this.#acquisition = undefined;
  }

  #stopWaiting({ cells }: PooledRoute, hasWaited: boolean): void {
    this.#acquisition = undefined;
    if (hasWaited) cells.add(POOL_CELL.waiters, -1);
  }

  #onRefused(refusal: Refusal<OpenFailure>, then: () => void, isLate: boolean): void {
    const kind = refusal.kind === "failed" ? refusal.failure.kind : undefined;
    const isAway = kind === "unreachable" || kind === "silent";
    const isLast = this.#route + 1 >= this.routes.length;
    if (!isAway || this.#chosen !== undefined || isLast) return this.#owner.onRefused(refusal);
    this.#route += 1;
    const isFound = this.acquire(then);
    if (isFound && isLate) then();
  }
}
