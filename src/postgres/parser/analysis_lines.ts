/**
 * Analyses as lines of text, for plugins. A line's words are separated by one space each; no line
 * holds a control character, whatever the names in the text are. Lines are separated by "\n", and
 * there is none behind the last; without lines the text is empty.
 *
 * @module
 */

import type { QueryAnalysis, StatementSummary, TableUse } from "./query_analysis.ts";

/**
 * A line for each statement: its kind, `read` or `write`, then `locking` and `without-where` if it
 * is so. `write` stands for all that is not known to change nothing.
 *
 *     SELECT read
 *     UPDATE write without-where
 *     CREATE TABLE AS write
 */
export function statementLines({ statements }: QueryAnalysis): string {
  return statements.map(statementLine).join("\n");
}

/**
 * A line for each different table of all statements, with its access: `read users`,
 * `write public.users`. Names are quoted where PostgreSQL would have to: `read "My table"`.
 */
export function tableLines({ statements }: QueryAnalysis): string {
  return distinct(statements.flatMap(({ tables }) => tables.map(tableLine)));
}

/** A line for each different signal of all statements. */
export function signalLines({ statements }: QueryAnalysis): string {
  return distinct(statements.flatMap(({ injectionSignals }) => injectionSignals));
}

/**
 * A line for each different function, procedure or aggregate of all statements, by the name that it
 * is called by, in lower case: `pg_sleep`, `pg_catalog.pg_sleep`.
 */
export function functionLines({ statements }: QueryAnalysis): string {
  return distinct(statements.flatMap(({ functions }) => functions.map(withoutControls)));
}

function distinct(lines: readonly string[]): string {
  return [...new Set(lines)].join("\n");
}

function statementLine({ kind, isReadOnly, isLocking, hasWhere }: StatementSummary): string {
  const words = [kind, isReadOnly ? "read" : "write"];
  if (isLocking) words.push("locking");
  if (!hasWhere) words.push("without-where");
  return words.join(" ");
}

function tableLine({ schema, name, access }: TableUse): string {
  const names = schema === undefined ? [name] : [schema, name];
  return `${access} ${names.map(identifier).join(".")}`;
}

/** A quoted name may hold a newline, which would begin a line that nobody meant. */
function identifier(name: string): string {
  if (/^[a-z_\u0080-\uffff][a-z0-9_$\u0080-\uffff]*$/.test(name)) return name;
  return `"${withoutControls(name.replaceAll('"', '""'))}"`;
}

function withoutControls(name: string): string {
  // deno-lint-ignore no-control-regex -- they are what must not get through
  return name.replaceAll(/[\u0000-\u001f\u007f]/g, "\ufffd");
}
