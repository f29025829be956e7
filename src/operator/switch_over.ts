/**
 * A planned change of the primary, in which no transaction fails: clients wait while nothing is in
 * use, and go on with the new primary.
 *
 *     pause -> nothing in use -> promotion -> health checks see it -> resume
 *
 * Whatever goes wrong, clients go on: with the old primary or with the new one.
 *
 * @module
 */

import { VerbError } from "../admin/operator_verbs.ts";
import { addressText } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import type { ConnectionTable } from "../upstream/connection_table.ts";
import type { Member } from "../upstream/members.ts";
import { FLAG, HEALTH, KEEPS_AWAY, ROLE, type ServerTable } from "../upstream/server_table.ts";
import type { ServerControl } from "./operator.ts";
import type { Promote } from "./promotion.ts";
import type { ServerGroup } from "./server_groups.ts";
import { QUIET_MS, settle } from "./settle.ts";

/** How long a promotion may take where clients do not wait for one. */
const PROMOTION_MS_DEFAULT = 30_000;

/** What a change of the primary works with. */
export interface SwitchOverParts {
  readonly table: ServerTable;
  readonly servers: Pick<ServerControl, "pause" | "resume">;
  readonly connections: Pick<ConnectionTable, "inUse">;
  readonly clock: Clock;
  readonly group: ServerGroup;
  readonly promote: Promote;
  /** How long clients wait for a primary; 0 where they do not. */
  readonly failoverTimeoutMs: number;
}

/** Who is to become the primary, and how long what runs may go on before. */
export interface SwitchOverRequest {
  /** Undefined for the replica that is least behind. */
  readonly to: Member | undefined;
  readonly waitMs: number;
}

/**
 * Changes the primary, and returns what came of it, in words.
 *
 * @throws {VerbError} If that is refused, takes too long, or fails.
 */
export async function switchOver(
  parts: SwitchOverParts,
  { to: wanted, waitMs }: SwitchOverRequest,
): Promise<string> {
  const { table, servers, group, clock } = parts;
  const from = primaryOf(table, group);
  const to = wanted === undefined ? bestReplica(table, group) : usable(table, wanted, from);
  const wasPaused = table.isPaused(group.index);
  const startedMs = clock.nowMs();
  servers.pause(group.client);
  try {
    await untilUnused(parts, waitMs);
    await change(parts, from, to);
  } finally {
    // Who had paused it will have had a reason.
    if (!wasPaused) servers.resume(group.client);
  }
  const tookMs = Math.round(clock.nowMs() - startedMs);
  const news = `${addressText(to.address)} is the primary of ${group.client}`;
  const how = `instead of ${addressText(from.address)}; clients waited for ${
    formatDuration(tookMs)
  }`;
  const still = wasPaused ? `; ${group.client} is still paused, as it was before` : "";
  return `${news} ${how}${still}`;
}

async function untilUnused(
  { connections, clock, group }: SwitchOverParts,
  waitMs: number,
): Promise<void> {
  const left = () => group.members.reduce((sum, { index }) => sum + connections.inUse(index), 0);
  const count = await settle(clock, { left, waitMs, quietMs: QUIET_MS });
  if (count === 0) return;
  const what = count === 1 ? "1 server connection is" : `${count} server connections are`;
  const rule = `${what} still in use after ${formatDuration(waitMs)}`;
  throw new VerbError(
    "timeout",
    `nothing was changed: ${rule}; ${group.client} goes on as before: wait longer with --wait, ` +
      "or end what runs",
  );
}

async function change(parts: SwitchOverParts, from: Member, to: Member): Promise<void> {
  const { table, clock, group, promote } = parts;
  const timeoutMs = parts.failoverTimeoutMs || PROMOTION_MS_DEFAULT;
  try {
    await promote({ from, to, timeoutMs });
  } catch (error) {
    const advice = `${group.client} goes on; look which of its servers is the primary`;
    throw new VerbError("failed", `the promotion failed: ${messageOf(error)}; ${advice}`);
  } finally {
    // What was open to it is open to a server that is, or may be, no primary any more.
    table.newEpoch(from.index);
  }
  const isPrimary = () =>
    table.role(to.index) === ROLE.primary && table.health(to.index) !== HEALTH.down &&
    (table.flags(to.index) & KEEPS_AWAY) === 0;
  const left = () => isPrimary() ? 0 : 1;
  if (await settle(clock, { left, waitMs: timeoutMs, quietMs: 0 }) === 0) return;
  const server = addressText(to.address);
  const rule = `the promotion was carried out, but health checks have not seen ${server} as the ` +
    `primary within ${formatDuration(timeoutMs)}`;
  throw new VerbError("failed", `${rule}; ${group.client} goes on; look at its servers`);
}

/** @throws {VerbError} If nobody is known to be the primary. */
function primaryOf(table: ServerTable, { client, members }: ServerGroup): Member {
  const primary = members.find(({ index }) =>
    table.role(index) === ROLE.primary && table.health(index) !== HEALTH.down &&
    (table.flags(index) & FLAG.fenced) === 0
  );
  if (primary !== undefined) return primary;
  throw new VerbError(
    "refused",
    `no server of ${client} is known to be its primary, and up: see sluice admin status; roles ` +
      `are known with clients.${client}.health.check: query, or with patroni`,
  );
}

/** @throws {VerbError} If it cannot become the primary. */
function usable(table: ServerTable, to: Member, from: Member): Member {
  const server = addressText(to.address);
  if (to === from) throw new VerbError("refused", `${server} is the primary already; name another`);
  const why = whyNot(table, to);
  if (why === undefined) return to;
  throw new VerbError("refused", `${server} cannot become the primary: it is ${why}; name another`);
}

/** @throws {VerbError} If there is none. */
function bestReplica(table: ServerTable, { client, members }: ServerGroup): Member {
  const [best] = members.filter((member) =>
    whyNot(table, member) === undefined && (table.flags(member.index) & FLAG.lagging) === 0
  ).toSorted(({ index: a }, { index: b }) =>
    table.lagSize(a) - table.lagSize(b) || table.lagMs(a) - table.lagMs(b)
  );
  if (best !== undefined) return best;
  const rule = `no server of ${client} is a replica that is up, enabled and not too far behind`;
  throw new VerbError("refused", `${rule}: see sluice admin status`);
}

function whyNot(table: ServerTable, { index }: Member): string | undefined {
  if (table.health(index) === HEALTH.down) return "down";
  const flags = table.flags(index);
  if ((flags & FLAG.disabled) !== 0) return "disabled";
  if ((flags & FLAG.draining) !== 0) return "draining";
  if ((flags & FLAG.fenced) !== 0) return "fenced";
  return table.role(index) === ROLE.replica ? undefined : "not known to be a replica";
}
