/**
 * Where sessions come from, and what those of one listener share.
 *
 * @module
 */

import type { KeptSession } from "../base/session_keeper.ts";
import type { Gateway, ListenerContext } from "./gateway.ts";
import type { HookedListener } from "./hooked/hooked_session.ts";

/** One listener's. */
export interface SessionHome {
  readonly gateway: Gateway;
  readonly context: ListenerContext;
  /** Undefined where plugins are switched off. */
  readonly hooked: HookedListener | undefined;
  /** A session is all over. */
  onOver(session: KeptSession): void;
}
