/**
 * Carries out what operators tell a running gateway to do. It writes shared memory, which workers
 * go by, and looks there until they do.
 *
 * @module
 */

import {
  type ClientStatus,
  type OperatorVerbs,
  type ServerStatus,
  VerbError,
  type VerbName,
  type VerbRequest,
  WAIT_MS,
} from "../admin/operator_verbs.ts";
import { addressText } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import { flagNames, healthName, roleName } from "../health/server_words.ts";
import type { LogLevel } from "../observe/log_record.ts";
import type { ConnectionTable } from "../upstream/connection_table.ts";
import type { Member } from "../upstream/members.ts";
import { FLAG, HEALTH, KEEPS_AWAY, type ServerTable } from "../upstream/server_table.ts";
import type { Promote } from "./promotion.ts";
import { type ServerGroup, ServerGroups } from "./server_groups.ts";
import { QUIET_MS, settle } from "./settle.ts";
import { switchOver } from "./switch_over.ts";

/** Who writes what operators want of servers into the table. A server goes by `Member.name`. */
export interface ServerControl {
  pause(client: string): void;
  resume(client: string): void;
  disable(server: string): void;
  drain(server: string): void;
  /** Takes `disable` and `drain` back. */
  enable(server: string): void;
}

/** What an operator's verbs work with. */
export interface OperatorParts {
  /** The servers of each configured client. */
  readonly members: ReadonlyMap<string, readonly Member[]>;
  readonly table: ServerTable;
  readonly connections: Pick<ConnectionTable, "open" | "inUse">;
  readonly servers: ServerControl;
  readonly clock: Clock;
  /** How a client's primary is changed; undefined where nothing can do that. */
  readonly promotionOf: (client: string) => Promote | undefined;
  /** How long clients wait for a primary. */
  readonly failoverTimeoutMsOf: (client: string) => number;
  readonly log: (level: LogLevel, message: string, fields: Record<string, string>) => void;
}

/** The operator's verbs of one gateway. */
export class Operator implements OperatorVerbs {
  readonly #parts: OperatorParts;
  readonly #groups: ServerGroups;
  /** Clients whose primary is being changed. */
  readonly #switching = new Set<string>();

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    this.#groups = new ServerGroups(parts.members);
  }

  status(): readonly ClientStatus[] {
    return [...this.#groups.all()].map(({ client, index, members }) => ({
      client,
      isPaused: this.#parts.table.isPaused(index),
      servers: members.map((member) => this.#statusOf(member)),
    }));
  }

  async run(verb: VerbName, request: VerbRequest): Promise<string> {
    const { client, server } = request;
    const fields = { verb, client, ...(server === "" ? {} : { server }) };
    try {
      const result = await this.#carryOut(verb, request);
      this.#log("info", "operator's verb carried out", { ...fields, result });
      return result;
    } catch (error) {
      this.#log("warn", "operator's verb not carried out", { ...fields, error: messageOf(error) });
      throw error;
    }
  }

  /** Pauses or resumes all groups, and waits for nothing: what comes of it is logged. */
  runForAll(verb: "pause" | "resume"): void {
    for (const { client } of this.#groups.all()) {
      this.run(verb, { client, server: "", waitMs: WAIT_MS.default }).catch(() => {}); // is logged
    }
  }

  /** @throws {VerbError} If it could not be done. */
  async #carryOut(verb: VerbName, { client, server, waitMs }: VerbRequest): Promise<string> {
    const group = this.#groups.group(client);
    const member = server === "" ? undefined : this.#groups.member(group, server);
    switch (verb) {
      case "pause":
        return await this.#pause(group, waitMs);
      case "resume":
        return this.#resume(group);
      case "drain":
        return await this.#drain(group, member === undefined ? group.members : [member], waitMs);
      case "disable":
        return this.#disable(group, member!);
      case "enable":
        return this.#enable(group, member!);
      case "switch-over":
        return await this.#switchOver(group, member, waitMs);
    }
  }

  async #pause(group: ServerGroup, waitMs: number): Promise<string> {
    const { table, servers, clock, connections } = this.#parts;
    const { client, index, members } = group;
    this.#refuseWhileSwitching(client);
    servers.pause(client);
    const left = () => sum(members, (member) => connections.inUse(member.index));
    const isOver = () => !table.isPaused(index);
    const count = await settle(clock, { left, waitMs, quietMs: QUIET_MS, isOver });
    if (isOver()) throw new VerbError("refused", `${client} was resumed meanwhile`);
    if (count === 0) return `${client} is paused: no server connection is in use`;
    throw new VerbError(
      "timeout",
      `${client} is paused, but ${connectionsAre(count)} still in use after ` +
        `${formatDuration(waitMs)}; it stays paused: wait for them by pausing it again, or let ` +
        `clients go on with sluice admin resume ${client}`,
    );
  }

  #resume({ client, index }: ServerGroup): string {
    const { table, servers } = this.#parts;
    this.#refuseWhileSwitching(client);
    if (!table.isPaused(index)) return `${client} was not paused`;
    servers.resume(client);
    return `${client} is resumed`;
  }

  async #drain(
    group: ServerGroup,
    members: readonly Member[],
    waitMs: number,
  ): Promise<string> {
    const { table, servers, clock, connections } = this.#parts;
    for (const { index, name } of members) {
      servers.drain(name);
      table.newEpoch(index);
    }
    const left = () => sum(members, ({ index }) => connections.open(index));
    const isOver = () => members.some(({ index }) => (table.flags(index) & FLAG.draining) === 0);
    const count = await settle(clock, { left, waitMs, quietMs: QUIET_MS, isOver });
    const what = `${listOf(members)} of ${group.client}`;
    if (isOver()) throw new VerbError("refused", `${what}: enabled meanwhile`);
    const note = this.#noteOf(group);
    if (count === 0) return `${what}: drained, no connection is left${note}`;
    const are = count === 1 ? "1 connection is" : `${count} connections are`;
    throw new VerbError(
      "timeout",
      `${what}: draining, but ${are} left after ${formatDuration(waitMs)}; each is closed once ` +
        `it is free${note}`,
    );
  }

  #disable(group: ServerGroup, { name, address }: Member): string {
    this.#parts.servers.disable(name);
    const what = `${addressText(address)} of ${group.client}`;
    return `${what}: disabled, what runs there goes on${this.#noteOf(group)}`;
  }

  #enable({ client }: ServerGroup, { index, name, address }: Member): string {
    const { servers, table } = this.#parts;
    const what = `${addressText(address)} of ${client}`;
    const wasAway = (table.flags(index) & (FLAG.disabled | FLAG.draining)) !== 0;
    servers.enable(name);
    const state = wasAway ? "enabled" : "was neither disabled nor draining";
    if (table.health(index) === HEALTH.down) return `${what}: ${state}; it is down`;
    const isFenced = (table.flags(index) & FLAG.fenced) !== 0;
    return `${what}: ${state}${isFenced ? "; it is fenced" : ""}`;
  }

  async #switchOver(
    group: ServerGroup,
    to: Member | undefined,
    waitMs: number,
  ): Promise<string> {
    const { table, servers, clock, connections, promotionOf } = this.#parts;
    const { client } = group;
    this.#refuseWhileSwitching(client);
    const promote = promotionOf(client);
    if (promote === undefined) {
      throw new VerbError(
        "refused",
        `nothing says how the primary of ${client} is changed: set clients.${client}.patroni, ` +
          `or clients.${client}.switchoverScript`,
      );
    }
    const failoverTimeoutMs = this.#parts.failoverTimeoutMsOf(client);
    this.#switching.add(client);
    try {
      const parts = { table, servers, clock, connections, group, promote, failoverTimeoutMs };
      return await switchOver(parts, { to, waitMs });
    } finally {
      this.#switching.delete(client);
    }
  }

  /** @throws {VerbError} */
  #refuseWhileSwitching(client: string): void {
    if (!this.#switching.has(client)) return;
    throw new VerbError("refused", `the primary of ${client} is being changed: wait for its end`);
  }

  /** What somebody should know who has taken a server away. */
  #noteOf({ client, members }: ServerGroup): string {
    const { table } = this.#parts;
    const isAway = ({ index }: Member) =>
      table.health(index) === HEALTH.down || (table.flags(index) & KEEPS_AWAY) !== 0;
    return members.every(isAway) ? `; no server of ${client} takes new work now` : "";
  }

  #log(level: LogLevel, message: string, fields: Record<string, string>): void {
    this.#parts.log(level, message, fields);
  }

  #statusOf({ index, address }: Member): ServerStatus {
    const { table, connections } = this.#parts;
    const flags = flagNames(table.flags(index));
    const names = ["disabled", "draining", "fenced", "lagging"] as const;
    return {
      server: addressText(address),
      role: roleName(table.role(index)),
      health: healthName(table.health(index)),
      flags: names.filter((name) => flags[name]),
      lagMs: table.lagMs(index),
      lagSize: table.lagSize(index),
      timeline: table.timeline(index),
      connections: connections.open(index),
      connectionsInUse: connections.inUse(index),
    };
  }
}

function sum(members: readonly Member[], count: (member: Member) => number): number {
  return members.reduce((total, member) => total + count(member), 0);
}

function connectionsAre(count: number): string {
  return count === 1 ? "1 server connection is" : `${count} server connections are`;
}

function listOf(members: readonly Member[]): string {
  return members.map(({ address }) => addressText(address)).join(", ");
}
