/**
 * The shared table's numbers in words.
 *
 * @module
 */

import type { ServerReading } from "../observe/server_metrics.ts";
import { FLAG, HEALTH, ROLE } from "../upstream/server_table.ts";

/** @param role A value of `ROLE`. */
export function roleName(role: number): ServerReading["role"] {
  return role === ROLE.primary ? "primary" : role === ROLE.replica ? "replica" : "unknown";
}

/** @param health A value of `HEALTH`. */
export function healthName(health: number): ServerReading["health"] {
  return health === HEALTH.up ? "up" : health === HEALTH.down ? "down" : "unknown";
}

/** @param flags Bits of `FLAG`. */
export function flagNames(flags: number): ServerReading["flags"] {
  return {
    disabled: (flags & FLAG.disabled) !== 0,
    draining: (flags & FLAG.draining) !== 0,
    fenced: (flags & FLAG.fenced) !== 0,
    lagging: (flags & FLAG.lagging) !== 0,
  };
}
