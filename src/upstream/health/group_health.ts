/**
 * What is known of the servers of one group, and how it gets into the shared table: whether each is
 * up, who is the primary, who is fenced, who is behind. It is told what checks found, and of what
 * others know of roles; it asks nobody.
 *
 * **Never two primaries.** Who is the primary is decided again with each thing that is heard,
 * before any of it is published; and whoever is it no more is published before who is it now.
 *
 * @module
 */

import type { Member } from "../members.ts";
import { FLAG, HEALTH, ROLE, type ServerTable } from "../server_table.ts";
import { type CheckFailure, type CheckResult, isCertain, type ServerState } from "./check.ts";
import { type Candidate, elect, type Election, follow } from "./election.ts";
import type { HealthFact } from "./health_facts.ts";
import { type HealthCounts, MemberHealth } from "./member_health.ts";
import { type Lag, PositionHistory } from "./position_history.ts";

/** What a group is watched with. */
export interface GroupHealthOptions {
  /** Never empty. */
  readonly members: readonly Member[];
  readonly counts: HealthCounts;
  /** Whether servers are checked at all. */
  readonly isChecked: boolean;
  /** Above it a replica is lagging; 0 is without limit, and so it is for the next. */
  readonly lagMaxMs: number;
  readonly lagSizeMax: number;
  readonly table: ServerTable;
  /** Any clock that does not go backwards, in milliseconds. */
  readonly nowMs: () => number;
  /** Milliseconds since 1970. */
  readonly wallClockMs: () => number;
  readonly onFact: (fact: HealthFact) => void;
}

/** What somebody who manages the group, such as Patroni, says of one server. */
export interface ManagedState {
  readonly isLeader: boolean;
  /** 0 if it is not known. */
  readonly timeline: number;
  /** Bytes that it is behind; undefined if it is not known. */
  readonly lagSize: number | undefined;
}

/** Flags that an operator sets. */
export type OperatorFlag = typeof FLAG.disabled | typeof FLAG.draining;

/** What is known of one server. */
interface Row {
  readonly member: Member;
  readonly health: MemberHealth;
  isChecked: boolean;
  /** The last thing that it said of itself, kept while it cannot be reached. */
  state: ServerState | undefined;
  managed: ManagedState | undefined;
  fencedTimeline: number | undefined;
  /** Flags of the operator. */
  flags: number;
  role: number;
  lag: Lag;
  isLagging: boolean;
  lastFailure: string;
  /** Failures that workers had seen when they were looked at. */
  failuresSeen: number;
}

const NO_LAG: Lag = { ms: 0, size: 0 };

/** One group's. */
export class GroupHealth {
  readonly #options: GroupHealthOptions;
  readonly #rows: readonly Row[];
  readonly #history = new PositionHistory();
  /** The primary, as a place in the group. */
  #primary: number | undefined;
  /** The timeline that the history is of. */
  #historyTimeline = 0;
  /** Who was the primary last: also while there is none. */
  #lastPrimary: number | undefined;
  /** Whether somebody manages the group, and says who is what. */
  #isManaged = false;

  constructor(options: GroupHealthOptions) {
    this.#options = options;
    this.#rows = options.members.map((member) => ({
      member,
      health: new MemberHealth(options.counts),
      isChecked: !options.isChecked,
      state: undefined,
      managed: undefined,
      fencedTimeline: undefined,
      flags: 0,
      role: ROLE.unknown,
      lag: NO_LAG,
      isLagging: false,
      lastFailure: "",
      failuresSeen: options.table.failures(member.index),
    }));
  }

  /** Who is the primary now. */
  get primary(): Member | undefined {
    return this.#primary === undefined ? undefined : this.#rows[this.#primary]!.member;
  }

  /** Whether every server has been checked once, whatever came of it. */
  get isComplete(): boolean {
    return this.#rows.every(({ isChecked }) => isChecked);
  }

  /** Whether a server is known to be a replica, so that its position belongs to no round. */
  isReplica(member: Member): boolean {
    return this.#row(member).role === ROLE.replica;
  }

  /**
   * Workers could not use a server since this was called last: that counts as one failed check,
   * however many of them it hit.
   *
   * @returns Whether that is so.
   */
  takeFailures(member: Member): boolean {
    const { table, isChecked } = this.#options;
    const row = this.#row(member);
    const failures = table.failures(member.index);
    if (failures === row.failuresSeen) return false;
    row.failuresSeen = failures;
    if (isChecked && row.health.onFailure(false)) {
      this.#onDown(row, "unreachable", "workers could not use it");
      this.#decide();
    }
    return true;
  }

  /**
   * A check has ended.
   *
   * @param round What `ServerTable.beginRound` gave before it began; undefined if it was not asked.
   */
  onCheck(member: Member, result: CheckResult, round: number | undefined): void {
    const row = this.#row(member);
    row.isChecked = true;
    if (result.kind === "failed") {
      this.#onFailure(row, result);
      return this.#decide();
    }
    row.lastFailure = "";
    if (row.health.onSuccess(this.#options.wallClockMs())) {
      this.#options.onFact({ kind: "up", member });
    }
    const before = row.state?.position;
    row.state = result.state ?? row.state;
    this.#decide();
    if (result.state?.position === undefined) return;
    this.#onPosition(row, result.state, round, before);
    this.#publish(row);
  }

  /**
   * Somebody who manages the group says who is what: that holds until it says otherwise.
   *
   * @param states Undefined when it says nothing any more: then counts again what servers say.
   */
  onManaged(states: ReadonlyMap<Member, ManagedState> | undefined): void {
    this.#isManaged = states !== undefined;
    for (const row of this.#rows) {
      row.managed = states?.get(row.member);
      if (row.state?.position !== undefined || row.managed === undefined) continue;
      this.#setLag(row, { ms: 0, size: row.managed.lagSize ?? 0 });
    }
    this.#decide();
  }

  /** What an operator wants of a server. */
  setFlag(member: Member, flag: OperatorFlag, isSet: boolean): void {
    const row = this.#row(member);
    row.flags = isSet ? row.flags | flag : row.flags & ~flag;
    this.#publish(row);
  }

  /**
   * An operator says that the past of servers does not count any more: that they were fenced, and
   * what those said last that cannot be reached.
   */
  forgive(members: readonly Member[]): void {
    for (const member of members) {
      const row = this.#row(member);
      if (row.fencedTimeline !== undefined) this.#options.onFact({ kind: "unfenced", member });
      row.fencedTimeline = undefined;
      if (row.health.health === HEALTH.down) row.state = undefined;
    }
    this.#decide();
  }

  // Health ----------------------------------------------------------------------------------------

  #onFailure(row: Row, { failure, message }: Extract<CheckResult, { kind: "failed" }>): void {
    if (row.health.onFailure(isCertain(failure))) this.#onDown(row, failure, message);
    else if (row.lastFailure !== message) {
      this.#options.onFact({ kind: "check_failed", member: row.member, failure, message });
    }
    row.lastFailure = message;
  }

  #onDown(row: Row, failure: CheckFailure, message: string): void {
    const { member } = row;
    this.#options.onFact({ kind: "down", member, failure, message });
    this.#publish(row);
    // It answers, though not us, as with a password that was changed: what works there goes on.
    const answers = failure === "login" || failure === "query";
    if (!answers) this.#options.table.newEpoch(member.index);
  }

  // Roles -----------------------------------------------------------------------------------------

  #decide(): void {
    const candidates = this.#rows.map(candidateOf);
    const leader = this.#rows.findIndex(({ managed }) => managed?.isLeader === true);
    const election = this.#isManaged
      ? follow(candidates, leader < 0 ? undefined : leader)
      : elect(candidates, this.#primary);
    const { primary } = election;
    const before = this.#primary;
    this.#primary = primary;
    this.#fence(election);
    this.#forgetOldPositions();
    // Whoever is no primary any more comes first, and the primary last.
    for (const row of this.#rows) if (row !== this.#rows[primary ?? -1]) this.#setRole(row);
    if (before !== undefined && before !== primary && !election.fenced.includes(before)) {
      this.#options.table.newEpoch(this.#rows[before]!.member.index);
    }
    if (primary === undefined) return;
    this.#setRole(this.#rows[primary]!);
    this.#onPrimary(primary);
  }

  #fence({ primary, fenced, tied }: Election): void {
    const { onFact, table } = this.#options;
    const main = primary === undefined ? undefined : this.#rows[primary]!;
    for (const [index, row] of this.#rows.entries()) {
      const { member } = row;
      const isFenced = fenced.includes(index);
      if (!isFenced) {
        const isCured = index === primary || row.state?.isInRecovery === true;
        if (row.fencedTimeline === undefined || !isCured) continue;
        row.fencedTimeline = undefined;
        onFact({ kind: "unfenced", member });
        continue;
      }
      const timeline = row.state?.timeline ?? 0;
      const wasFenced = row.fencedTimeline !== undefined;
      row.fencedTimeline = Math.max(row.fencedTimeline ?? 0, timeline);
      if (wasFenced) continue;
      if (main !== undefined && tied.includes(index)) {
        onFact({ kind: "two_primaries", member: main.member, other: member, timeline });
      }
      const newestTimeline = Math.max(...this.#rows.map((one) => candidateOf(one).timeline));
      onFact({ kind: "fenced", member, timeline, primary: main?.member, newestTimeline });
      this.#setRole(row);
      table.newEpoch(member.index);
    }
  }

  /** What the primary of another timeline had written says nothing of this one's. */
  #forgetOldPositions(): void {
    const primary = this.#rows[this.#primary ?? -1];
    if (primary === undefined) return;
    const timeline = timelineOf(primary);
    const isSame = this.#primary === this.#lastPrimary && timeline === this.#historyTimeline;
    this.#historyTimeline = timeline;
    if (!isSame && this.#lastPrimary !== undefined) this.#history.clear();
  }

  #onPrimary(primary: number): void {
    const last = this.#lastPrimary;
    this.#lastPrimary = primary;
    if (last === undefined || last === primary) return;
    const [from, to] = [this.#rows[last]!.member, this.#rows[primary]!.member];
    const timeline = timelineOf(this.#rows[primary]!);
    this.#options.onFact({ kind: "primary_changed", from, to, timeline });
  }

  #setRole(row: Row): void {
    const from = row.role;
    row.role = this.#roleOf(row);
    if (row.role === ROLE.primary) this.#setLag(row, NO_LAG);
    if (row.role !== from) {
      const { member } = row;
      const timeline = timelineOf(row);
      this.#options.onFact({ kind: "role_changed", member, from, to: row.role, timeline });
    }
    this.#publish(row);
  }

  #roleOf(row: Row): number {
    if (row === this.#rows[this.#primary ?? -1]) return ROLE.primary;
    if (row.state !== undefined) return row.state.isInRecovery ? ROLE.replica : ROLE.unknown;
    return row.managed?.isLeader === false ? ROLE.replica : ROLE.unknown;
  }

  // Positions -------------------------------------------------------------------------------------

  #onPosition(
    row: Row,
    state: ServerState,
    round: number | undefined,
    before: number | undefined,
  ): void {
    const { nowMs } = this.#options;
    const position = state.position!;
    if (row === this.#rows[this.#primary ?? -1]) {
      if (round !== undefined) this.#history.add(round, position, nowMs());
      return;
    }
    if (!state.isInRecovery) return;
    this.#setLag(row, this.#lagOf(state, position));
    this.#setCaughtUp(row, state, position, before);
  }

  #lagOf({ received, replayAgeMs }: ServerState, position: number): Lag {
    if (!this.#history.isEmpty) {
      return this.#history.lagOf(position, replayAgeMs, this.#options.nowMs());
    }
    const size = Math.max(0, (received ?? 0) - position);
    return { ms: size === 0 ? 0 : replayAgeMs ?? 0, size };
  }

  #setLag(row: Row, lag: Lag): void {
    const { lagMaxMs, lagSizeMax, onFact } = this.#options;
    const isLagging = lagMaxMs > 0 && lag.ms > lagMaxMs ||
      lagSizeMax > 0 && lag.size > lagSizeMax;
    const wasLagging = row.isLagging;
    row.lag = lag;
    row.isLagging = isLagging;
    if (isLagging === wasLagging) return;
    onFact({ kind: isLagging ? "lags" : "lags_no_more", member: row.member, lag });
  }

  #setCaughtUp(row: Row, state: ServerState, position: number, before: number | undefined): void {
    const { table } = this.#options;
    const { index } = row.member;
    // It was restored from a backup, or rewound: it has not replayed any more what it had.
    if (before !== undefined && position < before) table.setCaughtUp(index, 0);
    // One that is on another timeline may be past the primary's position, and not have its writes.
    const primary = this.#rows[this.#primary ?? -1];
    if (primary === undefined || state.timeline !== timelineOf(primary)) return;
    const round = this.#history.caughtUpRound(position);
    if (round !== undefined) table.setCaughtUp(index, round);
  }

  // The table -------------------------------------------------------------------------------------

  #publish(row: Row): void {
    const { member, health, lag, role } = row;
    const fenced = row.fencedTimeline === undefined ? 0 : FLAG.fenced;
    const lagging = row.isLagging ? FLAG.lagging : 0;
    this.#options.table.set(member.index, {
      role,
      health: this.#options.isChecked ? health.health : HEALTH.unknown,
      flags: row.flags | fenced | lagging,
      timeline: timelineOf(row),
      upSinceMs: health.upSinceMs,
      lagMs: lag.ms,
      lagSize: lag.size,
      position: row.state?.position ?? 0,
    });
  }

  #row(member: Member): Row {
    return this.#rows[member.index - this.#rows[0]!.member.index]!;
  }
}

function timelineOf({ state, managed }: Row): number {
  return state?.timeline || managed?.timeline || 0;
}

function candidateOf(row: Row): Candidate {
  return {
    isPrimary: row.state === undefined ? undefined : !row.state.isInRecovery,
    timeline: row.state?.timeline ?? 0,
    isDown: row.health.health === HEALTH.down,
    fencedTimeline: row.fencedTimeline,
    isChecked: row.isChecked,
  };
}
