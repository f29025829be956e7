/**
 * Conditions that are true of every row, and do not look so.
 *
 * @module
 */

import { fieldsOf, isKind, isNode, listOf, namesIn, type Node } from "./parse_tree.ts";
import { unwrap, type Value } from "./parse_tree.ts";

/** What a constant is made of. Functions are not: `current_setting('a') = 'b'` is no tautology. */
const CONSTANT: ReadonlySet<string> = new Set([
  ...["A_Const", "TypeCast", "A_Expr", "A_ArrayExpr", "RowExpr", "List", "CollateClause"],
  ...["String", "Integer", "Float", "Boolean", "BitString"],
]);

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  "=": (order) => order === 0,
  "<>": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

/** A part of a condition: under an odd number of NOTs or not, and next to what. */
interface Part {
  readonly value: Value;
  readonly isNegated: boolean;
  /** Whether a plain `true` here opens the whole condition. */
  readonly isDecisive: boolean;
}

/**
 * Whether a condition has a comparison of constants that is not plainly false, or a constant that
 * opens it.
 *
 * @param choosesWritten Whether a plain `true` as the whole condition counts as well.
 */
export function isTautology(condition: Value, choosesWritten: boolean): boolean {
  const parts: Part[] = [{ value: condition, isNegated: false, isDecisive: choosesWritten }];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const [kind, fields] = unwrap(part.value);
    if (kind !== "BoolExpr") {
      if (isTrue(part, kind, fields)) return true;
      continue;
    }
    const isNegated = part.isNegated !== (fields["boolop"] === "NOT_EXPR");
    // NOT (a AND b) is an OR.
    const isOr = fields["boolop"] === (part.isNegated ? "AND_EXPR" : "OR_EXPR");
    const isDecisive = fields["boolop"] === "NOT_EXPR" ? part.isDecisive : isOr;
    for (const value of listOf(fields["args"])) parts.push({ value, isNegated, isDecisive });
  }
  return false;
}

function isTrue({ value, isNegated, isDecisive }: Part, kind: string, fields: Node): boolean {
  if (kind === "A_Expr") {
    const [left, right] = [fields["lexpr"], fields["rexpr"]];
    if (isSameColumn(left, right)) return !isNegated && /^(?:=|<=|>=)$/.test(operator(fields));
    if (!isConstant(left) || !isConstant(right)) return false;
    return plainResult(fields) !== isNegated;
  }
  if (kind === "NullTest") return isConstant(fields["arg"]);
  if (!isDecisive || !isConstant(value)) return false;
  const constant = plainConstant(value);
  return constant !== null && constant !== isNegated;
}

function isConstant(value: Value | undefined): boolean {
  if (!isNode(value)) return false;
  const rest: (Value | undefined)[] = [value];
  for (let at = rest.pop(); at !== undefined; at = rest.pop()) {
    if (Array.isArray(at)) {
      for (const item of at) rest.push(item);
    } else if (isNode(at)) {
      for (const [key, inner] of Object.entries(at)) {
        if (isKind(key) && !CONSTANT.has(key)) return false;
        if (inner !== undefined) rest.push(inner);
      }
    }
  }
  return true;
}

function isSameColumn(left: Value | undefined, right: Value | undefined): boolean {
  const [[leftKind, leftFields], [rightKind, rightFields]] = [unwrap(left), unwrap(right)];
  if (leftKind !== "ColumnRef" || rightKind !== "ColumnRef") return false;
  return namesIn(leftFields["fields"]).join("\0") === namesIn(rightFields["fields"]).join("\0");
}

function operator(fields: Node): string {
  return fields["kind"] === "AEXPR_OP" ? namesIn(fields["name"]).at(-1) ?? "" : "";
}

/** What a comparison of two plain constants gives; undefined where only a server can tell. */
function plainResult(fields: Node): boolean | undefined {
  const compare = COMPARISONS[operator(fields)];
  const left = plainConstant(fields["lexpr"]);
  const right = plainConstant(fields["rexpr"]);
  if (left === null || right === null) return false;
  if (compare === undefined || typeof left !== typeof right || left === undefined) return undefined;
  return compare(left === right ? 0 : left < right! ? -1 : 1);
}

/** The value of a literal; null is NULL, undefined is anything else. */
function plainConstant(value: Value | undefined): boolean | number | string | null | undefined {
  const [kind, fields] = unwrap(value);
  if (kind !== "A_Const") return undefined;
  const { ival, fval, sval, boolval, isnull } = fields;
  if (isnull === true) return null;
  if (isNode(boolval)) return boolval["boolval"] === true;
  if (isNode(ival)) return Number(ival["ival"] ?? 0);
  if (isNode(fval)) return Number(fval["fval"] ?? 0);
  if (isNode(sval)) return String(fieldsOf(sval)["sval"] ?? "");
  return undefined;
}
