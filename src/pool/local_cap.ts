/**
 * A cap as one worker sees it: the pools here that share it, and those of them that wait for it.
 *
 * @module
 */

import type { Cap } from "./server_pool_types.ts";
import type { SharedPlaces } from "./shared_places.ts";

/** A pool that a cap counts. */
export interface CapMember {
  /** Since when its first waiter waits, from `SharedPlaces.now`; 0: nobody. */
  readonly since: number;
  /** Since when its coldest connection is idle, ms; undefined: none is idle. */
  readonly coldestSinceMs: number | undefined;
  /** Closes its coldest connection. */
  evict(): void;
  /** A place may be free. */
  retry(): void;
}

/** One cap in one worker. */
export class LocalCap {
  readonly cap: Cap;
  /** What it is called in messages and in shared memory. */
  readonly key: string;
  readonly entry: number;
  readonly #places: SharedPlaces;
  readonly #members = new Set<CapMember>();
  readonly #blocked = new Set<CapMember>();
  #idle = 0;
  #closing = 0;

  /** @param entry The entry of `key`, opened by the caller. */
  constructor(cap: Cap, key: string, entry: number, places: SharedPlaces) {
    this.cap = cap;
    this.key = key;
    this.entry = entry;
    this.#places = places;
  }

  get isUnused(): boolean {
    return this.#members.size === 0;
  }

  join(member: CapMember): void {
    this.#members.add(member);
  }

  leave(member: CapMember): void {
    this.#members.delete(member);
    this.unblock(member);
  }

  /** Some member's idle connections have become more or fewer. */
  addIdle(amount: number): void {
    this.#idle += amount;
    if (this.#places.workers > 1) this.#places.setIdle(this.entry, this.#idle);
  }

  /** Those of some member that are being closed have become more or fewer. */
  addClosing(amount: number): void {
    this.#closing += amount;
    this.#places.setClosing(this.entry, this.#closing);
  }

  /** How many more connections `member` can have although nobody gives up one that is used. */
  obtainable(member: CapMember): number {
    const others = this.#blocked.size - (this.#blocked.has(member) ? 1 : 0);
    return this.#places.obtainable(this.entry, this.cap.size) + this.#idle - others;
  }

  /** This member waits because the cap is full; or its first waiter is another one now. */
  block(member: CapMember): void {
    this.#blocked.add(member);
    this.#publish();
  }

  unblock(member: CapMember): void {
    if (this.#blocked.delete(member)) this.#publish();
  }

  /** How long another member of this worker has waited for the cap at most, ms. */
  longestLocalWaitMs(except: CapMember): number {
    if (this.#blocked.size === 0) return 0;
    const now = this.#places.now();
    let longest = 0;
    for (const member of this.#blocked) {
      if (member !== except) longest = Math.max(longest, (now - member.since) | 0);
    }
    return longest;
  }

  /** Closes the connection that has been idle for longest, whichever member's it is. */
  evictColdest(): boolean {
    let coldest: CapMember | undefined;
    let earliestMs = Infinity;
    for (const member of this.#members) {
      const sinceMs = member.coldestSinceMs ?? Infinity;
      if (sinceMs >= earliestMs) continue;
      coldest = member;
      earliestMs = sinceMs;
    }
    coldest?.evict();
    return coldest !== undefined;
  }

  /** Those who wait for the cap try again; the one that waits longest comes first. */
  retryBlocked(): void {
    if (this.#blocked.size === 0) return;
    const inOrder = [...this.#blocked].sort((a, b) => (a.since - b.since) | 0);
    for (const member of inOrder) member.retry();
  }

  #publish(): void {
    let earliest = 0;
    for (const { since } of this.#blocked) {
      if (earliest === 0 || ((since - earliest) | 0) < 0) earliest = since;
    }
    this.#places.setWaiting(this.entry, earliest);
  }
}
