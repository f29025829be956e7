/**
 * The server connections of one pair of database and user in one worker: who gets one that is free,
 * when another one is opened, and when one is closed. What a connection is, the caller knows.
 *
 * A connection is used, idle, checked or closing; from the start of its opening until it is gone it
 * has a place in the claim. While one is idle, nobody waits but for a check.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { Connections } from "./connections.ts";
import type { Slot } from "./idle_list.ts";
import { Openings } from "./openings.ts";
import { PlaceClaim, type PlaceClaimParts } from "./place_claim.ts";
import type { Acquisition } from "./pool.ts";
import type {
  CloseReason,
  PairSettings,
  Refusal,
  ServerPoolOptions,
  ServerPoolStats,
  ServerWaiter,
} from "./server_pool_types.ts";
import { Spares } from "./spares.ts";
import { Upkeep } from "./upkeep.ts";
import { WaitDeadlines } from "./wait_deadlines.ts";
import { ENDED, Waiting, WaitingList } from "./waiting_list.ts";

/** What a pool is made from. */
export interface ServerPoolParts<C, F> {
  readonly settings: PairSettings<C, F>;
  readonly places: PlaceClaimParts;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** Connections of one pair, for the clients of one worker. */
export class ServerPool<C, F = Error> {
  readonly options: ServerPoolOptions;
  readonly #settings: PairSettings<C, F>;
  readonly #clock: Clock;
  readonly #claim: PlaceClaim;
  readonly #connections: Connections<C>;
  readonly #openings: Openings<C, F>;
  readonly #waiting: WaitingList<C, F>;
  readonly #deadlines: WaitDeadlines<C, F>;
  readonly #upkeep: Upkeep<C>;
  readonly #spares: Spares<C, F>;
  /** How many reconnects there were: what is older is closed. */
  #generation = 0;
  #isDraining = false;
  /** Set while waiters are called: what they give back goes to those behind them. */
  #isServing = false;
  /** Calls of `#fill` that are not done: those from within it make it go round once more. */
  #fillsDue = 0;

  constructor({ settings, places, clock, random }: ServerPoolParts<C, F>) {
    const { options } = settings;
    this.options = options;
    this.#settings = settings;
    this.#clock = clock;
    this.#connections = new Connections(options.maxLifetimeMs, random, {
      onIdle: (amount) => this.#claim.addIdle(amount),
      onClosing: (amount) => this.#claim.addClosing(amount),
    });
    this.#openings = new Openings(settings, clock, random, {
      onOpened: (connection) => this.#onOpened(connection),
      onFailed: (failure) => this.#onFailed(failure),
    });
    this.#upkeep = new Upkeep(options, this.#connections, {
      validate: (connection, done) => settings.connector.validate(connection, done),
      close: (slot, reason) => this.#close(slot, reason),
      onChecked: (slot, isAlive) => this.#onChecked(slot, isAlive),
      nowMs: () => clock.nowMs(),
    });
    this.#waiting = new WaitingList((waiting) => this.#onLeft(waiting));
    this.#deadlines = new WaitDeadlines(this.#waiting, options, clock, {
      onTimeout: (waiting, waitedMs) => this.#onTimeout(waiting, waitedMs),
      onRetry: (nowMs) => this.#retry(nowMs),
      nextRetryMs: (nowMs) => this.#nextRetryMs(nowMs),
    });
    const waiting = this.#waiting;
    const { idle } = this.#connections;
    this.#claim = new PlaceClaim(places, options, {
      get since() {
        return waiting.first?.since ?? 0;
      },
      get coldestSinceMs() {
        return idle.coldest?.idleSinceMs;
      },
      evict: () => this.#close(idle.coldest!, "moved"),
      retry: () => this.onWake(),
    });
    this.#spares = new Spares(options, this.#claim, this.#openings);
  }

  /** What it holds in this worker. */
  get stats(): ServerPoolStats {
    const { first, count: waiting } = this.#waiting;
    const oldestWaitMs = first === undefined ? 0 : this.#clock.nowMs() - first.sinceMs;
    const opening = this.#openings.count;
    return { ...this.#connections.counts, opening, waiting, oldestWaitMs };
  }

  /** Whether nobody misses it if it is dropped. */
  get isUnused(): boolean {
    return this.#connections.count === 0 && this.#openings.count === 0 &&
      this.#waiting.count === 0 && this.#spares.count === 0;
  }

  /** Opens connections until there are `count`, unless one fails or others need the places. */
  prefill(count: number): void {
    this.#spares.prefill(count, this.#clock.nowMs());
  }

  /**
   * Asks for a connection. If one is idle, or there is no hope for one, `waiter` is called before
   * this returns.
   */
  acquire(waiter: ServerWaiter<C, F>): Acquisition {
    const connection = this.take();
    if (connection === undefined) return this.#queue(waiter);
    waiter.onServer(connection);
    return ENDED;
  }

  /** A connection that is idle, if one can be had at once. */
  take(): C | undefined {
    const slot = this.#connections.idle.hottest;
    if (slot === undefined || this.#waiting.count > 0 || this.#upkeep.isCheckDue(slot)) return;
    this.#connections.move(slot, "used");
    this.#settings.observer.onWaitEnded("served", 0);
    return slot.connection;
  }

  /**
   * Gives a connection back that is clean: to the first waiter, or it becomes idle or is closed.
   * One that is gone or closing already is ignored.
   */
  release(connection: C): void {
    const slot = this.#connections.get(connection);
    if (slot === undefined || slot.state === "closing") return;
    assert(slot.state === "used", "only who uses a connection gives it back, and only once");
    const nowMs = this.#clock.nowMs();
    slot.checkedMs = slot.idleSinceMs = nowMs;
    const { first } = this.#waiting;
    const waitedMs = first === undefined ? -1 : nowMs - first.sinceMs;
    let reason = this.#whyClose(slot, nowMs);
    if (reason === undefined && this.#claim.shouldYield(waitedMs, nowMs)) reason = "moved";
    if (reason === undefined) this.#free(slot, nowMs);
    else this.#close(slot, reason);
  }

  /** A connection's end has begun, not by us: nobody gets it any more, and `gone` must follow. */
  ending(connection: C): void {
    const slot = this.#connections.get(connection);
    if (slot === undefined || slot.state === "closing") return;
    this.#connections.move(slot, "closing");
    this.#retry(this.#clock.nowMs());
  }

  /** A connection's socket is closed, whoever closed it: its place is free. Twice does nothing. */
  gone(connection: C): void {
    const slot = this.#connections.get(connection);
    if (slot === undefined) return;
    this.#connections.delete(slot);
    this.#settings.observer.onClosed(slot.closeReason);
    this.#givePlaceBack();
  }

  /** For shutdown: closes what is idle, and what is released when nobody waits for it. */
  drain(): void {
    this.#isDraining = true;
    this.#spares.end();
    this.#cancelSurplus();
    this.closeIdle("drain");
  }

  /** Closes what is idle; `minSize` connections are opened again. */
  closeIdle(reason: CloseReason = "close_idle"): void {
    const { idle } = this.#connections;
    while (idle.coldest !== undefined) this.#close(idle.coldest, reason);
  }

  /** Closes every connection when it is not used any more, and opens new ones as needed. */
  reconnect(): void {
    this.#generation += 1;
    this.#openings.pause.reset();
    for (let left = this.#openings.count; left > 0; left--) this.#cancelOpening();
    this.closeIdle("reconnect");
    this.#retry(this.#clock.nowMs());
  }

  /** To be called about every second: what gets too old is closed, what is missing is opened. */
  tick(): void {
    const nowMs = this.#clock.nowMs();
    this.#upkeep.closeExpired(this.#claim.inUse, this.#openings.count, nowMs);
    this.#upkeep.checkInBackground();
    this.#retry(nowMs);
  }

  /** Another worker or pool says that a place may be free. */
  onWake(): void {
    this.#retry(this.#clock.nowMs());
  }

  /** Another worker waits for a place of this pair, and has seen that one is idle here. */
  onGive(worker: number): void {
    const { coldest } = this.#connections.idle;
    if (coldest === undefined || this.#waiting.count > 0) return;
    if (this.#claim.shouldGive(worker, this.#clock.nowMs())) this.#close(coldest, "moved");
  }

  /** Ends it when it is unused; then its entries may be closed. */
  leave(): void {
    assert(this.isUnused, "a pool is dropped when it holds nothing");
    this.#deadlines.stop();
    this.#claim.leave();
  }

  /** Connections that are still to be opened for those who wait; below 0: more than needed. */
  get #wanted(): number {
    const { checking, idle } = this.#connections;
    const coming = this.#openings.count + checking + (this.#isServing ? idle.count : 0);
    return this.#waiting.count - coming;
  }

  get #hasConnections(): boolean {
    return this.#openings.count > 0 || this.#connections.count > this.#connections.closing;
  }

  #queue(waiter: ServerWaiter<C, F>): Acquisition {
    const nowMs = this.#clock.nowMs();
    const failure = this.#hasConnections ? undefined : this.#openings.pause.failureAt(nowMs);
    if (failure !== undefined) {
      this.#refuse(waiter, { kind: "failed", failure: failure.failure }, 0);
      return ENDED;
    }
    const waiting = new Waiting(waiter, nowMs, this.#claim.now());
    this.#waiting.push(waiting);
    if (!this.#claim.isBlocked) this.#fill(nowMs);
    if (waiting.list === undefined) return waiting;
    const full = this.#claim.tooSmallFor(this.#wanted);
    if (full !== undefined) {
      this.#waiting.remove(waiting);
      this.#onQueueShrunk();
      this.#refuse(waiter, { kind: "queue_full", waitersMax: this.options.waitersMax, full }, 0);
    } else this.#deadlines.onQueued(nowMs);
    return waiting;
  }

  #refuse(waiter: ServerWaiter<C, F>, refusal: Refusal<F>, waitedMs: number): void {
    this.#settings.observer.onWaitEnded(refusal.kind, waitedMs);
    waiter.onRefused(refusal);
  }

  #onTimeout({ waiter }: Waiting<C, F>, waitedMs: number): void {
    const { full } = this.#claim;
    this.#onQueueShrunk();
    this.#refuse(waiter, { kind: "timeout", waitedMs, full }, waitedMs);
  }

  #onLeft(waiting: Waiting<C, F>): void {
    this.#onQueueShrunk();
    this.#settings.observer.onWaitEnded("cancelled", this.#clock.nowMs() - waiting.sinceMs);
  }

  #onQueueShrunk(): void {
    if (this.#isDraining) this.#cancelSurplus();
    if (!this.#claim.isBlocked) return;
    if (this.#wanted <= 0) this.#claim.unblock();
    else this.#claim.onFirstChanged(this.#waiting.first!.since);
  }

  /** A connection that nobody uses goes to the first waiter, or becomes idle. */
  #free(slot: Slot<C>, nowMs: number): void {
    if (this.#waiting.count === 0 || this.#isServing) return this.#connections.move(slot, "idle");
    this.#isServing = true;
    try {
      // A waiter may give it back, or ask again, before its call returns.
      for (let free: Slot<C> | undefined = slot; free !== undefined;) {
        const first: Waiting<C, F> = this.#waiting.first!;
        this.#waiting.remove(first);
        this.#connections.move(free, "used");
        this.#settings.observer.onWaitEnded("served", nowMs - first.sinceMs);
        first.waiter.onServer(free.connection);
        free = this.#waiting.count > 0 ? this.#connections.idle.hottest : undefined;
      }
    } finally {
      this.#isServing = false;
    }
    if (this.#isDraining) this.closeIdle("drain");
    this.#onQueueShrunk();
  }

  #whyClose(slot: Slot<C>, nowMs: number): CloseReason | undefined {
    if (slot.generation !== this.#generation) return "reconnect";
    if (nowMs >= slot.expiresMs) return "max_lifetime";
    if (this.#waiting.count > 0) return undefined;
    if (this.#isDraining) return "drain";
    return this.#claim.inUse > this.options.size ? "surplus" : undefined;
  }

  #close(slot: Slot<C>, reason: CloseReason): void {
    this.#connections.move(slot, "closing");
    slot.closeReason = reason;
    this.#settings.connector.close(slot.connection, reason);
  }

  #givePlaceBack(nowMs = this.#clock.nowMs()): void {
    this.#claim.giveBack();
    this.#retry(nowMs);
    this.#claim.announce();
  }

  #onOpened(connection: C): void {
    const nowMs = this.#clock.nowMs();
    this.#settle(this.#connections.add(connection, nowMs, this.#generation), nowMs);
    this.#retry(nowMs);
  }

  #onChecked(slot: Slot<C>, isAlive: boolean): void {
    const nowMs = this.#clock.nowMs();
    if (isAlive) this.#settle(slot, nowMs);
    this.#retry(nowMs); // somebody may have waited for one that is closed now
  }

  /** One that is new or was checked; not one to yield, which would be a login for nothing. */
  #settle(slot: Slot<C>, nowMs: number): void {
    const reason = this.#whyClose(slot, nowMs);
    if (reason === undefined) this.#free(slot, nowMs);
    else this.#close(slot, reason);
  }

  #onFailed(failure: F): void {
    const nowMs = this.#clock.nowMs();
    this.#spares.onFailed();
    this.#givePlaceBack(nowMs);
    if (this.#hasConnections) return this.#deadlines.arm(this.#nextRetryMs(nowMs), nowMs);
    for (let left = this.#waiting.count; left > 0; left--) {
      const { first } = this.#waiting;
      if (first === undefined) return;
      this.#waiting.remove(first);
      this.#refuse(first.waiter, { kind: "failed", failure }, nowMs - first.sinceMs);
    }
  }

  #cancelSurplus(): void {
    while (this.#openings.count > 0 && this.#wanted < 0) this.#cancelOpening();
  }

  #cancelOpening(): void {
    this.#openings.cancelOne();
    this.#givePlaceBack();
  }

  #nextRetryMs(nowMs: number): number {
    const { first } = this.#waiting;
    if (first === undefined || this.#wanted <= 0) return Infinity;
    const { pausedUntilMs } = this.#openings;
    return nowMs < pausedUntilMs ? pausedUntilMs : this.#claim.nextRetryMs(first.sinceMs, nowMs);
  }

  #retry(nowMs: number): void {
    this.#claim.onNews();
    this.#fill(nowMs);
    this.#spares.open(nowMs);
  }

  /** Checks or opens connections for those who wait, as far as there are places. */
  #fill(nowMs: number): void {
    this.#fillsDue += 1;
    if (this.#fillsDue > 1) return;
    try {
      do {
        this.#fillsDue = 1;
        this.#checkForWaiters();
        while (this.#wanted > 0 && this.#openings.mayOpen(nowMs)) {
          const { sinceMs, since } = this.#waiting.first!;
          if (!this.#claim.take(sinceMs, since, nowMs)) break;
          this.#openings.open(nowMs);
        }
      } while (this.#fillsDue > 1);
    } finally {
      this.#fillsDue = 0;
    }
    if (this.#wanted <= 0 || !this.#openings.mayOpen(nowMs)) this.#claim.unblock();
  }

  /** Somebody waits while connections are idle only if those must be checked first. */
  #checkForWaiters(): void {
    const { idle } = this.#connections;
    while (!this.#isServing && this.#wanted > 0 && idle.hottest !== undefined) {
      this.#upkeep.check(idle.hottest);
    }
  }
}
