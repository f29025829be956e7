/**
 * What a text calls: the gateway's parser tells tables and kinds of statements, but not functions.
 * Strings, comments and quoted names are read as PostgreSQL reads them (scan.l) with
 * standard_conforming_strings on, which the cache asks for.
 */

import { isVolatile, KEYWORDS, Knowledge, NOT_PURE_WORDS, PURE_FUNCTIONS } from "./functions";

/** What was found in a text. */
export class Found {
  /** A function whose result is not always the same, or a word that stands for one. */
  isVolatile: bool = false;
  /** A function that nobody knows: it may do anything. */
  hasUnknown: bool = false;
  /** set_config: the session is another one afterwards. */
  changesSession: bool = false;
  /** A word that makes what is created a temporary table. */
  isTemporary: bool = false;
  /** The first words that are no quoted names, in lower case. */
  readonly words: string[] = new Array<string>();
}

const WORDS_KEPT = 4;

let at: usize = 0;
let end: usize = 0;

// @ts-ignore: decorator
@inline
function isSpace(c: u8): bool {
  return c == 32 || (c >= 9 && c <= 13);
}

// @ts-ignore: decorator
@inline
function isNameStart(c: u8): bool {
  return (c | 32) >= 97 && (c | 32) <= 122 || c == 95 || c >= 128;
}

// @ts-ignore: decorator
@inline
function isDigit(c: u8): bool {
  return c >= 48 && c <= 57;
}

// @ts-ignore: decorator
@inline
function isNamePart(c: u8): bool {
  return isNameStart(c) || isDigit(c) || c == 36;
}

// @ts-ignore: decorator
@inline
function peek(offset: i32): u8 {
  return at + offset < end ? load<u8>(at + offset) : 0;
}

/** Reads a whole text. */
export function scan(start: usize, size: i32, knowledge: Knowledge): Found {
  const found = new Found();
  at = start;
  end = start + size;
  // The word before, and the one before a name with its schema.
  let before = "";
  let lead = "";
  let isQualified = false;
  skipBlank();
  while (at < end) {
    if (!isQualified) lead = before;
    const c = load<u8>(at);
    if (c == 39) {
      skipString(found, false);
      before = "";
    } else if (c == 36) {
      if (!skipDollar(found)) at += 1;
      before = "";
    } else if (c == 34) {
      const name = quotedName();
      noteWord(found, name);
      noteCall(found, knowledge, name, lead, before, isQualified, true);
      before = "";
    } else if (isNameStart(c)) {
      const word = plainWord(found);
      if (word.length == 0) { // it was the prefix of a string
        skipBlank();
        continue;
      }
      if (found.words.length < WORDS_KEPT) found.words.push(word);
      if (!isQualified) noteWord(found, word);
      noteCall(found, knowledge, word, lead, before, isQualified, false);
      before = word;
    } else if (isDigit(c)) {
      while (at < end && (isNamePart(load<u8>(at)) || load<u8>(at) == 46)) at += 1;
      before = "";
    } else {
      at += 1;
      isQualified = c == 46;
      if (c != 46) before = "";
      skipBlank();
      continue;
    }
    isQualified = false;
    skipBlank();
  }
  return found;
}

function skipBlank(): void {
  while (at < end) {
    const c = load<u8>(at);
    if (isSpace(c)) at += 1;
    else if (c == 45 && peek(1) == 45) {
      while (at < end && load<u8>(at) != 10 && load<u8>(at) != 13) at += 1;
    } else if (c == 47 && peek(1) == 42) skipComment();
    else return;
  }
}

/** Comments nest. */
function skipComment(): void {
  let depth = 0;
  while (at < end) {
    if (peek(0) == 47 && peek(1) == 42) {
      depth += 1;
      at += 2;
    } else if (peek(0) == 42 && peek(1) == 47) {
      depth -= 1;
      at += 2;
      if (depth == 0) return;
    } else at += 1;
  }
}

function skipString(found: Found, hasEscapes: bool): void {
  at += 1;
  const start = at;
  while (at < end) {
    const c = load<u8>(at);
    if (hasEscapes && c == 92) at += 2;
    else if (c != 39) at += 1;
    else if (peek(1) == 39) at += 2;
    else break;
  }
  const last = at < end ? at : end;
  if (saysNow(start, last)) found.isVolatile = true;
  // '\x6eow' may be anything.
  if (hasEscapes && hasByte(start, last, 92)) found.isVolatile = true;
  at = last + 1;
}

/** False if it is a parameter such as $1. */
function skipDollar(found: Found): bool {
  let tagEnd = at + 1;
  if (tagEnd < end && isDigit(load<u8>(tagEnd))) return false;
  while (tagEnd < end && isNamePart(load<u8>(tagEnd)) && load<u8>(tagEnd) != 36) tagEnd += 1;
  if (tagEnd >= end || load<u8>(tagEnd) != 36) return false;
  const size = <i32>(tagEnd + 1 - at);
  const tag = at;
  at += size;
  const start = at;
  while (at + size <= end && memory.compare(at, tag, size) != 0) at += 1;
  if (saysNow(start, at < end ? at : end)) found.isVolatile = true;
  at += size;
  return true;
}

/** A quoted name, as it is. */
function quotedName(): string {
  at += 1;
  const start = at;
  while (at < end) {
    if (load<u8>(at) != 34) at += 1;
    else if (peek(1) == 34) at += 2;
    else break;
  }
  const last = at < end ? at : end;
  at = last + 1;
  return String.UTF8.decodeUnsafe(start, last - start);
}

/** A word in lower case; "" if it was a part of what comes behind: E'...', U&'...', U&"...". */
function plainWord(found: Found): string {
  const start = at;
  while (at < end && isNamePart(load<u8>(at))) at += 1;
  const first = load<u8>(start) | 32;
  if (at - start == 1) {
    if (peek(0) == 39) {
      if (first == 101) {
        skipString(found, true);
        return "";
      }
      return ""; // B'', X'' and N'' are read as any string
    }
    if (first == 117 && peek(0) == 38 && (peek(1) == 39 || peek(1) == 34)) {
      // U&'\006eow' may be anything, and so may U&"\0061bs"(1).
      found.isVolatile = true;
      found.hasUnknown = peek(1) == 34 || found.hasUnknown;
      at += 1;
      return "";
    }
  }
  return String.UTF8.decodeUnsafe(start, at - start).toLowerCase();
}

function noteWord(found: Found, word: string): void {
  if (NOT_PURE_WORDS.has(word)) found.isVolatile = true; // also as a quoted name: no harm
  if (word == "temp" || word == "temporary" || word == "pg_temp") found.isTemporary = true;
}

/** A name with "(" behind it calls something, unless what is before it says otherwise. */
function noteCall(
  found: Found, knowledge: Knowledge, name: string, lead: string, schema: string,
  isQualified: bool, isQuoted: bool,
): void {
  const here = at;
  skipBlank();
  const isCall = peek(0) == 40;
  at = here;
  if (!isCall) return;
  if (!isQuoted && !isQualified && KEYWORDS.has(name)) return;
  // INSERT INTO t (a, WITH t (a, FROM x AS t (a, COPY t (a
  if (lead == "into" || lead == "as" || lead == "with") return;
  if (lead == "recursive" || lead == "copy") return;
  const isBuiltIn = !isQualified || schema == "pg_catalog";
  if (knowledge.pure.has(name) || (PURE_FUNCTIONS.has(name) && isBuiltIn)) return;
  found.isVolatile = true;
  if (name == "set_config") found.changesSession = true;
  else if (knowledge.harmless.has(name)) return;
  else if (isVolatile(name) && isBuiltIn) return;
  else found.hasUnknown = true;
}

function hasByte(start: usize, last: usize, byte: u8): bool {
  for (let i = start; i < last; i++) if (load<u8>(i) == byte) return true;
  return false;
}

/** Whether a value has a word that is another date or time each day: today, but not todays. */
export function saysNow(start: usize, last: usize): bool {
  for (let i = start; i + 3 <= last; i++) {
    const c = load<u8>(i) | 32;
    if (c != 110 && c != 116 && c != 121) continue; // n, t, y
    if (i > start && isNamePart(load<u8>(i - 1))) continue;
    if (
      isWord(i, last, "now") || isWord(i, last, "today") || isWord(i, last, "tomorrow") ||
      isWord(i, last, "yesterday")
    ) return true;
  }
  return false;
}

function isWord(start: usize, last: usize, word: string): bool {
  const size = word.length;
  if (start + size > last) return false;
  for (let i = 0; i < size; i++) {
    if ((load<u8>(start + i) | 32) != <u8>word.charCodeAt(i)) return false;
  }
  return start + size == last || !isNamePart(load<u8>(start + size));
}
