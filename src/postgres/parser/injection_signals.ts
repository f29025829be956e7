/**
 * Finds in a statement what injected texts have in common. What each signal is stands with
 * {@linkcode InjectionSignal}.
 *
 * @module
 */

import { isFileFunction, isSleepFunction } from "./functions.ts";
import { fieldsOf, isNode, listOf, type Node, unwrap, type Value } from "./parse_tree.ts";
import type { InjectionSignal, TableUse } from "./query_analysis.ts";
import type { StatementFacts } from "./statement_facts.ts";
import { isTautology } from "./tautologies.ts";

/** The signals of one statement, without those of the text as a whole. */
export function signalsOf(facts: StatementFacts): InjectionSignal[] {
  const signals: InjectionSignal[] = [];
  if (facts.conditions.some(([expression, isWhole]) => isTautology(expression, isWhole))) {
    signals.push("tautology");
  }
  if (facts.selects.some(addsConstants)) signals.push("union-null");
  if (facts.functions.some(isSleepFunction)) signals.push("sleep");
  if (facts.usesFiles || facts.functions.some(isFileFunction)) signals.push("file-access");
  const catalogTables = facts.tables.filter(isCatalogTable).length;
  if (catalogTables > 0 && catalogTables < facts.tables.length) signals.push("catalog");
  return signals;
}

/** Names that begin with pg_ are found in pg_catalog first, whatever the search_path. */
function isCatalogTable({ schema, name }: TableUse): boolean {
  if (schema === undefined) return name.startsWith("pg_");
  return schema === "pg_catalog" || schema === "information_schema";
}

/** Whether a query is a UNION whose right side is only constants, after one that reads a table. */
function addsConstants(select: Node): boolean {
  if (select["op"] !== "SETOP_UNION" || !isConstantQuery(fieldsOf(select["rarg"]))) return false;
  for (let left = fieldsOf(select["larg"]);; left = fieldsOf(left["larg"])) {
    if (readsFrom(left) || readsFrom(fieldsOf(left["rarg"]))) return true;
    if (!isNode(left["larg"])) return false;
  }
}

function readsFrom(select: Node): boolean {
  return listOf(select["fromClause"]).length > 0;
}

/** Without FROM there are no columns; with FROM, the list must be all literals. */
function isConstantQuery(select: Node): boolean {
  if (isNode(select["larg"])) return false;
  if (!readsFrom(select)) return true;
  return listOf(select["targetList"]).every((target) => isLiteral(unwrap(target)[1]["val"]));
}

function isLiteral(value: Value | undefined): boolean {
  let at = value;
  for (;;) {
    const [kind, fields] = unwrap(at);
    if (kind !== "TypeCast") return kind === "A_Const";
    at = fields["arg"];
  }
}
