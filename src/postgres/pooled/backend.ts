/**
 * A server connection that is authenticated already and works for one session after another. It
 * frames what the server sends, keeps account of what the server owes, and hands the session what
 * is the client's.
 *
 *     idle <-> leased -> cleaning -> idle         any of them -> closing -> gone
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { messageOf } from "../../base/errors.ts";
import type { Socket } from "../../net/socket.ts";
import type { CancelResult, CancelTarget } from "../cancel.ts";
import { RequestClock } from "../request_clock.ts";
import { ProtocolError } from "../wire/errors.ts";
import { CLOSE_COMPLETE, PARSE_COMPLETE, query } from "../wire/extended_messages.ts";
import { Framer } from "../wire/framer.ts";
import { readDataRow, readReadyForQuery, TERMINATE } from "../wire/messages.ts";
import { BACKEND, IS_BACKEND_TAG, STATUS_FAILED, STATUS_IDLE } from "../wire/tags.ts";
import { BackendCleaner } from "./backend_cleaner.ts";
import type { BackendOwner, BackendParts, BackendState } from "./backend_parts.ts";
import { CancelHolds } from "./cancel_holds.ts";
import { ClientOutlet } from "./client_outlet.ts";
import { OwnQueries, type OwnResult } from "./own_queries.ts";
import { parameterStatusOf, readParameterStatus } from "./parameters.ts";
import type { ServerParameters } from "./server_parameters.ts";
import { REPLY } from "./reply_kinds.ts";
import { PASS, ReplyQueue, SWALLOW } from "./reply_queue.ts";
import { ServerStatements, type UnnamedStatement } from "./statements.ts";

/** One pooled server connection, from its first ReadyForQuery on. */
export class Backend {
  readonly #parts: BackendParts;
  readonly #socket: Socket;
  readonly #framer: Framer;
  readonly #cleaner: BackendCleaner;
  readonly #clock: RequestClock;
  readonly #own = new OwnQueries();
  readonly #outlet: ClientOutlet;
  #state: BackendState = "idle";
  #owner: BackendOwner | undefined;
  #status = STATUS_IDLE;
  #isSwallowing = false;
  #isOwnAnswered = false;
  /** The client is not told of an error, nor of the ReadyForQuery behind it. */
  #isRetrying = false;
  readonly #cancels = new CancelHolds();
  /** The last message was FATAL or PANIC, and the client has it. */
  #hasSaidWhy = false;

  readonly outgoing: Pick<Socket, "isSending" | "whenSent">;
  readonly replies = new ReplyQueue();
  readonly parameters: ServerParameters;
  readonly reported: ReadonlyMap<string, string>;
  readonly cancelTarget: CancelTarget;
  readonly statements: ServerStatements;
  /** What a Bind of the unnamed statement means now; undefined if it is nobody's that is known. */
  unnamed: UnnamedStatement | undefined;
  /** Statements that clients prepared by SQL, under their own names. */
  readonly sqlStatements = new Map<string, Uint8Array>();
  /** Something was left behind that only the reset query removes. */
  isDirty = false;

  /** @param socket Logged in; what it still holds is shown to the new handler. */
  constructor(parts: BackendParts, socket: Socket) {
    this.#parts = parts;
    this.#socket = this.outgoing = socket;
    ({ parameters: this.parameters, reported: this.reported } = parts);
    this.cancelTarget = parts.cancelTarget;
    this.statements = new ServerStatements(Math.max(1, parts.preparedStatementsMax));
    this.#framer = new Framer(parts.messageSizeMax, IS_BACKEND_TAG);
    this.#outlet = new ClientOutlet(parts.cells);
    this.#clock = new RequestClock(parts.clock, parts.cells, parts.load);
    this.#cleaner = new BackendCleaner(this, parts, () => this.#becomeIdle());
    socket.setHandler({
      onData: (view) => this.#onData(view),
      onEnd: () => this.#onEnd(),
      onClose: (error) => this.#onClose(error),
    });
  }

  get isInTransaction(): boolean {
    return this.#status !== STATUS_IDLE;
  }

  /** The server refuses all but the transaction's end. */
  get isInFailedTransaction(): boolean {
    return this.#status === STATUS_FAILED;
  }

  get isQuiet(): boolean {
    return this.#status === STATUS_IDLE && this.replies.isEmpty;
  }

  /** True while a CancelRequest is on its way to it, which must not hit the next session. */
  get isBeingCancelled(): boolean {
    return this.#cancels.isAny;
  }

  /** True while the last answer waits for its client to take it. */
  get isClientBehind(): boolean {
    return this.#outlet.isBehind;
  }

  /** False while a large message is on its way to the client. */
  get isClientBetweenMessages(): boolean {
    return this.#framer.isBetweenMessages;
  }

  /** A session has it from now on. */
  attach(owner: BackendOwner): void {
    assert(this.#state === "idle", "a server connection serves one session at a time");
    this.#setOwner(owner);
    this.#setState("leased");
  }

  /** The session is done with it, and it is quiet and clean: it is free for the next one. */
  detach(): void {
    assert(this.isQuiet, "a server connection that owes answers stays with its session");
    this.#setOwner(undefined);
    if (this.replies.isUncertain) return this.close("how much it has answered is not certain");
    this.#becomeIdle();
  }

  /**
   * The session is over, whatever runs: the client went in the middle of a message, or between two.
   * @param isTerminated Whether it said so: what runs is meant to run to its end.
   */
  abandon(isBetweenMessages: boolean, isTerminated: boolean): void {
    if (this.#state !== "leased") return;
    this.#setOwner(undefined);
    this.#isRetrying = false;
    this.#setState("cleaning");
    this.#cleaner.begin(isBetweenMessages, isTerminated);
  }

  /** Ends it. */
  close(reason: string): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    if (this.#state === "idle") this.#socket.write(TERMINATE);
    this.#setState("closing");
    this.#parts.onClosing(this, reason);
    this.#socket.end();
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Something is asked that is answered with ReadyForQuery: the clock of the query runs. */
  startClock(): void {
    if (this.replies.isEmpty) this.#clock.start();
  }

  /** Since when the server works, or undefined if it does not. */
  get busySinceMs(): number | undefined {
    return this.replies.isEmpty ? undefined : this.#clock.startedMs;
  }

  /** Runs a query of the gateway's own behind what is on its way. */
  run(text: Uint8Array, onResult: (result: OwnResult) => void): void {
    this.unnamed = undefined; // a Query ends it
    this.runMessages(query(text), onResult);
  }

  /** As `run`, with any messages that are answered with one ReadyForQuery. */
  runMessages(messages: Uint8Array, onResult: (result: OwnResult) => void): void {
    this.startClock();
    this.replies.push(REPLY.own);
    this.#own.push(onResult);
    this.#socket.write(messages);
  }

  /** Keeps it from changing hands until what is returned is told of the cancel. */
  holdForCancel(): (result: CancelResult) => void {
    return this.#cancels.hold(() => {
      if (this.#state === "cleaning") this.#cleaner.goOn();
      else this.#owner?.guard(() => this.#owner?.onReleasable());
    });
  }

  /** What has been done to its session is not known, and the reset query may not undo it. */
  distrust(): void {
    this.isDirty = true;
    this.parameters.mayHaveChanged = true;
  }

  /** DISCARD ALL has run: the server is as it was after its login. */
  onDiscarded(): void {
    this.statements.clear();
    this.sqlStatements.clear();
    this.parameters.restore(false);
    this.unnamed = undefined;
  }

  /** Sends the client what the gateway answers by itself, as far as it is due. */
  answerOmitted(): void {
    while (this.isClientBetweenMessages) {
      const omitted = this.replies.takeOmitted();
      if (omitted === 0) return;
      this.#outlet.client?.write(omitted === REPLY.parseOmitted ? PARSE_COMPLETE : CLOSE_COMPLETE);
    }
  }

  // From the server ---------------------------------------------------------------------------

  #onData(view: Uint8Array): number {
    if (this.#state === "closing" || this.#state === "gone") return view.length;
    try {
      const passed = this.#relaysLone(view) ? view.length : this.#relay(view);
      if (this.#owner?.isHeldBack === true) this.#owner.onRoom();
      return passed;
    } catch (error) {
      const owner = this.#owner;
      this.close(messageOf(error));
      owner?.guard(() => owner.onBrokenServer(error, this.isClientBetweenMessages));
      if (owner === undefined && !(error instanceof ProtocolError)) throw error;
      return view.length;
    }
  }

  /** Relays the whole answer to all that is owed. @returns False if it must go the long way. */
  #relaysLone(view: Uint8Array): boolean {
    const isLone = this.#framer.isBetweenMessages && this.#owner?.parameters.mayReport === false &&
      !this.#isRetrying && this.replies.isAnsweredBy(view, this.#parts.messageSizeMax);
    if (!isLone) return false;
    this.replies.onMessage(BACKEND.readyForQuery);
    this.#lookAtReady(view[view.length - 1]!, false);
    this.#outlet.sendLast(view, 0, view.length);
    this.#onReady();
    return true;
  }

  #relay(view: Uint8Array): number {
    const framer = this.#framer;
    let sent = 0;
    let passed = 0;
    framer.begin(view);
    try {
      while (framer.next()) {
        if (framer.isFirst) this.#isSwallowing = this.#look(view) === SWALLOW;
        if (this.#isSwallowing) {
          this.#outlet.send(view, sent, framer.start);
          sent = framer.end;
        }
        passed = framer.end;
        if (!framer.isLast) continue;
        const isReady = framer.tag === BACKEND.readyForQuery;
        if (isReady) this.#outlet.sendLast(view, sent, passed);
        else if (this.replies.isOmittedFirst) this.#outlet.send(view, sent, passed);
        else continue;
        sent = passed;
        this.answerOmitted();
        if (isReady) this.#onReady();
      }
    } finally {
      // What came before a broken message is whole, and the client is told of the break after it.
      this.#outlet.send(view, sent, Math.max(sent, passed));
    }
    return passed;
  }

  #look(view: Uint8Array): number {
    const { tag, start, end, isLast } = this.#framer;
    const { first, clientAnswerCount } = this.replies;
    const isOwn = first === REPLY.own;
    const verdict = this.replies.onMessage(tag);
    switch (tag) {
      case BACKEND.readyForQuery:
        this.#lookAtReady(readReadyForQuery(view.subarray(start, end)), isOwn);
        if (this.#isRetrying && !isOwn) return SWALLOW;
        if (isOwn) break;
        if (this.#outlet.reportsMore(this.#owner?.parameters, this, view, start)) return SWALLOW;
        break;
      case BACKEND.parameterStatus:
        return isLast ? this.#onParameterStatus(view.subarray(start, end), isOwn) : verdict;
      case BACKEND.errorResponse:
        if (isOwn) this.#own.onError(view.slice(start, end));
        else return this.#onErrorResponse(view, isLast ? clientAnswerCount : undefined);
        break;
      case BACKEND.dataRow:
        if (isOwn && isLast) this.#own.onRow(readDataRow(view.subarray(start, end)));
        break;
      case BACKEND.copyInResponse:
        if (this.#state === "cleaning") this.#cleaner.onCopyIn();
        break;
      case BACKEND.rowDescription:
      case BACKEND.noData:
        this.replies.takeListener()?.(isLast ? view.subarray(start, end) : undefined);
        break;
    }
    return this.#owner === undefined ? SWALLOW : verdict;
  }

  #lookAtReady(status: number, isOwn: boolean): void {
    this.#status = status;
    this.#isOwnAnswered = isOwn;
    const isClients = !isOwn && this.#owner !== undefined && !this.#isRetrying;
    if (!isOwn) this.#owner?.beforeReady();
    this.#clock.stop(isClients, this.isInTransaction);
    this.replies.counts.report(this.#parts.cells);
  }

  /** A change reaches the client that caused it, and whoever gets another server's value. */
  #onParameterStatus(bytes: Uint8Array, isOwn: boolean): number {
    const { name, value } = readParameterStatus(bytes);
    if (this.#state === "idle") this.parameters.report(name, value);
    else this.parameters.change(name.toLowerCase(), value);
    if (this.#owner === undefined) return SWALLOW;
    if (isOwn) {
      this.#own.onParameter(name, value);
      return SWALLOW;
    }
    const told = this.#owner.parameters.hear(name, value, this.replies.currentRequest);
    if (told === value) return PASS;
    if (told !== undefined) this.#outlet.replacement = parameterStatusOf(name, told);
    return SWALLOW;
  }

  /** @param answersBefore How much the client was answered; undefined if it cannot be retried. */
  #onErrorResponse(view: Uint8Array, answersBefore: number | undefined): number {
    const { start, end, isLast } = this.#framer;
    const owner = this.#owner;
    const bytes = view.subarray(start, end);
    if (owner === undefined) {
      // Nobody asked, so it is about the connection, such as 57P01: it ends.
      if (this.#state === "idle") this.close("it reported an error to nobody");
      return SWALLOW;
    }
    if (answersBefore !== undefined && owner.retries(bytes, answersBefore)) {
      this.#isRetrying = true;
      return SWALLOW;
    }
    this.#hasSaidWhy = owner.onError(bytes);
    const replaced = isLast ? owner.translateError(bytes) : undefined;
    if (replaced === undefined) return PASS;
    this.#outlet.replacement = replaced;
    return SWALLOW;
  }

  #onReady(): void {
    const isOwn = this.#isOwnAnswered;
    const owner = this.#owner;
    if (isOwn) {
      if (this.replies.first !== REPLY.own) this.#own.tell(owner);
      this.#own.finish();
    } else if (this.#isRetrying) {
      this.#isRetrying = false;
      return this.#owner?.guard(() => this.#owner?.onRetry());
    }
    if (this.#state === "cleaning") return this.#cleaner.goOn();
    // Somebody who got it just now has asked nothing yet.
    const isAsker = owner !== undefined && owner === this.#owner;
    if (isAsker) owner.guard(() => owner.onReady(this.#status, isOwn));
  }

  #becomeIdle(): void {
    const isHit = this.#cancels.mayStillHit;
    if (isHit) return this.close("a cancel for its last session may still hit it");
    this.#setState("idle");
    this.#parts.pool.release(this);
  }

  #onEnd(message = "it closed the connection"): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    const canTell = this.isClientBetweenMessages && !this.#hasSaidWhy;
    this.#setState("closing");
    this.#parts.onLost(this, message);
    this.#socket.end();
    this.#owner?.guard(() => this.#owner?.onLost(canTell));
  }

  #onClose(error: Error | undefined): void {
    this.#onEnd(error?.message);
    if (this.#state === "gone") return;
    this.#cleaner.stop();
    this.#setState("gone");
    this.#parts.pool.gone(this);
  }

  #setOwner(owner: BackendOwner | undefined): void {
    this.#owner = owner;
    this.#outlet.client = owner?.client;
  }

  #setState(to: BackendState): void {
    this.#parts.onState(this.#state, to);
    this.#state = to;
  }
}
