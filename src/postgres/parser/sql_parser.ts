/**
 * What PostgreSQL's own parser says of a text: its tree, its fingerprint, its form without
 * constants. Texts are UTF-8; strings are read as with standard_conforming_strings on.
 *
 * @module
 */

import { textOf, utf8 } from "../../base/bytes.ts";
import { hasLongOperatorRuns } from "./operator_runs.ts";
import { fieldsOf, listOf, type Node, type Value } from "./parse_tree.ts";
import { type ParserInstance, ParserInstances } from "./parser_instances.ts";

/** A text that parses. */
export interface ParsedText {
  /** Of each statement, the wrapped node. */
  readonly statements: readonly Value[];
  /** 16 hexadecimal digits. */
  readonly fingerprint: string;
  readonly normalised: string;
}

/** A lexical part of a text; comments are tokens, too. */
export interface Token {
  /** Bytes from the beginning of the text. */
  readonly start: number;
  readonly end: number;
  readonly isComment: boolean;
}

/**
 * The most that a tree may be as JSON: a text of 1 MiB that inserts 80,000 rows of three constants
 * has 14 MiB, one that is nothing but small constants 45 MiB.
 */
const TREE_SIZE_MAX = 24 * 1024 * 1024;

/**
 * Bytes of a text times its statements: replacing constants takes a time in proportion to that.
 * 11,000 statements in 100 kB were seen to take 2 seconds.
 */
const STATEMENT_BYTES_MAX = 200_000_000;

/** What is said of a text that the parser cannot take. */
const TOO_COMPLEX = "the text is nested too deeply or has too many parts to be parsed";

/** No statement has none of these after its constants were replaced. */
const MAY_HOLD_STRING = /'|\$[^0-9]/;

const FINGERPRINT = /^[0-9a-f]{16}$/;

let loading: Promise<SqlParser> | undefined;

/** The parser. One for each worker: it does one text at a time, and waits for nothing. */
export class SqlParser {
  readonly #instances: ParserInstances;

  private constructor(instances: ParserInstances) {
    this.#instances = instances;
  }

  /**
   * Gives the parser of this worker. The first time loads it, which takes 20 to 120 ms and 30 MiB.
   *
   * @throws {Error} If its code cannot be read.
   */
  static async load(): Promise<SqlParser> {
    loading ??= ParserInstances.load().then((instances) => new SqlParser(instances));
    try {
      return await loading;
    } catch (error) {
      loading = undefined;
      throw error;
    }
  }

  /** False for a moment after texts that were too much for it, one right after the other. */
  get isReady(): boolean {
    return this.#instances.isReady;
  }

  /**
   * Parses a text.
   *
   * @param text Without a byte 0, which would end it.
   * @returns The parser's message if the text is wrong, or too much for it.
   */
  parse(text: Uint8Array): ParsedText | string {
    if (hasLongOperatorRuns(text)) return TOO_COMPLEX;
    const parsed = this.#withText(text, (instance, address) => {
      const statements = statementsAt(instance, address);
      if (typeof statements === "string") return statements;
      if (statements.length * text.length > STATEMENT_BYTES_MAX) return TOO_COMPLEX;
      // The parser has no fingerprint of a text without statements, and takes it for an error.
      if (statements.length === 0) return { statements, fingerprint: EMPTY, normalised: "" };
      const fingerprint = takeText(instance, instance._wasm_fingerprint(address));
      if (!FINGERPRINT.test(fingerprint)) throw new Error("The parser is broken");
      const normalised = takeText(instance, instance._wasm_normalize_query(address));
      return { statements, fingerprint, normalised };
    });
    if (parsed === undefined) return TOO_COMPLEX;
    if (typeof parsed === "string" || !MAY_HOLD_STRING.test(parsed.normalised)) return parsed;
    const normalised = this.#withoutStrings(parsed.normalised);
    return normalised === undefined ? TOO_COMPLEX : { ...parsed, normalised };
  }

  /**
   * The statements of a text, of each the wrapped node, and nothing else: for those who need no
   * fingerprint.
   *
   * @param text Without a byte 0, which would end it.
   * @returns The parser's message if the text is wrong, or too much for it.
   */
  statements(text: Uint8Array): readonly Value[] | string {
    if (hasLongOperatorRuns(text)) return TOO_COMPLEX;
    return this.#withText(text, statementsAt) ?? TOO_COMPLEX;
  }

  /** A text's tokens in order, or undefined if there are too many. */
  tokens(text: Uint8Array): readonly Token[] | undefined {
    return this.#withText(text, (instance, address) => {
      const scanned = takeText(instance, instance._wasm_scan(address));
      // As objects, all of it would need ten times the memory. In strings, quotes are escaped.
      return [...scanned.matchAll(/\{"start":([0-9]+),"end":([0-9]+),/g)].map((match) => {
        const [start, end] = [Number(match[1]), Number(match[2])];
        // No other token begins like a comment.
        const isComment = (text[start] === 0x2d && text[start + 1] === 0x2d) ||
          (text[start] === 0x2f && text[start + 1] === 0x2a);
        return { start, end, isComment };
      });
    });
  }

  #withText<Result>(
    text: Uint8Array,
    use: (instance: ParserInstance, address: number) => Result,
  ): Result | undefined {
    return this.#instances.with((instance) => {
      const address = instance._malloc(text.length + 1);
      if (address === 0) throw new Error("There is no memory for the text");
      instance.HEAPU8.set(text, address);
      instance.HEAPU8[address + text.length] = 0;
      const result = use(instance, address);
      instance._free(address);
      return result;
    });
  }

  /** The parser only replaces constants of expressions; COPY and OPTIONS can hold secrets, too. */
  #withoutStrings(normalised: string): string | undefined {
    const bytes = utf8(normalised);
    const tokens = this.tokens(bytes);
    if (tokens === undefined) return undefined;
    let last = 0;
    for (const [, number] of normalised.matchAll(/\$([0-9]{1,6})/g)) {
      last = Math.max(last, Number(number));
    }
    const pieces: string[] = [];
    let copied = 0;
    for (const { start, end, isComment } of tokens) {
      const head = textOf(bytes.subarray(start, Math.min(end, start + 3)));
      if (isComment || !/^(?:(?:[ebxn]|u&)?'|\$[^0-9])/i.test(head)) continue;
      last += 1;
      pieces.push(textOf(bytes.subarray(copied, start)), `$${last}`);
      copied = end;
    }
    return pieces.join("") + textOf(bytes.subarray(copied));
  }
}

/** What stands for a fingerprint where there is no statement. */
const EMPTY = "0000000000000000";

/** The statements of the text at `address`, or what is wrong with it. */
function statementsAt(instance: ParserInstance, address: number): readonly Value[] | string {
  const tree = treeOf(instance, address);
  if (typeof tree === "string") return tree;
  return listOf(tree["stmts"]).map((one) => fieldsOf(one)["stmt"] ?? null);
}

/** The tree of the text at `address`, or what is wrong with it. */
function treeOf(instance: ParserInstance, address: number): Node | string {
  // PgQueryParseResult: char *parse_tree, char *stderr_buffer, PgQueryError *error
  const result = instance._wasm_parse_query_raw(address);
  if (result === 0) throw new Error("There is no memory for the result");
  const words = instance.HEAPU32;
  const [treeAddress, error] = [words[result / 4]!, words[result / 4 + 2]!];
  let tree: Node | string = TOO_COMPLEX;
  if (error !== 0) {
    // PgQueryError: char *message, char *funcname, char *filename, int lineno, int cursorpos
    const [message, position] = [words[error / 4]!, words[error / 4 + 4]!];
    const place = position > 0 ? ` (at character ${position})` : "";
    tree = textAt(instance, message) + place;
  } else if (sizeAt(instance, treeAddress) <= TREE_SIZE_MAX) {
    tree = JSON.parse(textAt(instance, treeAddress)) as Node;
  }
  instance._wasm_free_parse_result(result);
  return tree;
}

function sizeAt({ HEAPU8 }: ParserInstance, address: number): number {
  return HEAPU8.indexOf(0, address) - address;
}

function textAt(instance: ParserInstance, address: number): string {
  return textOf(instance.HEAPU8.subarray(address, address + sizeAt(instance, address)));
}

/** Reads a text and frees it. */
function takeText(instance: ParserInstance, address: number): string {
  const text = textAt(instance, address);
  instance._wasm_free_string(address);
  return text;
}
