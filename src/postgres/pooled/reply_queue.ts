/**
 * What a server still has to answer, in order: one entry for each message that was sent to it and
 * is answered, and one for each that was not sent because the gateway answers it itself. It says
 * of each message that comes back whether it belongs to the client, when the server is free to
 * serve somebody else, and when an answer of the gateway's own is due between two of the server's.
 *
 * PostgreSQL's rules that this follows:
 * - An error in the extended protocol has everything skipped up to the next Sync, Query included
 *   (`ignore_till_sync` in postgres.c). What is skipped is not answered, and did not happen.
 * - In copy-in mode Sync is ignored (`CopyGetData` in copyfromparse.c).
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { ProtocolError } from "../wire/errors.ts";
import { isWholeAnswer, isWholeBatchAnswer } from "../wire/lone_messages.ts";
import { BACKEND } from "../wire/tags.ts";
import { MessageCounts } from "./message_counts.ts";
import { IS_CLIENTS, IS_OPENING, isRequest, REPLY } from "./reply_kinds.ts";
import { type ColumnsListener, ReplyRing, SHAPE, type Undo } from "./reply_ring.ts";

/** Whether a server may send a message of this type without being asked. */
export function isUnasked(tag: number): boolean {
  switch (tag) {
    case BACKEND.parameterStatus:
    case BACKEND.noticeResponse:
    case BACKEND.notificationResponse:
    case BACKEND.errorResponse:
      return true;
  }
  return false;
}

/** What becomes of a message from the server. */
export const PASS = 0;
/** It answers what the gateway asked by itself. */
export const SWALLOW = 1;

/** Entries: a client that pipelines more waits for answers first. A power of two. */
export const ENTRIES_MAX = 16_384;

/** The answers that one server connection owes. */
export class ReplyQueue {
  /** Each with its number, if it is a Query or Sync of the client. */
  readonly #ring = new ReplyRing();
  #answeredListener: ColumnsListener | undefined;
  #isCopyIn = false;
  #entries = 0;
  #requests = 0;
  #requestsDue = 0;
  #answers = 0;
  #clientAnswers = 0;
  #failedThrough = 0;
  #failedEntry = 0;
  /** The last Query that came before the Sync of what was sent. */
  #unsyncedQuery = 0;
  /** Something was sent that a Sync, or a Query, has still to conclude. */
  #isUnsynced = false;
  /** The same, but that a Query may have been skipped. */
  #mayBeUnsynced = false;
  /** The last entry that leaves something open, and the last that runs something. */
  #lastOpening = 0;
  #lastRun = 0;
  /** The last entry that was done when the server said its transaction's status. */
  #statusEntry = 0;
  /** Syncs of the copy that runs, which the server ignores if it reads them within it. */
  #ignoredSyncs = 0;
  #isUncertain = false;
  /** From a CopyInResponse to the end of its statement. */
  #isCopying = false;
  /** What of it is counted. */
  readonly counts = new MessageCounts();
  /** After an error in the extended protocol: what is sent is skipped until a Sync. */
  #isSkipping = false;

  /** True if the server owes nothing, skips nothing, and has nothing open without a Sync. */
  get isEmpty(): boolean {
    return this.#ring.length === 0 && !this.#isSkipping && !this.#isUnsynced;
  }

  /** True if something was sent that a Sync, or a Query, has still to conclude. */
  get isUnsynced(): boolean {
    return this.#isUnsynced;
  }

  /** True if a Sync of the gateway's own could end what the client's is to end. */
  get mayBeUnsynced(): boolean {
    return this.#mayBeUnsynced;
  }

  /** True if something was sent since the last ReadyForQuery that may change the transaction. */
  get mayHaveRun(): boolean {
    return this.#lastRun > this.#statusEntry;
  }

  /** True if something that was sent has not been answered. */
  get hasUnanswered(): boolean {
    return this.#ring.length > 0;
  }

  /**
   * True if the server may not be as it seems, and should serve nobody else: a copy has failed, and
   * whether it read the Syncs behind it within the copy or after it cannot be told, so that it may
   * send a ReadyForQuery more; or a Query has come before the Sync of what was sent.
   */
  get isUncertain(): boolean {
    return this.#isUncertain;
  }

  /** True if nothing more may be sent before something is answered. */
  get isFull(): boolean {
    return this.#ring.length >= ENTRIES_MAX - 8; // room for what is injected with one message
  }

  /** True while the server skips what it is sent: nothing may be injected. */
  get isSkipping(): boolean {
    return this.#isSkipping;
  }

  /** The number of the entry that was made last. */
  get entryCount(): number {
    return this.#entries;
  }

  /** The number up to which entries have been answered, or skipped; it may be more. */
  get doneCount(): number {
    return this.#entries - this.#ring.length;
  }

  /** The number of the client's last Query or Sync; the next one has the next number. */
  get requestCount(): number {
    return this.#requests;
  }

  /** The number of the one that was answered last; others before it may have been skipped. */
  get answerCount(): number {
    return this.#answers;
  }

  /** The number of the client's request that the server works at, or 0. */
  get currentRequest(): number {
    for (let i = 0; i < this.#ring.length; i++) {
      const kind = this.#ring.kindAt(i);
      if (kind === REPLY.own) return 0;
      if (isRequest(kind)) return this.#ring.numberAt(i);
    }
    return 0;
  }

  /** The number up to which nothing has been done that had not been answered before an error. */
  get failedThrough(): number {
    return this.#failedThrough;
  }

  /** The number of the entry that failed last: see `entryCount`. */
  get failedEntry(): number {
    return this.#failedEntry;
  }

  /** True if a Query or Sync of the client has still to be answered. */
  get isRequestDue(): boolean {
    return this.#requestsDue > 0;
  }

  /**
   * Whether a request of this number, which has been sent whole, has still to be answered. One
   * whose Sync was ignored in a copy is a part of the next one.
   */
  isDue(request: number): boolean {
    return request > this.#answers && request <= this.#requests && this.isRequestDue;
  }

  /** How many messages of the client have been answered by the server, of whatever kind. */
  get clientAnswerCount(): number {
    return this.#clientAnswers;
  }

  /** True while the server takes CopyData, and nothing but the end of the copy counts. */
  get isCopyIn(): boolean {
    return this.#isCopyIn;
  }

  /** True if an answer of the gateway's own is due. */
  get isOmittedFirst(): boolean {
    const first = this.first;
    return first === REPLY.parseOmitted || first === REPLY.closeOmitted;
  }

  /** Whether a view is the whole answer, without an error, to all that the server owes. */
  isAnsweredBy(view: Uint8Array, bodySizeMax: number): boolean {
    switch (this.#ring.shape) {
      case SHAPE.query:
        return isWholeAnswer(view, bodySizeMax);
      case SHAPE.batch:
        return isWholeBatchAnswer(view, false, bodySizeMax);
      case SHAPE.batchWithParse:
        return isWholeBatchAnswer(view, true, bodySizeMax);
    }
    return false;
  }

  /** The entry that the server works at, or 0. */
  get first(): number {
    return this.#ring.length === 0 ? 0 : this.#ring.kindAt(0);
  }

  /** A message is sent, or answered here. What is skipped or ignored makes no entry. */
  push(kind: number, undo?: Undo, listener?: ColumnsListener): void {
    this.#count(kind);
    if (this.#isSkipping) {
      if (kind !== REPLY.sync) return undo?.(false);
      this.#isSkipping = false;
    }
    if (kind === REPLY.sync && this.#isCopyIn) return void (this.#ignoredSyncs += 1);
    if (kind === REPLY.copyEnd) {
      if (this.#isCopyIn) return void (this.#isCopyIn = false);
      if (this.#ring.length === 0) return;
    }
    if (kind === REPLY.query && this.#isUnsynced) this.#unsyncedQuery = this.#requests + 1;
    assert(this.#ring.length < ENTRIES_MAX, "the client is not read while the queue is full");
    if (isRequest(kind)) {
      this.#requests += 1;
      this.#requestsDue += 1;
    }
    this.#ring.push(kind, isRequest(kind) ? this.#requests : 0, undo, listener);
    this.#entries += 1;
    if (isRequest(kind) || kind === REPLY.own) this.#isUnsynced = false;
    else if (IS_OPENING[kind] === 1) this.#isUnsynced = this.#mayBeUnsynced = true;
    if (kind === REPLY.sync) this.#mayBeUnsynced = false;
    if (IS_OPENING[kind] === 1) this.#lastOpening = this.#entries;
    if (kind === REPLY.execute || isRequest(kind)) this.#lastRun = this.#entries;
  }

  #count(kind: number): void {
    switch (kind) {
      case REPLY.bind:
        return this.counts.addBind();
      case REPLY.parse:
      case REPLY.parseOmitted:
        return this.counts.addParse(kind === REPLY.parse && !this.#isSkipping);
      case REPLY.parseInjected:
        if (!this.#isSkipping) this.counts.addInjectedParse();
    }
  }

  /**
   * A message has come from the server.
   *
   * @returns {@linkcode PASS} or {@linkcode SWALLOW}.
   * @throws {ProtocolError} If nobody asked for it.
   */
  onMessage(tag: number): number {
    const first = this.first;
    // The safety net of the whole: an answer that nobody asked for must never reach anybody.
    if (first === 0 && !this.#isUncertain && !isUnasked(tag)) {
      throw new ProtocolError(`unexpected message "${String.fromCharCode(tag)}"`);
    }
    if (first === REPLY.own) return this.#onOwn(tag);
    switch (tag) {
      case BACKEND.readyForQuery:
        this.#onReadyForQuery();
        return PASS;
      case BACKEND.errorResponse:
        this.#onError(first);
        return PASS;
      case BACKEND.copyInResponse:
        this.#onCopyIn();
        return PASS;
      case BACKEND.parseComplete:
        if (first === REPLY.parse || first === REPLY.parseInjected) this.#pop();
        return first === REPLY.parseInjected ? SWALLOW : PASS;
      case BACKEND.closeComplete:
        if (first === REPLY.close || first === REPLY.closeInjected) this.#pop();
        return first === REPLY.closeInjected ? SWALLOW : PASS;
      case BACKEND.bindComplete:
        if (first === REPLY.bind) this.#pop();
        return PASS;
      case BACKEND.parameterDescription:
        return first === REPLY.describeInjected ? SWALLOW : PASS;
      case BACKEND.rowDescription:
      case BACKEND.noData:
        return this.#onColumns(first);
      case BACKEND.commandComplete:
        this.#isCopying = false;
        if (first === REPLY.execute) this.#pop();
        return PASS;
      case BACKEND.emptyQueryResponse:
      case BACKEND.portalSuspended:
        if (first === REPLY.execute) this.#pop();
        return PASS;
    }
    return PASS;
  }

  /**
   * Whether an answer of the gateway's own is due now; it is taken off the queue.
   *
   * @returns {@linkcode REPLY.parseOmitted}, {@linkcode REPLY.closeOmitted} or 0.
   */
  takeOmitted(): number {
    if (!this.isOmittedFirst) return 0;
    const first = this.first;
    this.#pop();
    return first;
  }

  #onOwn(tag: number): number {
    // A parameter's change is the client's business, whoever caused it: see parameters.ts.
    if (tag === BACKEND.parameterStatus || tag === BACKEND.notificationResponse) return PASS;
    if (tag === BACKEND.readyForQuery) this.#pop();
    return SWALLOW;
  }

  #onColumns(first: number): number {
    if (first !== REPLY.describe && first !== REPLY.describeInjected) return PASS;
    this.#answeredListener = this.#ring.listenerAt(0);
    this.#pop();
    return first === REPLY.describe ? PASS : SWALLOW;
  }

  /** Who is to be told of the RowDescription or NoData that has just come. */
  takeListener(): ColumnsListener | undefined {
    const listener = this.#answeredListener;
    this.#answeredListener = undefined;
    return listener;
  }

  #onReadyForQuery(): void {
    this.#isCopyIn = false;
    this.#isCopying = false;
    this.#isSkipping = false;
    while (this.#ring.length > 0) {
      const kind = this.first;
      const number = this.#ring.numberAt(0);
      this.#pop();
      if (!isRequest(kind)) continue;
      this.#answers = number;
      this.#statusEntry = this.doneCount;
      if (this.#ring.length === 0 || this.doneCount >= this.#lastOpening) {
        this.#mayBeUnsynced = false;
      }
      // PostgreSQL 18 is left in an odd state by a Query that was executed before a Sync was due.
      if (number === this.#unsyncedQuery) this.#isUncertain = true;
      return;
    }
  }

  #onError(first: number): void {
    this.#failedEntry = this.doneCount + 1;
    if (this.#isCopying && this.#ignoredSyncs > 0) this.#isUncertain = true;
    this.#isCopyIn = false;
    this.#isCopying = false;
    // An error ends a Query by itself; its ReadyForQuery follows.
    this.#failedThrough = first === 0 ? this.#answers : this.#ring.numberAt(0);
    if (first === REPLY.query || first === 0) return;
    if (first === REPLY.sync) return; // a deferred constraint: commits happen at Sync
    let count = 0;
    while (count < this.#ring.length && this.#ring.kindAt(count) !== REPLY.sync) count += 1;
    const left = this.#ring.length - count;
    for (let i = count - 1; i >= 0; i--) this.#ring.undoAt(i)?.(i === 0);
    this.#isSkipping = left === 0;
    this.#failedThrough = left === 0 ? this.#requests + 1 : this.#ring.numberAt(count);
    const answers = this.#clientAnswers;
    while (this.#ring.length > left) this.#pop();
    this.#clientAnswers = answers; // what is skipped is not answered
  }

  /** The server ignores every Sync up to the end of the copy. */
  #onCopyIn(): void {
    let kept = 0;
    let i = 0;
    this.#isCopyIn = true;
    this.#isCopying = true;
    this.#ignoredSyncs = 0;
    for (; i < this.#ring.length && this.#isCopyIn; i++) {
      const kind = this.#ring.kindAt(i);
      if (kind === REPLY.copyEnd) this.#isCopyIn = false;
      else if (kind === REPLY.sync) {
        this.#ignoredSyncs += 1;
        this.#requestsDue -= 1;
      } else this.#ring.move(i, kept++);
    }
    for (; i < this.#ring.length; i++) this.#ring.move(i, kept++);
    this.#entries -= this.#ring.length - kept; // so that what is left does not seem to be done
    this.#ring.truncate(kept);
  }

  #pop(): void {
    const kind = this.#ring.kindAt(0);
    if (IS_CLIENTS[kind] === 1) this.#clientAnswers += 1;
    if (isRequest(kind)) this.#requestsDue -= 1;
    this.#ring.shift();
    // A copy's end matters only to the copy before it.
    while (this.first === REPLY.copyEnd) this.#ring.shift();
  }
}
