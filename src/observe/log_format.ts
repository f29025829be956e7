/**
 * A log record as one line of text. Values may come from anybody who can reach the listener, so a
 * line holds no character that ends it or that a terminal obeys, and no long values.
 *
 * @module
 */

import type { LogLevel, LogRecord } from "./log_record.ts";

/** Characters (UTF-16 units) of a value that are kept. */
export const LOG_VALUE_LENGTH_MAX = 200;

/** The names that a line has of its own. */
const OWN_NAMES: readonly string[] = ["time", "level", "msg"];

/**
 * What JSON leaves as it is and a terminal, a viewer or a line reader does not: DEL and the C1
 * controls (U+009B begins an escape sequence), line separators, and what turns the direction of
 * text (Unicode, UAX #9 section 2).
 */
// deno-lint-ignore no-control-regex -- finding them is the point
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** SGR codes (ECMA-48) by level. */
const COLORS: Readonly<Record<LogLevel, number>> = {
  trace: 90,
  debug: 36,
  info: 32,
  warn: 33,
  error: 31,
};

/** The record's fields, long values cut; renamed with a "_" where a line has that name itself. */
export function fieldsOf(record: LogRecord): Record<string, string | number | boolean> {
  const fields: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(record.fields)) {
    fields[OWN_NAMES.includes(name) ? `${name}_` : name] = typeof value === "string"
      ? cut(value)
      : value;
  }
  return fields;
}

/** Escapes, as JSON does, what JSON need not escape; keeps the line end. */
export function plainJsonLine(line: string): string {
  return `${line.trimEnd().replace(UNSAFE, escaped)}\n`;
}

/** For people: `2026-11-21 15:04:05.123Z INFO  session ready  pool=default user="a b"`, in UTC. */
export function textLine(record: LogRecord, hasColors: boolean): string {
  const time = new Date(record.timeMs).toISOString().replace("T", " ");
  const word = record.level.toUpperCase().padEnd(5);
  const level = hasColors ? `\x1b[${COLORS[record.level]}m${word}\x1b[0m` : word;
  const fields = Object.entries(fieldsOf(record))
    .map(([name, value]) => ` ${name}=${typeof value === "string" ? quoted(value) : value}`);
  const message = record.message.replace(UNSAFE, escaped);
  const separator = fields.length > 0 ? " " : "";
  return `${time} ${level} ${message}${separator}${fields.join("")}\n`;
}

function cut(value: string): string {
  const isLong = value.length > LOG_VALUE_LENGTH_MAX;
  // A cut may go through a pair of surrogates, which half of is no text.
  return (isLong ? `${value.slice(0, LOG_VALUE_LENGTH_MAX)}…` : value).toWellFormed();
}

/** As it is where nothing in it could be mistaken for the line's own marks, else as in JSON. */
function quoted(value: string): string {
  if (/^[^\s"=\\]+$/.test(value) && value.search(UNSAFE) < 0) return value;
  return JSON.stringify(value).replace(UNSAFE, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
