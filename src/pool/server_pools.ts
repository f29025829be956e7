/**
 * All pools of server connections of one worker: made when a pair is first used, dropped when it
 * was unused for a while, and told what other workers have to say.
 *
 * @module
 */

import type { Clock, Timer } from "../base/clock.ts";
import { LocalCap } from "./local_cap.ts";
import { ServerPool } from "./server_pool.ts";
import type { Cap, Pair, PairSettings, PlaceMessage } from "./server_pool_types.ts";
import type { EntryRefusal, SharedPlaces } from "./shared_places.ts";

const TICK_MS = 1_000;

/** A pool that was unused for this time is dropped: it costs an entry of shared memory. */
const UNUSED_MS_MAX = 60_000;

/** How often it is looked whether connections are free, while a shutdown waits for that. */
const FREE_CHECK_MS = 10;

/** What a registry is made from. */
export interface ServerPoolsParts<C, F> {
  readonly places: SharedPlaces;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Asked once for each pool that is made. */
  readonly settingsFor: (pair: Pair) => PairSettings<C, F>;
  /** Sends to another worker, which calls `onMessage`; it may be lost. */
  readonly tell: (worker: number, message: PlaceMessage) => void;
  /** Called about once a second while there are pools, and once when there are none any more. */
  readonly onTick?: () => void;
}

interface Member<C, F> {
  readonly pair: Pair;
  readonly pool: ServerPool<C, F>;
  readonly entry: number;
  readonly caps: readonly LocalCap[];
  users: number;
  /** Since when it is unused, ms, as far as ticks have seen. */
  unusedSinceMs: number | undefined;
}

/** A client's use of a pool: the pool is there as long as somebody uses it. */
export class PoolUse<C, F = Error> implements Disposable {
  readonly #member: Member<C, F>;
  #isOver = false;

  constructor(member: Member<C, F>) {
    this.#member = member;
    member.users += 1;
  }

  get pool(): ServerPool<C, F> {
    return this.#member.pool;
  }

  /** Ends the use. A second time it does nothing. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#member.users -= 1;
  }
}

/** The pools of one worker. */
export class ServerPools<C, F = Error> {
  readonly #parts: ServerPoolsParts<C, F>;
  readonly #members = new Map<string, Member<C, F>>();
  readonly #caps = new Map<string, LocalCap>();
  #timer: Timer | undefined;
  #isDraining = false;

  constructor(parts: ServerPoolsParts<C, F>) {
    this.#parts = parts;
  }

  /**
   * Finds or makes the pool of a pair; once for each login, then its pool is used for all that the
   * client does.
   *
   * @returns Why there is none: names that are too long together, or more pairs and caps in use
   * than the shared memory has entries for.
   */
  use(pair: Pair): PoolUse<C, F> | EntryRefusal {
    const key = pairKey(pair);
    const member = this.#members.get(key) ?? this.#make(pair, key);
    if (typeof member === "string") return member;
    return new PoolUse(member);
  }

  /** A message from another worker; what it is about may not be here any more. */
  onMessage(fromWorker: number, { kind, key }: PlaceMessage): void {
    const pool = this.#members.get(key)?.pool;
    const cap = this.#caps.get(key);
    if (kind === "wake") {
      pool?.onWake();
      cap?.retryBlocked();
    } else {
      pool?.onGive(fromWorker);
      if (cap !== undefined && this.#isNeeded(cap, fromWorker)) cap.evictColdest();
    }
  }

  /** Every pool that there is. */
  *pools(): Iterable<readonly [Pair, ServerPool<C, F>]> {
    for (const { pair, pool } of this.#members.values()) yield [pair, pool];
  }

  /**
   * For shutdown: closes what is idle now, and what becomes idle.
   *
   * @param onFree Called when none is used any more: those whose clients have left are clean.
   */
  drain(onFree: () => void): void {
    this.#isDraining = true;
    for (const [, pool] of this.pools()) pool.drain();
    this.#awaitFree(onFree);
  }

  #awaitFree(onFree: () => void): void {
    for (const [, pool] of this.pools()) {
      if (pool.stats.used === 0) continue;
      return void this.#parts.clock.after(FREE_CHECK_MS, () => this.#awaitFree(onFree));
    }
    onFree();
  }

  /** Closes what is idle, in every pool. */
  closeIdle(): void {
    for (const [, pool] of this.pools()) pool.closeIdle();
  }

  /** Closes every connection when it is not used any more, in every pool. */
  reconnect(): void {
    for (const [, pool] of this.pools()) pool.reconnect();
  }

  #make(pair: Pair, key: string): Member<C, F> | EntryRefusal {
    const settings = this.#parts.settingsFor(pair);
    let places = this.#openEntries(key, settings.caps);
    if (places === "too_many_entries" && this.#dropUnused(0)) {
      places = this.#openEntries(key, settings.caps);
    }
    if (typeof places === "string") return places;
    const { clock, random, tell } = this.#parts;
    const { entry, caps } = places;
    const claim = { places: this.#parts.places, key, entry, caps, tell };
    const pool = new ServerPool({ settings, places: claim, clock, random });
    const member: Member<C, F> = { pair, pool, entry, caps, users: 0, unusedSinceMs: undefined };
    this.#members.set(key, member);
    if (this.#isDraining) pool.drain();
    this.#timer ??= this.#schedule();
    return member;
  }

  #openEntries(
    key: string,
    caps: readonly Cap[],
  ): { readonly entry: number; readonly caps: readonly LocalCap[] } | EntryRefusal {
    const entry = this.#parts.places.open(key);
    if (typeof entry === "string") return entry;
    const opened: LocalCap[] = [];
    for (const cap of caps) {
      const local = this.#caps.get(capKey(cap)) ?? this.#openCap(cap);
      if (typeof local !== "string") {
        opened.push(local);
        continue;
      }
      this.#parts.places.close(entry);
      this.#closeUnusedCaps();
      return local;
    }
    return { entry, caps: opened };
  }

  #openCap(cap: Cap): LocalCap | EntryRefusal {
    const key = capKey(cap);
    const entry = this.#parts.places.open(key);
    if (typeof entry === "string") return entry;
    const local = new LocalCap(cap, key, entry, this.#parts.places);
    this.#caps.set(key, local);
    return local;
  }

  #closeUnusedCaps(): void {
    for (const [key, cap] of this.#caps) {
      if (!cap.isUnused) continue;
      this.#caps.delete(key);
      this.#parts.places.close(cap.entry);
    }
  }

  #isNeeded({ cap, entry }: LocalCap, worker: number): boolean {
    const { places } = this.#parts;
    return places.isWaiting(entry, worker) && places.inUse(entry) >= cap.size;
  }

  #schedule(): Timer {
    return this.#parts.clock.after(TICK_MS, () => {
      for (const { pool } of this.#members.values()) pool.tick();
      this.#dropUnused(UNUSED_MS_MAX);
      this.#parts.onTick?.();
      this.#timer = this.#members.size > 0 ? this.#schedule() : undefined;
    });
  }

  /** @returns Whether there was one. */
  #dropUnused(unusedMs: number): boolean {
    const nowMs = this.#parts.clock.nowMs();
    const before = this.#members.size;
    for (const [key, member] of this.#members) {
      const isUnused = member.users === 0 && member.pool.isUnused;
      member.unusedSinceMs = isUnused ? member.unusedSinceMs ?? nowMs : undefined;
      if (!isUnused || nowMs - member.unusedSinceMs! < unusedMs) continue;
      member.pool.leave();
      this.#members.delete(key);
      this.#parts.places.close(member.entry);
    }
    this.#closeUnusedCaps();
    return this.#members.size < before;
  }
}

/** PostgreSQL's names hold no NUL, so that no two pairs have one key. */
function pairKey({ pool, database, user }: Pair): string {
  return `p\0${pool}\0${database}\0${user}`;
}

function capKey({ name }: Cap): string {
  return `c\0${name}`;
}
