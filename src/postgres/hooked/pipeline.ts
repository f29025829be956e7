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

import { BACKEND, STATUS_FAILED, STATUS_IDLE } from "../wire/tags.ts";
import { ENTRY, type Entry, isLead } from "./entry.ts";

/** Entries: a client that pipelines more waits for answers first. */
export const ENTRIES_MAX = 16_384;

/** Bytes of queries that wait for their answers; beyond it, a client waits, too. */
const TEXTS_SIZE_MAX = 32 * 1024 * 1024;

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
  #textsSize = 0;
  /** Entries that the server answers. */
  #servers = 0;
  /** The newest entries that only prepare what has not been asked for yet. */
  #lead = 0;
  #isSkipping = false;
  #isCopyIn = false;
  #cycle = 0;
  /** As the server said last; 0 before it has said anything. */
  status = 0;
  /** The newest entries that somebody holds back: a plugin's answer to them is not due. */
  held = 0;
  /** Told of what is not answered, because of an error before it, and of what has failed. */
  onSkipped: (entry: Entry) => void = () => {};

  get length(): number {
    return this.#entries.length - this.#head;
  }

  /** True if nothing is owed, and nothing skipped. */
  get isEmpty(): boolean {
    return this.length === 0 && !this.#isSkipping;
  }

  /** True while everything up to the next Sync is skipped. */
  get isSkipping(): boolean {
    return this.#isSkipping;
  }

  /** How many Syncs there have been: an error behind one does not skip what is behind the next. */
  get cycle(): number {
    return this.#cycle;
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
    return this.length >= ENTRIES_MAX || this.#textsSize >= TEXTS_SIZE_MAX;
  }

  /** True if nothing is on its way that could change the transaction, or fail. */
  get isSettled(): boolean {
    return this.length === this.#lead && !this.#isSkipping;
  }

  /** True if a message is on its way that is answered with ReadyForQuery. */
  get isRequestDue(): boolean {
    return this.#entries.some(({ kind }, i) => i >= this.#head && endsWithReady(kind));
  }

  /** True if the transaction has failed, and nothing is on its way that could end that. */
  get hasFailed(): boolean {
    return this.status === STATUS_FAILED && this.isSettled;
  }

  /** True if nobody is in a transaction, and no server could begin one. */
  get isIdle(): boolean {
    return this.#servers === 0 && !this.#isSkipping && this.status === STATUS_IDLE;
  }

  /** The entry that an answer belongs to, if one is due. */
  get first(): Entry | undefined {
    return this.#entries[this.#head];
  }

  /** The entry that was made last. */
  get last(): Entry | undefined {
    return this.length === 0 ? undefined : this.#entries.at(-1);
  }

  /** True if all that is owed is a server's answer to one Query, which passes as it is. */
  get owesPlainAnswer(): boolean {
    const first = this.first;
    return this.length === 1 && first !== undefined && first.kind === ENTRY.query &&
      first.local === undefined && first.capture === undefined && !first.isOwn && !first.isMuted;
  }

  /** The number of a request that has come. */
  takeNumber(): number {
    this.#requests += 1;
    return this.#requests;
  }

  push(entry: Entry): void {
    const { kind } = entry;
    if (kind === ENTRY.sync) this.#cycle += 1;
    if (this.#isSkipping) {
      if (kind !== ENTRY.sync) return this.onSkipped(entry);
      this.#isSkipping = false;
    }
    if (kind === ENTRY.sync && this.#isCopyIn) return; // ignored by the server
    if (kind === ENTRY.copyEnd) {
      const isNow = this.#isCopyIn;
      this.#isCopyIn = false;
      if (isNow || this.length === 0) return;
    }
    this.#entries.push(entry);
    this.#count(entry, 1);
    this.#lead = isLead(kind) ? this.#lead + 1 : 0;
  }

  /** Takes back the newest entries, as far as they are these. */
  retract(entries: readonly Entry[]): void {
    for (let i = entries.length - 1; i >= 0 && this.last === entries[i]; i--) {
      this.#entries.length -= 1;
      this.#count(entries[i]!, -1);
      this.#lead = Math.max(0, this.#lead - 1);
    }
  }

  /** The copy that is under way, or that the client takes for begun, is to fail with this error. */
  failCopy(error: Uint8Array): void {
    const entry = this.#isCopyIn ? this.first : this.#entries.slice(this.#head).findLast(
      ({ kind }) => kind === ENTRY.query || kind === ENTRY.execute,
    );
    if (entry !== undefined) entry.copyError ??= error;
  }

  /**
   * A message has come from the server.
   *
   * @returns What it answers, if anybody asked for it.
   */
  find(tag: number): Entry | undefined {
    if (tag === BACKEND.notificationResponse) return undefined;
    if (!isUnasked(tag)) this.#align(tag);
    return this.first;
  }

  /** The message that {@linkcode Pipeline.find} was asked for has been passed on. */
  advance(tag: number, entry: Entry | undefined, status = 0): void {
    switch (tag) {
      case BACKEND.readyForQuery:
        this.#isCopyIn = this.#isSkipping = false;
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
        if (entry !== undefined) entry.isCopying = false;
        if (entry?.kind === ENTRY.execute) this.#shift();
        return;
      case BACKEND.rowDescription:
        if (entry?.kind === ENTRY.describe) this.#shift();
    }
  }

  /** Takes off a plugin's answer, if one is due. */
  takeLocal(): Entry | undefined {
    const first = this.first;
    if (first?.local === undefined || this.length <= this.held) return undefined;
    this.#shift();
    return first;
  }

  /**
   * A plugin has answered with an error in the extended protocol: the rest is not answered. What a
   * server has got of it, it answers nevertheless, and nobody hears that.
   */
  skipLocally(): void {
    const rest = this.#entries.slice(this.#head);
    const sync = rest.findIndex(({ kind }) => kind === ENTRY.sync);
    const end = sync < 0 ? rest.length : sync;
    const kept = rest.filter((entry, index) => {
      if (index >= end) return true;
      entry.isMuted = entry.local === undefined;
      this.onSkipped(entry);
      entry.capture = undefined;
      if (!entry.isMuted) this.#count(entry, -1);
      return entry.isMuted;
    });
    this.#isSkipping = sync < 0;
    this.#reset(kept);
  }

  /** Everything up to the next Sync is skipped. */
  #skip(): void {
    while (this.length > 0 && this.first!.kind !== ENTRY.sync) {
      this.onSkipped(this.first!);
      this.#shift();
    }
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
    if (tag === BACKEND.readyForQuery) return;
    while (this.first?.kind === ENTRY.sync && this.first.local === undefined) this.#shift();
  }

  #onCopyIn(): void {
    this.#isCopyIn = true;
    const [first, ...rest] = this.#entries.slice(this.#head);
    if (first === undefined) return;
    first.isCopying = true;
    const kept = [first];
    for (const entry of rest) {
      const { kind, local } = entry;
      const isIgnored = this.#isCopyIn && kind === ENTRY.sync && local === undefined;
      const isEnd = this.#isCopyIn && kind === ENTRY.copyEnd;
      if (isEnd) this.#isCopyIn = false;
      if (isIgnored || isEnd) this.#count(entry, -1);
      else kept.push(entry);
    }
    this.#reset(kept);
  }

  #reset(entries: Entry[]): void {
    this.#entries = entries;
    this.#head = 0;
    this.#lead = Math.min(this.#lead, entries.length);
  }

  #shift(): void {
    this.#shiftOne();
    // It matters only to the copy before it.
    while (this.first?.kind === ENTRY.copyEnd) this.#shiftOne();
  }

  #shiftOne(): void {
    if (this.length === 0) return;
    this.#count(this.first!, -1);
    this.#head += 1;
    if (this.#head === 1 && this.#entries.length === 1) { // nothing pipelined
      this.#entries.pop(); // which is faster than a new length
      this.#head = 0;
    } else if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head > 1_024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    if (this.#lead > this.length) this.#lead = this.length;
  }

  #count({ kind, local, query }: Entry, by: 1 | -1): void {
    if (local === undefined) this.#servers += by;
    else this.#localSize += by * local.length;
    if (kind === ENTRY.query) this.#textsSize += by * (query?.text.length ?? 0);
  }
}

/** Messages that come whenever they like. An error may also answer what is due. */
function isUnasked(tag: number): boolean {
  switch (tag) {
    case BACKEND.errorResponse:
    case BACKEND.noticeResponse:
    case BACKEND.parameterStatus:
      return true;
  }
  return false;
}
