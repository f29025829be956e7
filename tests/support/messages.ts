/**
 * The messages of PostgreSQL's protocol that tests write, and all of them as text that people can
 * compare. Written here a second time on purpose, from the manual, so that a mistake in the code
 * under test is not also the measure it is checked with.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

import { concat, utf8 } from "../../src/base/bytes.ts";

/** Bytes of one message, or of several. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** A big-endian 32-bit integer. */
export function int32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Any tagged message; its length is computed. Texts are written without a terminating NUL. */
export function message(tag: string, ...body: readonly (Uint8Array | string)[]): Bytes {
  const bytes = concat(...body.map((part) => typeof part === "string" ? utf8(part) : part));
  return concat(utf8(tag), int32(bytes.length + 4), bytes);
}

/** Any packet of the startup phase. */
export function packet(code: number, ...rest: readonly (Uint8Array | string)[]): Bytes {
  const bytes = concat(...rest.map((part) => typeof part === "string" ? utf8(part) : part));
  return concat(int32(bytes.length + 8), int32(code), bytes);
}

/** StartupMessage for protocol 3.`minorVersion`. */
export function startup(parameters: Readonly<Record<string, string>>, minorVersion = 0): Bytes {
  const texts = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`);
  return packet(3 << 16 | minorVersion, ...texts, "\0");
}

/** SSLRequest. */
export const SSL_REQUEST: Bytes = packet(80877103);

/** GSSENCRequest. */
export const GSSENC_REQUEST: Bytes = packet(80877104);

/** CancelRequest. */
export function cancelRequest(processId: number, key: Uint8Array): Bytes {
  return packet(80877102, int32(processId), key);
}

/** Query. */
export function query(text: string): Bytes {
  return message("Q", `${text}\0`);
}

/** Terminate. */
export const TERMINATE: Bytes = message("X");

/** Sync. */
export const SYNC: Bytes = message("S");

/** Flush. */
export const FLUSH: Bytes = message("H");

/** CopyDone, which is the same in both directions. */
export const COPY_DONE: Bytes = message("c");

/** Parse, of an unnamed statement without types. */
export function parse(text: string): Bytes {
  return message("P", `\0${text}\0\0\0`);
}

/** Bind of the unnamed portal, without parameters. */
export const BIND: Bytes = message("B", "\0\0\0\0\0\0\0\0");

/** Execute of the unnamed portal, to its end. */
export const EXECUTE: Bytes = message("E", "\0\0\0\0\0");

/** PasswordMessage. */
export function password(text: string): Bytes {
  return message("p", `${text}\0`);
}

/** CopyData, which is the same in both directions. */
export function copyData(data: Uint8Array | string): Bytes {
  return message("d", data);
}

/** AuthenticationOk. */
export const AUTH_OK: Bytes = message("R", int32(0));

/** Any other Authentication message. */
export function auth(code: number, ...rest: readonly (Uint8Array | string)[]): Bytes {
  return message("R", int32(code), ...rest);
}

/** ParameterStatus. */
export function parameterStatus(name: string, value: string): Bytes {
  return message("S", `${name}\0${value}\0`);
}

/** BackendKeyData. */
export function backendKeyData(processId: number, key: Uint8Array): Bytes {
  return message("K", int32(processId), key);
}

/** NegotiateProtocolVersion. */
export function negotiate(minorVersion: number, ...extensions: readonly string[]): Bytes {
  const names = extensions.map((name) => `${name}\0`);
  return message("v", int32(3 << 16 | minorVersion), int32(extensions.length), ...names);
}

/** ReadyForQuery. */
export function ready(status: "I" | "T" | "E" = "I"): Bytes {
  return message("Z", status);
}

/** RowDescription of one column of type text. */
export const ROW_DESCRIPTION: Bytes = message(
  "T",
  "\0\u0001",
  "c\0",
  Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0),
);

/** DataRow of one column. */
export function dataRow(text: string): Bytes {
  const value = utf8(text);
  return message("D", "\0\u0001", int32(value.length), value);
}

/** CommandComplete. */
export function complete(tag: string): Bytes {
  return message("C", `${tag}\0`);
}

/** ErrorResponse, or NoticeResponse with `tag` "N". */
export function error(severity: string, sqlState: string, text: string, tag = "E"): Bytes {
  return message(tag, `S${severity}\0V${severity}\0C${sqlState}\0M${text}\0\0`);
}

/** NotificationResponse. */
export function notification(channel: string, payload: string): Bytes {
  return message("A", int32(7), `${channel}\0${payload}\0`);
}

/** One message as it was cut out of a stream. */
export interface Cut {
  readonly tag: string;
  readonly bytes: Uint8Array;
}

/** Cuts a stream into its messages. What is left over at the end is one more, with tag "cut". */
export function cut(stream: Uint8Array): Cut[] {
  const messages: Cut[] = [];
  for (let at = 0; at < stream.length;) {
    const view = new DataView(stream.buffer, stream.byteOffset + at, stream.length - at);
    const size = view.byteLength < 5 ? Infinity : 1 + view.getInt32(1);
    const isWhole = size >= 5 && size <= view.byteLength;
    const bytes = stream.slice(at, isWhole ? at + size : undefined);
    messages.push({ tag: isWhole ? String.fromCharCode(bytes[0]!) : "cut", bytes });
    at += bytes.length;
  }
  return messages;
}

/** A stream as text, one message a line, for comparing. Nothing of it is lost. */
export function textOfMessages(stream: Uint8Array): string[] {
  return cut(stream).map(({ tag, bytes }) => `${tag} ${readable(bytes)}`);
}

/** The fields of the ErrorResponse in `bytes`, by their letter. */
export function errorFields(bytes: Uint8Array): Map<string, string> {
  const texts = new TextDecoder().decode(bytes.subarray(5)).split("\0");
  return new Map(texts.filter((text) => text !== "").map((text) => [text[0]!, text.slice(1)]));
}

/** Bytes as text: what is printable as it is, the rest as \xx. */
export function readable(bytes: Uint8Array): string {
  const characters = [...bytes].map((byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\${byte.toString(16).padStart(2, "0")}`
  );
  return characters.join("");
}

/** The process id and key of a BackendKeyData message. */
export function keyOf(bytes: Uint8Array): { processId: number; key: Bytes } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { processId: view.getInt32(5), key: new Uint8Array(bytes.slice(9)) };
}
