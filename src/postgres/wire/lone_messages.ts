/**
 * What most of the traffic is: one Query that comes alone, or one statement of the extended
 * protocol, and its answer that comes as a whole. Such ones go a short way past most of what the
 * long one has to think about.
 *
 * @module
 */

import { int32At, zeroAt } from "../../base/bytes.ts";
import { nameOf } from "./extended_messages.ts";
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

/** Sizes of Bind and what follows it, if they hold nothing but what they have to. */
const BIND_SIZE_MIN = HEADER_SIZE + 8;
const DESCRIBE_SIZE = HEADER_SIZE + 2;
const EXECUTE_SIZE = HEADER_SIZE + 5;

/**
 * One statement of the extended protocol: Parse, maybe, Bind, maybe Describe, Execute and Sync, all
 * of the portal without a name, and of the statement without one if there is a Parse. Which it is
 * can be read again and again.
 */
export class LoneBatch {
  hasParse = false;
  hasDescribe = false;
  /** Of the Parse, without the NUL behind it. */
  textStart = 0;
  textEnd = 0;
  bindStart = 0;
  bindEnd = 0;
  /** Name of the statement, as `nameOf` gives it. */
  statement = "";

  /** @returns False if a view is something else; then nothing here means anything. */
  read(view: Uint8Array, bodySizeMax: number): boolean {
    const size = view.length;
    const executeAt = size - EXECUTE_SIZE - HEADER_SIZE;
    if (size > bodySizeMax || executeAt < BIND_SIZE_MIN) return false;
    if (!isBare(view, size - HEADER_SIZE, FRONTEND.sync)) return false;
    if (!this.#isExecuted(view, executeAt)) return false;
    this.hasParse = view[0] === FRONTEND.parse;
    this.bindStart = this.hasParse ? this.#readParse(view) : 0;
    if (this.bindStart < 0 || !this.#readBind(view)) return false;
    const describeAt = this.bindEnd;
    this.hasDescribe = describeAt < executeAt;
    return this.hasDescribe ? isDescribe(view, describeAt, executeAt) : describeAt === executeAt;
  }

  #isExecuted(view: Uint8Array, at: number): boolean {
    return view[at] === FRONTEND.execute && int32At(view, at + 1) === EXECUTE_SIZE - 1 &&
      view[at + HEADER_SIZE] === 0 && int32At(view, at + HEADER_SIZE + 1) === 0;
  }

  /** @returns Where it ends; -1 if it is another one. */
  #readParse(view: Uint8Array): number {
    const end = 1 + int32At(view, 1);
    if (view[HEADER_SIZE] !== 0) return -1;
    this.textStart = HEADER_SIZE + 1;
    this.textEnd = zeroAt(view, this.textStart);
    const typesAt = this.textEnd + 1;
    return this.textEnd >= 0 && typesAt + 2 <= end && end < view.length ? end : -1;
  }

  #readBind(view: Uint8Array): boolean {
    const at = this.bindStart;
    if (view[at] !== FRONTEND.bind || view[at + HEADER_SIZE] !== 0) return false;
    this.bindEnd = at + 1 + int32At(view, at + 1);
    const nameAt = at + HEADER_SIZE + 1;
    const nameEnd = zeroAt(view, nameAt);
    if (nameEnd < 0 || nameEnd + 1 + 6 > this.bindEnd || this.bindEnd > view.length) return false;
    if (this.hasParse && nameEnd !== nameAt) return false;
    this.statement = nameOf(view, nameAt, nameEnd);
    return true;
  }
}

/** Whether there is one Describe of the portal without a name. */
function isDescribe(view: Uint8Array, at: number, end: number): boolean {
  return end - at === DESCRIBE_SIZE && view[at] === FRONTEND.describe &&
    int32At(view, at + 1) === DESCRIBE_SIZE - 1 && view[at + HEADER_SIZE] === 0x50 && // P
    view[at + HEADER_SIZE + 1] === 0;
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
