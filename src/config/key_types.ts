/**
 * The types that a key can have. A type knows everything about its values: how to read one, how
 * to say what is expected, and how to tell an editor. A new type is one function here.
 *
 * @module
 */

import { DURATION_PATTERN, formatDuration, parseDuration } from "../base/duration.ts";
import { formatSize, parseSize, SIZE_PATTERN } from "../base/size.ts";
import { nearest } from "../base/suggest.ts";
import { type AddressRule, parseAddress, PORT_MAX } from "./address.ts";
import type { Address, TcpAddress } from "../base/address.ts";
import type { Keys } from "./key.ts";
import { didYouMean, type Place, quote } from "./problems.ts";
import type { WrittenValue } from "./settings.ts";

/** A piece of JSON Schema, draft 7. */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** Whether an environment variable can set keys of the type: it says one value, or a list. */
export function isSettable({ items, hasOwnKeys }: KeyType<unknown>): boolean {
  return items === undefined && hasOwnKeys !== true;
}

/** What a name refers to; a key of that type holds the name of a group in that section. */
export type NamedSection = "clients" | "pools" | "proxies";

/** A value that was read, or what was found in its place. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  /** `got` ends the sentence "expected …; got". */
  | { readonly ok: false; readonly place: Place; readonly got: string };

/** One type with its limits. */
export interface KeyType<T> {
  /** Such as `duration`, for the reference page. */
  readonly name: string;
  /** The values allowed, for the reference page; "" when the name says it all. */
  readonly range: string;
  /** Ends the sentence "expected". */
  readonly rule: string;
  /** True when the rule already names every value, so that an example would say nothing new. */
  readonly namesEveryValue: boolean;
  readonly isList: boolean;
  /** What an environment variable puts between the items of a list; undefined for no list. */
  readonly separator: "," | "\n" | undefined;
  /** True when values must never be shown. */
  readonly isSecret: boolean;
  /** True when a value is keys that nobody here knows. */
  readonly isFree?: true;
  readonly refersTo?: NamedSection;
  /** Keys of each item of a list of objects; left out for all other types. */
  readonly items?: Keys;
  /** True for a map by names of somebody's own; left out for all other types. */
  readonly hasOwnKeys?: boolean;
  readonly schema: JsonSchema;
  /** Reads what was written. It reports at most one thing that is wrong. */
  read(value: WrittenValue): Reading<T>;
  /** What `text` is in JSON: a number or a boolean for the types that have one, else a string. */
  json(text: string): unknown;
}

/** What differs from one type of single values to another. */
export interface ScalarSpec<T> {
  readonly name: string;
  readonly range: string;
  readonly rule: string;
  readonly namesEveryValue?: boolean;
  /** True when empty text is a value. */
  readonly allowsEmpty?: boolean;
  readonly refersTo?: NamedSection;
  readonly schema: JsonSchema;
  parse(text: string): T | undefined;
  /** What to say behind the value that was found, for mistakes people make often. */
  hint?(text: string): string;
  json?(text: string): unknown;
}

/** Makes a type of single values. */
export function scalar<T>(spec: ScalarSpec<T>): KeyType<T> {
  const json = (text: string) => spec.json?.(text) ?? text;
  return {
    name: spec.name,
    range: spec.range,
    rule: spec.rule,
    namesEveryValue: spec.namesEveryValue ?? false,
    isList: false,
    separator: undefined,
    isSecret: false,
    ...(spec.refersTo === undefined ? {} : { refersTo: spec.refersTo }),
    schema: spec.schema,
    json,
    read: (written) => {
      if (written.kind !== "text") return wrong(written, describe(written));
      if (written.text === "" && spec.allowsEmpty !== true) return wrong(written, "empty text");
      if (written.isQuoted && typeof json(written.text) !== "string") {
        return wrong(written, `${quote(written.text)} in quotes, which makes it text`);
      }
      const value = spec.parse(written.text);
      if (value !== undefined) return { ok: true, value };
      return wrong(written, quote(written.text) + (spec.hint?.(written.text) ?? ""));
    },
  };
}

/** Returns what is not a value of the type. `got` must be safe to print. */
export function wrong(
  written: WrittenValue,
  got: string,
): { readonly ok: false; readonly place: Place; readonly got: string } {
  return { ok: false, place: written.place, got };
}

/** Returns words for a value, to put behind "got". */
export function describe(written: WrittenValue): string {
  switch (written.kind) {
    case "text":
      return quote(written.text);
    case "list":
      return "a list";
    case "keys":
      return "keys";
    case "nothing":
      return "nothing";
  }
}

/** As {@linkcode describe}, where a list is expected: one value alone is an easy mistake. */
export function notList(written: WrittenValue): string {
  const got = describe(written);
  const isPlain = written.kind === "text" && /^[A-Za-z0-9_.-]+$/.test(written.text);
  return isPlain ? `${got}, which is no list: write [${written.text}]` : got;
}

/** `true` or `false`, and nothing else: readers of YAML disagree about `yes` and `on`. */
export function bool(): KeyType<boolean> {
  return scalar({
    name: "boolean",
    range: "true, false",
    rule: "true or false",
    namesEveryValue: true,
    schema: { type: "boolean" },
    parse: (text) => text === "true" ? true : text === "false" ? false : undefined,
    json: (text) => text === "true" ? true : text === "false" ? false : text,
  });
}

/** A whole number from `min` to `max`. */
export function int(min: number, max: number): KeyType<number> {
  return scalar({
    name: "integer",
    range: `${min} to ${max}`,
    rule: `a whole number from ${min} to ${max}`,
    schema: { type: "integer", minimum: min, maximum: max },
    parse: (text) => parseInteger(text, min, max),
    json: jsonNumber,
  });
}

/** A whole number from `min` to `max`, or one word that stands for a number found at start. */
export function intOrWord<W extends string>(
  min: number,
  max: number,
  word: W,
): KeyType<number | W> {
  return scalar({
    name: `integer or ${word}`,
    range: `${min} to ${max}, ${word}`,
    rule: `a whole number from ${min} to ${max} or ${word}`,
    schema: { anyOf: [{ const: word }, { type: "integer", minimum: min, maximum: max }] },
    parse: (text) => text === word ? word : parseInteger(text, min, max),
    json: jsonNumber,
  });
}

/** A number from `min` to `max`, with or without a fraction. */
export function number(min: number, max: number): KeyType<number> {
  return scalar({
    name: "number",
    range: `${min} to ${max}`,
    rule: `a number from ${min} to ${max}`,
    schema: { type: "number", minimum: min, maximum: max },
    parse: (text) => {
      const value = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
    json: jsonNumber,
  });
}

/** A duration from `min` to `max`, both as people write them. The value is in milliseconds. */
export function duration(min: string, max: string): KeyType<number> {
  const [minMs, maxMs] = [parseDuration(min)!, parseDuration(max)!];
  const zero = minMs === 0 ? [{ const: 0 }] : [];
  return scalar({
    name: "duration",
    range: `${min} to ${max}`,
    rule: `a duration from ${min} to ${max}`,
    schema: { anyOf: [{ type: "string", pattern: DURATION_PATTERN }, ...zero] },
    parse: (text) => within(parseDuration(text), minMs, maxMs),
    hint: (text) => {
      if (/^[0-9]{1,9}$/.test(text) && text !== "0") {
        return `, which needs a unit: ${text}s or ${text}ms`;
      }
      const ms = parseDuration(text);
      if (ms !== undefined) return ms < minMs ? ", which is too short" : ", which is too long";
      const isFraction = /^[0-9]{1,6}\.[0-9]{1,3}(s|m|h)$/.test(text);
      if (isFraction) return `; write ${wholeUnits(text)}`;
      return /^[0-9]/.test(text) ? "; write it with h, m, s and ms, such as 1m30s" : "";
    },
  });
}

/** "1.5s" is 1s500ms: units are small enough that nobody needs a fraction. */
function wholeUnits(text: string): string {
  const unitMs = parseDuration(`1${text.at(-1)!}`)!;
  return formatDuration(Math.round(Number.parseFloat(text) * unitMs));
}

/** A size from `min` to `max` bytes. */
export function size(min: number, max: number): KeyType<number> {
  const range = `${formatSize(min)} to ${formatSize(max)}`;
  return scalar({
    name: "size",
    range,
    rule: `a size from ${range}`,
    schema: {
      anyOf: [
        { type: "string", pattern: SIZE_PATTERN },
        { type: "integer", minimum: min, maximum: max },
      ],
    },
    parse: (text) => within(parseSize(text), min, max),
    hint: (text) => {
      const bytes = parseSize(text);
      if (bytes === undefined) {
        return /^[0-9]/.test(text) ? "; write it with B, KiB, MiB or GiB, such as 64KiB" : "";
      }
      return bytes < min ? ", which is too small" : ", which is too large";
    },
  });
}

/** One of a few words. */
export function oneOf<W extends string>(...words: readonly W[]): KeyType<W> {
  const range = words.join(", ");
  return scalar({
    name: "word",
    range,
    rule: words.length === 1 ? range : `one of ${range}`,
    namesEveryValue: true,
    schema: { enum: words },
    parse: (text) => words.find((word) => word === text),
    hint: (text) => didYouMean(nearest(text, words)),
  });
}

/** A {@linkcode TcpAddress}: an address where a Unix socket makes no sense. */
export function tcpAddress(portMin: AddressRule["portMin"]): KeyType<TcpAddress> {
  // The rule admits no other kind.
  return address({ portMin, allowsUnix: false }) as KeyType<TcpAddress>;
}

/** `host:port`, `[IPv6 address]:port`, or the path of a Unix socket where the rule allows one. */
export function address(rule: AddressRule): KeyType<Address> {
  const unix = rule.allowsUnix ? ", /path/to.sock" : "";
  return scalar({
    name: "address",
    range: `host:port, [IPv6]:port${unix}; ports ${rule.portMin} to ${PORT_MAX}`,
    rule: rule.allowsUnix
      ? "an address: host:port, [IPv6 address]:port or /path/to.sock"
      : "an address: host:port or [IPv6 address]:port",
    schema: {
      type: "string",
      pattern: `^${
        rule.allowsUnix ? "(/.*[^/]|" : "("
      }(\\[[0-9A-Fa-f:.%]+\\]|[^\\[\\]:/]+):[0-9]{1,5})$`,
    },
    parse: (text) => {
      const parsed = parseAddress(text, rule);
      return parsed.ok ? parsed.address : undefined;
    },
    hint: (text) => {
      const parsed = parseAddress(text, rule);
      return parsed.ok ? "" : `, ${parsed.reason}`;
    },
  });
}

/** Permission bits of a file as chmod takes them. The value is a number from 0 to 0o777. */
export function mode(): KeyType<number> {
  const pattern = "^(0o?)?[0-7]{3}$";
  return scalar({
    name: "mode",
    range: "0000 to 0777, octal",
    rule: "octal permission bits from 0000 to 0777",
    // Without quotes an editor sees a number, and readers of YAML disagree about its base.
    schema: { anyOf: [{ type: "string", pattern }, { type: "integer", minimum: 0, maximum: 777 }] },
    parse: (text) =>
      new RegExp(pattern).test(text) ? Number.parseInt(text.slice(-3), 8) : undefined,
  });
}

/** What a group may be called. Names become values of metric labels, so they are bounded. */
export const GROUP_NAME_PATTERN = "^[a-z][a-z0-9_-]{0,62}$";

/** {@linkcode GROUP_NAME_PATTERN} in words. */
export const GROUP_NAME_RULE = "1 to 63 of a-z, 0-9, _ and -, a letter first";

/** The name of a group in `section`. */
export function name(section: NamedSection): KeyType<string> {
  return scalar({
    name: "name",
    range: `a group in ${section}`,
    rule: `the name of a group in ${section} (${GROUP_NAME_RULE})`,
    refersTo: section,
    schema: { type: "string", pattern: GROUP_NAME_PATTERN },
    parse: (value) => new RegExp(GROUP_NAME_PATTERN).test(value) ? value : undefined,
  });
}

// A client waits for every proxy before it in the list; nobody has this many databases to try.
const NAMES_MAX = 100;

/** A list of names of groups in `section`: not empty, no name twice. */
export function names(section: NamedSection): KeyType<readonly string[]> {
  const item = name(section);
  return {
    name: "list of names",
    range: `groups in ${section}`,
    rule: `a list of 1 to ${NAMES_MAX} names of groups in ${section}`,
    namesEveryValue: false,
    isList: true,
    separator: ",",
    isSecret: false,
    refersTo: section,
    schema: {
      type: "array",
      minItems: 1,
      maxItems: NAMES_MAX,
      uniqueItems: true,
      items: item.schema,
    },
    json: (value) => value,
    read: (written) => {
      if (written.kind !== "list") return wrong(written, notList(written));
      if (written.items.length === 0) return wrong(written, "an empty list");
      if (written.items.length > NAMES_MAX) return wrong(written, `${written.items.length} names`);
      return readDistinct(written.items, item);
    },
  };
}

/** Reads the items of a list, none of which may be there twice. */
export function readDistinct<T extends string>(
  items: readonly WrittenValue[],
  type: KeyType<T>,
): Reading<readonly T[]> {
  const found: T[] = [];
  for (const item of items) {
    const reading = type.read(item);
    if (!reading.ok) return reading;
    if (found.includes(reading.value)) return wrong(item, `${quote(reading.value)} twice`);
    found.push(reading.value);
  }
  return { ok: true, value: found };
}

function parseInteger(text: string, min: number, max: number): number | undefined {
  // A leading zero is octal to some readers of YAML and decimal to others.
  return /^(0|[1-9][0-9]{0,14})$/.test(text) ? within(Number(text), min, max) : undefined;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function jsonNumber(text: string): unknown {
  return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text;
}
