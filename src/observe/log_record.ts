/**
 * A log record as it travels from a worker to the control plane, which alone writes logs: one
 * writer a file, and a slow disk slows no traffic.
 *
 * @module
 */

/** Levels in rising order, which is that of their numbers in `wit/sluice.wit`, too. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** How much a record matters. */
export type LogLevel = typeof LOG_LEVELS[number];

/** One line to be. */
export interface LogRecord {
  readonly level: LogLevel;
  /** What happened, in a few words that are the same each time; what varies is in `fields`. */
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number | boolean>>;
  /** When, in milliseconds since 1970. */
  readonly timeMs: number;
}

/** Takes records; returns at once. */
export interface LogSink {
  write(record: LogRecord): void;
}
