/**
 * Tells reads from writes.
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import { SqlParser } from "../parser/sql_parser.ts";
import type { Keyword } from "../sql/keywords.ts";
import { ClassCache, hashOf } from "./class_cache.ts";
import { classOf } from "./classify.ts";
import { type StatementClass, UNKNOWN_WRITE } from "./statement_class.ts";
import { ShapeReader } from "./text_shape.ts";

/** The longest text that is looked at, in bytes. A longer one is a write. */
export const CLASSIFIED_SIZE_MAX = 64 * 1024;

/**
 * The longest shape that is parsed, in bytes. A text of constants has a short one; one of 16 KiB
 * with nothing but names of columns takes the parser up to a tenth of a second.
 */
export const PARSED_SIZE_MAX = 16 * 1024;

/** What is kept: a program's different texts are some hundreds, of some hundred bytes each. */
const CACHE_LIMITS = { entriesMax: 4_096, sizeMax: 4 * 1024 * 1024 } as const;

/** How many texts that came once are remembered, by their hashes. A power of two. */
const SEEN_ONCE = 4_096;

/** What a text begins with that may be something else than a write. */
const NO_WRITE: ReadonlySet<Keyword> = new Set<Keyword>([
  ...["abort", "begin", "commit", "copy", "deallocate", "discard", "end", "explain"] as const,
  ...["release", "reset", "rollback", "savepoint", "select", "set", "show", "start"] as const,
  ...["table", "unlisten", "values", "with"] as const,
]);

/** What a classifier is to know and to find out. */
export interface ClassifierOptions {
  /**
   * Functions of the database that change nothing, beside the built-in ones: as they are called,
   * `area_of` or `geo.area_of`, in lower case unless they need quotes.
   */
  readonly readFunctions?: ReadonlySet<string>;
  /** Whether the tables of writes are needed: each INSERT is parsed then. Default: false. */
  readonly needsTables?: boolean;
}

/**
 * Classifies texts. Keep one for all sessions of a worker: it remembers what it has seen, for texts
 * that come again as they are, and for shapes of texts that come again with other values.
 */
export class StatementClassifier {
  readonly #parser: SqlParser;
  readonly #readFunctions: ReadonlySet<string>;
  readonly #needsTables: boolean;
  readonly #shapes = new ShapeReader(CLASSIFIED_SIZE_MAX);
  readonly #ofTexts = new ClassCache(CACHE_LIMITS);
  readonly #ofShapes = new ClassCache(CACHE_LIMITS);
  readonly #seenOnce = new Int32Array(SEEN_ONCE);

  private constructor(parser: SqlParser, options: ClassifierOptions) {
    this.#parser = parser;
    this.#readFunctions = options.readFunctions ?? new Set();
    this.#needsTables = options.needsTables ?? false;
  }

  /**
   * Makes a classifier. The first in a worker loads the parser, which takes 20 to 120 ms and
   * 30 MiB; all share it.
   *
   * @throws {Error} If the parser's code cannot be read.
   */
  static async load(options: ClassifierOptions = {}): Promise<StatementClassifier> {
    return new StatementClassifier(await SqlParser.load(), options);
  }

  /** How many texts and shapes of texts are kept, at most 8192. */
  get cachedCount(): number {
    return this.#ofTexts.count + this.#ofShapes.count;
  }

  /** Bytes that they are estimated to need, at most 8 MiB. */
  get cachedSize(): number {
    return this.#ofTexts.size + this.#ofShapes.size;
  }

  /**
   * Classifies a text. It never throws: what cannot be read is a write, of which the server says
   * what is wrong.
   *
   * @param text Read during the call only. It is taken as a server does whose
   * standard_conforming_strings is on, in UTF-8 or another encoding in which ASCII bytes mean
   * ASCII and nothing else: see `isReadable` of `SessionDefaults`.
   */
  classify(text: Uint8Array): StatementClass {
    if (text.length > CLASSIFIED_SIZE_MAX) return UNKNOWN_WRITE;
    if (!this.#needsTables && !this.#mayBeNoWrite(text)) return UNKNOWN_WRITE;
    const hash = hashOf(text);
    const known = this.#ofTexts.get(text, hash);
    if (known !== undefined) return known;
    const result = this.#classifyShape(this.#shapes.read(text));
    if (this.#comesAgain(hash)) this.#ofTexts.add(text, hash, result);
    return result;
  }

  #mayBeNoWrite(text: Uint8Array): boolean {
    const word = this.#shapes.firstWord(text);
    return word === undefined || NO_WRITE.has(word);
  }

  /** Whether a text is worth to be kept: many come once only, with values in them. */
  #comesAgain(hash: number): boolean {
    const place = hash & (SEEN_ONCE - 1);
    if (this.#seenOnce[place] === hash) return true;
    this.#seenOnce[place] = hash;
    return false;
  }

  #classifyShape(shape: Uint8Array | undefined): StatementClass {
    if (shape === undefined || shape.length > PARSED_SIZE_MAX) return UNKNOWN_WRITE;
    const hash = hashOf(shape);
    const known = this.#ofShapes.get(shape, hash);
    if (known !== undefined) return known;
    if (shape.includes(0) || !this.#parser.isReady) return UNKNOWN_WRITE;
    // Bytes that are no UTF-8 become U+FFFD: they are in names, or the server refuses them.
    const statements = this.#parser.statements(utf8(textOf(shape)));
    const result = typeof statements === "string"
      ? UNKNOWN_WRITE
      : classOf(statements, this.#readFunctions);
    this.#ofShapes.add(shape, hash, result);
    return result;
  }
}
