/**
 * A group of servers that says what a test has it say, and what was published of it.
 *
 * @module
 */

import type { CheckFailure, ServerState } from "../../../src/upstream/health/check.ts";
import { GroupHealth, type GroupHealthOptions } from "../../../src/upstream/health/group_health.ts";
import type { HealthFact } from "../../../src/upstream/health/health_facts.ts";
import { type Member, membersOf } from "../../../src/upstream/members.ts";
import {
  FLAG,
  HEALTH,
  ROLE,
  ServerTable,
  serverTableBuffer,
} from "../../../src/upstream/server_table.ts";

/** Three servers, a table and a clock that is moved by hand. */
export class GroupScene {
  readonly table: ServerTable;
  readonly members: readonly Member[];
  readonly health: GroupHealth;
  facts: HealthFact[] = [];
  nowMs = 0;
  /** What `watch` saw: how many primaries were published at one time, at most. */
  primariesMax = 0;

  constructor(options: Partial<GroupHealthOptions> = {}) {
    const [address, ...others] = [1, 2, 3].map((n) => ({
      kind: "tcp" as const,
      host: `db${n}`,
      port: 5432,
    }));
    this.members = membersOf(new Map([["main", { address: address!, others }]])).get("main")!;
    this.table = new ServerTable(serverTableBuffer(3, 1), 3, 1);
    this.#watchTable();
    this.health = new GroupHealth({
      members: this.members,
      counts: { rise: 2, fall: 3 },
      isChecked: true,
      lagMaxMs: 0,
      lagSizeMax: 0,
      table: this.table,
      nowMs: () => this.nowMs,
      wallClockMs: () => 1_000_000 + this.nowMs,
      onFact: (fact) => this.facts.push(fact),
      ...options,
    });
  }

  /** Counts primaries behind each change of the table. */
  #watchTable(): void {
    const set = this.table.set.bind(this.table);
    this.table.set = (member, facts) => {
      set(member, facts);
      const primaries = [0, 1, 2].filter((one) => this.table.role(one) === ROLE.primary);
      this.primariesMax = Math.max(this.primariesMax, primaries.length);
    };
  }

  /** A server says that it is a primary. */
  primary(place: number, timeline: number, position = 1_000): void {
    const round = this.table.beginRound();
    this.alive(place, state(false, timeline, position), round);
  }

  /** A server says that it is a replica. */
  replica(place: number, timeline: number, position = 1_000, replayAgeMs?: number): void {
    this.alive(place, { ...state(true, timeline, position), replayAgeMs }, undefined);
  }

  /** A server answers. */
  alive(place: number, said: ServerState | undefined, round: number | undefined): void {
    this.health.onCheck(this.members[place]!, { kind: "alive", state: said }, round);
  }

  /** A check of it fails. */
  fails(place: number, failure: CheckFailure = "timeout", message = "too slow"): void {
    this.health.onCheck(this.members[place]!, { kind: "failed", failure, message }, undefined);
  }

  /** A server is gone for good. */
  dies(place: number): void {
    this.fails(place, "refused", "nobody listens");
  }

  /** What was published of a server, such as "primary up fenced". */
  shown(place: number): string {
    const role = nameOf(ROLE, this.table.role(place));
    const health = nameOf(HEALTH, this.table.health(place));
    const flags = Object.entries(FLAG).filter(([, bit]) => this.table.flags(place) & bit);
    return [role, health, ...flags.map(([name]) => name)].join(" ");
  }

  /** All of them. */
  get all(): readonly string[] {
    return this.members.map((_, place) => this.shown(place));
  }

  /** Kinds of the facts since the last call, with the server's number. */
  takeFacts(): readonly string[] {
    const kinds = this.facts.map((fact) => {
      const member = fact.kind === "primary_changed" ? fact.to : fact.member;
      return `${fact.kind} ${member.index}`;
    });
    this.facts = [];
    return kinds;
  }
}

function state(isInRecovery: boolean, timeline: number, position: number): ServerState {
  return { isInRecovery, timeline, position, received: position, replayAgeMs: undefined };
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, one]) => one === value)![0];
}
