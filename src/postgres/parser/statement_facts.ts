/**
 * One walk over a statement's tree, which finds what is spread over it. The walk keeps a list of
 * what is left to do: a recursion would end on trees that are deeper than the stack.
 *
 * @module
 */

import { fieldsOf, isKind, isNode, listOf, namesIn, type Node } from "./parse_tree.ts";
import { textIn, unwrap, type Value } from "./parse_tree.ts";
import type { TableAccess, TableUse } from "./query_analysis.ts";
import { isWithQuery, type Scope, scopesOf } from "./scope.ts";
import { fieldsNotRead, isRangeVar, tableName, tablesWritten } from "./targets.ts";

/** What a walk finds. */
export interface StatementFacts {
  readonly tables: readonly TableUse[];
  readonly functions: readonly string[];
  /** The names of each call as the server sees them: of the function, behind that of its schema. */
  readonly calls: readonly (readonly string[])[];
  /** Nodes that a condition, a query or a statement of its own begins with, by kind. */
  readonly selects: readonly Node[];
  /** Expressions of WHERE, HAVING and ON, and whether they alone choose rows to change. */
  readonly conditions: readonly (readonly [expression: Value, choosesWritten: boolean])[];
  /** Whether there is an INSERT, UPDATE, DELETE, MERGE or INTO at any depth. */
  readonly modifies: boolean;
  readonly isLocking: boolean;
  readonly hasWhere: boolean;
  /** COPY with a file or a program, or LOAD. */
  readonly usesFiles: boolean;
}

/** A part of the tree that is still to be walked; the kind if its fields stand bare. */
interface Step {
  readonly kind: string;
  readonly value: Value;
  readonly scope: Scope | undefined;
}

const MODIFYING: ReadonlySet<string> = new Set([
  "DeleteStmt",
  "InsertStmt",
  "IntoClause",
  "MergeStmt",
  "UpdateStmt",
]);

/** Fields that can only hold one kind of node that matters here, so that it is not wrapped. */
const BARE: Readonly<Record<string, string>> = {
  "CallStmt.funccall": "FuncCall",
  "CreateForeignTableStmt.base": "CreateStmt",
  "CreateTableAsStmt.into": "IntoClause",
  "SelectStmt.intoClause": "IntoClause",
  "SelectStmt.larg": "SelectStmt",
  "SelectStmt.rarg": "SelectStmt",
};

/** Fields with conditions. */
const CONDITIONS = ["whereClause", "havingClause", "quals"] as const;

/** Finds the facts of a statement, which is wrapped. */
export function factsOf(statement: Value): StatementFacts {
  const walk = new Walk();
  walk.run(statement);
  return walk;
}

class Walk implements StatementFacts {
  readonly calls: (readonly string[])[] = [];
  readonly selects: Node[] = [];
  readonly conditions: (readonly [Value, boolean])[] = [];
  modifies = false;
  isLocking = false;
  hasWhere = true;
  usesFiles = false;
  readonly #tables = new Map<string, TableUse>();
  readonly #functions = new Set<string>();
  readonly #steps: Step[] = [];

  get tables(): readonly TableUse[] {
    return [...this.#tables.values()];
  }

  get functions(): readonly string[] {
    return [...this.#functions];
  }

  run(statement: Value): void {
    this.#steps.push({ kind: "", value: statement, scope: undefined });
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      const { kind, value, scope } = step;
      if (Array.isArray(value)) this.#addAll(value, scope);
      else if (isNode(value)) this.#visit(kind, value, scope);
    }
  }

  /** Adds parts so that the first is walked first. */
  #addAll(values: readonly Value[], scope: Scope | undefined): void {
    for (let i = values.length - 1; i >= 0; i--) {
      this.#steps.push({ kind: "", value: values[i]!, scope });
    }
  }

  /** Walks a node's fields, or a wrapper's, which are its kinds. */
  #visit(kind: string, fields: Node, outer: Scope | undefined): void {
    if (kind === "RangeVar" || isRangeVar(fields)) return this.#read(fields, outer);
    if (kind !== "") this.#note(kind, fields);
    const { scope, queries } = scopesOf(fields["withClause"], outer);
    const skipped = kind === "" ? [] : fieldsNotRead(kind, fields);
    const names = Object.keys(fields);
    for (let i = names.length - 1; i >= 0; i--) {
      const name = names[i]!;
      const value = fields[name];
      if (typeof value !== "object" || value === null || skipped.includes(name)) continue;
      if (name === "withClause") continue;
      const inner = isKind(name) ? name : BARE[`${kind}.${name}`] ?? "";
      this.#steps.push({ kind: inner, value, scope });
    }
    for (let i = queries.length - 1; i >= 0; i--) {
      const [query, seen] = queries[i]!;
      this.#steps.push({ kind: "CommonTableExpr", value: query, scope: seen });
    }
  }

  /** What a node itself says. */
  #note(kind: string, fields: Node): void {
    for (const { schema, name } of tablesWritten(kind, fields)) this.#add(schema, name, "write");
    if (MODIFYING.has(kind)) this.modifies = true;
    if (kind === "SelectStmt") this.selects.push(fields);
    if (kind === "FuncCall") {
      this.calls.push(namesIn(fields["funcname"]));
      this.#functions.add(functionName(fields));
    }
    if (kind === "LockingClause" || kind === "LockStmt") this.isLocking = true;
    if (kind === "LoadStmt") this.usesFiles = true;
    if (kind === "CopyStmt" && (fields["filename"] !== undefined || fields["is_program"])) {
      this.usesFiles = true;
    }
    const choosesWritten = kind === "UpdateStmt" || kind === "DeleteStmt";
    if (choosesWritten && !isNode(fields["whereClause"])) this.hasWhere = false;
    for (const field of CONDITIONS) {
      const condition = fields[field];
      if (isNode(condition)) this.conditions.push([condition, choosesWritten]);
    }
  }

  #read(rangeVar: Node, scope: Scope | undefined): void {
    const { schema, name } = tableName(rangeVar);
    if (schema === undefined && isWithQuery(name, scope)) return;
    this.#add(schema, name, "read");
  }

  #add(schema: string | undefined, name: string, access: TableAccess): void {
    const key = JSON.stringify([schema, name, access]);
    if (!this.#tables.has(key)) this.#tables.set(key, { schema, name, access });
  }
}

/** "pg_catalog" is what the parser puts before the names of syntax that has its own. */
function functionName(fields: Node): string {
  const names = namesIn(fields["funcname"]);
  const isSyntax = textIn(fields["funcformat"]) === "COERCE_SQL_SYNTAX";
  return names.slice(isSyntax ? -1 : 0).join(".").toLowerCase();
}

/**
 * Whether an EXPLAIN runs its statement: the last ANALYZE in its options says so (`commands/
 * explain_state.c`), and has no value, or one that is true.
 */
export function explainRuns(explain: Node): boolean {
  let runs = false;
  for (const option of listOf(explain["options"])) {
    const { defname, arg } = unwrap(option)[1];
    if (textIn(defname).toLowerCase() !== "analyze") continue;
    const [kind, value] = unwrap(arg);
    const word = textIn(value["sval"]).toLowerCase();
    const isOff = word === "false" || word === "off" ||
      (kind === "Integer" && value["ival"] === undefined) ||
      (kind === "Boolean" && fieldsOf(value)["boolval"] !== true);
    runs = !isOff;
  }
  return runs;
}
