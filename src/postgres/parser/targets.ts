/**
 * Which fields of which nodes name tables that are written, and which names are no tables.
 *
 * @module
 */

import { fieldsOf, listOf, namesIn, type Node, textIn, unwrap, type Value } from "./parse_tree.ts";

/** A table's name. */
export interface TableName {
  readonly schema: string | undefined;
  readonly name: string;
}

/** Fields with a RangeVar, or with a list of them, that is written. */
const WRITTEN: Readonly<Record<string, readonly string[]>> = {
  "AlterObjectDependsStmt": ["relation"],
  "AlterObjectSchemaStmt": ["relation"],
  "AlterPolicyStmt": ["table"],
  "AlterTableStmt": ["relation"],
  "ClusterStmt": ["relation"],
  "CreatePolicyStmt": ["table"],
  "CreateStmt": ["relation"],
  "CreateTrigStmt": ["relation"],
  "DeleteStmt": ["relation"],
  "IndexStmt": ["relation"],
  "InsertStmt": ["relation"],
  "IntoClause": ["rel"],
  "LockStmt": ["relations"],
  "MergeStmt": ["relation"],
  "PartitionCmd": ["name"],
  "RefreshMatViewStmt": ["relation"],
  "ReindexStmt": ["relation"],
  "RenameStmt": ["relation"],
  "RuleStmt": ["relation"],
  "TruncateStmt": ["relations"],
  "UpdateStmt": ["relation"],
  "VacuumRelation": ["relation"],
  "ViewStmt": ["view"],
};

/**
 * Fields with RangeVars that are no tables here: sequences, types, constraints, aliases that a
 * locking clause names, tables of another server.
 */
const NO_TABLES: Readonly<Record<string, readonly string[]>> = {
  "AlterSeqStmt": ["sequence"],
  "CompositeTypeStmt": ["typevar"],
  "ConstraintsSetStmt": ["constraints"],
  "CreateSeqStmt": ["sequence"],
  "ImportForeignSchemaStmt": ["table_list"],
  "LockingClause": ["lockedRels"],
};

/** Objects that are named like tables and are none. */
const OTHER_RELATIONS: ReadonlySet<string> = new Set([
  "OBJECT_ATTRIBUTE",
  "OBJECT_INDEX",
  "OBJECT_SEQUENCE",
  "OBJECT_TYPE",
  "REINDEX_OBJECT_INDEX",
]);

/** Objects that are tables, in lists of names. */
const TABLES: ReadonlySet<string> = new Set([
  "OBJECT_FOREIGN_TABLE",
  "OBJECT_MATVIEW",
  "OBJECT_TABLE",
  "OBJECT_VIEW",
]);

/** Objects that are parts of tables: in lists of names, the last is their own. */
const PARTS: ReadonlySet<string> = new Set([
  "OBJECT_COLUMN",
  "OBJECT_POLICY",
  "OBJECT_RULE",
  "OBJECT_TABCONSTRAINT",
  "OBJECT_TRIGGER",
]);

/** Fields of a node that name no tables to read: they are written, or no tables at all. */
export function fieldsNotRead(kind: string, fields: Node): readonly string[] {
  if (isOtherRelation(fields)) return [...WRITTEN[kind] ?? [], "objects", "cmds"];
  if (kind === "CopyStmt") return fields["is_from"] === true ? ["relation"] : [];
  if (kind === "GrantStmt") return ["objects"];
  return WRITTEN[kind] ?? NO_TABLES[kind] ?? [];
}

/** The tables that a node itself writes; what is inside of it is not looked at. */
export function tablesWritten(kind: string, fields: Node): readonly TableName[] {
  if (kind === "DropStmt") return namedObjects(fields["removeType"], listOf(fields["objects"]));
  if (kind === "CommentStmt" || kind === "SecLabelStmt") {
    return namedObjects(fields["objtype"], [fields["object"] ?? null]);
  }
  if (kind === "GrantStmt" && fields["objtype"] !== "OBJECT_TABLE") return [];
  if (NO_TABLES[kind] !== undefined || isOtherRelation(fields)) return [];
  return fieldsNotRead(kind, fields).flatMap((field) => rangeVars(fields[field]))
    .map(tableName);
}

/** The name in a RangeVar. */
export function tableName({ schemaname, relname }: Node): TableName {
  return { schema: textIn(schemaname) || undefined, name: textIn(relname) };
}

/** Whether the fields, which stand bare, are those of a RangeVar. */
export function isRangeVar(fields: Node): boolean {
  return typeof fields["relname"] === "string" && fields["relpersistence"] !== undefined;
}

function isOtherRelation(fields: Node): boolean {
  const { objtype, objectType, renameType, kind } = fields;
  return [objtype, objectType, renameType, kind].some((type) => OTHER_RELATIONS.has(textIn(type)));
}

/** RangeVars, wrapped in a list or bare. */
function rangeVars(value: Value | undefined): readonly Node[] {
  if (Array.isArray(value)) {
    return value.map((item) => unwrap(item)).filter(([kind]) => kind === "RangeVar")
      .map(([, fields]) => fields);
  }
  const fields = fieldsOf(value);
  return isRangeVar(fields) ? [fields] : [];
}

/** Tables in lists of names such as DROP has. */
function namedObjects(type: Value | undefined, objects: readonly Value[]): readonly TableName[] {
  const isPart = PARTS.has(textIn(type));
  if (!isPart && !TABLES.has(textIn(type))) return [];
  return objects.map(namesIn).map((names) => isPart ? names.slice(0, -1) : names)
    .filter((names) => names.length > 0)
    .map((names) => ({ schema: names.at(-2), name: names.at(-1)! }));
}
