/**
 * Analyses texts of queries with PostgreSQL's own parser.
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import { AnalysisCache } from "./analysis_cache.ts";
import { cutsTail, mayCutTail } from "./cut_tail.ts";
import type { InjectionSignal, QueryAnalysis } from "./query_analysis.ts";
import { SqlParser } from "./sql_parser.ts";
import { summaryOf } from "./statement_summary.ts";

/**
 * The longest text that is analysed, in bytes. One of 1 MiB with 240,000 constants takes most of a
 * second, in which the worker does nothing else.
 */
export const ANALYSED_SIZE_MAX = 1024 * 1024;

/** The longest text whose analysis is kept, in bytes. */
export const CACHED_SIZE_MAX = 64 * 1024;

/** What is kept: a program's different texts are some hundreds, of some hundred bytes each. */
const CACHE_LIMITS = { entriesMax: 4_096, sizeMax: 8 * 1024 * 1024 } as const;

/** The `error` of a text that is longer than {@linkcode ANALYSED_SIZE_MAX}. */
export const TOO_LONG = "too long";

/**
 * Tells what a query's text is about. The text is read as a server does whose
 * standard_conforming_strings is on, which is the default. The parser is that of PostgreSQL 18:
 * words that only newer or much older servers know are errors.
 */
export class QueryAnalyser {
  readonly #parser: SqlParser;
  readonly #cache = new AnalysisCache(CACHE_LIMITS);

  private constructor(parser: SqlParser) {
    this.#parser = parser;
  }

  /**
   * Gives an analyser with a cache of its own. The first in a worker loads the parser, which takes
   * 20 to 120 ms and 30 MiB; all share it.
   *
   * @throws {Error} If the parser's code cannot be read.
   */
  static async load(): Promise<QueryAnalyser> {
    return new QueryAnalyser(await SqlParser.load());
  }

  /** How many analyses are kept. */
  get cachedCount(): number {
    return this.#cache.count;
  }

  /** Bytes that they are estimated to need, at most 8 MiB. */
  get cachedSize(): number {
    return this.#cache.size;
  }

  /**
   * Analyses a text. It never throws: what cannot be analysed has an `error`.
   *
   * @param text Bytes are read as UTF-8, and what is not becomes U+FFFD. That does no harm with
   * encodings whose further bytes are never ASCII. With those where they are (SJIS, BIG5, GBK,
   * GB18030, UHC, JOHAB) a backslash in an E'' string may be half a character: such texts should
   * be converted first.
   */
  analyse(text: string | Uint8Array): QueryAnalysis {
    if (text.length > ANALYSED_SIZE_MAX) return failure(TOO_LONG);
    const asked = typeof text === "string" ? text : textOf(text);
    const known = this.#cache.get(asked);
    if (known !== undefined) return known;
    const bytes = utf8(asked);
    // U+FFFD is three bytes where there was one.
    if (bytes.length > ANALYSED_SIZE_MAX) return failure(TOO_LONG);
    if (bytes.includes(0)) return failure("the text has a character 0, which no server accepts");
    if (!this.#parser.isReady) return failure("the parser is being restarted");
    const analysis = this.#analyse(bytes);
    // Decoded anew: the text that was asked for may be a piece of a much larger one.
    if (bytes.length <= CACHED_SIZE_MAX) this.#cache.add(textOf(bytes), analysis);
    return analysis;
  }

  #analyse(text: Uint8Array): QueryAnalysis {
    const parsed = this.#parser.parse(text);
    if (typeof parsed === "string") return failure(parsed);
    const { statements, fingerprint, normalised } = parsed;
    const signals: InjectionSignal[] = statements.length > 1 ? ["stacked"] : [];
    if (statements.length > 0 && mayCutTail(text)) {
      const tokens = this.#parser.tokens(text);
      // Tokens that are too many are for a firewall to worry about.
      if (tokens === undefined || cutsTail(text, tokens)) signals.push("comment");
    }
    return {
      error: undefined,
      fingerprint,
      normalised,
      statements: statements.map((statement) => summaryOf(statement, signals)),
    };
  }
}

function failure(error: string): QueryAnalysis {
  return { error, fingerprint: "", normalised: "", statements: [] };
}
