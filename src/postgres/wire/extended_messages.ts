/**
 * The names inside Parse, Bind, Describe and Close, and the same messages under other names.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

import { ByteSlab } from "../../base/byte_slab.ts";
import { concat, copyInto, int32At, putInt32, zeroAt } from "../../base/bytes.ts";
import { ProtocolError } from "./errors.ts";
import { HEADER_SIZE } from "./framer.ts";
import { message } from "./messages.ts";
import { BACKEND, FRONTEND } from "./tags.ts";

/** What a Describe or Close is about. */
export const STATEMENT = 0x53; // S

const NUL = new Uint8Array(1);

/** For messages under other names. */
const SLAB = new ByteSlab();

/** Sync, whole. */
export const SYNC = message(FRONTEND.sync);

/** ParseComplete, whole: what the gateway answers to a Parse that it keeps to itself. */
export const PARSE_COMPLETE = message(BACKEND.parseComplete);

/** CloseComplete, whole. */
export const CLOSE_COMPLETE = message(BACKEND.closeComplete);

/**
 * Where a NUL-terminated string ends.
 *
 * @param end Where the bytes at hand end.
 * @returns The NUL's offset.
 * @throws {ProtocolError} If there is none before `end`.
 */
export function stringEnd(view: Uint8Array, start: number, end: number): number {
  const at = zeroAt(view, start);
  if (at >= 0 && at < end) return at;
  throw new ProtocolError("invalid string in message: it has no end");
}

/** Names that came last, each at a place that its length and its ends say. */
const RECENT_NAMES: string[] = new Array(256).fill("");

/** A longer name is not kept, in bytes. */
const RECENT_SIZE_MAX = 64;

/**
 * Text of a name. Names are compared as the bytes they are. One that came not long ago is the same
 * string again: maps find it by the hash that it has got.
 *
 * @param bytes They hold it from `start` to `end`.
 */
export function nameOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const length = end - start;
  if (length === 0) return "";
  const place = (length * 31 + bytes[start]! * 7 + bytes[end - 1]!) & 0xff;
  const recent = RECENT_NAMES[place]!;
  if (isName(recent, bytes, start, end)) return recent;
  let name = "";
  for (let at = start; at < end; at += 1) name += String.fromCharCode(bytes[at]!);
  if (length <= RECENT_SIZE_MAX) RECENT_NAMES[place] = name;
  return name;
}

function isName(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i += 1) {
    if (name.charCodeAt(i) !== bytes[start + i]) return false;
  }
  return true;
}

/** The bytes of a name made by {@linkcode nameOf}. */
export function nameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let i = 0; i < name.length; i += 1) bytes[i] = name.charCodeAt(i);
  return bytes;
}

/**
 * The name at an offset of a whole message, as {@linkcode nameOf} gives it, and where the next
 * field begins; undefined if it does not end.
 */
export function nameAt(
  message: Uint8Array,
  offset: number,
): { readonly text: string; readonly end: number } | undefined {
  const end = zeroAt(message, offset);
  if (end < 0) return undefined;
  return { text: end === offset ? "" : nameOf(message.subarray(offset, end)), end: end + 1 };
}

/** A whole Parse; undefined if it is malformed. The text is a view. */
export function readParse(
  message: Uint8Array,
): { readonly name: string; readonly text: Uint8Array; readonly textEnd: number } | undefined {
  const name = nameAt(message, HEADER_SIZE);
  const end = name === undefined ? -1 : zeroAt(message, name.end);
  if (name === undefined || end < 0) return undefined;
  return { name: name.text, text: message.subarray(name.end, end), textEnd: end + 1 };
}

/** Names in a whole Bind, and where its formats begin; undefined if it is malformed. */
export function readBindNames(
  message: Uint8Array,
): { readonly portal: string; readonly statement: string; readonly end: number } | undefined {
  const portal = nameAt(message, HEADER_SIZE);
  const statement = portal === undefined ? undefined : nameAt(message, portal.end);
  if (portal === undefined || statement === undefined) return undefined;
  return { portal: portal.text, statement: statement.text, end: statement.end };
}

/** Parse. @param definition Everything behind the name's NUL. */
export function parse(name: Uint8Array, definition: Uint8Array): Uint8Array {
  return message(FRONTEND.parse, name, NUL, definition);
}

/** Close of a statement. */
export function closeStatement(name: Uint8Array): Uint8Array {
  return message(FRONTEND.close, Uint8Array.of(STATEMENT), name, NUL);
}

/** Describe of a statement. */
export function describeStatement(name: Uint8Array): Uint8Array {
  return message(FRONTEND.describe, Uint8Array.of(STATEMENT), name, NUL);
}

/**
 * Everything to run a statement once under a name that is free again afterwards, with its Sync. One
 * that failed before may have left the name.
 */
export function executeOnce(name: Uint8Array, text: Uint8Array): Uint8Array {
  const noTypes = new Uint8Array(2);
  const noFormatsNorValues = new Uint8Array(6);
  const noLimit = new Uint8Array(4);
  return concat(
    closeStatement(name),
    message(FRONTEND.parse, name, NUL, text, NUL, noTypes),
    message(FRONTEND.bind, name, NUL, name, NUL, noFormatsNorValues),
    message(FRONTEND.execute, name, NUL, noLimit),
    closeStatement(name),
    SYNC,
  );
}

/** Bind without parameters. @param portal Its name and the name's NUL. */
export function bindNothing(portal: Uint8Array, statementName: Uint8Array): Uint8Array {
  const noFormatsNorValues = new Uint8Array(6);
  return message(FRONTEND.bind, portal, statementName, NUL, noFormatsNorValues);
}

/** Flush, whole. */
export const FLUSH = message(FRONTEND.flush);

/** Query. @param text Without its NUL. */
export function query(text: Uint8Array): Uint8Array {
  return message(FRONTEND.query, text, NUL);
}

/**
 * The beginning of a message with a part of it replaced. The length is corrected for the whole
 * message, of which more may follow that is not at hand.
 *
 * @param view Holds the message from `start` up to `end`, or a first piece of it.
 * @param from Where the replaced part begins in `view`. @param to Where it ends.
 */
export function withReplaced(
  view: Uint8Array,
  start: number,
  end: number,
  from: number,
  to: number,
  by: Uint8Array,
): Uint8Array {
  const bytes = SLAB.take(end - start + by.length - (to - from));
  copyInto(bytes, 0, view, start, from);
  copyInto(bytes, from - start, by, 0, by.length);
  copyInto(bytes, from - start + by.length, view, to, end);
  const size = int32At(view, start + 1) + by.length - (to - from);
  putInt32(bytes, 1, size);
  return bytes;
}
