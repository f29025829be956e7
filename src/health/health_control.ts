/**
 * The control plane's half of routing: watches every server of every client and writes what it
 * finds into the shared table that workers route by.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import { DenoDriver } from "../net/deno_driver.ts";
import type { Driver } from "../net/socket.ts";
import type { Log } from "../observe/log.ts";
import type { ServerReadings } from "../observe/server_metrics.ts";
import { ScramKeysCache } from "../postgres/auth/scram_keys_cache.ts";
import { type Member, membersOf } from "../upstream/members.ts";
import { FLAG, type ServerTable } from "../upstream/server_table.ts";
import { GroupControl } from "./group_control.ts";
import { HealthLog } from "./health_log.ts";
import type { PatroniFetch } from "./patroni.ts";

/** Passwords whose keys are remembered: one for each client, mostly. */
const KEYS_MAX = 100;

/** What it is made of. */
export interface HealthControlOptions {
  readonly config: Pick<Config, "clients">;
  /** With a row for each of `membersOf(config.clients)`. */
  readonly table: ServerTable;
  readonly log: Pick<Log, "write">;
  /** The machine's unless given. */
  readonly clock?: Clock;
  /** Milliseconds since 1970; `Date.now` unless given. */
  readonly wallClockMs?: () => number;
  /** Deno's own sockets unless given. */
  readonly driver?: Driver;
  /** The global one unless given. */
  readonly fetch?: PatroniFetch;
}

/** Somebody who waits for the first checks. */
interface Waiting {
  readonly resolve: (isComplete: boolean) => void;
  readonly timer: Timer;
}

/** The whole gateway's. */
export class HealthControl {
  readonly #table: ServerTable;
  readonly #log: HealthLog;
  readonly #clock: Clock;
  readonly #groups: ReadonlyMap<string, GroupControl>;
  readonly #members: readonly Member[];
  readonly #waiting = new Set<Waiting>();

  constructor(options: HealthControlOptions) {
    const { config, table, clock = SYSTEM_CLOCK, wallClockMs = Date.now } = options;
    this.#table = table;
    this.#clock = clock;
    this.#log = new HealthLog(options.log, wallClockMs);
    const chance = (size: number) => new Uint8Array(randomBytes(size));
    const parts = {
      table,
      log: this.#log,
      clock,
      wallClockMs,
      driver: options.driver ?? new DenoDriver(),
      randomBytes: chance,
      keysCache: new ScramKeysCache({ entriesMax: KEYS_MAX, randomBytes: chance }),
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    };
    const members = membersOf(config.clients);
    const onComplete = () => this.#tellWaiting();
    this.#members = [...members.values()].flat();
    this.#groups = new Map(
      [...config.clients].map(([client, one]) => [
        client,
        new GroupControl(client, one, members.get(client)!, parts, onComplete),
      ]),
    );
  }

  /** Begins with a check of every server. */
  start(): void {
    for (const group of this.#groups.values()) group.start();
  }

  /** Resolves when no timer, no connection and no program of it is left. */
  async stop(): Promise<void> {
    this.#finishWaiting(false);
    await Promise.all([...this.#groups.values()].map((group) => group.stop()));
  }

  /**
   * Waits until every server that is watched has been asked once, whatever came of it.
   *
   * @returns Whether it was in time.
   */
  waitForFirstRound(timeoutMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#clock.after(timeoutMs, () => {
      this.#waiting.delete(waiting);
      resolve(false);
    });
    const waiting: Waiting = { resolve, timer };
    this.#waiting.add(waiting);
    this.#tellWaiting();
    return promise;
  }

  /**
   * A worker could not use a server, and has counted that in the table: it is checked at once,
   * unless that was done a moment ago.
   *
   * @param index The server's number, as in `Member.index`.
   */
  onFailureReported(index: number): void {
    const member = this.#members[index];
    if (member !== undefined) this.#groups.get(member.client)!.onFailureReported(member);
  }

  /** Files have changed: checks use what they say from the next login on. */
  refresh({ clients }: Pick<Config, "clients">): void {
    for (const [client, group] of this.#groups) {
      const config = clients.get(client);
      if (config !== undefined) group.refresh(config);
    }
  }

  readings(): ServerReadings {
    const groups = [...this.#groups.values()];
    return {
      servers: groups.flatMap((group) => group.readings()),
      primaryChanges: new Map(groups.map(({ client, primaryChanges }) => [client, primaryChanges])),
    };
  }

  // What an operator may want ---------------------------------------------------------------------

  /**
   * No new work for a server, or all of a client; what runs goes on.
   *
   * @param target A client's name, or a server's such as `main@db1:5432`.
   * @throws {RangeError} If there is no such client or server; and so do the next two.
   */
  disable(target: string): void {
    for (const member of this.#membersOf(target)) this.#setFlags(member, "disable", FLAG.disabled);
  }

  /** As `disable`, and connections are closed once they are free. */
  drain(target: string): void {
    for (const member of this.#membersOf(target)) this.#setFlags(member, "drain", FLAG.draining);
  }

  /**
   * Takes `disable` and `drain` back. It also ends a fence, and has the last words of servers that
   * cannot be reached forgotten: who is the primary is found out anew from those that answer.
   */
  enable(target: string): void {
    const members = this.#membersOf(target);
    for (const member of members) this.#setFlags(member, "enable", 0);
    this.#groups.get(members[0]!.client)!.forgive(members);
  }

  /** New work for the client's servers waits. @throws {RangeError} If there is no such client. */
  pause(client: string): void {
    this.#setPaused(client, true);
  }

  /** Takes `pause` back. @throws {RangeError} If there is no such client. */
  resume(client: string): void {
    this.#setPaused(client, false);
  }

  #setFlags(member: Member, verb: string, flag: number): void {
    const group = this.#groups.get(member.client)!;
    for (const one of [FLAG.disabled, FLAG.draining]) group.setFlag(member, one, one === flag);
    this.#log.onVerb(verb, member);
  }

  #setPaused(client: string, isPaused: boolean): void {
    const group = this.#groups.get(client);
    if (group === undefined) throw new RangeError(`there is no client "${client}"`);
    this.#table.setPaused(group.members[0]!.group, isPaused);
    this.#log.onPause(client, isPaused);
  }

  #membersOf(target: string): readonly Member[] {
    const members = this.#groups.get(target)?.members ??
      this.#members.filter(({ name }) => name === target);
    if (members.length === 0) throw new RangeError(`there is no client or server "${target}"`);
    return members;
  }

  // Who waits -------------------------------------------------------------------------------------

  #tellWaiting(): void {
    if (this.#waiting.size === 0) return;
    if ([...this.#groups.values()].every(({ isComplete }) => isComplete)) this.#finishWaiting(true);
  }

  #finishWaiting(isComplete: boolean): void {
    for (const { resolve, timer } of this.#waiting) {
      timer.cancel();
      resolve(isComplete);
    }
    this.#waiting.clear();
  }
}
