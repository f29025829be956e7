/**
 * Why a pooled session ends, in the words that logs and plugins get.
 *
 * @module
 */

import type { UpstreamOwner } from "../upstream.ts";

/** Its client has said so. */
export const TERMINATED = "client terminated";

/** Why the gateway or a server ends it. Whoever counts such ends has to name each of them. */
export type PooledFailure =
  | "pool exhausted"
  | "no server connection"
  | "no server could serve"
  | "server is down"
  | "server changed its role"
  | "server closed the connection"
  | "server broke the protocol"
  | "parameter refused"
  | "transaction in statement mode"
  | "query timeout"
  | "transaction timeout"
  | "idle transaction timeout"
  | "client idle timeout"
  | "gateway shut down";

/** Every reason that there is. */
export type PooledEnd = typeof TERMINATED | PooledFailure;

/** Whom a pooled session tells. */
export type PooledOwner = UpstreamOwner<PooledEnd>;
