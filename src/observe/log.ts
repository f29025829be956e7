/**
 * The log of the whole process: the control plane opens it, and every worker's records come here.
 * JSON lines are pino's; text lines are for people (`log_format.ts`). Lines are written at once and
 * synchronously: what was logged before a crash is there after it.
 *
 * @module
 */

import { pino } from "pino";
import { messageOf } from "../base/errors.ts";
import { fieldsOf, plainJsonLine, textLine } from "./log_format.ts";
import { type LineWriter, LogOutput } from "./log_output.ts";
import { LOG_LEVELS, type LogLevel, type LogRecord, type LogSink } from "./log_record.ts";

/** One place that log records go to. */
export interface Logger {
  readonly name: string;
  /** The lowest level that is written, or "off" for none. */
  readonly level: LogLevel | "off";
  /** `auto` is `text` on a terminal and `json` elsewhere. */
  readonly format: "auto" | "text" | "json";
  readonly output: "stdout" | "stderr" | "file";
  /** Path of the file when `output` is `file`, otherwise "". Made with mode 0640, appended to. */
  readonly file: string;
}

/** Which of the standard streams somebody looks at. */
export interface Terminals {
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** An open log. */
export interface Log extends LogSink {
  /** The lowest level that any logger wants, or "off". */
  readonly level: LogLevel | "off";
  /** Lines that could not be written since the start, over all loggers. */
  readonly lost: number;
  /**
   * Opens the files anew, after they were moved away by a log rotation. A file that cannot be
   * opened goes on where it was; returns what to tell the operator about each of those.
   */
  reopen(): readonly string[];
  /** Asks the system to bring what was written to disk. */
  flush(): void;
  /** Flushes and closes the files. Records written later are lost, without an error. */
  close(): void;
}

interface OpenLogger {
  readonly logger: Logger;
  readonly levelMin: number;
  readonly output: LogOutput;
  readonly line: (record: LogRecord) => string;
  file: Deno.FsFile | undefined;
}

/**
 * Opens every logger that is not off.
 *
 * @throws {Error} If a file cannot be opened; says which logger, which file and why.
 */
export function openLog(loggers: readonly Logger[], isTerminal: Terminals): Log {
  const open: OpenLogger[] = [];
  try {
    for (const logger of loggers) {
      if (logger.level !== "off") open.push(openLogger(logger, logger.level, isTerminal));
    }
  } catch (error) {
    for (const one of open) closeFile(one);
    throw error;
  }
  const levelMin = Math.min(LOG_LEVELS.length, ...open.map((one) => one.levelMin));
  return {
    level: LOG_LEVELS[levelMin] ?? "off",
    get lost() {
      return open.reduce((sum, { output }) => sum + output.lost, 0);
    },
    write(record) {
      const level = LOG_LEVELS.indexOf(record.level);
      for (const one of open) if (level >= one.levelMin) one.output.write(one.line(record));
    },
    reopen: () => open.flatMap((one) => reopen(one)),
    flush() {
      for (const one of open) flushFile(one);
    },
    close() {
      for (const one of open) closeFile(one);
    },
  };
}

function openLogger(logger: Logger, level: LogLevel, isTerminal: Terminals): OpenLogger {
  const isSeen = logger.output !== "file" && isTerminal[logger.output];
  const isText = logger.format === "text" || (logger.format === "auto" && isSeen);
  const hasColors = isSeen && !Deno.noColor;
  const line = isText ? (record: LogRecord) => textLine(record, hasColors) : jsonLines();
  const file = logger.output === "file" ? openFile(logger) : undefined;
  const writer: LineWriter = file ?? (logger.output === "stdout" ? Deno.stdout : Deno.stderr);
  const lostLine = (count: number) =>
    line({
      level: "warn",
      message: "log records lost",
      fields: { count, logger: logger.name },
      timeMs: Date.now(),
    });
  const output = new LogOutput(writer, lostLine);
  return { logger, levelMin: LOG_LEVELS.indexOf(level), output, line, file };
}

/** Makes JSON lines: level and time first, msg last, the fields flat between them. */
function jsonLines(): (record: LogRecord) => string {
  let line = "";
  const json = pino({
    level: "trace", // records below the logger's level do not come here
    base: null,
    // The record's own time: it may have been made in another thread, a moment ago.
    timestamp: false,
    formatters: { level: (label) => ({ level: label }) },
  }, { write: (text: string) => void (line = text) });
  return (record) => {
    const time = new Date(record.timeMs).toISOString();
    json[record.level]({ time, ...fieldsOf(record) }, record.message);
    return plainJsonLine(line);
  };
}

/** @throws {Error} If it cannot be opened. */
function openFile(logger: Logger): Deno.FsFile {
  try {
    // 0640: the log may name users and databases, which is not everybody's business.
    return Deno.openSync(logger.file, { append: true, create: true, mode: 0o640 });
  } catch (error) {
    throw new Error(
      `Cannot open the log file "${logger.file}" of loggers.${logger.name}: ${messageOf(error)}. ` +
        `Its folder must exist and be writable for this user`,
      { cause: error },
    );
  }
}

function reopen(one: OpenLogger): readonly string[] {
  if (one.file === undefined) return [];
  try {
    const file = openFile(one.logger);
    closeFile(one);
    one.file = file;
    one.output.redirect(file);
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}

function flushFile(one: OpenLogger): void {
  try {
    one.file?.syncDataSync();
  } catch {
    // A pipe or a full disk cannot be flushed; lines that were lost are counted already.
  }
}

function closeFile(one: OpenLogger): void {
  flushFile(one);
  one.file?.close();
  one.file = undefined;
}
