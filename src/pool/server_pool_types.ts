/**
 * What a pool of server connections asks of those around it, and what it tells them. A connection
 * is whatever the caller makes of it: the pool compares it, and hands it out.
 *
 * @module
 */

import type { ServerCloseReason } from "../observe/facts.ts";

/** Whose connections a pool holds: one (configured pool, database, user). */
export interface Pair {
  /** The configured pool's name. */
  readonly pool: string;
  readonly database: string;
  readonly user: string;
}

/** How one pair's pool behaves. All counts and sizes are over all workers unless they say not. */
export interface ServerPoolOptions {
  /** Connections at most, without the reserve; at least 1. */
  readonly size: number;
  /** Connections that are kept open once the pair has been used; 0 to `size`. */
  readonly minSize: number;
  /** Further connections, when the oldest waiter has waited `reserveTimeoutMs`; 0: none. */
  readonly reserve: number;
  readonly reserveTimeoutMs: number;
  /** A wait ends as refused after this time; 0: never. */
  readonly acquireTimeoutMs: number;
  /**
   * Waiters at most, in each worker, besides those whose connection is being opened already, or
   * who can have a place that nobody uses: a free one, or one that is idle elsewhere or closing.
   */
  readonly waitersMax: number;
  /** A waiter is told once that it waits after this time; 0: never. */
  readonly waitNoticeMs: number;
  /** A connection that was idle for this time is closed, but not below `minSize`; 0: never. */
  readonly idleTimeoutMs: number;
  /** A connection is closed at this age, 10 % more or less, when nobody uses it; 0: never. */
  readonly maxLifetimeMs: number;
  /** Whether idle connections are checked: never, before they are given, or now and then. */
  readonly validation: "off" | "foreground" | "background";
  /** A connection that was used or checked within this time needs no check. */
  readonly validationIntervalMs: number;
  /**
   * Whether waiters of all workers are served in order, as session mode needs it, or nearly in
   * order, so that connections do not move all the time.
   */
  readonly isStrict: boolean;
}

/** A limit that several pairs share, for example on one database's connections. */
export interface Cap {
  /** Its name, unique among caps, for example `pools.default.userSizeMax for user app`. */
  readonly name: string;
  /** Connections at most, over all pairs that name it and all workers; at least 1. */
  readonly size: number;
}

/** What a pool needs to know of one pair. */
export interface PairSettings<C, F> {
  readonly options: ServerPoolOptions;
  /** Without double names; a cap's size must be the same for all who name it. */
  readonly caps: readonly Cap[];
  readonly connector: Connector<C, F>;
  readonly observer: ServerPoolObserver;
}

/** Why a pool closed a connection, or that the server or the network ended it (`lost`). */
export type CloseReason = Exclude<ServerCloseReason, "unclean">;

/** Makes and ends connections. `F` is what it says when it cannot. */
export interface Connector<C, F> {
  /**
   * Opens a connection. Exactly one of `attempt`'s functions is called, once, and never before
   * `open` has returned. It limits its own time.
   *
   * @returns Calls it off: then neither is called, and no socket is left.
   */
  open(attempt: OpenAttempt<C, F>): { cancel(): void };
  /** Ends a connection. `ServerPool.gone` must follow, once the socket is closed, also at once. */
  close(connection: C, reason: CloseReason): void;
  /**
   * Checks an idle connection, and calls `done` once, unless `gone` is called before. It limits
   * its own time.
   */
  validate(connection: C, done: (isAlive: boolean) => void): void;
}

/** What opening leads to. */
export interface OpenAttempt<C, F> {
  onOpened(connection: C): void;
  onFailed(failure: F): void;
}

/** Why somebody gets no connection. */
export type Refusal<F> =
  /** It took longer than `acquireTimeoutMs`; `full` is what had no place: "pool" or a cap. */
  | { readonly kind: "timeout"; readonly waitedMs: number; readonly full: string | undefined }
  /** `waitersMax` wait already; `full` as above. */
  | { readonly kind: "queue_full"; readonly waitersMax: number; readonly full: string }
  /** None could be opened, and there is no other one to wait for. */
  | { readonly kind: "failed"; readonly failure: F };

/**
 * Who asks for a connection. One of `onServer` and `onRefused` is called, once, never after
 * `cancel`; `onNotice` at most once before that. They must not throw.
 */
export interface ServerWaiter<C, F> {
  /** It is this waiter's alone until it is given to `release` or `gone`. */
  onServer(connection: C): void;
  onRefused(refusal: Refusal<F>): void;
  /** It waits longer than `waitNoticeMs`. */
  onNotice(waitedMs: number): void;
}

/** How a wait ended. */
export type WaitOutcome = "served" | "cancelled" | Refusal<unknown>["kind"];

/** Who is told what happens. Its functions must not throw, and not call the pool. */
export interface ServerPoolObserver {
  /** Somebody who asked was answered or left; `waitMs` is 0 if a connection was idle. */
  onWaitEnded(outcome: WaitOutcome, waitMs: number): void;
  onOpenEnded(outcome: "opened" | "failed" | "cancelled", tookMs: number): void;
  onClosed(reason: CloseReason): void;
}

/** What a pool holds now, in one worker. */
export interface ServerPoolStats {
  /** With clients. */
  readonly used: number;
  readonly idle: number;
  readonly opening: number;
  /** Being checked. */
  readonly checking: number;
  /** Being closed. */
  readonly closing: number;
  readonly waiting: number;
  /** How long the first in the queue has waited, ms; 0 if nobody waits. */
  readonly oldestWaitMs: number;
}

/**
 * From one worker to another; `key` is a pair's or a cap's. None carries a right: one that is lost,
 * late or doubled costs time only.
 */
export interface PlaceMessage {
  /** `wake`: a place may be free, try. `give`: I wait, and you have an idle connection. */
  readonly kind: "wake" | "give";
  readonly key: string;
}
