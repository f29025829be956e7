/**
 * A worker's observer: each fact is counted, and logged if it is to be, within a limit.
 *
 * @module
 */

import type { WorkerCounters } from "./counters.ts";
import { FactCounter } from "./fact_counter.ts";
import { levelOf, recordOf, type SessionContext } from "./fact_log.ts";
import type { Fact, Observer } from "./facts.ts";
import { LOG_LEVELS, type LogLevel, type LogSink } from "./log_record.ts";

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

/**
 * A worker's observer. Relies on this order: `client_connected` is a session's first fact and
 * `client_disconnected` its last; each `wait_started` is followed by one `wait_ended`, also when
 * the wait is refused at once; a state moves from where the last fact left it.
 */
export class Recorder implements Observer {
  readonly #options: RecorderOptions;
  readonly #levelMin: number;
  readonly #counter: FactCounter;
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
    this.#counter = new FactCounter(options.counters, options.nowMs);
    this.#levelMin = options.level === "off"
      ? LOG_LEVELS.length
      : LOG_LEVELS.indexOf(options.level);
  }

  /** Counts `fact` and logs it, if it is to be logged. */
  emit(fact: Fact): void {
    if (this.#dropped > 0 && this.#secondNow() !== this.#second) this.flush();
    try {
      this.#counter.count(fact);
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
}
