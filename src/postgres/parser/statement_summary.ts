/**
 * Puts together what is known of one statement.
 *
 * @module
 */

import { commandTag } from "./command_tags.ts";
import { isWritingFunction } from "./functions.ts";
import { signalsOf } from "./injection_signals.ts";
import { fieldsOf, unwrap, type Value } from "./parse_tree.ts";
import type { InjectionSignal, StatementSummary } from "./query_analysis.ts";
import { explainRuns, factsOf, type StatementFacts } from "./statement_facts.ts";

/**
 * Summarises a statement, which is wrapped.
 *
 * @param ofText Signals that the whole text gives.
 */
export function summaryOf(
  statement: Value,
  ofText: readonly InjectionSignal[],
): StatementSummary {
  const facts = factsOf(statement);
  return {
    kind: commandTag(fieldsOf(statement)),
    isReadOnly: isReadOnly(statement, facts),
    tables: facts.tables,
    functions: facts.functions,
    hasWhere: facts.hasWhere,
    isLocking: facts.isLocking,
    injectionSignals: [...signalsOf(facts), ...ofText],
  };
}

function isReadOnly(statement: Value, facts: StatementFacts): boolean {
  const [kind, fields] = unwrap(statement);
  const changesNothing = !facts.modifies && !facts.isLocking && !facts.usesFiles &&
    !facts.functions.some(isWritingFunction);
  switch (kind) {
    case "SelectStmt":
      return changesNothing;
    case "CopyStmt":
      return changesNothing && fields["is_from"] !== true;
    case "ExplainStmt":
      // What is run may be EXECUTE or a cursor, whose query is elsewhere.
      if (!explainRuns(fields)) return true;
      return changesNothing && unwrap(fields["query"])[0] === "SelectStmt";
    case "VariableShowStmt":
      return true;
    default:
      return false;
  }
}
