/**
 * Whether what a plugin wrote can take the place of what it was shown. The session counts on it:
 * bytes that are no whole messages would put client and server out of step.
 *
 * @module
 */

import { int32At, textOf } from "../base/bytes.ts";
import { HOOK } from "../hooks/hooks.ts";

/** Of the wire, as `messageType` of an event. */
const TYPE = {
  commandComplete: 0x43, // C
  dataRow: 0x44, // D
  emptyQueryResponse: 0x49, // I
  errorResponse: 0x45, // E
  noticeResponse: 0x4e, // N
  notificationResponse: 0x41, // A
  rowDescription: 0x54, // T
  copyData: 0x64, // d
} as const;

/** Messages from the server in whose place any number may stand. */
const ANY_NUMBER: ReadonlySet<number> = new Set([
  TYPE.dataRow,
  TYPE.noticeResponse,
  TYPE.notificationResponse,
  TYPE.copyData,
]);

const HEADER_SIZE = 5;

/** @returns What is wrong with a replacement, as a clause; undefined if nothing is. */
export function replacementProblem(
  hook: number,
  messageType: number,
  bytes: Uint8Array,
): string | undefined {
  switch (hook) {
    case HOOK.onQuery:
      return bytes.includes(0) ? "the text of a query has a zero byte" : undefined;
    case HOOK.onStartup:
      return parametersProblem(bytes);
    case HOOK.onConfigLoaded:
      return isJsonObject(textOf(bytes)) ? undefined : "it is no JSON object";
    case HOOK.onRow:
      return messagesProblem(bytes, TYPE.dataRow, true);
    case HOOK.onError:
      return messagesProblem(bytes, TYPE.errorResponse, false);
    default:
      // Other protocols have no types of messages, and their own rules.
      if (messageType === 0) return undefined;
      return messagesProblem(
        bytes,
        messageType,
        hook === HOOK.onTrafficFromServer && ANY_NUMBER.has(messageType),
      );
  }
}

/** @returns What is wrong with the messages of a reply, as a clause; undefined if nothing is. */
export function replyProblem(bytes: Uint8Array): string | undefined {
  let isDescribed = false;
  let isComplete = false;
  for (let at = 0; at < bytes.length;) {
    const size = messageSize(bytes, at);
    if (size === 0) return `no whole message is at byte ${at}`;
    const type = bytes[at]!;
    if (type === TYPE.rowDescription && !isDescribed) isDescribed = true;
    else if (type === TYPE.commandComplete || type === TYPE.emptyQueryResponse) isDescribed = false;
    else if (type !== TYPE.dataRow) {
      return `a reply has no message of type ${type} where it has one, at byte ${at}`;
    }
    isComplete = type === TYPE.commandComplete || type === TYPE.emptyQueryResponse;
    at += size;
  }
  return isComplete ? undefined : "a reply ends with CommandComplete or EmptyQueryResponse";
}

function messagesProblem(
  bytes: Uint8Array,
  type: number,
  isAnyNumber: boolean,
): string | undefined {
  let count = 0;
  for (let at = 0; at < bytes.length; count++) {
    const size = messageSize(bytes, at);
    if (size === 0) return `no whole message is at byte ${at}`;
    if (bytes[at] !== type) return `a message has type ${bytes[at]}, not ${type}, at byte ${at}`;
    at += size;
  }
  if (isAnyNumber || count === 1) return undefined;
  return `it is ${count} messages, and must be one`;
}

/** Bytes of the message that begins at `start`, header included; 0 if it is not whole. */
function messageSize(bytes: Uint8Array, start: number): number {
  if (start + HEADER_SIZE > bytes.length) return 0;
  const length = int32At(bytes, start + 1);
  if (length < HEADER_SIZE - 1 || start + 1 + length > bytes.length) return 0;
  return 1 + length;
}

/** Names and values in turn, each ended by a zero byte; no name is empty. */
function parametersProblem(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes.at(-1) !== 0) return "the last parameter does not end with a zero byte";
  const texts = textOf(bytes).split("\0").slice(0, -1);
  if (texts.length % 2 !== 0) return "a parameter has no value";
  const isNamed = texts.every((text, index) => index % 2 === 1 || text !== "");
  return isNamed ? undefined : "a parameter has no name";
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
