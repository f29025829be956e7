/**
 * What most of the traffic is: one Query that comes alone, or one statement of the extended
 * protocol, and its answer that comes as a whole. Such ones go a short way past most of what the
 * long one has to think about.
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
  return areResults(view, 0, bodySizeMax);
}

/**
 * Whether a view is the answer to Bind, maybe Describe, Execute and Sync without an error, whole.
 *
 * @param hasParse Whether a Parse came before them.
 */
export function isWholeBatchAnswer(
  view: Uint8Array,
  hasParse: boolean,
  bodySizeMax: number,
): boolean {
  let at = 0;
  if (hasParse) {
    if (!isBare(view, at, BACKEND.parseComplete)) return false;
    at += HEADER_SIZE;
  }
  if (!isBare(view, at, BACKEND.bindComplete)) return false;
  at += HEADER_SIZE;
  if (isBare(view, at, BACKEND.noData)) at += HEADER_SIZE;
  return areResults(view, at, bodySizeMax);
}

/** Whether a message without a body is there. */
function isBare(view: Uint8Array, at: number, tag: number): boolean {
  return view.length >= at + HEADER_SIZE && view[at] === tag && int32At(view, at + 1) === 4;
}

function areResults(view: Uint8Array, start: number, bodySizeMax: number): boolean {
  const end = view.length - READY_SIZE;
  if (end < start || view.length > bodySizeMax) return false;
  if (view[end] !== BACKEND.readyForQuery || int32At(view, end + 1) !== READY_SIZE - 1) {
    return false;
  }
  let at = start;
  while (at + HEADER_SIZE <= end) {
    const size = int32At(view, at + 1);
    if (IS_RESULT[view[at]!] !== 1 || size < HEADER_SIZE - 1) return false;
    at += 1 + size;
  }
  return at === end;
}
