/**
 * The tree that PostgreSQL's parser gives, as JSON: nodes as in `nodes/parsenodes.h`. A node of any
 * kind is wrapped, `{"RangeVar": {...}}`; where only one kind can be, its fields stand bare.
 *
 * @module
 */

/** What stands in a tree. Fields that are zero, false or empty are left out. */
export type Value = null | boolean | number | string | readonly Value[] | Node;

/** A node's fields, or a wrapper: its only key is the kind, which begins with a capital. */
export interface Node {
  readonly [field: string]: Value | undefined;
}

/** Whether a value is a node or a wrapper. */
export function isNode(value: Value | undefined): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of a node, empty if the value is none. */
export function fieldsOf(value: Value | undefined): Node {
  return isNode(value) ? value : {};
}

/** A list, empty if the value is none. */
export function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? value : [];
}

/** A text, empty if the value is none. */
export function textIn(value: Value | undefined): string {
  return typeof value === "string" ? value : "";
}

/** Whether a key of a node is the kind of what it wraps, and no field. */
export function isKind(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 0x41 && first <= 0x5a;
}

/** The kind and the fields of what a wrapper holds, if it is one. */
export function unwrap(value: Value | undefined): readonly [kind: string, fields: Node] {
  for (const [key, inner] of Object.entries(fieldsOf(value))) {
    if (isKind(key)) return [key, fieldsOf(inner)];
  }
  return ["", {}];
}

/** The names in a list of `String` nodes, or in a `List` node of them. */
export function namesIn(value: Value | undefined): readonly string[] {
  const [kind, { items }] = unwrap(value);
  const list = kind === "List" ? listOf(items) : listOf(value);
  return list.map((item) => textIn(unwrap(item)[1]["sval"]));
}
