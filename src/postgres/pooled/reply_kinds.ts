/**
 * What a server may owe an answer to, and the gateway answers in its place.
 *
 * @module
 */

import { FRONTEND } from "../wire/tags.ts";

/** What an entry waits for, or stands for. */
export const REPLY = {
  /** Query or FunctionCall of the client: answered up to and with ReadyForQuery. */
  query: 1,
  /** Sync: answered with ReadyForQuery, unless it comes in copy-in mode. */
  sync: 2,
  /** CopyDone or CopyFail: not answered; where copy-in mode ends. */
  copyEnd: 3,
  parse: 4,
  /** A Parse that the server has seen before: the gateway answers. */
  parseOmitted: 5,
  /** A Parse of the gateway's own: the client does not hear of it. */
  parseInjected: 6,
  bind: 7,
  describe: 8,
  execute: 9,
  close: 10,
  closeOmitted: 11,
  closeInjected: 12,
  /** A Query of the gateway's own: the client hears nothing up to and with ReadyForQuery. */
  own: 13,
  /** A Describe of the gateway's own: the client does not hear of it. */
  describeInjected: 14,
} as const;

/** Kinds that a server answers to the client. */
export const IS_CLIENTS = new Uint8Array(16);
for (const kind of ["query", "sync", "parse", "bind", "describe", "execute", "close"] as const) {
  IS_CLIENTS[REPLY[kind]] = 1;
}

/** Kinds that leave something open on the server until a Sync or a Query. */
export const IS_OPENING = new Uint8Array(16);
for (
  const kind of [
    ...[
      "parse",
      "parseInjected",
      "bind",
      "describe",
      "describeInjected",
      "execute",
      "close",
      "closeInjected",
    ] as const,
  ]
) IS_OPENING[REPLY[kind]] = 1;

/** Whether a client's message of this kind is answered with ReadyForQuery. */
export function isRequest(kind: number): boolean {
  return kind === REPLY.query || kind === REPLY.sync;
}

/** What each message of the extended protocol waits for. */
export const REPLY_OF: Readonly<Record<number, number>> = {
  [FRONTEND.parse]: REPLY.parse,
  [FRONTEND.bind]: REPLY.bind,
  [FRONTEND.describe]: REPLY.describe,
  [FRONTEND.close]: REPLY.close,
};

/**
 * Messages that make sense without a server: what is left of a copy that failed is ignored, as a
 * server would, and so is a Flush; a Sync is answered here.
 */
export function needsServer(tag: number): boolean {
  switch (tag) {
    case FRONTEND.terminate:
    case FRONTEND.copyData:
    case FRONTEND.copyDone:
    case FRONTEND.copyFail:
    case FRONTEND.flush:
    case FRONTEND.sync:
    case FRONTEND.password:
      return false;
  }
  return true;
}
