/**
 * The few tagged messages that the gateway writes itself or reads more of than the header.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

import { concat, int32At, putInt32, textOf, utf8 } from "../../base/bytes.ts";
import { ProtocolError } from "./errors.ts";
import { HEADER_SIZE } from "./framer.ts";
import { BACKEND, CANCEL_KEY_SIZE_MAX, FRONTEND } from "./tags.ts";

/** The answer to SSLRequest and GSSENCRequest that declines: a bare "N", not a message. */
export const DECLINED: Uint8Array = utf8("N");

/** The answer to SSLRequest that agrees: a bare "S"; TLS begins behind it. */
export const ACCEPTED: Uint8Array = utf8("S");

/** Terminate: the session ends by itself, not by a broken connection. */
export const TERMINATE: Uint8Array = message(FRONTEND.terminate);

/** What an ErrorResponse says. */
export interface ErrorFields {
  readonly severity: "ERROR" | "FATAL";
  /** Five characters: https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly sqlState: string;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
}

/** Encodes an ErrorResponse. NULs in the texts, which would cut them, become spaces. */
export function errorResponse(fields: ErrorFields): Uint8Array {
  const field = (code: string, text: string) => utf8(`${code}${text.replaceAll("\0", " ")}\0`);
  return message(
    BACKEND.errorResponse,
    field("S", fields.severity),
    field("V", fields.severity),
    field("C", fields.sqlState),
    field("M", fields.message),
    ...(fields.detail === undefined ? [] : [field("D", fields.detail)]),
    ...(fields.hint === undefined ? [] : [field("H", fields.hint)]),
    new Uint8Array(1),
  );
}

/** Fields of an ErrorResponse that the gateway reads, by their codes in the manual. */
export const ERROR_FIELD = {
  /** Never translated, unlike "S": ERROR, FATAL or PANIC. */
  severity: 0x56, // V
  sqlState: 0x43, // C
} as const;

/**
 * One field of an ErrorResponse.
 *
 * @param bytes The message from its header on; it may be cut.
 * @param code One of {@linkcode ERROR_FIELD}.
 * @returns At most 8 characters; "" if it is missing or malformed: a server can send anything.
 */
export function errorField(bytes: Uint8Array, code: number): string {
  let offset = HEADER_SIZE;
  while (offset < bytes.length && bytes[offset] !== 0) {
    const end = bytes.indexOf(0, offset);
    if (end < 0) return "";
    if (bytes[offset] === code) {
      return textOf(bytes.subarray(offset + 1, Math.min(end, offset + 9)));
    }
    offset = end + 1;
  }
  return "";
}

/** Whether an ErrorResponse is one behind which the server closes; it may be cut. */
export function isFatal(bytes: Uint8Array): boolean {
  const severity = errorField(bytes, ERROR_FIELD.severity);
  return severity === "FATAL" || severity === "PANIC";
}

/** Encodes AuthenticationOk. */
export function authenticationOk(): Uint8Array {
  return message(BACKEND.authentication, int32(0));
}

/** Encodes BackendKeyData. */
export function backendKeyData(processId: number, key: Uint8Array): Uint8Array {
  return message(BACKEND.backendKeyData, int32(processId), key);
}

/**
 * Decodes BackendKeyData.
 *
 * @param bytes The whole message, header included.
 * @returns The process id, and the key as a copy of 4 to 256 bytes.
 * @throws {ProtocolError} If the key has another size.
 */
export function readBackendKeyData(bytes: Uint8Array): { processId: number; key: Uint8Array } {
  const key = bytes.slice(HEADER_SIZE + 4);
  if (key.length < 4 || key.length > CANCEL_KEY_SIZE_MAX) {
    throw new ProtocolError(
      `invalid BackendKeyData: its key must be 4 to ${CANCEL_KEY_SIZE_MAX} bytes`,
    );
  }
  return { processId: int32At(bytes, HEADER_SIZE), key };
}

/** Encodes CopyFail. */
export function copyFail(reason: string): Uint8Array {
  return message(FRONTEND.copyFail, utf8(`${reason}\0`));
}

/**
 * Decodes a DataRow.
 *
 * @param bytes The whole message, header included.
 * @returns The values as copies; undefined is NULL.
 * @throws {ProtocolError} If the lengths in it do not fit.
 */
export function readDataRow(bytes: Uint8Array): (Uint8Array | undefined)[] {
  const values: (Uint8Array | undefined)[] = [];
  let offset = HEADER_SIZE + 2;
  const count = bytes.length < offset ? 0 : bytes[HEADER_SIZE]! << 8 | bytes[HEADER_SIZE + 1]!;
  for (let i = 0; i < count; i++) {
    const size = offset + 4 <= bytes.length ? int32At(bytes, offset) : -2;
    offset += 4;
    if (size < -1 || offset + size > bytes.length) throw new ProtocolError("invalid DataRow");
    values.push(size < 0 ? undefined : bytes.slice(offset, offset + size));
    offset += Math.max(0, size);
  }
  return values;
}

/** Every field of an ErrorResponse or NoticeResponse by its code, as far as it is well formed. */
export function errorFieldsOf(bytes: Uint8Array): Map<string, string> {
  const fields = new Map<string, string>();
  let offset = HEADER_SIZE;
  while (offset < bytes.length && bytes[offset] !== 0) {
    const end = bytes.indexOf(0, offset);
    if (end < 0) break;
    fields.set(String.fromCharCode(bytes[offset]!), textOf(bytes.subarray(offset + 1, end)));
    offset = end + 1;
  }
  return fields;
}

/** What the gateway's own ErrorResponse says, for the log. */
export function sqlStateOf(
  bytes: Uint8Array,
): { readonly sqlState: string; readonly text: string } {
  const fields = errorFieldsOf(bytes);
  return { sqlState: fields.get("C") ?? "", text: fields.get("M") ?? "" };
}

/** Encodes an ErrorResponse from fields by their codes, in their order. */
export function errorResponseOf(fields: ReadonlyMap<string, string>): Uint8Array {
  const parts = [...fields].map(([code, text]) => utf8(`${code}${text.replaceAll("\0", " ")}\0`));
  return message(BACKEND.errorResponse, ...parts, new Uint8Array(1));
}

/** Encodes ParameterStatus. Both are the bytes they are. */
export function parameterStatus(name: Uint8Array, value: Uint8Array): Uint8Array {
  const nul = new Uint8Array(1);
  return message(BACKEND.parameterStatus, name, nul, value, nul);
}

/**
 * Decodes ReadyForQuery.
 *
 * @param bytes The whole message, header included.
 * @returns The transaction status: "I", "T" or "E" as a byte.
 * @throws {ProtocolError} If it has not one byte of body.
 */
export function readReadyForQuery(bytes: Uint8Array): number {
  if (bytes.length !== HEADER_SIZE + 1) throw new ProtocolError("invalid ReadyForQuery");
  return bytes[HEADER_SIZE]!;
}

/** Encodes ReadyForQuery. @param status "I", "T" or "E" as a byte. */
export function readyForQuery(status: number): Uint8Array {
  return message(BACKEND.readyForQuery, Uint8Array.of(status));
}

/** Encodes a NoticeResponse of the gateway's own. */
export function noticeResponse(text: string, detail: string): Uint8Array {
  const field = (code: string, value: string) => utf8(`${code}${value.replaceAll("\0", " ")}\0`);
  return message(
    BACKEND.noticeResponse,
    field("S", "NOTICE"),
    field("V", "NOTICE"),
    field("C", "00000"), // successful_completion: it only informs
    field("M", text),
    field("D", detail),
    new Uint8Array(1),
  );
}

/** What a server does not know of what was asked for. */
export interface Negotiation {
  /** Newest minor version of protocol 3 that it speaks. */
  readonly minorVersion: number;
  /** Protocol extensions it does not know. */
  readonly extensions: readonly string[];
}

/**
 * Encodes NegotiateProtocolVersion. The version is sent whole, 3 in the upper half, as PostgreSQL
 * does and libpq expects (pqGetNegotiateProtocolVersion3), although the manual speaks of the minor.
 */
export function negotiateProtocolVersion(negotiation: Negotiation): Uint8Array {
  return message(
    BACKEND.negotiateProtocolVersion,
    int32(3 << 16 | negotiation.minorVersion),
    int32(negotiation.extensions.length),
    ...negotiation.extensions.map((name) => utf8(`${name}\0`)),
  );
}

/**
 * Decodes NegotiateProtocolVersion as far as the gateway needs it: it never passes extensions on,
 * so a server has none to list.
 *
 * @param bytes The whole message, header included.
 * @returns The minor version.
 * @throws {ProtocolError} If the message is too short.
 */
export function readNegotiatedMinorVersion(bytes: Uint8Array): number {
  if (bytes.length < HEADER_SIZE + 8) {
    throw new ProtocolError("invalid NegotiateProtocolVersion: it must be at least 12 bytes");
  }
  return int32At(bytes, HEADER_SIZE) & 0xffff;
}

/** Encodes any message from the parts of its body. */
export function message(tag: number, ...body: readonly Uint8Array[]): Uint8Array {
  const bytes = concat(new Uint8Array(HEADER_SIZE), ...body);
  bytes[0] = tag;
  putInt32(bytes, 1, bytes.length - 1);
  return bytes;
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  putInt32(bytes, 0, value);
  return bytes;
}
