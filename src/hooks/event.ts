/**
 * What hooks are told: one event, made once a worker and filled for each call, which is good while
 * the call runs.
 *
 * @module
 */

import type { LateMap } from "../base/late_collections.ts";

/** Numbers of the fields that can be read of an event, as in `wit/sluice.wit`. */
export const FIELD = numbered([
  "payload",
  "text",
  "statementName",
  "portalName",
  "parameters",
  "resultFormats",
  "columns",
  "user",
  "database",
  "applicationName",
  "clientAddress",
  "serverAddress",
  "proxy",
  "listener",
  "startupParameters",
  "settings",
  "sqlstate",
  "message",
  "commandTag",
  "pluginName",
  "configuration",
  "normalisedText",
  "fingerprint",
  "statements",
  "tables",
  "injectionSignals",
  "httpStatus",
  "functions",
]);

/** Where a query's text comes from. */
export const PHASE = { none: 0, simple: 1, parse: 2, execute: 3 } as const;

/** What is true of an event, beside the verdicts that are possible (`CAN`): a bit each. */
export const IS = { pipelined: 32, described: 64, fromPlugin: 128, tls: 256, pooled: 512 } as const;

/** What a session tells of itself. */
export interface SessionFacts {
  /** Unlike that of any other session of the process. */
  readonly number: number;
  /** @returns The field, or undefined if the session has not got it (yet). */
  field(field: number): Uint8Array | undefined;
  /** What the server reported under this name, or else the client's StartupMessage said. */
  parameter(name: string): string | undefined;
  /** What each plugin keeps for the session, by the plugin's name; made when first needed. */
  readonly values: LateMap<string, Uint8Array>;
}

/** Has the reply to the request of the event stored; false if it is too late for that. */
export type Capture = (
  sizeMax: number,
  onDone: (messages: Uint8Array) => void,
) => boolean;

/** One call's event. Whoever fills it sets everything; see `clear`. */
export class HookEvent {
  hook = 0;
  /** `CAN` and `IS`. */
  flags = 0;
  session: SessionFacts | undefined;
  payload: Uint8Array = EMPTY;
  /** Type of the payload's first message, or 0. */
  messageType = 0;
  /** As in ReadyForQuery, or 0 if it is not known. */
  transactionStatus = 0;
  /** One of `PHASE`. */
  phase = 0;
  request = 0;
  durationUs = 0;
  rows = 0;
  /** Fields of the query that it is about. */
  text: Uint8Array | undefined;
  columns: Uint8Array | undefined;
  resultFormats: Uint8Array | undefined;
  /** What else is told with this event only; what is the session's is told by the session. */
  readonly fields = new Map<number, Uint8Array>();
  /** Makes fields that are asked for seldom. */
  more: ((field: number) => Uint8Array | undefined) | undefined;
  capture: Capture | undefined;
  /** How long what the event is about is held back, in milliseconds; set by policies. */
  delayMs = 0;

  /** Forgets what was said before. */
  clear(hook: number, session: SessionFacts | undefined): void {
    this.hook = hook;
    this.flags = 0;
    this.session = session;
    this.payload = EMPTY;
    this.messageType = 0;
    this.transactionStatus = 0;
    this.phase = PHASE.none;
    this.request = 0;
    this.durationUs = 0;
    this.rows = 0;
    this.text = undefined;
    this.columns = undefined;
    this.resultFormats = undefined;
    if (this.fields.size > 0) this.fields.clear();
    this.more = undefined;
    this.capture = undefined;
    this.delayMs = 0;
  }

  /** @returns One field of the event or of its session, but for those that the host makes. */
  field(field: number): Uint8Array | undefined {
    return this.#own(field) ?? this.more?.(field) ?? this.session?.field(field);
  }

  #own(field: number): Uint8Array | undefined {
    switch (field) {
      case FIELD.payload:
        return this.payload;
      case FIELD.text:
        return this.text;
      case FIELD.columns:
        return this.columns;
      case FIELD.resultFormats:
        return this.resultFormats;
    }
    return this.fields.get(field);
  }
}

const EMPTY = new Uint8Array();

function numbered<Name extends string>(
  names: readonly Name[],
): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number>;
}
