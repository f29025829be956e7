/**
 * A log that writes no more than somebody can read: records below a level are left out, and so is
 * what is above a number of records in one second, which is said later.
 *
 * @module
 */

import { LOG_LEVELS, type LogLevel, type LogRecord, type LogSink } from "./log_record.ts";

/** What a {@linkcode LimitedLog} works with. */
export interface LimitedLogOptions {
  readonly sink: LogSink;
  /** The wall clock, in milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Records below it are not even made. */
  readonly level: LogLevel | "off";
  /** Records below `error` that may be written in one second of the clock; at least 1. */
  readonly recordsPerSecondMax: number;
}

/** The log of one thread. */
export class LimitedLog implements LogSink {
  readonly #options: LimitedLogOptions;
  readonly #levelMin: number;
  #second = 0;
  #written = 0;
  #dropped = 0;

  /** @throws {RangeError} If `recordsPerSecondMax` is not a positive integer. */
  constructor(options: LimitedLogOptions) {
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

  /** Whether anything is written at all. */
  get isOff(): boolean {
    return this.#levelMin === LOG_LEVELS.length;
  }

  /** Writes a record if its level is wanted and there were not too many; returns at once. */
  write(record: LogRecord): void {
    if (this.#isHidden(record.level)) return;
    this.flushIfDue();
    if (this.isAdmitted(record.level)) this.#options.sink.write(record);
  }

  /**
   * Whether one more record may be written in this second; counts it either way.
   *
   * @param isLimited Errors are not, unless somebody knows better.
   */
  isAdmitted(level: LogLevel, isLimited = level !== "error"): boolean {
    if (this.#isHidden(level)) return false;
    const second = this.#secondNow();
    if (second !== this.#second) {
      this.#second = second;
      this.#written = 0;
    }
    this.#written += 1;
    if (!isLimited || this.#written <= this.#options.recordsPerSecondMax) return true;
    this.#dropped += 1;
    return false;
  }

  /** Says how many records were dropped, if a new second has begun since. */
  flushIfDue(): void {
    if (this.#dropped > 0 && this.#secondNow() !== this.#second) this.flush();
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

  #isHidden(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) < this.#levelMin;
  }

  #secondNow(): number {
    return Math.floor(this.#options.nowMs() / 1000);
  }
}
