/**
 * Statements and what an analysis must find in each. The unit tests analyse them; an integration
 * test runs them on real servers, in transactions that are read-only.
 *
 * @module
 */

import { QueryAnalyser } from "../../../src/postgres/parser/query_analyser.ts";
import type { StatementSummary } from "../../../src/postgres/parser/query_analysis.ts";

/** A summary in short; what is left out is empty. */
export interface Expected {
  readonly kind: string;
  /** "read", "write", and what a line for plugins says beside: "write locking without-where". */
  readonly is: string;
  /** "r t", "w s.t", sorted. */
  readonly tables: readonly string[];
  /** Sorted. */
  readonly functions: readonly string[];
}

/** A statement and what is expected of it. */
export type Example = readonly [
  text: string,
  kind: string,
  is: string,
  tables?: string,
  functions?: string,
];

/** Splits what is written with spaces between. */
export function expectedOf([, kind, is, tables = "", functions = ""]: Example): Expected {
  return {
    kind,
    is,
    tables: tables.split(", ").filter((name) => name !== "").sort(),
    functions: functions.split(", ").filter((name) => name !== "").sort(),
  };
}

/** A summary in the same short form. */
export function inShort(summary: StatementSummary): Expected {
  const { kind, isReadOnly, isLocking, hasWhere, tables, functions } = summary;
  const words = [isReadOnly ? "read" : "write"];
  if (isLocking) words.push("locking");
  if (!hasWhere) words.push("without-where");
  return {
    kind,
    is: words.join(" "),
    tables: tables.map(({ schema, name, access }) =>
      `${access[0]} ${schema === undefined ? "" : `${schema}.`}${name}`
    ).sort(),
    functions: [...functions].sort(),
  };
}

/** One for all tests of a process: the parser is loaded once. */
export const analyser = await QueryAnalyser.load();
