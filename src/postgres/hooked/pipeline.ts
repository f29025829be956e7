/**
 * What a hooked session's client still waits for, in order: an entry for each message that is
 * answered, by the server or by a plugin. It says of each message from the server what it answers,
 * and when a plugin's answer is due.
 *
 * The rules are PostgreSQL's: an error in the extended protocol has everything skipped up to the
 * next Sync, and in copy-in mode a Sync is ignored (`CopyGetData` in copyfromparse.c).
 *
 * @module
 */

import { BACKEND, STATUS_IDLE } from "../wire/tags.ts";
import type { QueryInfo } from "./client_state.ts";
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

/** Entries: a client that pipelines more waits for answers first. */
export const ENTRIES_MAX = 16_384;

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
  /** A plugin's answer, which the server knows nothing of; a Sync has none, but is one. */
  local: Uint8Array | undefined;
  /** The tag of its CommandComplete. */
  localTag = "";
  /** What the client gets in place of the server's error. */
  error: Uint8Array | undefined;
  /** Asked by the gateway: the answer is not the client's. */
  isOwn = false;
  capture: ReplyCapture | undefined;

  constructor(kind: number, request: number, query: QueryInfo | undefined, startedMs: number) {
    this.kind = kind;
    this.request = request;
    this.query = query;
    this.startedMs = startedMs;
  }
}

/** Whether a ReadyForQuery answers it. */
function endsWithReady(kind: number): boolean {
  return kind === ENTRY.query || kind === ENTRY.functionCall || kind === ENTRY.sync;
}

/** The entries of one session. */
export class Pipeline {
  #entries: Entry[] = [];
  #head = 0;
  #requests = 0;
  #localSize = 0;
  #isSkipping = false;
  #isCopyIn = false;
  /** As the server said last; 0 before it has said anything. */
  status = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  /** True if nothing is owed, and nothing skipped. */
  get isEmpty(): boolean {
    return this.length === 0 && !this.#isSkipping;
  }

  /** The number that the next entry gets. */
  get nextRequest(): number {
    return this.#requests + 1;
  }

  /** Bytes of plugins' answers that are not due yet. */
  get localSize(): number {
    return this.#localSize;
  }

  get isFull(): boolean {
    return this.length >= ENTRIES_MAX;
  }

  /** True if nobody is in a transaction, and nothing on its way could begin one. */
  get isIdle(): boolean {
    return this.isEmpty && this.status === STATUS_IDLE;
  }

  /** The entry that an answer belongs to, if one is due. */
  get first(): Entry | undefined {
    return this.#entries[this.#head];
  }

  /** The entry that was made last, or one of those before it. */
  last(back = 0): Entry | undefined {
    const index = this.#entries.length - 1 - back;
    return index < this.#head ? undefined : this.#entries[index];
  }

  /** Makes an entry; it counts once it is pushed. */
  entry(kind: number, query: QueryInfo | undefined, startedMs: number): Entry {
    this.#requests += 1;
    return new Entry(kind, this.#requests, query, startedMs);
  }

  /** @returns False if the message is skipped, or ignored, by the server. */
  push(entry: Entry): boolean {
    const { kind } = entry;
    if (this.#isSkipping) {
      if (kind !== ENTRY.sync) return false;
      this.#isSkipping = false;
    }
    if (kind === ENTRY.sync && this.#isCopyIn) return false;
    if (kind === ENTRY.copyEnd) {
      const isNow = this.#isCopyIn;
      this.#isCopyIn = false;
      if (isNow || this.length === 0) return false;
    }
    this.#entries.push(entry);
    this.#localSize += entry.local?.length ?? 0;
    return true;
  }

  /** Takes back the newest entries. */
  retract(count: number): void {
    this.#entries.length -= count;
  }

  /**
   * A message has come from the server.
   *
   * @returns What it answers, if anybody asked for it.
   */
  find(tag: number): Entry | undefined {
    if (isUnasked(tag)) return this.first;
    this.#align(tag);
    return this.first;
  }

  /** The message that {@linkcode Pipeline.find} was asked for has been passed on. */
  advance(tag: number, entry: Entry | undefined, status = 0): void {
    switch (tag) {
      case BACKEND.readyForQuery:
        this.#isCopyIn = false;
        this.status = status;
        return this.#endRequest();
      case BACKEND.errorResponse:
        this.#isCopyIn = false;
        if (entry !== undefined && !endsWithReady(entry.kind)) this.#skip();
        return;
      case BACKEND.copyInResponse:
        return this.#onCopyIn();
      case BACKEND.parseComplete:
      case BACKEND.bindComplete:
      case BACKEND.closeComplete:
      case BACKEND.noData:
      case BACKEND.portalSuspended:
        return this.#shift();
      case BACKEND.commandComplete:
      case BACKEND.emptyQueryResponse:
        this.#isCopyIn = false;
        if (entry?.kind === ENTRY.execute) this.#shift();
        return;
      case BACKEND.rowDescription:
        if (entry?.kind === ENTRY.describe) this.#shift();
    }
  }

  /** Takes off a plugin's answer, if one is due. */
  takeLocal(): Entry | undefined {
    const first = this.first;
    if (first?.local === undefined) return undefined;
    this.#shift();
    return first;
  }

  /** A plugin has answered with an error in the extended protocol. */
  skip(): void {
    this.#skip();
  }

  /** Everything up to the next Sync is skipped. */
  #skip(): void {
    while (this.length > 0 && this.first!.kind !== ENTRY.sync) this.#shift();
    this.#isSkipping = this.length === 0;
  }

  #endRequest(): void {
    while (this.length > 0) {
      const { kind, local } = this.first!;
      if (local !== undefined) return; // an answer nobody asked for
      this.#shift();
      if (endsWithReady(kind)) return;
    }
  }

  /** A Sync that was read in copy-in mode is not answered, whatever it looked like. */
  #align(tag: number): void {
    while (this.length > 0) {
      const { kind, local } = this.first!;
      const isIgnored = kind === ENTRY.sync && local === undefined && tag !== BACKEND.readyForQuery;
      if (kind !== ENTRY.copyEnd && !isIgnored) return;
      this.#shift();
    }
  }

  #onCopyIn(): void {
    this.#isCopyIn = true;
    const kept: Entry[] = [];
    for (const entry of this.#entries.slice(this.#head)) {
      if (this.#isCopyIn && entry.kind === ENTRY.sync) continue;
      if (this.#isCopyIn && entry.kind === ENTRY.copyEnd) this.#isCopyIn = false;
      else kept.push(entry);
    }
    this.#entries = kept;
    this.#head = 0;
  }

  #shift(): void {
    if (this.length === 0) return;
    this.#localSize -= this.first!.local?.length ?? 0;
    this.#head += 1;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head > 1_024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** Messages that come whenever they like. An error may also answer what is due. */
function isUnasked(tag: number): boolean {
  switch (tag) {
    case BACKEND.errorResponse:
    case BACKEND.noticeResponse:
    case BACKEND.notificationResponse:
    case BACKEND.parameterStatus:
      return true;
  }
  return false;
}
