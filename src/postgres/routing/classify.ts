/**
 * What statements ask for, by their trees. What is not known to be harmless is a write.
 *
 * @module
 */

import { fieldsOf, listOf, type Node, textIn, unwrap, type Value } from "../parser/parse_tree.ts";
import { explainRuns, factsOf, type StatementFacts } from "../parser/statement_facts.ts";
import { HARMLESS_FUNCTIONS } from "./harmless_functions.ts";
import { type StatementClass, type StatementKind, UNKNOWN_WRITE } from "./statement_class.ts";

/** From what any server can run to what only the primary can. */
const BY_STRICTNESS: readonly StatementKind[] = [
  ...["session", "transaction", "read", "begin read only", "begin"] as const,
  ...["begin read write", "write"] as const,
];

const UNKNOWN_READ: StatementClass = Object.freeze({
  kind: "read",
  reads: undefined,
  writes: Object.freeze([]),
});
const SESSION = ofKind("session");
const TRANSACTION = ofKind("transaction");
const BEGIN = ofKind("begin");
const BEGIN_READ_ONLY = ofKind("begin read only");
const BEGIN_READ_WRITE = ofKind("begin read write");

/** Statements whose tables, read and written, all stand in the text. */
const NAMES_ITS_TABLES: ReadonlySet<string> = new Set([
  ...["CopyStmt", "DeleteStmt", "ExplainStmt", "InsertStmt", "MergeStmt", "SelectStmt"],
  "UpdateStmt",
]);

/** Statements that EXPLAIN only plans, and whose plan does not depend on the session. */
const PLANNED: ReadonlySet<string> = new Set([
  ...["DeleteStmt", "InsertStmt", "MergeStmt", "SelectStmt", "UpdateStmt"],
]);

/** Functions that make a statement a write, but read and write no tables. */
const USES_NO_TABLE =
  /^(?:nextval|currval|lastval|setval|set_config|pg_notify|pg_(?:try_)?advisory_\w+)$/;

/** Views in which a server tells of itself: on a replica they say something else. */
const TELLS_OF_SERVER =
  /^pg_(?:stat_|statio_|locks$|replication_|prepared_|cursors$|backend_memory|shmem_|wait_)/;

/** Parameters that say which server it is. A client that looks for the primary asks for them. */
const TELLS_OF_ROLE: ReadonlySet<string> = new Set(["in_hot_standby", "transaction_read_only"]);

/**
 * What statements that are one text ask for together: the strictest.
 *
 * @param readFunctions Names of further functions that are known to change nothing.
 */
export function classOf(
  statements: readonly Value[],
  readFunctions: ReadonlySet<string>,
): StatementClass {
  const [only] = statements;
  if (only === undefined) return SESSION;
  if (statements.length === 1) return classOfStatement(only, readFunctions);
  const classes = statements.map((statement) => classOfStatement(statement, readFunctions));
  const strictness = Math.max(...classes.map(({ kind }) => BY_STRICTNESS.indexOf(kind)));
  const strictest = BY_STRICTNESS[strictness]!;
  // What the session says of transactions is asked before the text runs, not within it.
  const isChanged = strictest !== "session" && statements.some(changesTransactions);
  return Object.freeze({
    kind: isChanged ? "write" : strictest === "begin" ? "begin read write" : strictest,
    reads: union(classes.map(({ reads }) => reads)),
    writes: union(classes.map(({ writes }) => writes)),
  });
}

function ofKind(kind: StatementKind): StatementClass {
  return Object.freeze({ kind, reads: Object.freeze([]), writes: Object.freeze([]) });
}

function union(lists: readonly (readonly string[] | undefined)[]): readonly string[] | undefined {
  const names = new Set<string>();
  for (const list of lists) {
    if (list === undefined) return undefined;
    for (const name of list) names.add(name);
  }
  return Object.freeze([...names]);
}

function classOfStatement(statement: Value, readFunctions: ReadonlySet<string>): StatementClass {
  const [kind, fields] = unwrap(statement);
  switch (kind) {
    case "TransactionStmt":
      return classOfTransaction(fields);
    case "VariableSetStmt":
      return isForTransaction(fields) ? UNKNOWN_WRITE : SESSION;
    case "VariableShowStmt":
      return TELLS_OF_ROLE.has(textIn(fields["name"]).toLowerCase()) ? UNKNOWN_WRITE : SESSION;
    case "DeallocateStmt":
    case "UnlistenStmt":
      return SESSION;
    case "DiscardStmt":
      // Sequences and temporary tables are on the primary.
      return /^DISCARD_(?:ALL|PLANS)$/.test(textIn(fields["target"])) ? SESSION : UNKNOWN_WRITE;
  }
  return NAMES_ITS_TABLES.has(kind) ? classOfQuery(statement, readFunctions) : UNKNOWN_WRITE;
}

function classOfTransaction(fields: Node): StatementClass {
  switch (textIn(fields["kind"])) {
    case "TRANS_STMT_BEGIN":
    case "TRANS_STMT_START":
      return classOfBegin(fields);
    case "TRANS_STMT_PREPARE":
    case "TRANS_STMT_COMMIT_PREPARED":
    case "TRANS_STMT_ROLLBACK_PREPARED":
      return UNKNOWN_WRITE;
    default:
      return TRANSACTION;
  }
}

/** BEGIN with its modes. A replica refuses READ WRITE even if READ ONLY stands behind it. */
function classOfBegin(fields: Node): StatementClass {
  let result = BEGIN;
  for (const option of listOf(fields["options"])) {
    const { defname, arg } = unwrap(option)[1];
    const [, constant] = unwrap(arg);
    if (textIn(defname) === "transaction_isolation") {
      const level = textIn(fieldsOf(constant["sval"])["sval"]);
      if (level.toLowerCase() === "serializable") return BEGIN_READ_WRITE;
    } else if (textIn(defname) === "transaction_read_only") {
      if (fieldsOf(constant["ival"])["ival"] !== 1) return BEGIN_READ_WRITE;
      result = BEGIN_READ_ONLY;
    }
  }
  return result;
}

/** SET LOCAL, SET TRANSACTION, and what is the same as that: nothing outside of a transaction. */
function isForTransaction(fields: Node): boolean {
  const name = textIn(fields["name"]);
  return fields["is_local"] === true || name.startsWith("TRANSACTION") ||
    name.toLowerCase().startsWith("transaction_");
}

/** Whether a statement changes what later transactions of the session are. */
function changesTransactions(statement: Value): boolean {
  const [kind, fields] = unwrap(statement);
  if (kind === "DiscardStmt") return true;
  if (kind !== "VariableSetStmt") return false;
  const name = textIn(fields["name"]);
  return textIn(fields["kind"]) === "VAR_RESET_ALL" || name === "SESSION CHARACTERISTICS" ||
    name.toLowerCase().startsWith("default_transaction_");
}

function classOfQuery(statement: Value, readFunctions: ReadonlySet<string>): StatementClass {
  const facts = factsOf(statement);
  const isHarmless = (call: readonly string[]) => isHarmlessCall(call) || isOwn(call);
  const isOwn = (call: readonly string[]) => isReadFunction(call, readFunctions);
  const isRead = facts.calls.every(isHarmless) && isReadQuery(statement, facts);
  // Functions of the database can read tables that the text does not name.
  const areTablesKnown = facts.calls.every((call) => isHarmlessCall(call) || usesNoTable(call));
  if (!areTablesKnown) return isRead ? UNKNOWN_READ : UNKNOWN_WRITE;
  const names = (isWritten: boolean) =>
    Object.freeze([
      ...new Set(
        facts.tables.filter(({ access }) => (access === "write") === isWritten)
          .map(({ name }) => name),
      ),
    ]);
  if (!isRead) return Object.freeze({ kind: "write", reads: names(false), writes: names(true) });
  const reads = Object.freeze([...new Set(facts.tables.map(({ name }) => name))]);
  return Object.freeze({ kind: "read", reads, writes: Object.freeze([]) });
}

/** Whether a statement, whose functions are harmless, only reads. */
function isReadQuery(statement: Value, facts: StatementFacts): boolean {
  if (facts.usesFiles || facts.tables.some(({ name }) => TELLS_OF_SERVER.test(name))) return false;
  const changesNothing = !facts.modifies && !facts.isLocking;
  const [kind, fields] = unwrap(statement);
  switch (kind) {
    case "SelectStmt":
      return changesNothing;
    case "CopyStmt":
      return changesNothing && fields["is_from"] !== true;
    case "ExplainStmt": {
      const [explained] = unwrap(fields["query"]);
      if (!explainRuns(fields)) return PLANNED.has(explained);
      return changesNothing && explained === "SelectStmt";
    }
    default:
      return false;
  }
}

/** A built-in function; without a schema it is looked for in pg_catalog first. */
function isHarmlessCall(call: readonly string[]): boolean {
  const isBuiltIn = call.length === 1 || call.length === 2 && call[0] === "pg_catalog";
  return isBuiltIn && HARMLESS_FUNCTIONS.has(call.at(-1)!);
}

function isReadFunction(call: readonly string[], readFunctions: ReadonlySet<string>): boolean {
  // With a dot inside of a name it could pass for another function of another schema.
  return readFunctions.has(call.join(".")) && !call.some((name) => name.includes("."));
}

function usesNoTable(call: readonly string[]): boolean {
  const isBuiltIn = call.length === 1 || call.length === 2 && call[0] === "pg_catalog";
  return isBuiltIn && USES_NO_TABLE.test(call.at(-1)!);
}
