/**
 * Which session parameters are touched by SET, RESET and set_config().
 *
 * Source: https://www.postgresql.org/docs/current/sql-set.html and sql-reset.html beside it;
 * set_config() is in functions-admin.html.
 *
 * @module
 */

import { textOf } from "../../base/bytes.ts";
import { readIdentifier } from "./identifiers.ts";
import type { Lexer } from "./lexer.ts";
import type { TraitsDraft } from "./traits_draft.ts";

/**
 * Most tokens that are read ahead for the arguments of set_config(). Calls may be nested, and what
 * is inside is read again: the limit keeps that from growing with the square of a text's size.
 */
const ARGUMENT_TOKENS_MAX = 32;

/** Most parts between dots of a name that is kept: extensions use two. */
const NAME_PARTS_MAX = 8;

const QUOTE = 0x27;

/** Reads what follows SET. */
export function readSet(lexer: Lexer, draft: TraitsDraft): void {
  lexer.next();
  // Each of these words may also be the name of a parameter, or the first part of one.
  const isLocal = lexer.word === "local" && !isNameAt(lexer);
  if (isLocal) lexer.next();
  while (lexer.word === "session" && !isNameAt(lexer)) lexer.next();
  const word = isNameAt(lexer) ? "" : lexer.word;
  switch (word) {
    case "catalog":
    case "constraints":
    case "transaction":
      return;
    case "characteristics":
      draft.addParameter("default_transaction_isolation");
      draft.addParameter("default_transaction_read_only");
      draft.addParameter("default_transaction_deferrable");
      return;
  }
  const name = NAME_OF_WORD[word] ?? readParameterName(lexer);
  if (isLocal) draft.addLocalParameter(name);
  else draft.addParameter(name);
}

/** Parameters that SET calls otherwise. */
const NAME_OF_WORD: Readonly<Record<string, string>> = {
  authorization: "session_authorization",
  names: "client_encoding",
  role: "role",
  schema: "search_path",
  time: "timezone",
  xml: "xmloption",
};

/** Reads what follows RESET. */
export function readReset(lexer: Lexer, draft: TraitsDraft): void {
  lexer.next();
  const following = lexer.peekWord();
  if (lexer.word === "all") {
    draft.resetAllParameters();
  } else if (lexer.word === "session" && following === "authorization") {
    draft.addParameter("session_authorization", true);
  } else if (lexer.word === "time" && following === "zone") {
    draft.addParameter("timezone", true);
  } else if (lexer.word !== "transaction" || following !== "isolation") {
    draft.addParameter(readParameterName(lexer), true);
  }
}

/** Reads the arguments of set_config(name, value, is_local), from its parenthesis. */
export function readSetConfig(lexer: Lexer, draft: TraitsDraft): void {
  let argument = 0;
  let tokensInArgument = 0;
  let depth = 0;
  let name: string | undefined;
  let isLocal = false;
  let isClosed = false;
  lexer.next();
  for (let tokens = 0; tokens < ARGUMENT_TOKENS_MAX && !isClosed; tokens++) {
    const kind = lexer.next();
    if (kind === "end") break;
    if (kind === "," && depth === 0) {
      argument += 1;
      tokensInArgument = 0;
      continue;
    }
    if (kind === "(") depth += 1;
    if (kind === ")") depth -= 1;
    if (depth < 0) {
      isClosed = true;
    } else if (argument === 0 && tokensInArgument === 0) {
      name = literalName(lexer);
    } else if (argument === 0 && kind !== "word" && kind !== ":" && kind !== ".") {
      name = undefined; // more than a cast
    } else if (argument === 2) {
      isLocal = tokensInArgument === 0 && lexer.word === "true";
    }
    tokensInArgument += 1;
  }
  if (isClosed && isLocal) draft.addLocalParameter(name);
  else draft.addParameter(name);
}

/** Whether the current word is a parameter's name by what follows, whatever else it may mean. */
function isNameAt(lexer: Lexer): boolean {
  const kind = lexer.peek();
  if (kind === "." || kind === "=") return true;
  const word = lexer.peekWord();
  return word === "to" || word === "from";
}

/** Reads a name with its dots; undefined if there is none. */
function readParameterName(lexer: Lexer): string | undefined {
  const parts: string[] = [];
  while (parts.length < NAME_PARTS_MAX) {
    const part = readIdentifier(lexer);
    if (part === undefined) return undefined;
    parts.push(part);
    if (lexer.peek() !== ".") return parts.join(".");
    lexer.next();
    lexer.next();
  }
  return undefined;
}

/** The value of a plain string; undefined for what has escapes or is no string. */
function literalName(lexer: Lexer): string | undefined {
  const { kind, text, start, end } = lexer;
  if (kind !== "string" || text[start] !== QUOTE) return undefined;
  const value = textOf(text.subarray(start + 1, end - 1));
  return value.includes("\\") ? undefined : value.replaceAll("''", "'");
}
