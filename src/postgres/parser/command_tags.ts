/**
 * Command tags, as PostgreSQL has them in `tcop/cmdtaglist.h` and chooses them in `tcop/utility.c`
 * (CreateCommandTag).
 *
 * @module
 */

import { fieldsOf, isNode, type Node, textIn, unwrap } from "./parse_tree.ts";

/** Kinds of objects whose name in a tag is not that of their constant. */
const OBJECTS: Readonly<Record<string, string>> = {
  "OBJECT_ATTRIBUTE": "TYPE",
  "OBJECT_COLUMN": "TABLE",
  "OBJECT_DOMCONSTRAINT": "DOMAIN",
  "OBJECT_FDW": "FOREIGN DATA WRAPPER",
  "OBJECT_FOREIGN_SERVER": "SERVER",
  "OBJECT_LARGEOBJECT": "LARGE OBJECT",
  "OBJECT_MATVIEW": "MATERIALIZED VIEW",
  "OBJECT_OPCLASS": "OPERATOR CLASS",
  "OBJECT_OPFAMILY": "OPERATOR FAMILY",
  "OBJECT_STATISTIC_EXT": "STATISTICS",
  "OBJECT_TABCONSTRAINT": "TABLE",
  "OBJECT_TSCONFIGURATION": "TEXT SEARCH CONFIGURATION",
  "OBJECT_TSDICTIONARY": "TEXT SEARCH DICTIONARY",
  "OBJECT_TSPARSER": "TEXT SEARCH PARSER",
  "OBJECT_TSTEMPLATE": "TEXT SEARCH TEMPLATE",
};

const TRANSACTIONS: Readonly<Record<string, string>> = {
  "TRANS_STMT_BEGIN": "BEGIN",
  "TRANS_STMT_START": "START TRANSACTION",
  "TRANS_STMT_COMMIT": "COMMIT",
  "TRANS_STMT_ROLLBACK": "ROLLBACK",
  "TRANS_STMT_ROLLBACK_TO": "ROLLBACK",
  "TRANS_STMT_SAVEPOINT": "SAVEPOINT",
  "TRANS_STMT_RELEASE": "RELEASE",
  "TRANS_STMT_PREPARE": "PREPARE TRANSACTION",
  "TRANS_STMT_COMMIT_PREPARED": "COMMIT PREPARED",
  "TRANS_STMT_ROLLBACK_PREPARED": "ROLLBACK PREPARED",
};

/** Statements whose tag is not made of their name: the tag, or how it follows from the fields. */
const TAGS: Readonly<Record<string, string | ((fields: Node) => string)>> = {
  "AlterDatabaseRefreshCollStmt": "ALTER DATABASE",
  "AlterDatabaseSetStmt": "ALTER DATABASE",
  "AlterDefaultPrivilegesStmt": "ALTER DEFAULT PRIVILEGES",
  "AlterExtensionContentsStmt": "ALTER EXTENSION",
  "AlterEventTrigStmt": "ALTER EVENT TRIGGER",
  "AlterFdwStmt": "ALTER FOREIGN DATA WRAPPER",
  "AlterForeignServerStmt": "ALTER SERVER",
  "AlterFunctionStmt": ({ objtype }) => `ALTER ${objectOf(objtype)}`,
  "AlterObjectDependsStmt": ({ objectType }) => `ALTER ${objectOf(objectType)}`,
  "AlterObjectSchemaStmt": ({ objectType }) => `ALTER ${objectOf(objectType)}`,
  "AlterOpFamilyStmt": "ALTER OPERATOR FAMILY",
  "AlterOwnerStmt": ({ objectType }) => `ALTER ${objectOf(objectType)}`,
  "AlterRoleSetStmt": "ALTER ROLE",
  "AlterSeqStmt": "ALTER SEQUENCE",
  "AlterStatsStmt": "ALTER STATISTICS",
  "AlterTableMoveAllStmt": ({ objtype }) => `ALTER ${objectOf(objtype)}`,
  "AlterTableSpaceOptionsStmt": "ALTER TABLESPACE",
  "AlterTableStmt": ({ objtype }) => `ALTER ${objectOf(objtype)}`,
  "AlterTSConfigurationStmt": "ALTER TEXT SEARCH CONFIGURATION",
  "AlterTSDictionaryStmt": "ALTER TEXT SEARCH DICTIONARY",
  "AlterEnumStmt": "ALTER TYPE",
  "CheckPointStmt": "CHECKPOINT",
  "ClosePortalStmt": ({ portalname }) => textIn(portalname) ? "CLOSE CURSOR" : "CLOSE CURSOR ALL",
  "CompositeTypeStmt": "CREATE TYPE",
  "ConstraintsSetStmt": "SET CONSTRAINTS",
  "CreateAmStmt": "CREATE ACCESS METHOD",
  "CreatedbStmt": "CREATE DATABASE",
  "CreateEnumStmt": "CREATE TYPE",
  "CreateEventTrigStmt": "CREATE EVENT TRIGGER",
  "CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER",
  "CreateForeignServerStmt": "CREATE SERVER",
  "CreateFunctionStmt": (fields) => fields["is_procedure"] ? "CREATE PROCEDURE" : "CREATE FUNCTION",
  "CreateOpClassStmt": "CREATE OPERATOR CLASS",
  "CreateOpFamilyStmt": "CREATE OPERATOR FAMILY",
  "CreatePLangStmt": "CREATE LANGUAGE",
  "CreateRangeStmt": "CREATE TYPE",
  "CreateSeqStmt": "CREATE SEQUENCE",
  "CreateStatsStmt": "CREATE STATISTICS",
  "CreateStmt": "CREATE TABLE",
  "CreateTableAsStmt": ({ objtype }) =>
    objtype === "OBJECT_MATVIEW" ? "CREATE MATERIALIZED VIEW" : "CREATE TABLE AS",
  "CreateTableSpaceStmt": "CREATE TABLESPACE",
  "CreateTrigStmt": "CREATE TRIGGER",
  "DeallocateStmt": ({ isall }) => isall ? "DEALLOCATE ALL" : "DEALLOCATE",
  "DeclareCursorStmt": "DECLARE CURSOR",
  "DefineStmt": ({ kind }) => `CREATE ${objectOf(kind)}`,
  "DiscardStmt": ({ target }) => words(textIn(target)),
  "DropdbStmt": "DROP DATABASE",
  "DropStmt": ({ removeType }) => `DROP ${objectOf(removeType)}`,
  "DropTableSpaceStmt": "DROP TABLESPACE",
  "FetchStmt": ({ ismove }) => ismove ? "MOVE" : "FETCH",
  "GrantRoleStmt": (fields) => fields["is_grant"] ? "GRANT ROLE" : "REVOKE ROLE",
  "GrantStmt": (fields) => fields["is_grant"] ? "GRANT" : "REVOKE",
  "IndexStmt": "CREATE INDEX",
  "LockStmt": "LOCK TABLE",
  "RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW",
  "RenameStmt": ({ renameType, relationType }) =>
    `ALTER ${objectOf(renameType === "OBJECT_COLUMN" ? relationType : renameType)}`,
  "RuleStmt": "CREATE RULE",
  "SecLabelStmt": "SECURITY LABEL",
  "TransactionStmt": ({ kind }) => TRANSACTIONS[textIn(kind)] ?? "",
  "TruncateStmt": "TRUNCATE TABLE",
  "VacuumStmt": (fields) => fields["is_vacuumcmd"] ? "VACUUM" : "ANALYZE",
  "VariableSetStmt": ({ kind }) => textIn(kind).startsWith("VAR_RESET") ? "RESET" : "SET",
  "VariableShowStmt": "SHOW",
  "ViewStmt": "CREATE VIEW",
};

/**
 * The command tag of a statement, such as "SELECT" or "CREATE TABLE AS". A query that makes a
 * table, SELECT INTO, has its own.
 */
export function commandTag(statement: Node): string {
  const [type, fields] = unwrap(statement);
  const tag = TAGS[type];
  if (typeof tag === "string") return tag;
  if (tag !== undefined) return tag(fields);
  if (type === "SelectStmt" && makesTable(fields)) return "SELECT INTO";
  // CreateForeignTableStmt -> CREATE FOREIGN TABLE, InsertStmt -> INSERT
  return words(type.replace(/Stmt$/, "").replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_"));
}

/** INTO stands in the first of the queries that UNION and the like put together. */
function makesTable(select: Node): boolean {
  let first = select;
  while (isNode(first["larg"])) first = fieldsOf(first["larg"]);
  return isNode(first["intoClause"]);
}

function objectOf(constant: unknown): string {
  const name = typeof constant === "string" ? constant : "";
  return OBJECTS[name] ?? words(name.replace(/^OBJECT_/, ""));
}

function words(name: string): string {
  return name.replaceAll("_", " ").toUpperCase();
}
