/**
 * What messages of a server mean to a hooked session: which hooks are told, what the client gets
 * instead, and what has ended.
 *
 * @module
 */

import { concat, isEqual, textOf, utf8 } from "../../base/bytes.ts";
import { FIELD, type HookEvent, IS } from "../../hooks/event.ts";
import { CAN, HOOK, HOOKS } from "../../hooks/hooks.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { errorFieldsOf, errorResponse, readyForQuery } from "../wire/messages.ts";
import { BACKEND, STATUS_FAILED, STATUS_IDLE } from "../wire/tags.ts";
import type { ClientState } from "./client_state.ts";
import { type HookCalls, NOT_MEASURED } from "./hook_calls.ts";
import { ENTRY, type Entry, errorInstead, hides, isMade } from "./entry.ts";
import type { Pipeline } from "./pipeline.ts";
import { countMessages, eachMessage, mayReplace } from "./replacement.ts";

/** What is asked of the session. */
export interface ServerMessagesOwner {
  /** A plugin wants the session ended. */
  close(plugin: string): void;
  /** A plugin's result cannot be used. */
  refuse(why: string): void;
}

const NOTHING = new Uint8Array();

/** What a server says to a query in a transaction that has failed. */
const TRANSACTION_FAILED = errorResponse({
  severity: "ERROR",
  sqlState: "25P02", // in_failed_sql_transaction
  message: "current transaction is aborted, commands ignored until end of transaction block",
});

/** One session's messages from servers. */
export class ServerMessages {
  readonly #calls: HookCalls;
  readonly #pipeline: Pipeline;
  readonly #state: ClientState;
  readonly #owner: ServerMessagesOwner;
  #transactionStartedMs: number | undefined;
  /** Something has run since the last ReadyForQuery. */
  #hasRun = false;

  constructor(calls: HookCalls, state: ClientState, owner: ServerMessagesOwner) {
    this.#calls = calls;
    this.#pipeline = calls.pipeline;
    this.#state = state;
    this.#owner = owner;
  }

  /** The start of a large message that nobody wants to see. @returns Whether nobody gets it. */
  onPassed(tag: number, entry: Entry | undefined): boolean {
    if (entry === undefined) return false;
    if (tag === BACKEND.dataRow) entry.rows += 1;
    else if (tag !== BACKEND.rowDescription) entry.capture?.drop();
    const isHidden = hides(entry, tag, NOTHING);
    this.#pipeline.advance(tag, entry);
    return isHidden;
  }

  /**
   * A whole message, or `count` whole DataRows.
   *
   * @returns What the client gets instead; undefined for the message itself.
   */
  onMessage(tag: number, message: Uint8Array, count: number): Uint8Array | undefined {
    const entry = this.#pipeline.find(tag);
    const bytes = this.#bytesFor(tag, message, entry, count);
    if (tag === BACKEND.dataRow && entry !== undefined) entry.rows += count;
    if (tag === BACKEND.rowDescription) this.#onColumns(message, entry);
    if (entry?.capture !== undefined) this.#capture(tag, bytes, entry);
    const status = tag === BACKEND.readyForQuery ? message[HEADER_SIZE]! : 0;
    this.#onEnd(tag, message, entry, bytes, status);
    this.#pipeline.advance(tag, entry, status);
    return bytes === message ? undefined : bytes;
  }

  /**
   * A whole message that nobody wants to see, or `count` whole DataRows: a view of it is spared.
   *
   * @param status What a ReadyForQuery says; 0 for other messages.
   * @returns Whether the client gets it; undefined if it has to be seen nevertheless.
   */
  onUnseen(tag: number, count: number, status: number): boolean | undefined {
    const entry = this.#pipeline.find(tag);
    if (entry?.capture !== undefined) return undefined;
    if (tag === BACKEND.dataRow && entry !== undefined) entry.rows += count;
    const isShown = entry === undefined || !hides(entry, tag, NOTHING);
    this.#onEnd(tag, NOTHING, entry, NOTHING, status);
    this.#pipeline.advance(tag, entry, status);
    return isShown;
  }

  /**
   * The whole answer to all that is owed, which nobody wants to see.
   *
   * @param status What its ReadyForQuery says.
   */
  onUnseenAnswer(status: number): void {
    const entry = this.#pipeline.first;
    this.#onRun(entry);
    this.#onClosed(entry);
    this.#onReady(status, entry);
    this.#pipeline.advance(BACKEND.readyForQuery, entry, status);
  }

  /**
   * The same of a Query that came alone, of which the pipeline knows nothing.
   *
   * @param request Its number.
   */
  onLoneAnswer(request: number, status: number): void {
    this.#pipeline.status = status;
    if (status === STATUS_IDLE) {
      this.#state.onIdle(request);
      this.#transactionStartedMs = undefined;
    } else this.#transactionStartedMs ??= NOT_MEASURED;
  }

  /** What the client gets. */
  #bytesFor(
    tag: number,
    message: Uint8Array,
    entry: Entry | undefined,
    count: number,
  ): Uint8Array {
    if (tag === BACKEND.authentication || tag === BACKEND.backendKeyData) return message;
    if (entry !== undefined) {
      if (hides(entry, tag, message)) return NOTHING;
      const error = tag === BACKEND.errorResponse ? errorInstead(entry, message) : undefined;
      if (error !== undefined) return this.#callFromPlugin(error, entry);
    }
    return this.#callHooks(tag, message, entry, count);
  }

  /** A plugin's answer is due. @returns What the client gets. */
  onLocal(entry: Entry): Uint8Array {
    const { status } = this.#pipeline;
    if (entry.kind === ENTRY.sync) return this.#localReady(entry);
    const isRefused = status === STATUS_FAILED && entry.local![0] !== BACKEND.errorResponse;
    const answer = isRefused ? TRANSACTION_FAILED : entry.local!;
    const isError = answer[0] === BACKEND.errorResponse;
    if (isError && entry.kind >= ENTRY.parse) this.#pipeline.skipLocally();
    if (isError) this.#onRefused(entry);
    if (entry.kind === ENTRY.parse && entry.query !== undefined) {
      if (isError) this.#state.failed(entry.query);
      else this.#state.prepared(entry.query);
    }
    const bytes = this.#callFromPlugin(answer, entry);
    if (isError) this.#onQueryEnd(entry, undefined, bytes, true);
    else if (entry.kind === ENTRY.query || entry.kind === ENTRY.execute) {
      this.#onQueryEnd(entry, entry.localTag, undefined, true);
    }
    if (entry.kind !== ENTRY.query) return bytes;
    this.#onClosed(entry);
    return concat(bytes, this.#localReady(entry));
  }

  #localReady(entry: Entry): Uint8Array {
    const { status } = this.#pipeline;
    const ready = readyForQuery(status);
    this.#callFromPlugin(ready, entry);
    this.#onReady(status, entry);
    return ready;
  }

  // Hooks -----------------------------------------------------------------------------------------

  #callHooks(
    tag: number,
    message: Uint8Array,
    entry: Entry | undefined,
    count: number,
  ): Uint8Array {
    const { chain } = this.#calls;
    let bytes = message;
    if (chain.wantsType(HOOK.onTrafficFromServer, tag)) {
      bytes = this.#call(HOOK.onTrafficFromServer, tag, bytes, entry, count);
    }
    if (tag === BACKEND.dataRow && chain.wants[HOOK.onRow] === 1 && bytes.length > 0) {
      bytes = this.#call(HOOK.onRow, tag, bytes, entry, countMessages(bytes, tag));
    }
    if (tag === BACKEND.errorResponse && chain.wants[HOOK.onError] === 1) {
      bytes = this.#call(HOOK.onError, tag, bytes, entry, 0);
    }
    if (chain.wantsType(HOOK.onTrafficToClient, tag) && bytes.length > 0) {
      this.#call(HOOK.onTrafficToClient, tag, bytes, entry, count);
    }
    return bytes;
  }

  /** Messages that a plugin made, and the gateway because of one. */
  #callFromPlugin(messages: Uint8Array, entry: Entry): Uint8Array {
    const { chain } = this.#calls;
    let bytes = messages;
    const tag = bytes[0];
    if (tag === BACKEND.errorResponse && chain.wants[HOOK.onError] === 1) {
      bytes = this.#call(HOOK.onError, tag, bytes, entry, 0, IS.fromPlugin);
    }
    if (chain.wants[HOOK.onTrafficToClient] === 1) {
      eachMessage(bytes, (message) => {
        const type = message[0]!;
        if (!chain.wantsType(HOOK.onTrafficToClient, type)) return;
        this.#call(HOOK.onTrafficToClient, type, message, entry, 1, IS.fromPlugin);
      });
    }
    return bytes;
  }

  /** @returns What takes the message's place, or the message. */
  #call(
    hook: number,
    tag: number,
    message: Uint8Array,
    entry: Entry | undefined,
    count: number,
    flags = 0,
  ): Uint8Array {
    const event = this.#calls.event(hook, HOOKS[hook - 1]!.can | flags, message, tag);
    this.#calls.describeEntry(event, entry);
    event.rows = tag === BACKEND.dataRow ? count : 0;
    if (tag === BACKEND.errorResponse) describeError(event, message);
    const verdict = this.#calls.run(event);
    if (verdict.kind === "close") {
      this.#owner.close(verdict.plugin);
      return NOTHING;
    }
    if (verdict.kind === "reject") {
      this.#owner.refuse(verdict.rejection.message); // its failure policy is to let nothing pass
      return NOTHING;
    }
    const { payload } = event;
    if (payload === message || (event.flags & CAN.replace) === 0) return message;
    if (mayReplace(tag, payload)) return payload;
    const type = String.fromCharCode(tag);
    this.#owner.refuse(`what a plugin puts in the place of a message of type "${type}" is none`);
    return NOTHING;
  }

  // What has ended --------------------------------------------------------------------------------

  #onColumns(message: Uint8Array, entry: Entry | undefined): void {
    if (entry === undefined || !this.#calls.wants(HOOK.onRow)) return;
    if (entry.kind === ENTRY.describe && entry.query !== undefined) {
      const { columns } = entry.query;
      if (columns === undefined || !isEqual(columns, message)) {
        entry.query.columns = message.slice();
      }
    } else {
      entry.columns = this.#calls.remember(message);
    }
  }

  #capture(tag: number, bytes: Uint8Array, entry: Entry): void {
    const capture = entry.capture!;
    switch (tag) {
      case BACKEND.rowDescription:
      case BACKEND.dataRow:
        return capture.add(bytes);
      case BACKEND.commandComplete:
        capture.add(bytes);
        capture.onCommand();
        if (entry.kind === ENTRY.execute) capture.finish();
        return;
      case BACKEND.readyForQuery:
        return capture.finish();
      case BACKEND.noticeResponse:
      case BACKEND.parameterStatus:
      case BACKEND.notificationResponse:
      case BACKEND.noData:
        return;
    }
    capture.drop();
  }

  /**
   * @param message Looked at only where its type is one that is always seen (see `isSeen` in
   * to_client.ts).
   * @param bytes What the client gets.
   */
  #onEnd(
    tag: number,
    message: Uint8Array,
    entry: Entry | undefined,
    bytes: Uint8Array,
    status: number,
  ): void {
    switch (tag) {
      case BACKEND.parameterStatus:
        return this.#calls.facts.onParameterStatus(message);
      case BACKEND.parseComplete:
        if (entry?.query !== undefined) this.#state.prepared(entry.query);
        return this.#onClosed(entry); // if nobody has looked at it
      case BACKEND.bindComplete:
      case BACKEND.closeComplete:
        if (entry?.portal !== undefined) {
          this.#state.portalDone(entry.portal, this.#pipeline.status);
        }
        return this.#onClosed(entry);
      case BACKEND.errorResponse:
        this.#onRun(entry);
        if (entry?.error !== undefined) this.#onRefused(entry);
        if (entry?.isMuted === true || entry?.kind === ENTRY.functionCall) return;
        return this.#onQueryEnd(entry, undefined, bytes, isMade(entry, message));
      case BACKEND.commandComplete: {
        this.#onRun(entry);
        if (entry?.isMuted === true || !this.#calls.wants(HOOK.onQueryEnd)) return;
        const tagText = textOf(message.subarray(HEADER_SIZE, message.length - 1));
        this.#onQueryEnd(entry, tagText, undefined);
        if (entry !== undefined) entry.rows = 0; // the next statement of the same text
        return;
      }
      case BACKEND.emptyQueryResponse:
      case BACKEND.portalSuspended:
        this.#onRun(entry);
        if (entry?.isMuted !== true) this.#onQueryEnd(entry, "", undefined);
        return;
      case BACKEND.readyForQuery:
        if (entry?.kind === ENTRY.functionCall) this.#onRun(entry);
        this.#onClosed(entry);
        return this.#onReady(status, entry);
    }
  }

  #onClosed(entry: Entry | undefined): void {
    if (entry?.closing !== undefined) this.#state.closed(entry.closing);
  }

  /** A plugin has refused it, as the client now knows. */
  #onRefused(entry: Entry): void {
    const prepared = entry.prepares?.query;
    if (prepared !== undefined) this.#state.prepared(prepared);
    this.#onClosed(entry);
    entry.prepares = entry.closing = undefined;
    entry.isRefused = true;
  }

  /** Something has run: if no transaction was open, one is now. */
  #onRun(entry: Entry | undefined): void {
    this.#hasRun = true;
    this.#transactionStartedMs ??= entry?.startedMs;
  }

  /** @param error The ErrorResponse that ended it. */
  #onQueryEnd(
    entry: Entry | undefined,
    tag: string | undefined,
    error: Uint8Array | undefined,
    isMade = false,
  ): void {
    if (entry === undefined || !this.#calls.wants(HOOK.onQueryEnd)) return;
    const event = this.#calls.event(HOOK.onQueryEnd, isMade ? IS.fromPlugin : 0, NOTHING, 0);
    this.#calls.describeEntry(event, entry);
    event.durationUs = this.#calls.durationUs(entry.startedMs);
    event.rows = entry.rows;
    if (tag !== undefined) event.fields.set(FIELD.commandTag, utf8(tag));
    if (error !== undefined) describeError(event, error);
    this.#calls.run(event);
  }

  /** @param status As the server says it is now; the pipeline still has what it was. */
  #onReady(status: number, entry: Entry | undefined): void {
    const before = this.#pipeline.status;
    const startedMs = this.#transactionStartedMs;
    const isOver = status === STATUS_IDLE && (before !== STATUS_IDLE || this.#hasRun);
    const hasFailed = status === STATUS_FAILED && before !== STATUS_FAILED;
    if (status === STATUS_IDLE) {
      if (entry !== undefined) this.#state.onIdle(entry.request);
      this.#transactionStartedMs = undefined;
    }
    this.#hasRun = false;
    if (before === 0 || !(isOver || hasFailed)) return;
    if (!this.#calls.wants(HOOK.onTransactionEnd)) return;
    const event = this.#calls.event(HOOK.onTransactionEnd, 0, NOTHING, 0);
    this.#calls.describeEntry(event, entry);
    event.transactionStatus = status;
    if (startedMs !== undefined) event.durationUs = this.#calls.durationUs(startedMs);
    this.#calls.run(event);
  }
}

function describeError(event: HookEvent, message: Uint8Array): void {
  const fields = errorFieldsOf(message);
  event.fields.set(FIELD.sqlstate, utf8(fields.get("C") ?? ""));
  event.fields.set(FIELD.message, utf8(fields.get("M") ?? ""));
}
