/**
 * The message types that the gateway looks at, by the first byte of a message, under the names of
 * the manual. The same byte may mean different things in the two directions.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

/** Messages from a client. */
export const FRONTEND = {
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  execute: 0x45, // E
  query: 0x51, // Q
  functionCall: 0x46, // F
  sync: 0x53, // S
  terminate: 0x58, // X
} as const;

/** Messages from a server. */
export const BACKEND = {
  backendKeyData: 0x4b, // K
  copyInResponse: 0x47, // G
  errorResponse: 0x45, // E
  negotiateProtocolVersion: 0x76, // v
  noticeResponse: 0x4e, // N
  readyForQuery: 0x5a, // Z
} as const;

/**
 * Every type that a client may send after its StartupMessage: Bind, Close, CopyData, CopyDone,
 * CopyFail, Describe, Execute, Flush, FunctionCall, Parse, the passwords (which share "p"), Query,
 * Sync, Terminate. Anything else means that the stream is not what it claims to be.
 */
const FRONTEND_TAGS: ReadonlySet<number> = new Set(
  [..."BCdcfDEHFPpQSX"].map((letter) => letter.charCodeAt(0)),
);

/** One byte a tag, so that the hot path looks it up without hashing. */
export const IS_FRONTEND_TAG: Uint8Array = Uint8Array.from(
  { length: 256 },
  (_, tag) => FRONTEND_TAGS.has(tag) ? 1 : 0,
);

/** One byte a tag: a server may send any printable ASCII byte; newer servers add types. */
export const IS_BACKEND_TAG: Uint8Array = Uint8Array.from(
  { length: 256 },
  (_, tag) => tag > 0x20 && tag < 0x7f ? 1 : 0,
);
