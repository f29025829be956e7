/**
 * What most of the traffic is: one Query that comes alone, and its answer that comes as a whole.
 * Such a pair goes a short way past most of what the long one has to think about.
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { HEADER_SIZE } from "./framer.ts";
import { BACKEND, FRONTEND } from "./tags.ts";

const READY_SIZE = HEADER_SIZE + 1;

/** What the answer to a query is made of that does nothing but answer. */
const IS_RESULT = new Uint8Array(256);
for (const tag of ["rowDescription", "dataRow", "commandComplete", "emptyQueryResponse"] as const) {
  IS_RESULT[BACKEND[tag]] = 1;
}

/** Whether a view is one Query, up to its NUL and nothing behind it. */
export function isLoneQuery(view: Uint8Array, bodySizeMax: number): boolean {
  const size = view.length;
  return size > HEADER_SIZE && view[0] === FRONTEND.query && size - HEADER_SIZE <= bodySizeMax &&
    int32At(view, 1) === size - 1 && view[size - 1] === 0;
}

/** Whether a view is results without an error, whole, and a ReadyForQuery behind them. */
export function isWholeAnswer(view: Uint8Array, bodySizeMax: number): boolean {
  const end = view.length - READY_SIZE;
  if (end < 0 || view.length > bodySizeMax) return false;
  if (view[end] !== BACKEND.readyForQuery || int32At(view, end + 1) !== READY_SIZE - 1) {
    return false;
  }
  let at = 0;
  while (at + HEADER_SIZE <= end) {
    const size = int32At(view, at + 1);
    if (IS_RESULT[view[at]!] !== 1 || size < HEADER_SIZE - 1) return false;
    at += 1 + size;
  }
  return at === end;
}
