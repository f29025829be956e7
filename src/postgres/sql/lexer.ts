/**
 * Cuts a query text into tokens as PostgreSQL's scanner does, where it matters for what the text
 * means: words, strings, quoted identifiers, comments. Operators come byte by byte, numbers as
 * runs of digits. Nothing is copied and no token makes garbage: a token is the lexer's fields.
 *
 * The text is bytes in which ASCII means ASCII; bytes above 127 are letters, as in the server. So
 * it must not be in one of the encodings whose later bytes look like ASCII (BIG5, SJIS, GBK, ...).
 *
 * Source: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 *
 * @module
 */

import { addToHash, FOLD, type Keyword, keywordAt } from "./keywords.ts";

/**
 * What a token is. A "word" is an unquoted identifier or keyword, "quoted" a quoted identifier;
 * "other" is a number, a parameter ($1) or one byte of an operator.
 */
export type TokenKind =
  | "end"
  | "word"
  | "quoted"
  | "string"
  | "("
  | ")"
  | ","
  | ";"
  | "."
  | "="
  | "*"
  | ":"
  | "other";

/** The kinds of tokens that are one byte which stands for itself. */
const ONE_BYTE_KINDS: readonly TokenKind[] = ["(", ")", ",", ";", ".", "=", "*", ":"];

// What a token may be by its first byte.
const OTHER = 0;
const SPACE = 1;
const LETTER = 2;
/** A letter that may begin a string: E'', B'', X'', N'', U&''. */
const PREFIX = 3;
const DIGIT = 4;

const KIND_OF_BYTE: readonly TokenKind[] = Array.from({ length: 256 }, (_, byte) => {
  return ONE_BYTE_KINDS.find((kind) => kind.charCodeAt(0) === byte) ?? "other";
});

const TAB = 0x09;
const NEWLINE = 0x0a;
const VERTICAL_TAB = 0x0b;
const FORM_FEED = 0x0c;
const CARRIAGE_RETURN = 0x0d;
const BLANK = 0x20;
const DOUBLE_QUOTE = 0x22;
const DOLLAR = 0x24;
const AMPERSAND = 0x26;
const QUOTE = 0x27;
const ASTERISK = 0x2a;
const MINUS = 0x2d;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const LOWER_B = 0x62;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
const LOWER_X = 0x78;

const CLASS = classes();

/** From this size on a search by the engine is faster than a loop; measured, in bytes. */
const LONG_STRING_SIZE = 64;

/** Reads one text at a time, token by token. */
export class Lexer {
  #size = 0;
  #escapesInStrings = false;

  /** The text that is being read. */
  text: Uint8Array = new Uint8Array();
  /** What the current token is. */
  kind: TokenKind = "end";
  /** The keyword, if the token is an unquoted one that means something here, or else "". */
  word: Keyword = "";
  /** Where the current token begins in the text. */
  start = 0;
  /** Where it ends; the next one begins here or later. Set it back to read tokens again. */
  end = 0;
  /** True once a string, quoted identifier or comment was not closed: the text ends inside it. */
  isCut = false;

  /** Begins a text; `standardConformingStrings` is the session's parameter of that name. */
  begin(text: Uint8Array, standardConformingStrings: boolean): void {
    this.text = text;
    this.#size = text.length;
    this.#escapesInStrings = !standardConformingStrings;
    this.start = 0;
    this.end = 0;
    this.isCut = false;
  }

  /** Steps to the next token; after the last one to "end", for ever. */
  next(): TokenKind {
    const text = this.text;
    const size = this.#size;
    let at = this.end;
    this.word = "";
    while (at < size) {
      const byte = text[at]!;
      switch (CLASS[byte]) {
        case SPACE:
          at += 1;
          continue;
        case LETTER:
          return this.#readWord(at);
        case PREFIX:
          return this.#readPrefixed(at, byte);
        case DIGIT:
          return this.#token("other", at, skipDigits(text, at + 1));
      }
      switch (byte) {
        case QUOTE:
          return this.#readString(at, at + 1, this.#escapesInStrings);
        case DOUBLE_QUOTE:
          return this.#token("quoted", at, this.#skipQuoted(at + 1, DOUBLE_QUOTE, false));
        case DOLLAR:
          return this.#readDollar(at);
        case MINUS:
          if (text[at + 1] !== MINUS) break;
          at = skipLine(text, at + 2);
          continue;
        case SLASH:
          if (text[at + 1] !== ASTERISK) break;
          at = this.#skipComment(at + 2);
          continue;
      }
      return this.#token(KIND_OF_BYTE[byte]!, at, at + 1);
    }
    return this.#token("end", size, size);
  }

  /** The kind of the token that {@linkcode next} would step to. */
  peek(): TokenKind {
    const { kind, word, start, end } = this;
    const next = this.next();
    this.word = word;
    this.#token(kind, start, end);
    return next;
  }

  /** The keyword that {@linkcode next} would step to; "" if it is something else. */
  peekWord(): Keyword {
    const { kind, word, start, end } = this;
    this.next();
    const next = this.word;
    this.word = word;
    this.#token(kind, start, end);
    return next;
  }

  #token(kind: TokenKind, start: number, end: number): TokenKind {
    this.kind = kind;
    this.start = start;
    this.end = end;
    return kind;
  }

  #readWord(start: number): TokenKind {
    const text = this.text;
    const size = this.#size;
    let hash = 0;
    let at = start;
    do {
      hash = addToHash(hash, text[at]! | FOLD);
      at += 1;
    } while (at < size && isWordByte(text[at]!));
    this.word = keywordAt(text, start, at, hash);
    return this.#token("word", start, at);
  }

  #readPrefixed(start: number, byte: number): TokenKind {
    const letter = byte | FOLD;
    const next = this.text[start + 1];
    if (letter === LOWER_U && next === AMPERSAND) {
      const quote = this.text[start + 2];
      if (quote === QUOTE) return this.#readString(start, start + 3, false);
      if (quote === DOUBLE_QUOTE) {
        return this.#token("quoted", start, this.#skipQuoted(start + 3, DOUBLE_QUOTE, false));
      }
    }
    if (letter === LOWER_U || next !== QUOTE) return this.#readWord(start);
    if (letter === LOWER_E) return this.#readEscapeString(start);
    const isBits = letter === LOWER_B || letter === LOWER_X;
    return this.#readString(start, start + 2, this.#escapesInStrings && !isBits);
  }

  #readString(start: number, inside: number, hasEscapes: boolean): TokenKind {
    return this.#token("string", start, this.#skipQuoted(inside, QUOTE, hasEscapes));
  }

  /** E'...', and the strings that continue it on later lines, which have escapes without an E. */
  #readEscapeString(start: number): TokenKind {
    let end = this.#skipQuoted(start + 2, QUOTE, true);
    for (;;) {
      const inside = continuedString(this.text, end);
      if (inside === undefined) return this.#token("string", start, end);
      end = this.#skipQuoted(inside, QUOTE, true);
    }
  }

  /** Returns where what is quoted ends, behind its last quote. A quote inside is written twice. */
  #skipQuoted(inside: number, quote: number, hasEscapes: boolean): number {
    const text = this.text;
    const size = this.#size;
    let searchFrom = inside + LONG_STRING_SIZE;
    for (let at = inside; at < size; at++) {
      const byte = text[at]!;
      if (byte === quote) {
        if (at + 1 >= size || text[at + 1] !== quote) return at + 1;
        at += 1;
        searchFrom = at + LONG_STRING_SIZE;
      } else if (byte === BACKSLASH && hasEscapes) {
        at += 1;
      } else if (at >= searchFrom && !hasEscapes) {
        const found = text.indexOf(quote, at);
        if (found === -1) break;
        at = found - 1;
      }
    }
    this.isCut = true;
    return size;
  }

  /** A parameter ($1), a string between dollars ($tag$...$tag$), or a dollar. */
  #readDollar(start: number): TokenKind {
    const text = this.text;
    const afterDigits = skipDigits(text, start + 1);
    if (afterDigits > start + 1) return this.#token("other", start, afterDigits);
    let inside = start + 1;
    while (inside < this.#size && isTagByte(text[inside]!)) inside += 1;
    if (text[inside] !== DOLLAR) return this.#token("other", start, start + 1);
    inside += 1;
    const tagSize = inside - start;
    for (let at = text.indexOf(DOLLAR, inside); at !== -1; at = text.indexOf(DOLLAR, at + 1)) {
      if (hasTagAt(text, at, start, tagSize)) return this.#token("string", start, at + tagSize);
    }
    this.isCut = true;
    return this.#token("string", start, this.#size);
  }

  /** Returns where the comment ends. Comments nest. */
  #skipComment(inside: number): number {
    const text = this.text;
    let depth = 1;
    for (let at = inside; at < this.#size; at++) {
      const byte = text[at]!;
      if (byte === SLASH && text[at + 1] === ASTERISK) {
        depth += 1;
        at += 1;
      } else if (byte === ASTERISK && text[at + 1] === SLASH) {
        depth -= 1;
        at += 1;
        if (depth === 0) return at + 1;
      }
    }
    this.isCut = true;
    return this.#size;
  }
}

function classes(): Uint8Array {
  const classes = new Uint8Array(256).fill(OTHER);
  for (const byte of [TAB, NEWLINE, VERTICAL_TAB, FORM_FEED, CARRIAGE_RETURN, BLANK]) {
    classes[byte] = SPACE;
  }
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCharCode(byte);
    if (byte > 0x7f || /[A-Za-z_]/.test(character)) classes[byte] = LETTER;
    if (/[bBeEnNuUxX]/.test(character)) classes[byte] = PREFIX;
    if (/[0-9]/.test(character)) classes[byte] = DIGIT;
  }
  return classes;
}

/** Whether a word that has begun goes on with this byte. */
function isWordByte(byte: number): boolean {
  return CLASS[byte]! >= LETTER || byte === DOLLAR;
}

/** Whether this byte may be in the tag of a dollar-quoted string. */
function isTagByte(byte: number): boolean {
  return CLASS[byte]! >= LETTER;
}

function hasTagAt(text: Uint8Array, at: number, tag: number, tagSize: number): boolean {
  if (at + tagSize > text.length) return false;
  // Bytes are compared up to the next dollar at most, so a search reads each byte twice at most.
  for (let i = 1; i < tagSize; i++) if (text[at + i] !== text[tag + i]) return false;
  return true;
}

function skipDigits(text: Uint8Array, start: number): number {
  let at = start;
  while (at < text.length && CLASS[text[at]!] === DIGIT) at += 1;
  return at;
}

/** Returns where the line ends, before its newline. */
function skipLine(text: Uint8Array, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== NEWLINE && text[at] !== CARRIAGE_RETURN) at += 1;
  return at;
}

/**
 * Where the string that ended at `end` goes on, behind the quote: strings with nothing but white
 * space and comments of one line between them, with at least one newline, are one string.
 */
function continuedString(text: Uint8Array, end: number): number | undefined {
  let hasNewline = false;
  let at = end;
  while (at < text.length) {
    const byte = text[at]!;
    if (byte === QUOTE) return hasNewline ? at + 1 : undefined;
    if (byte === MINUS && text[at + 1] === MINUS) {
      at = skipLine(text, at + 2);
    } else if (CLASS[byte] === SPACE) {
      if (byte === NEWLINE || byte === CARRIAGE_RETURN) hasNewline = true;
      at += 1;
    } else {
      return undefined;
    }
  }
  return undefined;
}
