/**
 * Where facts become numbers and log records: the only writer of a worker's counters besides the
 * sessions' bytes, queries, transactions and query latency, which are too frequent to be facts.
 *
 * @module
 */

import {
  type Cells,
  CLOSE_REASONS,
  LISTENER_CELL,
  POOL_CELL,
  type WorkerCounters,
} from "./counters.ts";
import { levelOf, recordOf, type SessionContext } from "./fact_log.ts";
import type { CancelOutcome, Fact, Observer, SessionTimeout } from "./facts.ts";
import { LOG_LEVELS, type LogLevel, type LogSink } from "./log_record.ts";
import { CLIENT_STATE_CELL, SERVER_STATE_CELL } from "./state_cells.ts";

/** What a {@linkcode Recorder} works with. */
export interface RecorderOptions {
  /** This worker's region; the recorder writes to it. */
  readonly counters: WorkerCounters;
  readonly sink: LogSink;
  /** The wall clock, in milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Records below it are not even made. */
  readonly level: LogLevel | "off";
  /** Records below `error` that may be written in one second of the clock; at least 1. */
  readonly recordsPerSecondMax: number;
}

const TIMEOUT_CELL: Readonly<Record<SessionTimeout, number>> = {
  query: POOL_CELL.queryTimeouts,
  transaction: POOL_CELL.transactionTimeouts,
  idle_transaction: POOL_CELL.idleTransactionTimeouts,
  client_idle: POOL_CELL.clientIdleTimeouts,
};

const CANCEL_CELL: Readonly<Record<CancelOutcome, number>> = {
  forwarded: LISTENER_CELL.cancelsForwarded,
  idle: LISTENER_CELL.cancelsIdle,
  unknown: LISTENER_CELL.cancelsUnknown,
  failed: LISTENER_CELL.cancelsFailed,
  refused: LISTENER_CELL.cancelsRefused,
};

/**
 * A worker's observer. Relies on this order: `client_connected` is a session's first fact and
 * `client_disconnected` its last; each `wait_started` is followed by one `wait_ended`, also when
 * the wait is refused at once; a state moves from where the last fact left it.
 */
export class Recorder implements Observer {
  readonly #options: RecorderOptions;
  readonly #levelMin: number;
  readonly #listeners = new Map<string, Cells>();
  readonly #pools = new Map<string, Cells>();
  /** One entry a connected client, so it is limited where clients are: by their listener. */
  readonly #sessions = new Map<number, SessionContext>();
  #second = 0;
  #written = 0;
  #dropped = 0;

  /** @throws {RangeError} If `recordsPerSecondMax` is not a positive integer. */
  constructor(options: RecorderOptions) {
    const max = options.recordsPerSecondMax;
    if (!Number.isInteger(max) || max < 1) {
      throw new RangeError(
        `Cannot limit the log to ${max} records a second: it must be 1 or greater`,
      );
    }
    this.#options = options;
    this.#levelMin = options.level === "off"
      ? LOG_LEVELS.length
      : LOG_LEVELS.indexOf(options.level);
  }

  /** Counts `fact` and logs it, if it is to be logged. */
  emit(fact: Fact): void {
    if (this.#dropped > 0 && this.#secondNow() !== this.#second) this.flush();
    try {
      this.#count(fact);
    } catch (error) {
      // The defect is ours, and the session that reported the fact is not to pay for it.
      if (this.#levelMin < LOG_LEVELS.length && this.#isAdmitted("warn")) {
        this.#options.sink.write({
          level: "error",
          message: "cannot count a fact",
          fields: { kind: fact.kind, error: String(error) },
          timeMs: this.#options.nowMs(),
        });
      }
    }
    if (this.#levelMin < LOG_LEVELS.length) this.#log(fact);
  }

  /** Says how many records were dropped, if any were and it has not been said. */
  flush(): void {
    const count = this.#dropped;
    if (count === 0) return;
    this.#dropped = 0;
    this.#options.sink.write({
      level: "warn",
      message: "log records dropped",
      fields: { count, recordsPerSecondMax: this.#options.recordsPerSecondMax },
      timeMs: this.#options.nowMs(),
    });
  }

  #count(fact: Fact): void {
    switch (fact.kind) {
      case "client_connected":
        return this.#listener(fact.listener).add(LISTENER_CELL.clientsAccepted, 1);
      case "client_refused":
        return this.#listener(fact.listener).add(LISTENER_CELL.clientsRefused, 1);
      case "client_state": {
        const cells = this.#listener(fact.listener);
        if (fact.from !== undefined) cells.add(CLIENT_STATE_CELL[fact.from], -1);
        if (fact.to !== undefined) cells.add(CLIENT_STATE_CELL[fact.to], 1);
        return;
      }
      case "server_state": {
        const cells = this.#pool(fact.pool);
        if (fact.from !== undefined) cells.add(SERVER_STATE_CELL[fact.from], -1);
        if (fact.to !== undefined) cells.add(SERVER_STATE_CELL[fact.to], 1);
        const isOpened = fact.from === "connecting" &&
          (fact.to === "login" || fact.to === "active");
        if (isOpened) cells.add(POOL_CELL.serversOpened, 1);
        return;
      }
      case "server_opened":
        return this.#pool(fact.pool).add(POOL_CELL.serversOpened, 1);
      case "server_dial_failed":
        return this.#pool(fact.pool).add(POOL_CELL.serverDialFailures, 1);
      case "server_lost":
        return this.#pool(fact.pool).add(POOL_CELL.serversLost, 1);
      case "wait_started": {
        const cells = this.#pool(fact.pool);
        cells.add(POOL_CELL.waits, 1);
        return cells.add(POOL_CELL.waiters, 1);
      }
      case "wait_ended": {
        const cells = this.#pool(fact.pool);
        cells.add(POOL_CELL.waiters, -1);
        if (fact.outcome === "timeout") cells.add(POOL_CELL.waitTimeouts, 1);
        // Nobody waited when it was refused: zeros would hide how long the others wait.
        if (fact.outcome === "refused") return cells.add(POOL_CELL.waitsRefused, 1);
        return cells.observe(POOL_CELL.waitSeconds, fact.waitMs / 1000);
      }
      case "login_timeout":
        return this.#listener(fact.listener).add(LISTENER_CELL.loginTimeouts, 1);
      case "authentication_failed":
        return this.#listener(fact.listener).add(LISTENER_CELL.authenticationFailures, 1);
      case "tls_accepted":
        return this.#listener(fact.listener).add(LISTENER_CELL.tlsAccepted, 1);
      case "server_login_failed":
        return this.#pool(fact.pool).add(POOL_CELL.serverLoginFailures, 1);
      case "server_closed": {
        const cells = this.#pool(fact.pool);
        cells.add(POOL_CELL.serversClosed + CLOSE_REASONS.indexOf(fact.reason), 1);
        if (fact.reason === "lost") cells.add(POOL_CELL.serversLost, 1);
        return;
      }
      case "session_pinned":
        return this.#pool(fact.pool).add(POOL_CELL.pins, 1);
      case "session_timeout":
        return this.#pool(fact.pool).add(TIMEOUT_CELL[fact.timeout], 1);
      case "error_reported":
        return this.#options.counters.sqlStates.add(fact.source, fact.sqlState);
      case "cancel":
        return this.#listener(fact.listener).add(CANCEL_CELL[fact.outcome], 1);
      case "session_ready":
      case "files_refreshed":
      case "client_disconnected":
      case "abandoned_query":
      case "internal_error":
      case "accept_failed":
        return;
      default:
        fact satisfies never;
    }
  }

  #log(fact: Fact): void {
    const context = this.#contextOf(fact);
    const level = levelOf(fact, context);
    if (level === undefined || LOG_LEVELS.indexOf(level) < this.#levelMin) return;
    if (!this.#isAdmitted(level)) return;
    this.#options.sink.write(recordOf(fact, context, level, this.#options.nowMs()));
  }

  /** What is known of the client that `fact` is about; learns from `fact`, or forgets. */
  #contextOf(fact: Fact): SessionContext | undefined {
    if (!("session" in fact)) return undefined;
    const known = this.#sessions.get(fact.session);
    switch (fact.kind) {
      case "client_connected":
        this.#sessions.set(fact.session, { peer: fact.peer, login: undefined });
        return undefined;
      case "session_ready":
        if (known === undefined) return undefined;
        this.#sessions.set(fact.session, {
          peer: known.peer,
          login: { user: fact.user, database: fact.database },
        });
        return known;
      case "client_disconnected":
        this.#sessions.delete(fact.session);
        return known;
      default:
        return known;
    }
  }

  /** Whether one more record may be written in this second; counts it either way. */
  #isAdmitted(level: LogLevel): boolean {
    const second = this.#secondNow();
    if (second !== this.#second) {
      this.#second = second;
      this.#written = 0;
    }
    this.#written += 1;
    if (level === "error" || this.#written <= this.#options.recordsPerSecondMax) return true;
    this.#dropped += 1;
    return false;
  }

  #secondNow(): number {
    return Math.floor(this.#options.nowMs() / 1000);
  }

  /** @throws {RangeError} If the counters have no such listener. */
  #listener(name: string): Cells {
    const known = this.#listeners.get(name);
    if (known !== undefined) return known;
    const cells = this.#options.counters.listener(name);
    this.#listeners.set(name, cells);
    return cells;
  }

  /** @throws {RangeError} If the counters have no such pool. */
  #pool(name: string): Cells {
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const cells = this.#options.counters.pool(name);
    this.#pools.set(name, cells);
    return cells;
  }
}
