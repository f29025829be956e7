/**
 * One session's view of its listener's router: which of its routes it takes, and which it keeps.
 *
 * @module
 */

import { LateMap } from "./base/late_collections.ts";
import type { Clock } from "./base/clock.ts";
import type { PooledRoute } from "./postgres/pooled/pooled_context.ts";
import type { SessionRouter } from "./postgres/pooled/session_router.ts";
import type { NewsWatcher } from "./upstream/server_loads.ts";
import type { Member } from "./upstream/members.ts";
import type { Need, Router, Shares, WantedRole } from "./upstream/router.ts";
import { ROLE, type ServerTable } from "./upstream/server_table.ts";

/** The first route, where there is no choice. */
const FIRST: readonly number[] = [0];

/** What all sessions of a worker share. */
export interface RoutedSessionParts {
  readonly clock: Clock;
  readonly table: ServerTable;
  /** A server could not be reached. */
  onUnreachable(member: Member): void;
  /** A server may not be what it was taken for. */
  onDoubt(member: Member): void;
  /** Tells somebody when something has changed. */
  watch(watcher: NewsWatcher): void;
  /** It wants to know no more. */
  unwatch(watcher: NewsWatcher): void;
}

/** How one session is routed. */
export interface RoutedSessionOptions {
  readonly router: Router;
  /** At least one. */
  readonly routes: readonly PooledRoute[];
  readonly need: Need;
  readonly shares: Shares | undefined;
  readonly key: string;
  /** Whether it keeps the server that it was given first, as long as that can serve. */
  readonly isPerSession: boolean;
}

/** One session's. */
export class RoutedSession implements SessionRouter {
  readonly #parts: RoutedSessionParts;
  readonly #options: RoutedSessionOptions;
  /** The route that is kept, by what it was wanted for. */
  readonly #kept = new LateMap<WantedRole, number>();

  constructor(parts: RoutedSessionParts, options: RoutedSessionOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  get need(): Need {
    return this.#options.need;
  }

  get routes(): readonly PooledRoute[] {
    return this.#options.routes;
  }

  get holdMs(): number {
    return Math.max(...this.#options.routes.map((route) => route.holdMs()));
  }

  order(need: Need): readonly number[] {
    const { router, routes, shares, key, isPerSession } = this.#options;
    if (routes.length === 1 && this.#parts.table.changes === 0) return FIRST;
    if (!isPerSession) return router.order(routes, need, shares, key);
    const kept = this.#kept.get(need.role);
    if (kept !== undefined && this.#isKept(kept, need)) {
      return [kept, ...router.others(routes, kept, need, shares)];
    }
    const order = router.order(routes, need, shares, key);
    const [best] = order;
    if (need.proxy === undefined && best !== undefined) this.#kept.set(need.role, best);
    return order;
  }

  #isKept(route: number, need: Need): boolean {
    const { proxy, load } = this.#options.routes[route]!;
    if (load.isSuspect || (need.proxy !== undefined && need.proxy !== proxy)) return false;
    return this.isUsable(route, need);
  }

  isReplica(route: number): boolean {
    return this.#parts.table.role(this.#memberOf(route).index) === ROLE.replica;
  }

  isUsable(route: number, need: Need): boolean {
    return this.#options.router.isUsable(this.#options.routes[route]!, need);
  }

  mayStay(route: number, need: Need): boolean {
    return this.#options.router.mayStay(this.#options.routes[route]!, need);
  }

  onUnreachable(route: number): void {
    this.#parts.onUnreachable(this.#memberOf(route));
  }

  onDoubt(route: number): void {
    this.#parts.onDoubt(this.#memberOf(route));
  }

  watch(watcher: NewsWatcher): void {
    this.#parts.watch(watcher);
  }

  unwatch(watcher: NewsWatcher): void {
    this.#parts.unwatch(watcher);
  }

  #memberOf(route: number): Member {
    return this.#options.routes[route]!.member;
  }
}
