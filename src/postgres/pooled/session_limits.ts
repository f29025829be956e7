/**
 * How long a session may do what: say nothing, run a query, keep a transaction open, leave one
 * idle. Each limit is answered as PostgreSQL answers its own of the same kind.
 *
 * @module
 */

import type { Backend } from "./backend.ts";
import * as reply from "../error_reply.ts";
import type { ErrorFields } from "../wire/messages.ts";
import type { SessionTimeout } from "../../observe/facts.ts";
import type { PooledContext, PoolSettings } from "./pooled_context.ts";
import type { PooledEnd } from "./pooled_end.ts";
import type { Watched } from "./watchdog.ts";

/** How long a query that was cancelled may take to end before its connection is given up. */
const CANCEL_MS_MAX = 5_000;

/** How a session ends that was too long at something; queries are cancelled before that. */
const END_OF = {
  "transaction": "transaction timeout",
  "idle_transaction": "idle transaction timeout",
  "client_idle": "client idle timeout",
} as const;

/** The session that is limited. */
export interface Limited {
  readonly backend: Backend | undefined;
  /** True while it is in the pool's queue. */
  readonly isWaiting: boolean;
  onTimeout(timeout: SessionTimeout): void;
  fail(fields: ErrorFields, reason: PooledEnd): void;
}

/** One session's limits. */
export class SessionLimits implements Watched {
  readonly #context: PooledContext;
  readonly #settings: PoolSettings;
  readonly #session: Limited;
  readonly shortestMs: number;
  place = 0;
  /** When the client was heard last, or a query of its was answered last. */
  #activeMs = 0;
  #transactionMs: number | undefined;
  #cancelledMs: number | undefined;

  constructor(context: PooledContext, settings: PoolSettings, session: Limited) {
    this.#context = context;
    this.#settings = settings;
    this.#session = session;
    const { clientIdleTimeoutMs, queryTimeoutMs, transactionTimeoutMs, idleTransactionTimeoutMs } =
      settings;
    const limits = [
      clientIdleTimeoutMs,
      queryTimeoutMs,
      transactionTimeoutMs,
      idleTransactionTimeoutMs,
    ];
    this.shortestMs = Math.min(...limits.filter((limit) => limit > 0));
  }

  get #isOn(): boolean {
    return this.shortestMs !== Infinity;
  }

  start(): void {
    if (!this.#isOn) return;
    this.#activeMs = this.#context.clock.nowMs();
    this.#context.watchdog.add(this);
  }

  stop(): void {
    this.#context.watchdog.remove(this);
  }

  /** The client has sent something. */
  onClient(): void {
    if (this.#isOn) this.#activeMs = this.#context.clock.nowMs();
  }

  /** A server that was quiet is asked something. */
  onRequest(): void {
    if (this.#isOn) this.#transactionMs = this.#context.clock.nowMs();
  }

  /**
   * A request has been answered.
   *
   * @param isOwn One of the gateway's own.
   */
  onReady(isOwn: boolean, isInTransaction: boolean, isMoreDue: boolean): void {
    if (!this.#isOn) return;
    this.#cancelledMs = undefined;
    if (isOwn) return;
    this.#activeMs = this.#context.clock.nowMs();
    if (!isInTransaction) this.#transactionMs = isMoreDue ? this.#activeMs : undefined;
  }

  /** The text of an error that a cancel of ours has caused is not "due to user request". */
  translate(message: string): string {
    return this.#cancelledMs === undefined
      ? message
      : message.replace("due to user request", "due to statement timeout");
  }

  check(nowMs: number): void {
    const { queryTimeoutMs, transactionTimeoutMs } = this.#settings;
    const backend = this.#session.backend;
    if (this.#session.isWaiting) {
      this.#activeMs = nowMs; // it is not the client who takes its time
      return;
    }
    const busySinceMs = backend?.busySinceMs;
    if (backend !== undefined && busySinceMs !== undefined) {
      if (isOver(transactionTimeoutMs, this.#transactionMs, nowMs)) {
        return this.#end("transaction", reply.transactionTimedOut(transactionTimeoutMs));
      }
      if (isOver(queryTimeoutMs, busySinceMs, nowMs)) this.#cancel(backend, nowMs);
      return;
    }
    this.#checkIdle(nowMs, backend?.isInTransaction ?? false);
  }

  #checkIdle(nowMs: number, isInTransaction: boolean): void {
    const { transactionTimeoutMs, idleTransactionTimeoutMs, clientIdleTimeoutMs } = this.#settings;
    if (!isInTransaction) {
      if (isOver(clientIdleTimeoutMs, this.#activeMs, nowMs)) {
        this.#end("client_idle", reply.clientIdleTimedOut(clientIdleTimeoutMs));
      }
      return;
    }
    if (isOver(idleTransactionTimeoutMs, this.#activeMs, nowMs)) {
      return this.#end("idle_transaction", reply.idleTransactionTimedOut(idleTransactionTimeoutMs));
    }
    if (isOver(transactionTimeoutMs, this.#transactionMs, nowMs)) {
      this.#end("transaction", reply.transactionTimedOut(transactionTimeoutMs));
    }
  }

  #cancel(backend: Backend, nowMs: number): void {
    if (this.#cancelledMs !== undefined) {
      if (nowMs - this.#cancelledMs < CANCEL_MS_MAX) return;
      return this.#session.fail(
        reply.queryTimedOut(this.#settings.queryTimeoutMs),
        "query timeout",
      );
    }
    this.#cancelledMs = nowMs;
    this.#session.onTimeout("query");
    const release = backend.holdForCancel();
    this.#context.cancel(backend.cancelTarget).then(release);
  }

  #end(timeout: keyof typeof END_OF, fields: ErrorFields): void {
    this.#session.onTimeout(timeout);
    this.#session.fail(fields, END_OF[timeout]);
  }
}

function isOver(limitMs: number, sinceMs: number | undefined, nowMs: number): boolean {
  return limitMs > 0 && sinceMs !== undefined && nowMs - sinceMs > limitMs;
}
