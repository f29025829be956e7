/**
 * Types of messages by the manual's names, as manifests of plugins list them.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 * @module
 */

/** First bytes of messages, by name. */
export type MessageTypes = Readonly<Record<string, number>>;

/** Messages from a client, behind its StartupMessage. */
export const CLIENT_MESSAGE_TYPES: MessageTypes = {
  Bind: 0x42, // B
  Close: 0x43, // C
  CopyData: 0x64, // d
  CopyDone: 0x63, // c
  CopyFail: 0x66, // f
  Describe: 0x44, // D
  Execute: 0x45, // E
  Flush: 0x48, // H
  FunctionCall: 0x46, // F
  Parse: 0x50, // P
  Query: 0x51, // Q
  Sync: 0x53, // S
  Terminate: 0x58, // X
};

/** Messages from a server. */
export const SERVER_MESSAGE_TYPES: MessageTypes = {
  BindComplete: 0x32, // 2
  CloseComplete: 0x33, // 3
  CommandComplete: 0x43, // C
  CopyData: 0x64, // d
  CopyDone: 0x63, // c
  CopyBothResponse: 0x57, // W
  CopyInResponse: 0x47, // G
  CopyOutResponse: 0x48, // H
  DataRow: 0x44, // D
  EmptyQueryResponse: 0x49, // I
  ErrorResponse: 0x45, // E
  FunctionCallResponse: 0x56, // V
  NoData: 0x6e, // n
  NoticeResponse: 0x4e, // N
  NotificationResponse: 0x41, // A
  ParameterDescription: 0x74, // t
  ParameterStatus: 0x53, // S
  ParseComplete: 0x31, // 1
  PortalSuspended: 0x73, // s
  ReadyForQuery: 0x5a, // Z
  RowDescription: 0x54, // T
};

/**
 * Which types somebody wants.
 *
 * @param names Undefined is all.
 * @returns 256 bytes, 1 for each type that is wanted.
 */
export function messageTypeTable(
  types: MessageTypes,
  names: readonly string[] | undefined,
): Uint8Array {
  if (names === undefined) return new Uint8Array(256).fill(1);
  const table = new Uint8Array(256);
  for (const name of names) table[types[name]!] = 1;
  return table;
}
