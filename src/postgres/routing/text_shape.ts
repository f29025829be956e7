/**
 * The shape of a text: what is left of it without comments, with white space as single blanks,
 * unquoted words in lower case, strings as `'1'`, numbers as `1`, parameters as `$1`, and at the
 * beginning of a list in parentheses only one of several such constants. It is SQL itself, and does
 * to tables and sessions what the text does, so that texts which only differ in their values are
 * one.
 *
 * A text that the server refuses may have a shape that it takes.
 *
 * @module
 */

import { FOLD, type Keyword } from "../sql/keywords.ts";
import { Lexer } from "../sql/lexer.ts";

const NO_TEXT = new Uint8Array();

const BLANK = 0x20;
const QUOTE = 0x27;
const DIGIT_ZERO = 0x30;
const DIGIT_ONE = 0x31;
const DIGIT_NINE = 0x39;
const DOLLAR = 0x24;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const UNDERSCORE = 0x5f;
const LOWER_A = 0x61;
const LOWER_E = 0x65;
const LOWER_Z = 0x7a;
const DELETE = 0x7f;

// What a token is replaced by.
const NO_CONSTANT = 0;
const NUMBER = 1;
const STRING = 2;
const PARAMETER = 3;

// Where in a list of constants the shape ends. Of `(1, 1` behind which the list goes on or ends,
// `, 1` is cut off.
const NO_LIST = 0;
const OPENED = 1;
const FIRST = 2;
const COMMA = 3;
const SECOND = 4;

/** A shape may be longer than its text: `''` becomes `'1'`. */
const GROWTH_MAX = 1.5;

/** Makes shapes, one at a time. */
export class ShapeReader {
  readonly #lexer = new Lexer();
  readonly #bytes: Uint8Array;
  #size = 0;
  #list = NO_LIST;
  /** What constants the list has. */
  #listConstant = NO_CONSTANT;
  /** The size of the shape with the first of them. */
  #firstSize = 0;

  /** @param sizeMax The longest text that it will be given, in bytes. */
  constructor(sizeMax: number) {
    this.#bytes = new Uint8Array(Math.ceil(sizeMax * GROWTH_MAX));
  }

  /**
   * The keyword that a text begins with, behind parentheses; "" if it begins otherwise, undefined
   * if it has no statement.
   */
  firstWord(text: Uint8Array): Keyword | undefined {
    const lexer = this.#lexer;
    lexer.begin(text, true);
    let kind = lexer.next();
    while (kind === "(" || kind === ";") kind = lexer.next();
    const { word } = lexer;
    lexer.begin(NO_TEXT, true);
    return kind === "end" ? undefined : word;
  }

  /**
   * Reads a text, as with standard_conforming_strings on.
   *
   * @returns A view that is good until the next call, or undefined if the text ends inside a
   * string, a quoted identifier or a comment.
   */
  read(text: Uint8Array): Uint8Array | undefined {
    const lexer = this.#lexer;
    lexer.begin(text, true);
    this.#size = 0;
    this.#list = NO_LIST;
    let end = 0;
    let isBehindString = false;
    let keepsNext = false;
    let keepsAll = false;
    for (let kind = lexer.next(); kind !== "end"; kind = lexer.next()) {
      const { start } = lexer;
      const isString = kind === "string";
      // A string behind a string goes on with it: else the server refuses both.
      const isMore = isString && isBehindString;
      if (!isMore) {
        const isApart = start > end && this.#size > 0;
        const constant = keepsNext || keepsAll ? NO_CONSTANT : this.#constantAt(text, kind);
        if (constant === NO_CONSTANT) this.#add(text, start, lexer.end, kind, isApart);
        else this.#addConstant(constant, isApart);
      }
      isBehindString = isString;
      // EXPLAIN (ANALYZE 0) is told by its number, and UESCAPE has a string that is none.
      keepsNext = lexer.word === "uescape";
      if (lexer.word === "explain") keepsAll = true;
      end = lexer.end;
    }
    const { isCut } = lexer;
    lexer.begin(NO_TEXT, true); // the text is a view of a buffer that others need
    return isCut ? undefined : this.#bytes.subarray(0, this.#size);
  }

  /** What the current token is replaced by. */
  #constantAt(text: Uint8Array, kind: Lexer["kind"]): number {
    const { start, end } = this.#lexer;
    const byte = text[start]!;
    if (kind === "string") {
      const isPlain = byte === QUOTE || byte === DOLLAR || (byte | FOLD) === LOWER_E;
      return isPlain ? STRING : NO_CONSTANT;
    }
    // 0x1f, 1_000 and 1e5 are a number and a word to the lexer.
    if (kind !== "other" || isWordAt(text, end)) return NO_CONSTANT;
    if (byte === DOLLAR) return end > start + 1 ? PARAMETER : NO_CONSTANT;
    return byte >= DIGIT_ZERO && byte <= DIGIT_NINE ? NUMBER : NO_CONSTANT;
  }

  #addConstant(constant: number, isApart: boolean): void {
    if (isApart) this.#addByte(BLANK);
    if (constant === STRING) this.#addByte(QUOTE); // not empty: the parser leaves that out
    else if (constant === PARAMETER) this.#addByte(DOLLAR);
    this.#addByte(DIGIT_ONE);
    if (constant === STRING) this.#addByte(QUOTE);
    if (this.#list === OPENED) {
      this.#list = FIRST;
      this.#listConstant = constant;
      this.#firstSize = this.#size;
    } else {
      this.#list = this.#list === COMMA && this.#listConstant === constant ? SECOND : NO_LIST;
    }
  }

  #add(text: Uint8Array, start: number, end: number, kind: Lexer["kind"], isApart: boolean): void {
    const first = text[start]!;
    if (this.#list === SECOND && (kind === "," || kind === ")" || first === CLOSING_BRACKET)) {
      this.#size = this.#firstSize;
      this.#list = FIRST;
    }
    if (kind === "(" || first === OPENING_BRACKET) this.#list = OPENED;
    else this.#list = this.#list === FIRST && kind === "," ? COMMA : NO_LIST;
    if (isApart) this.#addByte(BLANK);
    const bytes = this.#bytes;
    const folds = kind === "word";
    let size = this.#size;
    for (let at = start; at < end; at++) {
      let byte = text[at]!;
      if (folds && byte >= UPPER_A && byte <= UPPER_Z) byte |= FOLD;
      bytes[size++] = byte;
    }
    this.#size = size;
  }

  #addByte(byte: number): void {
    this.#bytes[this.#size++] = byte;
  }
}

/** Whether a word's byte follows a number. */
function isWordAt(text: Uint8Array, at: number): boolean {
  const byte = text[at];
  if (byte === undefined) return false;
  const letter = byte | FOLD;
  return byte > DELETE || byte === UNDERSCORE || letter >= LOWER_A && letter <= LOWER_Z;
}
