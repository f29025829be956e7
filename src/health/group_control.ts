/**
 * The watching of one group's servers: each one's checks, what Patroni says if there is one, and
 * the script that is run when the primary changes.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { ClientConfig } from "../config/config.ts";
import type { Driver } from "../net/socket.ts";
import type { ServerReading } from "../observe/server_metrics.ts";
import { addressText } from "../base/address.ts";
import { utf8 } from "../base/bytes.ts";
import type { ScramKeysCache } from "../postgres/auth/scram_keys_cache.ts";
import { ConnectProbe } from "../postgres/health/connect_probe.ts";
import { type ProbeLogin, QueryProbe } from "../postgres/health/query_probe.ts";
import { CHECK_FAILURES, type CheckResult, type Probe } from "../upstream/health/check.ts";
import { GroupHealth, type OperatorFlag } from "../upstream/health/group_health.ts";
import type { HealthFact } from "../upstream/health/health_facts.ts";
import { MemberWatch } from "../upstream/health/member_watch.ts";
import type { Member } from "../upstream/members.ts";
import { HEALTH, type ServerTable } from "../upstream/server_table.ts";
import { type ClientTls, clientTls } from "../tls_contexts.ts";
import { FailoverScript } from "./failover_script.ts";
import type { HealthLog } from "./health_log.ts";
import { type PatroniFetch, PatroniSource } from "./patroni.ts";
import { flagNames, healthName, roleName } from "./server_words.ts";

/** What all groups share. */
export interface GroupControlParts {
  readonly table: ServerTable;
  readonly log: HealthLog;
  readonly clock: Clock;
  readonly wallClockMs: () => number;
  readonly driver: Driver;
  /** Cryptographically strong. */
  readonly randomBytes: (size: number) => Uint8Array;
  readonly keysCache: ScramKeysCache;
  readonly fetch: PatroniFetch;
}

/** One server's watch, and what is counted of it. */
interface Watched {
  readonly member: Member;
  readonly probe: Probe;
  readonly watch: MemberWatch;
  readonly checks: Map<string, number>;
  checkMs: number | undefined;
}

/**
 * While a group has lost its primary, it is asked this often who is the next one, in milliseconds:
 * clients are waiting. But not for ever.
 */
const SEARCH_INTERVAL_MS = 200;
const SEARCH_TIME_MS = 60_000;

/** The database that checks log in to where none is configured. */
const DEFAULT_DATABASE = "postgres";

/** One group's. */
export class GroupControl {
  readonly client: string;
  readonly members: readonly Member[];
  readonly #parts: GroupControlParts;
  readonly #health: GroupHealth;
  readonly #watched: readonly Watched[];
  readonly #patroni: PatroniSource | undefined;
  readonly #script: FailoverScript | undefined;
  readonly #onComplete: () => void;
  #config: ClientConfig;
  #tls: ClientTls | undefined;
  #isTlsMade = false;
  #primaryChanges = 0;
  #hadPrimary = false;
  /** Since when the group has no primary that can be reached. */
  #lostMs: number | undefined;

  /**
   * @param members Its servers, in the order of the configuration.
   * @param onComplete Called whenever a check of a server has ended that may have been the last one
   * that somebody waits for.
   */
  constructor(
    client: string,
    config: ClientConfig,
    members: readonly Member[],
    parts: GroupControlParts,
    onComplete: () => void,
  ) {
    const { group } = config;
    const { table, log, clock, wallClockMs } = parts;
    this.client = client;
    this.members = members;
    this.#config = config;
    this.#parts = parts;
    this.#onComplete = onComplete;
    this.#health = new GroupHealth({
      members,
      counts: group.health,
      isChecked: group.health.check !== "off",
      lagMaxMs: group.lagMaxMs,
      lagSizeMax: group.lagSizeMax,
      table,
      nowMs: () => clock.nowMs(),
      wallClockMs,
      onFact: (fact) => this.#onFact(fact),
    });
    this.#watched = group.health.check === "off" ? [] : members.map((one) => this.#watch(one));
    this.#patroni = group.patroni.length === 0 ? undefined : new PatroniSource({
      urls: group.patroni,
      intervalMs: () => this.#intervalMs(),
      timeoutMs: group.health.timeoutMs,
      members,
      clock,
      fetch: parts.fetch,
      onStates: (states) => {
        this.#health.onManaged(states);
        this.#lookForPrimary();
      },
      onUnknownLeader: (address) => log.onUnknownLeader(client, address),
      onSilent: (error, heldMs) => log.onPatroniSilent(client, error, heldMs),
      onForgotten: () => log.onPatroniForgotten(client),
      onBack: () => log.onPatroniBack(client),
      onRound: onComplete,
    });
    this.#script = group.failoverScript === "" ? undefined : new FailoverScript({
      path: group.failoverScript,
      onFailed: (error, output) => log.onScriptFailed(client, error, output),
      onDone: (durationMs) => log.onScriptDone(client, durationMs),
    });
  }

  start(): void {
    this.#patroni?.start();
    for (const { watch } of this.#watched) watch.start();
  }

  /** Resolves when nothing of it is left. */
  async stop(): Promise<void> {
    for (const { watch } of this.#watched) watch.stop();
    this.#patroni?.stop();
    await this.#script?.stop();
  }

  /** Whether everything has been asked once, whatever came of it. */
  get isComplete(): boolean {
    return this.#health.isComplete && (this.#patroni?.hasBegun ?? true);
  }

  get primaryChanges(): number {
    return this.#primaryChanges;
  }

  /** Workers could not use a server. */
  onFailureReported(member: Member): void {
    this.#watchedOf(member)?.watch.checkSoon();
    this.#patroni?.askSoon();
  }

  /** Files have changed: logins from now on use what they say. */
  refresh(config: ClientConfig): void {
    const isSame = JSON.stringify(config) === JSON.stringify(this.#config);
    if (isSame) return;
    this.#config = config;
    this.#isTlsMade = false;
    for (const { probe } of this.#watched) if (probe instanceof QueryProbe) probe.reconnect();
  }

  setFlag(member: Member, flag: OperatorFlag, isSet: boolean): void {
    this.#health.setFlag(member, flag, isSet);
  }

  /** The past of servers does not count any more. */
  forgive(members: readonly Member[]): void {
    this.#health.forgive(members);
    for (const member of members) this.#watchedOf(member)?.watch.checkSoon();
  }

  readings(): ServerReading[] {
    const { table } = this.#parts;
    return this.members.map(({ index, client, address }, place) => ({
      client,
      server: addressText(address),
      health: healthName(table.health(index)),
      role: roleName(table.role(index)),
      lagSize: table.lagSize(index),
      lagMs: table.lagMs(index),
      flags: flagNames(table.flags(index)),
      checks: this.#watched[place]?.checks ?? new Map(),
      checkMs: this.#watched[place]?.checkMs,
    }));
  }

  // Checks ----------------------------------------------------------------------------------------

  #watch(member: Member): Watched {
    const { clock } = this.#parts;
    const probe = this.#probe(member, () => watched.watch.checkSoon());
    const watch = new MemberWatch({
      clock,
      intervalMs: () => this.#intervalMs(),
      probe,
      onBegin: () => this.#onBegin(member),
      onResult: (result, round, tookMs) => this.#onResult(watched, result, round, tookMs),
    });
    const results = ["alive", ...CHECK_FAILURES].map((result) => [result, 0] as const);
    const watched: Watched = {
      member,
      probe,
      watch,
      checks: new Map(results),
      checkMs: undefined,
    };
    return watched;
  }

  #probe({ address }: Member, onLost: () => void): Probe {
    const { check, timeoutMs } = this.#config.group.health;
    const target = { address, timeoutMs };
    if (check === "connect") return new ConnectProbe(target, this.#parts);
    return new QueryProbe(target, { ...this.#parts, login: () => this.#login(), onLost });
  }

  #login(): ProbeLogin {
    const { group: { health }, user, password, database } = this.#config;
    const secret = health.password || password;
    return {
      user: health.user || user,
      database: health.database || database || DEFAULT_DATABASE,
      credentials: secret === "" ? undefined : { kind: "password", password: utf8(secret) },
      tls: () => this.#tlsOf(),
    };
  }

  /** Made when it is first needed. @throws {Error} If a file is broken. */
  #tlsOf(): ClientTls | undefined {
    if (!this.#isTlsMade) this.#tls = clientTls(this.#config);
    this.#isTlsMade = true;
    return this.#tls;
  }

  /** A primary's position belongs to a round that has begun before it is asked for. */
  #onBegin(member: Member): number | undefined {
    this.#health.takeFailures(member);
    const isAsked = this.#config.group.health.check === "query";
    if (!isAsked || this.#health.isReplica(member)) return undefined;
    return this.#parts.table.beginRound();
  }

  #onResult(
    watched: Watched,
    result: CheckResult,
    round: number | undefined,
    tookMs: number,
  ): void {
    const { member, checks, watch } = watched;
    const name = result.kind === "failed" ? result.failure : result.kind;
    checks.set(name, checks.get(name)! + 1);
    watched.checkMs = tookMs;
    this.#health.onCheck(member, result, round);
    this.#lookForPrimary();
    this.#onComplete();
    if (this.#health.primary !== member || result.kind === "failed") return;
    // It was a replica when it was asked: its position belongs to no round yet.
    if (round === undefined) watch.checkSoon();
    else this.#askReplicas(member);
  }

  /**
   * A moment behind the primary, so that they are found to have replayed what it had written. At
   * once would be too soon: what no commit waits for is flushed, and sent, by the walwriter only,
   * every 200 ms (wal_writer_delay).
   */
  #askReplicas(primary: Member): void {
    const { intervalMs } = this.#config.group.health;
    for (const { member, watch } of this.#watched) {
      if (member !== primary) watch.moveTo(intervalMs / 4, intervalMs);
    }
  }

  #intervalMs(): number {
    const { intervalMs } = this.#config.group.health;
    const { clock } = this.#parts;
    const isSearching = this.#lostMs !== undefined &&
      clock.nowMs() - this.#lostMs < SEARCH_TIME_MS;
    return isSearching ? Math.min(intervalMs, SEARCH_INTERVAL_MS) : intervalMs;
  }

  /** The primary may have gone, or be back: others are asked at once who it is now. */
  #lookForPrimary(): void {
    const { clock, table } = this.#parts;
    const { primary } = this.#health;
    const isThere = primary !== undefined && table.health(primary.index) !== HEALTH.down;
    this.#hadPrimary ||= isThere;
    if (isThere || !this.#hadPrimary) {
      this.#lostMs = undefined;
      return;
    }
    if (this.#lostMs !== undefined) return;
    this.#lostMs = clock.nowMs();
    this.#patroni?.askSoon();
    for (const { watch } of this.#watched) watch.checkSoon();
  }

  #watchedOf(member: Member): Watched | undefined {
    return this.#watched.find((one) => one.member === member);
  }

  #onFact(fact: HealthFact): void {
    this.#parts.log.onFact(fact);
    if (fact.kind !== "primary_changed") return;
    this.#primaryChanges += 1;
    this.#script?.run(fact.from.address, fact.to.address);
  }
}
