/**
 * Finds a server connection for one session: asks the pool of a route, waits, and goes on to
 * another route where nobody answers. Where roles and health of servers are known, a router says
 * which routes there are, and a session for which there is none is held until there is one.
 *
 * @module
 */

import type { Timer } from "../../base/clock.ts";
import { POOL_CELL } from "../../observe/counters.ts";
import type { Acquisition } from "../../pool/pool.ts";
import type { Refusal } from "../../pool/server_pool_types.ts";
import { type Need, roleChosen, type WantedRole } from "../../upstream/router.ts";
import type { NewsWatcher } from "../../upstream/server_loads.ts";
import type { Backend } from "./backend.ts";
import { isStarting, type OpenFailure } from "./backend_opener.ts";
import type { PooledRoute } from "./pooled_context.ts";
import type { SessionRouter } from "./session_router.ts";

/** Who searches. */
export interface ServerSearchOwner {
  onServer(backend: Backend): void;
  /** There is none to be had. */
  onRefused(refusal: Refusal<OpenFailure>): void;
  /** No server could serve, for so long as the session may be held. */
  onHeldTooLong(need: Need, heldMs: number): void;
  /** It takes longer than clients expect. */
  onNotice(waitedMs: number): void;
  guard(act: () => void): void;
}

/** One session's search. */
export class ServerSearch implements NewsWatcher {
  readonly #router: SessionRouter;
  readonly #owner: ServerSearchOwner;
  /** The route that was taken last. */
  #route = 0;
  /** Routes that the router named, and how many of them were tried. */
  #candidates: readonly number[] = [];
  #tried = 0;
  /** A proxy, or a role, that somebody chose for what comes next. */
  #chosen: string | undefined;
  #chosenRole: WantedRole | undefined;
  #need: Need | undefined;
  #acquisition: Acquisition | undefined;
  #hold: { readonly sinceMs: number; timer: Timer | undefined } | undefined;
  place = 0;
  turn = 0;
  /** What is called once there is a server that was waited for. */
  #then: (() => void) | undefined;

  constructor(router: SessionRouter, owner: ServerSearchOwner) {
    this.#router = router;
    this.#owner = owner;
  }

  get routes(): readonly PooledRoute[] {
    return this.#router.routes;
  }

  get route(): PooledRoute {
    return this.routes[this.#route]!;
  }

  /** Whether the server that was found refuses writes, as far as is known now. */
  get isReplica(): boolean {
    return this.#router.isReplica(this.#route);
  }

  /** The connection that was found has broken. */
  onLost(): void {
    this.#router.onDoubt(this.#route);
  }

  /** Whether the server that was found may still serve what it was found for. */
  get mayStay(): boolean {
    return this.#router.mayStay(this.#route, this.#fullNeed);
  }

  get isWaiting(): boolean {
    return this.#acquisition !== undefined;
  }

  /** What the next server has to be; undefined is what every server of the session has to be. */
  set need(need: Need | undefined) {
    this.#need = need;
  }

  /**
   * The next server is to be of this proxy, or have this role: see `roleChosen`.
   *
   * @returns False if there is none by that name.
   */
  choose(choice: string): boolean {
    if (this.isWaiting) return false;
    const role = roleChosen(choice);
    if (role === undefined && !this.routes.some(({ proxy }) => proxy === choice)) return false;
    this.#chosen = role === undefined ? choice : undefined;
    this.#chosenRole = role;
    return true;
  }

  /** What the choice was made for is over. */
  forgetChoice(): void {
    this.#chosen = this.#chosenRole = this.#need = undefined;
  }

  /**
   * Asks; `then` is called if it takes a while, and not if it is cancelled.
   *
   * @returns True if there was a server at once.
   */
  acquire(then: () => void): boolean {
    this.#candidates = this.#router.order(this.#fullNeed);
    this.#tried = 0;
    if (this.#candidates.length === 0) return this.#startHold(then);
    this.#route = this.#candidates[0]!;
    return this.#ask(then);
  }

  /** The session is over, or does not want one any more. */
  cancel(): void {
    this.#acquisition?.cancel();
    this.#acquisition = undefined;
    this.#endHold();
  }

  get #fullNeed(): Need {
    const { need: always } = this.#router;
    const need = this.#need ?? always;
    const proxy = this.#chosen ?? need.proxy ?? always.proxy;
    const role = this.#chosenRole ?? need.role;
    return proxy === need.proxy && role === need.role ? need : { ...need, proxy, role };
  }

  /** @returns True if there was a server at once, there or at one of the next. */
  #ask(then: () => void): boolean {
    const { route } = this;
    const idle = route.pool.take();
    if (idle !== undefined) {
      this.#acquisition = undefined;
      this.#endHold();
      this.#owner.onServer(idle);
      return true;
    }
    let [isOver, isLate, isFound] = [false, false, false];
    const acquisition = route.pool.acquire({
      onServer: (backend) => {
        isOver = isFound = true;
        this.#stopWaiting(route, isLate);
        this.#endHold();
        this.#owner.onServer(backend);
        if (isLate) this.#owner.guard(then);
      },
      onRefused: (refusal) => {
        isOver = true;
        this.#stopWaiting(route, isLate);
        this.#owner.guard(() => {
          isFound = this.#onRefused(refusal, then);
          if (isFound && isLate) then();
        });
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
    this.#watch(then);
    return false;
  }

  #stopWaiting({ cells }: PooledRoute, hasWaited: boolean): void {
    this.#acquisition = undefined;
    if (hasWaited) cells.add(POOL_CELL.waiters, -1);
  }

  /** @returns True if another server was there at once. */
  #onRefused(refusal: Refusal<OpenFailure>, then: () => void): boolean {
    const holdMs = this.#router.holdMs;
    if (!isUnreachable(refusal) && !(holdMs > 0 && isEnding(refusal))) {
      return this.#refuse(refusal);
    }
    this.#router.onUnreachable(this.#route);
    this.#tried += 1;
    const next = this.#candidates[this.#tried];
    if (next === undefined) return holdMs === 0 ? this.#refuse(refusal) : this.#startHold(then);
    this.#route = next;
    return this.#ask(then);
  }

  #refuse(refusal: Refusal<OpenFailure>): false {
    this.#endHold();
    this.#owner.onRefused(refusal);
    return false;
  }

  // Held until there is a server ----------------------------------------------------------------

  #startHold(then: () => void): false {
    const router = this.#router;
    const { cells } = this.route;
    this.#hold ??= { sinceMs: router.clock.nowMs(), timer: undefined };
    cells.add(POOL_CELL.waiters, 1);
    this.#acquisition = { cancel: () => cells.add(POOL_CELL.waiters, -1) };
    this.#watch(then);
    this.#armHold(this.#hold.sinceMs + router.holdMs);
    return false;
  }

  #armHold(untilMs: number): void {
    const hold = this.#hold!;
    const { clock } = this.#router;
    hold.timer?.cancel();
    hold.timer = clock.after(Math.max(0, untilMs - clock.nowMs()), () => {
      const nowMs = clock.nowMs();
      // A group that was paused meanwhile may be held for longer.
      const dueMs = hold.sinceMs + this.#router.holdMs;
      if (dueMs > nowMs) return this.#armHold(dueMs);
      const need = this.#fullNeed;
      this.cancel();
      this.#owner.guard(() => this.#owner.onHeldTooLong(need, nowMs - hold.sinceMs));
    });
  }

  #endHold(): void {
    this.#hold?.timer?.cancel();
    this.#hold = undefined;
    this.#then = undefined;
    this.#router.unwatch(this);
  }

  #watch(then: () => void): void {
    this.#then = then;
    this.#router.watch(this);
  }

  onNews(): void {
    this.#owner.guard(() => this.#onNews(this.#then!));
  }

  #onNews(then: () => void): void {
    if (!this.isWaiting) return;
    const router = this.#router;
    const isAsking = this.#hold?.timer === undefined;
    if (isAsking && router.isUsable(this.#route, this.#fullNeed)) return;
    const candidates = router.order(this.#fullNeed);
    // Who tries a server that seems to be down keeps its place there.
    if (isAsking ? candidates.includes(this.#route) : candidates.length === 0) return;
    this.#acquisition?.cancel();
    this.#acquisition = undefined;
    this.#hold?.timer?.cancel();
    if (this.#hold !== undefined) this.#hold.timer = undefined;
    this.#candidates = candidates;
    this.#tried = 0;
    if (candidates.length === 0) return void this.#startHold(then);
    this.#route = candidates[0]!;
    if (this.#ask(then)) then();
  }
}

function isUnreachable(refusal: Refusal<OpenFailure>): boolean {
  if (refusal.kind !== "failed") return false;
  const { failure } = refusal;
  return failure.kind === "unreachable" || failure.kind === "silent" || isStarting(failure);
}

/** Whether the server answers, and lets nobody in while it stops or breaks down. */
function isEnding(refusal: Refusal<OpenFailure>): boolean {
  if (refusal.kind !== "failed") return false;
  const { failure } = refusal;
  if (failure.kind === "login") return failure.isTimeout === true || failure.isLost === true;
  return failure.kind === "refused" && failure.fields.get("C")?.startsWith("57P") === true;
}
