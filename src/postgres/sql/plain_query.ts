/**
 * A quick look at a text that tells most queries from what may do something to their session. It
 * knows one statement that begins with SELECT, INSERT, UPDATE or DELETE, in ASCII, without anything
 * that `query_scanner.ts` would have to think about. What it takes for plain, the scanner does,
 * too, whatever the session's parameters; of what it does not, only the scanner can say.
 *
 * One loop over the bytes: half of what the scanner costs, and little code, which counts where a
 * message comes alone and finds the processor's caches cold.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { FOLD } from "./keywords.ts";

/** First words, all of one length. */
export const PLAIN_COMMANDS = ["select", "insert", "update", "delete"] as const;

/** One of them. */
export type PlainCommand = (typeof PLAIN_COMMANDS)[number];

const COMMAND_SIZE = 6;

/** What words begin with that may mean something inside such a statement. */
const SUSPECTS = ["pg_", "set_", "into", "temp", "global", "local"] as const;

const INTO = foldedBytes("into");

// What a byte is where a token may begin.
const REFUSED = 0;
/** White space, digits, and operators of which two do not begin a comment. */
const PASSED = 1;
const LETTER = 2;
/** A letter that one of `SUSPECTS` begins with. */
const SUSPECT = 3;
const OPENED = 4;
const CLOSED = 5;
const QUOTE = 6;
/** Two of them, or this and a star, begin a comment. */
const COMMENT = 7;
const DOLLAR = 8;
const SEMICOLON = 9;
const DOUBLE_QUOTE = 10;

const STAR = 0x2a;
const MINUS = 0x2d;
const AMPERSAND = 0x26;
const QUOTE_BYTE = 0x27;
const DOUBLE_QUOTE_BYTE = 0x22;
const BACKSLASH = 0x5c;
const ASCII_MAX = 0x7f;

const CLASS = classes();
const IS_WORD = bytesLike(/[A-Za-z0-9_$]/);
const IS_DIGIT = bytesLike(/[0-9]/);
const IS_SPACE = bytesLike(/[\t\n\v\f\r ]/);

const SUSPECTS_OF: readonly (readonly Uint8Array[])[] = Array.from(
  { length: 256 },
  (_, byte) => SUSPECTS.map(foldedBytes).filter(([first]) => first === (byte | FOLD)),
);

const COMMANDS_OF: ReadonlyMap<number, { command: PlainCommand; bytes: Uint8Array }> = new Map(
  PLAIN_COMMANDS.map((command) => [command.charCodeAt(0), { command, bytes: utf8(command) }]),
);

/**
 * The first word of a plain query, or undefined if it may be none.
 *
 * @param bytes They hold the text from `start` to `end`, without its NUL. Read during the call.
 */
export function plainCommandOf(
  bytes: Uint8Array,
  start: number,
  end: number,
): PlainCommand | undefined {
  let at = start + COMMAND_SIZE;
  if (at >= end || IS_WORD[bytes[at]!] === 1) return undefined;
  const first = COMMANDS_OF.get(bytes[start]! | FOLD);
  if (first === undefined || !beginsWith(bytes, start, end, first.bytes)) return undefined;
  if (first.command === "insert") {
    at = skipSpaces(bytes, at, end);
    if (!beginsWith(bytes, at, end, INTO)) return undefined;
    at += INTO.length;
  }
  return isPlainRest(bytes, at, end) ? first.command : undefined;
}

function isPlainRest(bytes: Uint8Array, start: number, end: number): boolean {
  let depth = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at]!;
    switch (CLASS[byte]) {
      case PASSED:
        break;
      case SUSPECT:
        if (isSuspect(bytes, at, end)) return false;
        at = wordEnd(bytes, at + 1, end);
        continue;
      case LETTER:
        at = wordEnd(bytes, at + 1, end);
        continue;
      case OPENED:
        depth += 1;
        break;
      case CLOSED:
        if (depth > 0) depth -= 1;
        break;
      case QUOTE:
        at = quotedEnd(bytes, at + 1, end, QUOTE_BYTE);
        if (at < 0) return false;
        continue;
      case DOUBLE_QUOTE:
        // In U&"..." any character may be the escape.
        if (bytes[at - 1] === AMPERSAND || at + 1 >= end) return false;
        if (isSuspect(bytes, at + 1, end)) return false;
        at = quotedEnd(bytes, at + 1, end, DOUBLE_QUOTE_BYTE);
        if (at < 0) return false;
        continue;
      case COMMENT:
        if (bytes[at + 1] === MINUS || bytes[at + 1] === STAR) return false;
        break;
      case DOLLAR:
        if (IS_DIGIT[bytes[at + 1] ?? 0] !== 1) return false;
        break;
      case SEMICOLON:
        return depth === 0 && skipSpaces(bytes, at + 1, end) === end;
      default:
        return false;
    }
    at += 1;
  }
  return depth === 0;
}

function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && IS_WORD[bytes[at]!] === 1) at += 1;
  return at;
}

/** @returns Behind the quote; -1 if there is none, or if its end depends on settings. */
function quotedEnd(bytes: Uint8Array, start: number, end: number, quote: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === quote) return at + 1;
    if (byte === BACKSLASH || byte > ASCII_MAX) return -1;
  }
  return -1;
}

function skipSpaces(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && IS_SPACE[bytes[at]!] === 1) at += 1;
  return at;
}

function isSuspect(bytes: Uint8Array, at: number, end: number): boolean {
  for (const folded of SUSPECTS_OF[bytes[at]!]!) {
    if (beginsWith(bytes, at, end, folded)) return true;
  }
  return false;
}

function beginsWith(bytes: Uint8Array, at: number, end: number, folded: Uint8Array): boolean {
  if (at + folded.length > end) return false;
  for (let i = 0; i < folded.length; i++) if ((bytes[at + i]! | FOLD) !== folded[i]) return false;
  return true;
}

function foldedBytes(word: string): Uint8Array {
  return utf8(word).map((byte) => byte | FOLD);
}

/** 1 for each byte of ASCII that the expression matches. */
function bytesLike(expression: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    return byte <= ASCII_MAX && expression.test(String.fromCharCode(byte)) ? 1 : 0;
  });
}

function classes(): Uint8Array {
  const classes = new Uint8Array(256).fill(REFUSED);
  const set = (characters: string, kind: number) => {
    for (const byte of utf8(characters)) classes[byte] = kind;
  };
  set("\t\n\v\f\r 0123456789,.=<>+*%^&|~!@#?:[]", PASSED);
  set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", LETTER);
  for (const [first] of SUSPECTS) set(first!.toLowerCase() + first!.toUpperCase(), SUSPECT);
  set("(", OPENED);
  set(")", CLOSED);
  set("'", QUOTE);
  set('"', DOUBLE_QUOTE);
  set("-/", COMMENT);
  set("$", DOLLAR);
  set(";", SEMICOLON);
  return classes;
}
