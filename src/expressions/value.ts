/**
 * Values for expressions, made of JSON that a plugin chose: small enough for every expression that
 * `cost.ts` lets pass, and without anything that JavaScript knows of an object.
 *
 * @module
 */

import { LIST_SIZE_MAX } from "./cost.ts";
import { ExpressionError } from "./expression_error.ts";

/** What a variable's value may be. Objects are maps, as keys of their own could mislead. */
export type ExpressionValue =
  | string
  | number
  | boolean
  | null
  | readonly ExpressionValue[]
  | ReadonlyMap<string, ExpressionValue>;

/** Values in one value, lists and maps counted with what is in them. */
const VALUES_MAX = 1_000;

const DEPTH_MAX = 10;

const TEXT_SIZE_MAX = 8_192;

/**
 * Returns what JSON means.
 *
 * @param json As `JSON.parse` returns it.
 * @throws {ExpressionError} If it is too large: more than 100 entries in a list or an object, 1,000
 * values in all, 10 levels, or 8,192 characters of a text.
 */
export function expressionValue(json: unknown): ExpressionValue {
  return convert(json, { left: VALUES_MAX }, 0);
}

function convert(json: unknown, count: { left: number }, depth: number): ExpressionValue {
  count.left -= 1;
  if (count.left < 0) throw tooLarge(`more than ${VALUES_MAX} values`);
  if (depth > DEPTH_MAX) throw tooLarge(`more than ${DEPTH_MAX} levels`);
  if (typeof json === "string") {
    if (json.length > TEXT_SIZE_MAX) {
      throw tooLarge(`text of more than ${TEXT_SIZE_MAX} characters`);
    }
    return json;
  }
  if (typeof json === "number" || typeof json === "boolean") return json;
  if (typeof json !== "object" || json === null) return null;
  if (Array.isArray(json)) {
    checkSize(json.length);
    return json.map((one) => convert(one, count, depth + 1));
  }
  const entries = Object.entries(json);
  checkSize(entries.length);
  return new Map(entries.map(([key, value]) => [key, convert(value, count, depth + 1)]));
}

function checkSize(size: number): void {
  if (size > LIST_SIZE_MAX) throw tooLarge(`a list or an object of more than ${LIST_SIZE_MAX}`);
}

function tooLarge(what: string): ExpressionError {
  return new ExpressionError(`the data is too large: ${what}`, 0);
}
