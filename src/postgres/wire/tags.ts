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
  bind: 0x42, // B
  close: 0x43, // C
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  describe: 0x44, // D
  execute: 0x45, // E
  flush: 0x48, // H
  query: 0x51, // Q
  functionCall: 0x46, // F
  parse: 0x50, // P
  /** PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse. */
  password: 0x70, // p
  sync: 0x53, // S
  terminate: 0x58, // X
} as const;

/** Messages from a server. */
export const BACKEND = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  bindComplete: 0x32, // 2
  closeComplete: 0x33, // 3
  commandComplete: 0x43, // C
  copyBothResponse: 0x57, // W
  copyData: 0x64, // d
  copyInResponse: 0x47, // G
  dataRow: 0x44, // D
  emptyQueryResponse: 0x49, // I
  errorResponse: 0x45, // E
  negotiateProtocolVersion: 0x76, // v
  noData: 0x6e, // n
  parameterDescription: 0x74, // t
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  parameterStatus: 0x53, // S
  parseComplete: 0x31, // 1
  portalSuspended: 0x73, // s
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
} as const;

/** ReadyForQuery's transaction status "I": not in a transaction block. */
export const STATUS_IDLE = 0x49;

/** ReadyForQuery's transaction status "E": in a transaction block that has failed. */
export const STATUS_FAILED = 0x45;

/** A CancelRequest's key is 4 bytes, and up to 256 since protocol 3.2 (MAX_CANCEL_KEY_LENGTH). */
export const CANCEL_KEY_SIZE_MAX = 256;

/**
 * Every type that a client may send after its StartupMessage: Bind, Close, CopyData, CopyDone,
 * CopyFail, Describe, Execute, Flush, FunctionCall, Parse, the passwords (which share "p"), Query,
 * Sync, Terminate. Anything else means that the stream is not what it claims to be.
 */
const FRONTEND_TAGS: ReadonlySet<number> = new Set(Object.values(FRONTEND));

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
