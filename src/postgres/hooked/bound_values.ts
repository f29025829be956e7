/**
 * What a Bind holds, as plugins are shown it.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

import { int32At, uint16At } from "../../base/bytes.ts";
import { readBindNames } from "../wire/extended_messages.ts";

/** Values and formats of a Bind, as `wit/sluice.wit` lays them out. */
export interface BoundValues {
  readonly parameters: Uint8Array;
  readonly resultFormats: Uint8Array;
}

/** @returns What a Bind holds, or undefined if it is malformed. */
export function readBound(message: Uint8Array): BoundValues | undefined {
  const names = readBindNames(message);
  if (names === undefined) return undefined;
  const formats = readFormats(message, names.end);
  if (formats === undefined || formats.end + 2 > message.length) return undefined;
  const count = uint16At(message, formats.end);
  const parameters = new Uint8Array(message.length + count);
  const data = new DataView(parameters.buffer);
  let offset = formats.end + 2;
  let size = 0;
  for (let i = 0; i < count; i++) {
    const length = offset + 4 <= message.length ? int32At(message, offset) : -2;
    const taken = Math.max(0, length);
    if (length < -1 || offset + 4 + taken > message.length) return undefined;
    parameters[size] = formats.codes[formats.codes.length === 1 ? 0 : i] ?? 0;
    data.setInt32(size + 1, length, true);
    parameters.set(message.subarray(offset + 4, offset + 4 + taken), size + 5);
    size += 5 + taken;
    offset += 4 + taken;
  }
  const results = readFormats(message, offset);
  if (results === undefined) return undefined;
  return { parameters: parameters.subarray(0, size), resultFormats: results.codes };
}

/** @returns The formats that a Bind asks for, or undefined if it is malformed. */
export function readResultFormats(message: Uint8Array): Uint8Array | undefined {
  const names = readBindNames(message);
  const formats = names === undefined ? undefined : skipFormats(message, names.end);
  if (formats === undefined || formats + 2 > message.length) return undefined;
  let offset = formats + 2;
  for (let left = uint16At(message, formats); left > 0; left -= 1) {
    if (offset + 4 > message.length) return undefined;
    offset += 4 + Math.max(0, int32At(message, offset));
  }
  return readFormats(message, offset)?.codes;
}

/** @returns Where what comes behind formats begins. */
function skipFormats(message: Uint8Array, offset: number): number | undefined {
  return offset + 2 > message.length ? undefined : offset + 2 + 2 * uint16At(message, offset);
}

function readFormats(
  message: Uint8Array,
  offset: number,
): { readonly codes: Uint8Array; readonly end: number } | undefined {
  if (offset + 2 > message.length) return undefined;
  const count = uint16At(message, offset);
  const end = offset + 2 + 2 * count;
  if (end > message.length) return undefined;
  const codes = new Uint8Array(count);
  for (let i = 0; i < count; i += 1) codes[i] = message[offset + 3 + 2 * i]!;
  return { codes, end };
}
