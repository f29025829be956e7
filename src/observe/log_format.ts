/**
 * A log record as one line of text. Values may come from anybody who can reach the listener, so a
 * line holds no character that ends it or that a terminal obeys, and no long names.
 *
 * @module
 */

import type { LogLevel, LogRecord } from "./log_record.ts";

/** Characters (UTF-16 units) that are kept of what a client has made up. */
export const LOG_NAME_LENGTH_MAX = 200;

/** The same of other texts, which say what is wrong and what to do, and may quote a few names. */
export const LOG_TEXT_LENGTH_MAX = 4_096;

/** Fields whose values are a client's. */
const CLIENTS_NAMES: readonly string[] = ["user", "database", "application", "peer"];

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

/**
 * The record's fields, long texts cut, numbers rounded to a thousandth; renamed with a "_" where a
 * line has that name itself.
 */
export function fieldsOf(record: LogRecord): Record<string, string | number | boolean> {
  const fields: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(record.fields)) {
    fields[OWN_NAMES.includes(name) ? `${name}_` : name] = shown(name, value);
  }
  return fields;
}

function shown(name: string, value: string | number | boolean): string | number | boolean {
  if (typeof value === "number") return Math.round(value * 1_000) / 1_000;
  if (typeof value !== "string") return value;
  return cut(value, CLIENTS_NAMES.includes(name) ? LOG_NAME_LENGTH_MAX : LOG_TEXT_LENGTH_MAX);
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

function cut(value: string, lengthMax: number): string {
  const isLong = value.length > lengthMax;
  // A cut may go through a pair of surrogates, which half of is no text.
  return (isLong ? `${value.slice(0, lengthMax)}…` : value).toWellFormed();
}

/** As it is where nothing in it could be mistaken for the line's own marks, else as in JSON. */
function quoted(value: string): string {
  if (/^[^\s"=\\]+$/.test(value) && value.search(UNSAFE) < 0) return value;
  return JSON.stringify(value).replace(UNSAFE, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
