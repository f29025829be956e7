/**
 * The packets that come before the first tagged message: StartupMessage, CancelRequest, SSLRequest
 * and GSSENCRequest.
 *
 *     | length: i32, counts itself | code: i32 | the rest, by code |
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html and, for what a
 * server does with odd ones, ProcessStartupPacket() in PostgreSQL's backend_startup.c.
 *
 * @module
 */

import { concat, int32At, putInt32, textOf, utf8, zeroAt } from "../../base/bytes.ts";
import { ProtocolError, TooLongError } from "./errors.ts";
import { nameOf } from "./extended_messages.ts";
import { CANCEL_KEY_SIZE_MAX } from "./tags.ts";

/** Length and code. */
const PACKET_HEADER_SIZE = 8;

/** CANCEL_REQUEST_CODE, NEGOTIATE_SSL_CODE and NEGOTIATE_GSS_CODE in PostgreSQL's pqcomm.h. */
const CANCEL_REQUEST = 80877102;
const SSL_REQUEST = 80877103;
const GSSENC_REQUEST = 80877104;

/** The newest minor version of protocol 3 that the gateway speaks: 3.2, PostgreSQL 18. */
export const MINOR_VERSION_MAX = 2;

/** The first four bytes of requests over HTTP. */
const HTTP_BEGINNINGS: ReadonlySet<number> = new Set(
  ["GET ", "POST", "HEAD", "PUT ", "OPTI"].map((word) => int32At(utf8(word), 0)),
);

/** Names of protocol extensions begin with this; what is not known of them is negotiated away. */
const EXTENSION_PREFIX = "_pq_.";

/** What a client wants the connection to be. */
export interface StartupMessage {
  readonly kind: "startup";
  /** As asked for; may be above {@linkcode MINOR_VERSION_MAX}. */
  readonly minorVersion: number;
  /** In the order sent; `user` is there and not empty. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The packet as sent: a copy, safe to keep. */
  readonly packet: Uint8Array;
}

/** Remembers StartupMessages. */
export interface StartupMemory {
  /** The one whose packet is the first `size` bytes of the view, if it is remembered. */
  find(view: Uint8Array, size: number): StartupMessage | undefined;
  /** Remembers one. */
  note(message: StartupMessage): void;
}

/** One packet, decoded. */
export type StartupPacket =
  | { readonly kind: "ssl" }
  | { readonly kind: "gssenc" }
  | { readonly kind: "cancel"; readonly processId: number; readonly key: Uint8Array }
  | StartupMessage;

/**
 * Reads the packet at the start of `view`.
 *
 * @param sizeMax Largest packet accepted, in bytes.
 * @param recent StartupMessages that need not be decoded again.
 * @returns The packet and its size, or undefined while it is not complete.
 * @throws {ProtocolError} As soon as the bytes there can no longer be a packet in range;
 * {@linkcode TooLongError} if they are above it.
 */
export function readStartupPacket(
  view: Uint8Array,
  sizeMax: number,
  recent?: StartupMemory,
): { readonly packet: StartupPacket; readonly size: number } | undefined {
  refuseOtherProtocols(view);
  if (view.length < 4) return undefined;
  const size = int32At(view, 0);
  if (size < PACKET_HEADER_SIZE || size > sizeMax) {
    const TheError = size > sizeMax ? TooLongError : ProtocolError;
    throw new TheError(
      `invalid length of startup packet: it must be ${PACKET_HEADER_SIZE} to ${sizeMax} bytes, ` +
        `but is ${size}`,
    );
  }
  if (view.length < size) return undefined;
  const known = recent?.find(view, size);
  if (known !== undefined) return { packet: known, size };
  const packet = decode(view.slice(0, size));
  if (packet.kind === "startup") recent?.note(packet);
  return { packet, size };
}

/** Whether this is TLS from the first byte: a record of type handshake (RFC 8446, section 5.1). */
export function isTlsHandshake(view: Uint8Array): boolean {
  return view[0] === 0x16;
}

/** Says what is meant where a length would only look absurd. */
function refuseOtherProtocols(view: Uint8Array): void {
  if (isTlsHandshake(view)) {
    throw new ProtocolError(
      "this listener does not speak TLS: connect with sslmode=disable or sslmode=prefer, and " +
        "without sslnegotiation=direct",
    );
  }
  if (view.length >= 4 && HTTP_BEGINNINGS.has(int32At(view, 0))) {
    throw new ProtocolError("this listener speaks the PostgreSQL protocol, not HTTP");
  }
}

function decode(packet: Uint8Array): StartupPacket {
  const code = int32At(packet, 4);
  switch (code) {
    case SSL_REQUEST:
      checkEmpty(packet, "SSLRequest");
      return { kind: "ssl" };
    case GSSENC_REQUEST:
      checkEmpty(packet, "GSSENCRequest");
      return { kind: "gssenc" };
    case CANCEL_REQUEST:
      return decodeCancel(packet);
  }
  const major = code >>> 16;
  const minor = code & 0xffff;
  if (major !== 3) {
    throw new ProtocolError(
      `unsupported frontend protocol ${major}.${minor}: ` +
        `3.0 to 3.${MINOR_VERSION_MAX} are supported`,
      "0A000", // feature_not_supported, as PostgreSQL answers
    );
  }
  return { kind: "startup", minorVersion: minor, parameters: decodeParameters(packet), packet };
}

function checkEmpty(packet: Uint8Array, name: string): void {
  if (packet.length === PACKET_HEADER_SIZE) return;
  throw new ProtocolError(`invalid ${name}: it must be 8 bytes, but is ${packet.length}`);
}

function decodeCancel(packet: Uint8Array): StartupPacket {
  const key = packet.subarray(PACKET_HEADER_SIZE + 4);
  if (packet.length < PACKET_HEADER_SIZE + 8 || key.length > CANCEL_KEY_SIZE_MAX) {
    throw new ProtocolError(
      `invalid CancelRequest: its key must be 4 to ${CANCEL_KEY_SIZE_MAX} bytes`,
    );
  }
  return { kind: "cancel", processId: int32At(packet, PACKET_HEADER_SIZE), key };
}

function decodeParameters(packet: Uint8Array): Map<string, string> {
  const parameters = new Map<string, string>();
  let offset = PACKET_HEADER_SIZE;
  while (packet[offset] !== 0) {
    const nameEnd = zeroAt(packet, offset);
    const valueEnd = nameEnd < 0 ? -1 : zeroAt(packet, nameEnd + 1);
    if (valueEnd < 0) throw invalidLayout();
    const name = textBetween(packet, offset, nameEnd);
    parameters.set(name, textBetween(packet, nameEnd + 1, valueEnd));
    offset = valueEnd + 1;
  }
  if (offset !== packet.length - 1) throw invalidLayout();
  if (!parameters.get("user")) {
    throw new ProtocolError(
      "no PostgreSQL user name specified in startup packet",
      "28000", // invalid_authorization_specification, as PostgreSQL answers
    );
  }
  return parameters;
}

/** As {@linkcode textOf}; what is ASCII, as most is, does not leave the engine for it. */
function textBetween(packet: Uint8Array, start: number, end: number): string {
  for (let at = start; at < end; at += 1) {
    if (packet[at]! >= 0x80) return textOf(packet.subarray(start, end));
  }
  return nameOf(packet, start, end);
}

function invalidLayout(): ProtocolError {
  return new ProtocolError("invalid startup packet layout: expected terminator as last byte");
}

/** The extensions asked for, none of which the gateway knows. */
export function unknownExtensions(message: StartupMessage): string[] {
  return [...message.parameters.keys()].filter((name) => name.startsWith(EXTENSION_PREFIX));
}

/**
 * The packet to send to a server in the client's place: only what the gateway can carry. Names and
 * values stay as the bytes they are, in whatever encoding the client and the server agree on.
 */
export function supportedStartupPacket(message: StartupMessage): Uint8Array {
  const { packet, minorVersion } = message;
  if (minorVersion <= MINOR_VERSION_MAX && unknownExtensions(message).length === 0) return packet;
  const parameters: Uint8Array[] = [];
  for (let offset = PACKET_HEADER_SIZE; packet[offset] !== 0;) {
    const end = packet.indexOf(0, packet.indexOf(0, offset) + 1) + 1;
    const isExtension = textOf(packet.subarray(offset, end)).startsWith(EXTENSION_PREFIX);
    if (!isExtension) parameters.push(packet.subarray(offset, end));
    offset = end;
  }
  return packetOf(Math.min(minorVersion, MINOR_VERSION_MAX), parameters);
}

/** Encodes a StartupMessage. No name or value may hold a NUL. */
export function startupPacket(
  minorVersion: number,
  parameters: Iterable<readonly [string, string]>,
): Uint8Array<ArrayBuffer> {
  const texts = [...parameters].map(([name, value]) => utf8(`${name}\0${value}\0`));
  return packetOf(minorVersion, texts);
}

function packetOf(minorVersion: number, parameters: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const packet = concat(new Uint8Array(PACKET_HEADER_SIZE), ...parameters, new Uint8Array(1));
  putInt32(packet, 0, packet.length);
  putInt32(packet, 4, 3 << 16 | minorVersion);
  return packet;
}

/** Encodes an SSLRequest. */
export function sslRequest(): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(PACKET_HEADER_SIZE);
  putInt32(packet, 0, packet.length);
  putInt32(packet, 4, SSL_REQUEST);
  return packet;
}

/** Encodes a GSSENCRequest. */
export function gssEncRequest(): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(PACKET_HEADER_SIZE);
  putInt32(packet, 0, packet.length);
  putInt32(packet, 4, GSSENC_REQUEST);
  return packet;
}

/** Encodes a CancelRequest. */
export function cancelRequest(processId: number, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const packet = concat(new Uint8Array(PACKET_HEADER_SIZE + 4), key);
  putInt32(packet, 0, packet.length);
  putInt32(packet, 4, CANCEL_REQUEST);
  putInt32(packet, PACKET_HEADER_SIZE, processId);
  return packet;
}
