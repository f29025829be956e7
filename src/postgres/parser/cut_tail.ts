/**
 * Finds a comment that cuts off the end of a text.
 *
 * @module
 */

import type { Token } from "./sql_parser.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const HYPHEN = 0x2d;

/**
 * Whether a text's last line could end with a `--` comment: almost none can, and only those that
 * can need their tokens.
 */
export function mayCutTail(text: Uint8Array): boolean {
  for (let at = lastOfText(text); at > 0; at--) {
    if (isLineEnd(text[at]!)) return false;
    if (text[at] === HYPHEN && text[at - 1] === HYPHEN) return true;
  }
  return false;
}

/** Whether the last token is a `--` comment that stands behind something on its line. */
export function cutsTail(text: Uint8Array, tokens: readonly Token[]): boolean {
  const last = tokens.at(-1);
  if (last === undefined || !last.isComment || text[last.start] !== HYPHEN) return false;
  const before = tokens.findLast(({ isComment }) => !isComment);
  if (before === undefined) return false;
  return !text.subarray(before.end, last.start).some(isLineEnd);
}

function isLineEnd(byte: number): boolean {
  return byte === NEWLINE || byte === RETURN;
}

/** The last byte that is no space. */
function lastOfText(text: Uint8Array): number {
  return text.findLastIndex((byte) => byte > 0x20);
}
