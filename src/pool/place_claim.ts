/**
 * One pool's dealings over places: takes them in its pair and all its caps, says in shared memory
 * that it waits for one, asks others for theirs, and knows when others need ours more.
 *
 * Who frees a place does not hand it over: it says so to who waits longest, and whoever asks for
 * one leaves as many as there are workers that have waited longer. So nothing depends on a message.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { CapMember, LocalCap } from "./local_cap.ts";
import type { PlaceMessage, ServerPoolOptions } from "./server_pool_types.ts";
import type { SharedPlaces } from "./shared_places.ts";

/** A waiter who is this much behind another worker's in a strict pool was overtaken, ms. */
const STRICT_LEAD_MS = 5;

/** Below this a wait is no reason to move a connection, which costs a login of a few ms. */
const LEAD_MS_MIN = 2;

/** Whatever our own waits are, nobody elsewhere waits for longer than this on top of them, ms. */
const LEAD_MS_MAX = 500;

/** Pools that are not strict let one connection move in this time, ms. */
const MOVE_INTERVAL_MS = 100;

/** Who waits asks again after this time, in case that nobody heard. */
const RETRY_MS = 100;

/** What a claim is made from. */
export interface PlaceClaimParts {
  readonly places: SharedPlaces;
  /** The pair's key and its entry, opened by the caller. */
  readonly key: string;
  readonly entry: number;
  readonly caps: readonly LocalCap[];
  readonly tell: (worker: number, message: PlaceMessage) => void;
}

/** The places of one pair in one worker. */
export class PlaceClaim {
  readonly #parts: PlaceClaimParts;
  readonly #options: ServerPoolOptions;
  readonly #member: CapMember;
  /** The pair's, then the caps'. */
  readonly #entries: readonly number[];
  readonly #limits: number[];
  /** What was full when we asked last, by its index in `#entries`; -1: we do not wait. */
  #blockedAt = -1;
  #askedMs = -Infinity;
  #movedMs = -Infinity;
  #idle = 0;
  #closing = 0;
  #isLeft = false;

  constructor(parts: PlaceClaimParts, options: ServerPoolOptions, member: CapMember) {
    this.#parts = parts;
    this.#options = options;
    this.#member = member;
    this.#entries = [parts.entry, ...parts.caps.map(({ entry }) => entry)];
    this.#limits = [options.size, ...parts.caps.map(({ cap }) => cap.size)];
    for (const cap of parts.caps) cap.join(member);
  }

  /** How many connections the pair has, over all workers. */
  get inUse(): number {
    return this.#parts.places.inUse(this.#parts.entry);
  }

  /** Whether we wait for a place. */
  get isBlocked(): boolean {
    return this.#blockedAt >= 0;
  }

  /** What has no place for us: "pool" or a cap's name. */
  get full(): string | undefined {
    return this.#blockedAt < 0 ? undefined : this.#nameOf(this.#blockedAt);
  }

  /** The instant on the clock that all workers share. */
  now(): number {
    return this.#parts.places.now();
  }

  /**
   * Takes a place for the first waiter, or waits for one: then others are asked.
   *
   * @param sinceMs Since when it waits, on the pool's clock.
   * @param since The same on the clock that all workers share.
   */
  take(sinceMs: number, since: number, nowMs: number): boolean {
    assert(!this.#isLeft, "who uses a pool keeps it until the use is over");
    if (this.#blockedAt >= 0) this.#publish(since); // who asks must not stand behind itself
    const { size, reserve } = this.#options;
    this.#limits[0] = this.#reserveMs(sinceMs) <= nowMs ? size + reserve : size;
    const full = this.#parts.places.take(this.#entries, this.#limits, since);
    if (full < 0) return true;
    if (full !== this.#blockedAt) {
      this.unblock();
      this.#blockedAt = full;
      this.#askedMs = -Infinity;
      this.#publish(since);
    }
    if (nowMs - this.#askedMs < RETRY_MS) return false;
    this.#askedMs = nowMs;
    this.#ask();
    return false;
  }

  /** Takes a place to have `count` connections, if nobody waits for it. */
  takeSpare(count: number): boolean {
    const { places } = this.#parts;
    if (this.inUse >= count) return false;
    this.#limits[0] = count;
    return places.take(this.#entries, this.#limits, places.now()) < 0;
  }

  /** When to try again for a waiter who came at `sinceMs`; Infinity: when something happens. */
  nextRetryMs(sinceMs: number, nowMs: number): number {
    if (this.#blockedAt < 0) return Infinity;
    const reserveMs = this.#reserveMs(sinceMs);
    return reserveMs > nowMs ? Math.min(nowMs + RETRY_MS, reserveMs) : nowMs + RETRY_MS;
  }

  /** A connection is gone. `announce` must follow, when we have taken what we need ourselves. */
  giveBack(): void {
    this.#parts.places.giveBack(this.#entries);
  }

  /** Tells who waits longest if there is a free place. */
  announce(): void {
    const { places, caps, key, entry, tell } = this.#parts;
    const worker = places.longestWaiting(entry);
    if (worker >= 0 && this.inUse < this.#options.size + this.#options.reserve) {
      tell(worker, { kind: "wake", key });
    }
    for (const cap of caps) {
      if (places.inUse(cap.entry) >= cap.cap.size) continue;
      const worker = places.longestWaiting(cap.entry);
      if (worker >= 0) tell(worker, { kind: "wake", key: cap.key });
      cap.retryBlocked();
    }
  }

  /** Something has changed: the next time that there is no place, others are asked again. */
  onNews(): void {
    this.#askedMs = -Infinity;
  }

  /**
   * What is too small, if more than `waitersMax` wait for somebody to give up a connection that he
   * uses: "pool" or a cap's name.
   *
   * @param wanted How many wait for a connection that is not being opened.
   */
  tooSmallFor(wanted: number): string | undefined {
    const { places, entry, caps } = this.#parts;
    const { size, waitersMax } = this.#options;
    if (wanted <= waitersMax) return undefined;
    let least = places.obtainable(entry, size);
    let at = 0;
    for (const [i, cap] of caps.entries()) {
      const obtainable = cap.obtainable(this.#member);
      if (obtainable >= least) continue;
      least = obtainable;
      at = i + 1;
    }
    return wanted - Math.max(0, least) > waitersMax ? this.#nameOf(at) : undefined;
  }

  /** We do not wait for a place any more. */
  unblock(): void {
    if (this.#blockedAt < 0) return;
    if (this.#blockedAt === 0) this.#parts.places.setWaiting(this.#parts.entry, 0);
    else this.#parts.caps[this.#blockedAt - 1]!.unblock(this.#member);
    this.#blockedAt = -1;
  }

  /** While we wait, another waiter has become the first. Caps hear of it at the next retry. */
  onFirstChanged(since: number): void {
    if (this.#blockedAt === 0) this.#parts.places.setWaiting(this.#parts.entry, since);
  }

  /** Our idle connections have become more or fewer. */
  addIdle(amount: number): void {
    const { places, entry, caps } = this.#parts;
    this.#idle += amount;
    if (places.workers > 1) places.setIdle(entry, this.#idle);
    for (let i = 0; i < caps.length; i++) caps[i]!.addIdle(amount);
  }

  /** Those of our connections that are being closed have become more or fewer. */
  addClosing(amount: number): void {
    const { places, entry, caps } = this.#parts;
    this.#closing += amount;
    places.setClosing(entry, this.#closing);
    for (const cap of caps) cap.addClosing(amount);
  }

  /**
   * Whether a connection that came free should be closed, because somebody who has no place for
   * one waits clearly longer than our first waiter.
   *
   * @param waitedMs How long our first waiter has waited, or -1 if nobody waits here.
   */
  shouldYield(waitedMs: number, nowMs: number): boolean {
    const { places, caps } = this.#parts;
    for (let i = 0; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      const worker = places.longestWaiting(entry);
      const localMs = i === 0 ? 0 : caps[i - 1]!.longestLocalWaitMs(this.#member);
      if (worker < 0 && localMs === 0) continue;
      // Mostly because we have closed one for them just now, and they do not know yet.
      if (places.inUse(entry) < (i === 0 ? this.#options.size : this.#limits[i]!)) continue;
      const otherMs = worker < 0 ? 0 : places.waitedMs(entry, worker);
      const isNeeded = waitedMs < 0
        ? i > 0 || this.#mayLeaveIdle(worker, nowMs)
        : this.#isOvertaken(waitedMs, Math.max(localMs, otherMs), nowMs);
      if (!isNeeded) continue;
      this.#movedMs = nowMs;
      return true;
    }
    return false;
  }

  /** Whether an idle connection should be closed for a worker that has asked for it. */
  shouldGive(worker: number, nowMs: number): boolean {
    const { places, entry } = this.#parts;
    if (!places.isWaiting(entry, worker) || this.inUse < this.#options.size) return false;
    if (!this.#mayLeaveIdle(worker, nowMs)) return false;
    this.#movedMs = nowMs;
    return true;
  }

  /** Nobody here asks any more: then the entries may be closed. */
  leave(): void {
    this.#isLeft = true;
    this.unblock();
    for (const cap of this.#parts.caps) cap.leave(this.#member);
  }

  /** By an index in `#entries`. */
  #nameOf(index: number): string {
    return index === 0 ? "pool" : this.#parts.caps[index - 1]!.cap.name;
  }

  /** A worker without any gets one at once; who has some can wait until it is worth a login. */
  #mayLeaveIdle(worker: number, nowMs: number): boolean {
    const { places, entry } = this.#parts;
    if (this.#options.isStrict || places.held(entry, worker) === 0) return true;
    return places.waitedMs(entry, worker) > LEAD_MS_MIN && this.#mayMove(nowMs);
  }

  #isOvertaken(ourMs: number, theirMs: number, nowMs: number): boolean {
    if (this.#options.isStrict) return theirMs > ourMs + STRICT_LEAD_MS;
    const leadMs = Math.min(ourMs + LEAD_MS_MIN, LEAD_MS_MAX);
    return theirMs > ourMs + leadMs && this.#mayMove(nowMs);
  }

  #mayMove(nowMs: number): boolean {
    return nowMs - this.#movedMs >= MOVE_INTERVAL_MS;
  }

  /** From when on the reserve may be used for one who came at `sinceMs`. */
  #reserveMs(sinceMs: number): number {
    const { reserve, reserveTimeoutMs } = this.#options;
    return reserve === 0 ? Infinity : sinceMs + reserveTimeoutMs;
  }

  #publish(since: number): void {
    if (this.#blockedAt === 0) this.#parts.places.setWaiting(this.#parts.entry, since);
    else this.#parts.caps[this.#blockedAt - 1]!.block(this.#member);
  }

  #ask(): void {
    const { places, caps, key, entry, tell } = this.#parts;
    const cap = this.#blockedAt === 0 ? undefined : caps[this.#blockedAt - 1]!;
    if (cap?.evictColdest()) return;
    const worker = places.mostIdle(cap?.entry ?? entry);
    if (worker >= 0) tell(worker, { kind: "give", key: cap?.key ?? key });
  }
}
