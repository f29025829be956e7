/**
 * Encodes what plugins answer in a server's place.
 *
 * @module
 */

import { concat, int32At, putInt32, textOf, utf8 } from "../../base/bytes.ts";
import type { Rejection, Reply, ResultColumn } from "../../hooks/verdict.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { type ErrorFields, message } from "../wire/messages.ts";
import { BACKEND } from "../wire/tags.ts";
import { binaryValue } from "./binary_values.ts";

/** An answer from the description of its rows, if it has one, to its CommandComplete. */
export interface EncodedReply {
  readonly columns: Uint8Array | undefined;
  /** DataRow messages, notices and the CommandComplete. */
  readonly rest: Uint8Array;
  /** The CommandComplete's tag. */
  readonly tag: string;
  readonly rows: number;
}

/** What a plugin answered is not an answer. */
export class InvalidReply extends Error {
  override readonly name = "InvalidReply";
}

/**
 * @param formats Formats that the client wants its columns in: 0 text, 1 binary; one stands for
 * all, none is text.
 * @throws {InvalidReply} If it cannot be sent; the message says why.
 */
export function encodeReply(reply: Reply, formats: Uint8Array): EncodedReply {
  if (reply.kind === "messages") return checkMessages(reply.bytes);
  const { columns, rows, tag } = reply;
  if (rows.some((row) => row.length !== columns.length || row.length === 0)) {
    throw new InvalidReply(
      "each row must have a value for each column, of which there must be one",
    );
  }
  const isBinary = columns.map((_, i) => (formats.length === 1 ? formats[0] : formats[i]) === 1);
  const parts = rows.map((row) => dataRow(columns, row, isBinary));
  const command = tag ?? `SELECT ${rows.length}`;
  return {
    columns: columns.length === 0 ? undefined : rowDescription(columns, isBinary),
    rest: concat(...parts, commandComplete(command)),
    tag: command,
    rows: rows.length,
  };
}

/** What a client is told that a plugin refuses. */
export function rejectionFields(plugin: string, why: Rejection): ErrorFields {
  return {
    severity: "ERROR",
    sqlState: why.sqlState === "" ? "42501" : why.sqlState, // insufficient_privilege
    message: why.message === "" ? `rejected by plugin "${plugin}"` : why.message,
    ...(why.hint === "" ? {} : { hint: why.hint }),
  };
}

/** At most one RowDescription, first; then rows and notices; one CommandComplete, last. */
function checkMessages(bytes: Uint8Array): EncodedReply {
  let columnsEnd = 0;
  let offset = 0;
  let start = 0;
  let last = 0;
  let rows = 0;
  while (offset < bytes.length) {
    const size = offset + HEADER_SIZE <= bytes.length ? 1 + int32At(bytes, offset + 1) : 0;
    if (size < HEADER_SIZE || offset + size > bytes.length) {
      throw new InvalidReply(`the message at byte ${offset} is cut or has no valid length`);
    }
    if (last === BACKEND.commandComplete) throw new InvalidReply("CommandComplete must be last");
    last = bytes[offset]!;
    const isFirst = offset === 0;
    start = offset;
    offset += size;
    if (last === BACKEND.dataRow) rows += 1;
    if (last === BACKEND.rowDescription && isFirst) columnsEnd = offset;
    else if (!MAY_BE_IN_REPLY.has(last)) {
      const type = String.fromCharCode(last);
      throw new InvalidReply(`a message of type "${type}" cannot be in the middle of a reply`);
    }
  }
  if (last !== BACKEND.commandComplete) throw new InvalidReply("it must end with CommandComplete");
  if (bytes.at(-1) !== 0) throw new InvalidReply("the text of CommandComplete must end with a NUL");
  const columns = columnsEnd === 0 ? undefined : bytes.subarray(0, columnsEnd);
  const tag = textOf(bytes.subarray(start + HEADER_SIZE, bytes.length - 1));
  return { columns, rest: bytes.subarray(columnsEnd), tag, rows };
}

const MAY_BE_IN_REPLY: ReadonlySet<number> = new Set([
  BACKEND.dataRow,
  BACKEND.noticeResponse,
  BACKEND.commandComplete,
]);

function rowDescription(columns: readonly ResultColumn[], isBinary: readonly boolean[]) {
  const fields = columns.map(({ name, typeOid }, i) => {
    const rest = new Uint8Array(18); // no table, no column number; any size, no modifier
    putInt32(rest, 6, typeOid);
    rest[10] = rest[11] = 0xff;
    putInt32(rest, 12, -1);
    rest[17] = isBinary[i] === true ? 1 : 0;
    return concat(utf8(`${name.replaceAll("\0", " ")}\0`), rest);
  });
  return message(BACKEND.rowDescription, int16(columns.length), ...fields);
}

function dataRow(
  columns: readonly ResultColumn[],
  row: readonly (Uint8Array | undefined)[],
  isBinary: readonly boolean[],
): Uint8Array {
  const values = row.map((value, i) => {
    if (value === undefined) return sized(-1, new Uint8Array());
    const { name, typeOid } = columns[i]!;
    if (isBinary[i] !== true) return sized(value.length, value);
    const binary = binaryValue(typeOid, value);
    if (binary === undefined) {
      throw new InvalidReply(
        `column "${name}" of type ${typeOid} is wanted in binary, and has a value that cannot be`,
      );
    }
    return sized(binary.length, binary);
  });
  return message(BACKEND.dataRow, int16(row.length), ...values);
}

function commandComplete(tag: string): Uint8Array {
  return message(BACKEND.commandComplete, utf8(`${tag.replaceAll("\0", " ")}\0`));
}

function sized(size: number, bytes: Uint8Array): Uint8Array {
  const sizedBytes = new Uint8Array(4 + bytes.length);
  putInt32(sizedBytes, 0, size);
  sizedBytes.set(bytes, 4);
  return sizedBytes;
}

function int16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8 & 0xff, value & 0xff);
}
