/**
 * Identifiers as the server reads them: folded, unquoted, unescaped and cut.
 *
 * Source: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import { addToHash, FOLD, type Keyword, keywordAt, keywordOf } from "./keywords.ts";
import type { Lexer } from "./lexer.ts";

/** Longer identifiers are cut by the server; in bytes (NAMEDATALEN of PostgreSQL, less one). */
export const IDENTIFIER_SIZE_MAX = 63;

const DOUBLE_QUOTE = 0x22;
const UNDERSCORE = 0x5f;
const LOWER_A = 0x61;
const LOWER_Z = 0x7a;

/** A byte of UTF-8 that is not the first of its character is 10xxxxxx. */
const CONTINUATION_MASK = 0xc0;
const CONTINUATION = 0x80;

/**
 * Reads the identifier that the current token is. Where an UESCAPE belongs to it, the lexer steps
 * over that too: `lexer.end` is where the identifier ends, the other fields are spent.
 *
 * @returns Undefined if the token is no identifier.
 */
export function readIdentifier(lexer: Lexer): string | undefined {
  const { text, start, end } = lexer;
  if (lexer.kind === "word") return cut(lowerCase(textOf(text.subarray(start, end))));
  if (lexer.kind !== "quoted") return undefined;
  const isUnicode = text[start] !== DOUBLE_QUOTE; // U&"..."
  const inside = start + (isUnicode ? 3 : 1);
  const content = textOf(text.subarray(inside, Math.max(inside, end - 1))).replaceAll('""', '"');
  return cut(isUnicode ? unescaped(content, readEscapeCharacter(lexer)) : content);
}

/**
 * The keyword that stands in quotes in the current token, which may be the name of a function; ""
 * if it is another name. Steps over an UESCAPE like {@linkcode readIdentifier}.
 */
export function quotedKeyword(lexer: Lexer): Keyword {
  const { text, start, end } = lexer;
  if (text[start] !== DOUBLE_QUOTE) return keywordOf(readIdentifier(lexer) ?? "");
  // Without making a string: some programs quote every name.
  let hash = 0;
  for (let at = start + 1; at < end - 1; at++) {
    const byte = text[at]!;
    if ((byte < LOWER_A || byte > LOWER_Z) && byte !== UNDERSCORE) return "";
    hash = addToHash(hash, byte | FOLD);
  }
  return keywordAt(text, start + 1, end - 1, hash);
}

/** Makes ASCII letters lower case, as the server does with what is not quoted. */
export function lowerCase(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** What escapes in the U&"..." that is the current token: a backslash unless UESCAPE says else. */
function readEscapeCharacter(lexer: Lexer): string {
  const end = lexer.end;
  lexer.next();
  if (lexer.word === "uescape" && lexer.next() === "string") {
    const [quote, character, ...rest] = textOf(lexer.text.subarray(lexer.start, lexer.end));
    if (quote === "'" && character !== undefined && rest.length === 1) return character;
  }
  lexer.end = end;
  return "\\";
}

/** Replaces \XXXX and \+XXXXXX (hexadecimal) by their characters, and a doubled escape by one. */
function unescaped(content: string, escape: string): string {
  const pieces: string[] = [];
  for (let at = 0; at < content.length;) {
    const next = content.indexOf(escape, at);
    if (next === -1) {
      pieces.push(content.slice(at));
      break;
    }
    pieces.push(content.slice(at, next));
    at = next + 1;
    const code = /^(?:\+([0-9a-f]{6})|([0-9a-f]{4}))/i.exec(content.slice(at, at + 7));
    const point = parseInt(code?.[1] ?? code?.[2] ?? "", 16);
    if (point <= 0x10ffff) {
      pieces.push(String.fromCodePoint(point));
      at += code![0].length;
    } else {
      pieces.push(escape); // doubled, or a mistake that the server refuses
      if (content.startsWith(escape, at)) at += 1;
    }
  }
  return pieces.join("");
}

/** Cuts an identifier that is too long, between two characters. */
function cut(name: string): string {
  // A character of a string is at most three bytes of UTF-8: this one is short enough.
  if (name.length * 3 <= IDENTIFIER_SIZE_MAX) return name;
  const bytes = utf8(name);
  if (bytes.length <= IDENTIFIER_SIZE_MAX) return name;
  let size = IDENTIFIER_SIZE_MAX;
  while ((bytes[size]! & CONTINUATION_MASK) === CONTINUATION) size -= 1;
  return textOf(bytes.subarray(0, size));
}
