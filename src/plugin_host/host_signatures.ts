/**
 * Types of the functions of import module `sluice`, as `wit/README.md` lists them. A module that
 * imports one with other types would be called with what it does not expect.
 *
 * @module
 */

import type { FunctionType, ValueType } from "./metering/value_types.ts";

const LETTERS: Readonly<Record<string, ValueType>> = { i: "i32", I: "i64", F: "f64" };

/** Parameters, then the result: i is i32, I is i64, F is f64. */
const SIGNATURES = {
  read: "iiii:i",
  parameter: "iiii:i",
  config: "iiii:i",
  write: "ii:i",
  "result_column": "iii:i",
  "result_value": "ii:i",
  "result_tag": "ii:i",
  error: "iiiiii:i",
  signal: "iiii:i",
  log: "iii:i",
  metric: "iii:i",
  "metric_record": "iF:i",
  "kv_get": "iiii:i",
  "kv_set": "iiiii:i",
  "kv_delete": "ii:i",
  "kv_increment": "iiIi:I",
  "kv_write": "ii:i",
  "kv_capture": "iiii:i",
  "session_get": "ii:i",
  "session_set": "ii:i",
  clock: "i:I",
  random: "ii:i",
  "http_send": "iiiiiiii:i",
} as const;

/** The type of each function, by its name. */
export const HOST_SIGNATURES: ReadonlyMap<string, FunctionType> = new Map(
  Object.entries(SIGNATURES).map(([name, text]) => {
    const [parameters, results] = text.split(":").map((letters) =>
      Array.from(letters, (letter) => LETTERS[letter]!)
    );
    return [name, { parameters: parameters!, results: results! }];
  }),
);

/** A type as text: `(i32, i32) -> i32`. */
export function signatureText({ parameters, results }: FunctionType): string {
  return `(${parameters.join(", ")}) -> ${results.join(", ") || "()"}`;
}
