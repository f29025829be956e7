/**
 * What one session asks of its listener's router.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import type { Need } from "../../upstream/router.ts";
import type { PooledRoute } from "./pooled_context.ts";
import type { NewsWatcher } from "../../upstream/server_loads.ts";

/** One session's. Routes go by their place in the session's list. */
export interface SessionRouter {
  /** In the order they are tried; at least one. */
  readonly routes: readonly PooledRoute[];
  readonly clock: Clock;
  /** What every server of the session has to be, unless a request says otherwise. */
  readonly need: Need;
  /** For how long the session may be held while nobody can serve it, in milliseconds. */
  readonly holdMs: number;
  /** Routes that could serve now, the best first. */
  order(need: Need): readonly number[];
  /** Whether a route's server is a replica. */
  isReplica(route: number): boolean;
  /** Whether a route may still serve. */
  isUsable(route: number, need: Need): boolean;
  /** Whether the session may keep a connection to a route's server. */
  mayStay(route: number, need: Need): boolean;
  /** A route's server could not be reached, or does not let anybody in. */
  onUnreachable(route: number): void;
  /** A route's server may not be what it was taken for: it is asked. */
  onDoubt(route: number): void;
  /** Tells somebody when something has changed. */
  watch(watcher: NewsWatcher): void;
  /** It wants to know no more. */
  unwatch(watcher: NewsWatcher): void;
}
