/**
 * What a test says of servers in place of the control plane.
 *
 * @module
 */

import { FLAG, HEALTH, ROLE, type ServerTable } from "../../src/upstream/server_table.ts";

/** What a test says of one server. */
export interface Said {
  readonly role?: keyof typeof ROLE;
  readonly health?: keyof typeof HEALTH;
  readonly flags?: readonly (keyof typeof FLAG)[];
  readonly upSinceMs?: number;
  readonly timeline?: number;
}

/** Writes what is known of a server. */
export function say(table: ServerTable, member: number, said: Said): void {
  const { role = "unknown", health = "up", flags = [], upSinceMs = 0, timeline = 1 } = said;
  table.set(member, {
    role: ROLE[role],
    health: HEALTH[health],
    flags: flags.reduce((all, flag) => all | FLAG[flag], 0),
    timeline,
    upSinceMs,
    lagMs: 0,
    lagSize: 0,
    position: 0,
  });
}
