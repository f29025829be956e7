/**
 * What follows the first word of commands about transactions, prepared statements, cursors and
 * DISCARD.
 *
 * Source: https://www.postgresql.org/docs/current/sql-commands.html
 *
 * @module
 */

import { readIdentifier } from "./identifiers.ts";
import type { Keyword } from "./keywords.ts";
import type { Lexer } from "./lexer.ts";
import type { StatementName } from "./traits.ts";
import { Flag, type TraitsDraft } from "./traits_draft.ts";

/** DECLARE name ... CURSOR WITH HOLD FOR query. */
export function readDeclare(lexer: Lexer, draft: TraitsDraft): void {
  for (let kind = lexer.next(); kind !== "end" && kind !== ";"; kind = lexer.next()) {
    if (lexer.word === "for") return;
    if (lexer.word === "with" && lexer.peekWord() === "hold") {
      draft.addPin("holdable cursor");
      return;
    }
  }
}

/** DEALLOCATE [PREPARE] name or ALL; a statement may be named "prepare", too. */
export function readDeallocate(lexer: Lexer, draft: TraitsDraft): void {
  lexer.next();
  const following = lexer.peek();
  if (lexer.word === "prepare" && (following === "word" || following === "quoted")) {
    lexer.next();
  }
  if (lexer.word === "all") {
    draft.addStatementName("deallocate all", "", lexer.start, lexer.end);
  } else {
    readStatementName(lexer, draft, "deallocate");
  }
}

/** DISCARD ALL, PLANS, SEQUENCES or TEMP. */
export function readDiscard(lexer: Lexer, draft: TraitsDraft): void {
  lexer.next();
  switch (lexer.word) {
    case "all":
      return draft.addDiscard("all");
    case "plans":
      return draft.addDiscard("plans");
    case "sequences":
      return draft.addDiscard("sequences");
    case "temp":
    case "temporary":
      return draft.addDiscard("temp");
  }
}

/** What follows COMMIT, END, ROLLBACK or ABORT, which `word` is. */
export function readTransactionEnd(lexer: Lexer, draft: TraitsDraft, word: Keyword): void {
  lexer.next();
  if (lexer.word === "prepared") return; // COMMIT PREPARED: of another session, perhaps
  if (lexer.word === "work" || lexer.word === "transaction") lexer.next();
  if (word === "rollback" && lexer.word === "to") return;
  if (lexer.word === "and" && lexer.peekWord() === "chain") {
    draft.setFlag(Flag.beginsTransaction);
  }
}

/** PREPARE name, or PREPARE TRANSACTION; a statement may be named "transaction", too. */
export function readPrepare(lexer: Lexer, draft: TraitsDraft): void {
  lexer.next();
  if (lexer.word === "transaction" && lexer.peek() === "string") return;
  readStatementName(lexer, draft, "prepare");
}

/** Adds the prepared statement whose name the current token is. */
export function readStatementName(
  lexer: Lexer,
  draft: TraitsDraft,
  use: Exclude<StatementName["use"], "deallocate all">,
): void {
  const start = lexer.start;
  const name = readIdentifier(lexer);
  if (name !== undefined) draft.addStatementName(use, name, start, lexer.end);
}
