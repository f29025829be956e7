/**
 * One message of a client that is answered, and what is known of its answer.
 *
 * @module
 */

import { isFatal } from "../wire/messages.ts";
import { BACKEND } from "../wire/tags.ts";
import type { Closing, Portal, QueryInfo } from "./client_state.ts";
import type { ReplyCapture } from "./reply_capture.ts";

/** What an entry answers. */
export const ENTRY = {
  query: 1,
  functionCall: 2,
  sync: 3,
  parse: 4,
  bind: 5,
  describe: 6,
  execute: 7,
  close: 8,
  /** CopyDone or CopyFail: not answered, but the end of copy-in mode for what comes behind it. */
  copyEnd: 9,
} as const;

/** Whether it only prepares what another message asks for. */
export function isLead(kind: number): boolean {
  return kind === ENTRY.parse || kind === ENTRY.bind || kind === ENTRY.describe ||
    kind === ENTRY.close;
}

/** One message that is answered. */
export class Entry {
  readonly kind: number;
  /** From 1, in the order of the session's messages that are answered. */
  readonly request: number;
  /** The query that it belongs to, if it is known. */
  query: QueryInfo | undefined;
  readonly startedMs: number;
  /** Rows of the result that comes, or has come. */
  rows = 0;
  /** RowDescription of the result that comes. */
  columns: Uint8Array | undefined;
  /** Formats of its columns, as the portal asks for them. */
  resultFormats: Uint8Array | undefined;
  /** A plugin's answer, which the server knows nothing of; a Sync has none, but is one. */
  local: Uint8Array | undefined;
  /** The tag of its CommandComplete. */
  localTag = "";
  /** What the client gets in place of the server's error. */
  error: Uint8Array | undefined;
  /** The same, if it is a copy that fails. */
  copyError: Uint8Array | undefined;
  /** Its copy from the client is under way. */
  isCopying = false;
  /** Asked by the gateway: the answer is not the client's. */
  isOwn = false;
  /** The client has been told of an error before it: the server's answer is not for it. */
  isMuted = false;
  /** The statement that it closes. */
  closing: Closing | undefined;
  /** The portal that it binds, or closes. */
  portal: Portal | undefined;
  /** The client has been told that a plugin has refused it. */
  isRefused = false;
  /** A Parse that no server gets for now: it is done once this has been refused. */
  prepares: Entry | undefined;
  capture: ReplyCapture | undefined;

  constructor(kind: number, request: number, query: QueryInfo | undefined, startedMs: number) {
    this.kind = kind;
    this.request = request;
    this.query = query;
    this.startedMs = startedMs;
  }
}

/** Whether a message is nothing that the client has asked for. */
export function hides({ isOwn, isMuted }: Entry, tag: number, message: Uint8Array): boolean {
  switch (tag) {
    case BACKEND.noticeResponse:
    case BACKEND.parameterStatus:
    case BACKEND.readyForQuery:
      return false;
    case BACKEND.errorResponse:
      return isMuted && !isFatal(message);
  }
  return isMuted || isOwn;
}

/** What the client gets in place of a server's error. One that ends the connection is shown. */
export function errorInstead(entry: Entry, message: Uint8Array): Uint8Array | undefined {
  const error = entry.error ?? (entry.isCopying ? entry.copyError : undefined);
  return error === undefined || isFatal(message) ? undefined : error;
}

/** Whether a server's error is one that the client gets a plugin's in place of. */
export function isMade(entry: Entry | undefined, message: Uint8Array): boolean {
  return entry !== undefined && errorInstead(entry, message) !== undefined;
}
