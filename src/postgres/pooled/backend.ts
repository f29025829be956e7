/**
 * A server connection that is authenticated already and works for one session after another. It
 * frames what the server sends, keeps account of what the server owes, and hands the session what
 * is the client's. Between two sessions it makes itself clean: rolls back, resets, and waits for
 * answers that nobody wants any more.
 *
 *     opening -> idle <-> leased -> cleaning -> idle
 *                  \        \          \
 *                   +--------+----------+--> closing -> gone
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import type { Timer } from "../../base/clock.ts";
import type { Socket } from "../../net/socket.ts";
import { POOL_CELL } from "../../observe/counters.ts";
import type { CancelTarget } from "../cancel.ts";
import { ProtocolError } from "../wire/errors.ts";
import { Framer, HEADER_SIZE } from "../wire/framer.ts";
import { copyFail, readDataRow, TERMINATE } from "../wire/messages.ts";
import { BACKEND, IS_BACKEND_TAG } from "../wire/tags.ts";
import type { BackendOwner, BackendParts, BackendState } from "./backend_parts.ts";
import { CLOSE_COMPLETE, nameBytes, PARSE_COMPLETE, query, SYNC } from "./extended_messages.ts";
import { OwnQueries, type OwnResult } from "./own_queries.ts";
import { readParameterStatus, type ServerParameters } from "./parameters.ts";
import { PASS, REPLY, ReplyQueue, SWALLOW } from "./reply_queue.ts";
import { ServerStatements, type UnnamedStatement } from "./statements.ts";

/** ReadyForQuery's transaction status "I": not in a transaction block. */
export const STATUS_IDLE = 0x49;

/** A ReadyForQuery has one byte of body. */
const READY_FOR_QUERY_SIZE = HEADER_SIZE + 1;

/** How long cleaning may take, cancelling included, before the connection is given up. */
const CLEANING_MS_MAX = 5_000;

const NO_ROLLBACK = new Uint8Array();
const ROLLBACK = nameBytes("ROLLBACK");

/** One pooled server connection, from its first ReadyForQuery on. */
export class Backend {
  readonly #parts: BackendParts;
  readonly #socket: Socket;
  readonly #framer: Framer;
  #state: BackendState = "idle";
  #owner: BackendOwner | undefined;
  #status = STATUS_IDLE;
  #isSwallowing = false;
  /** What the client gets in place of the message that is swallowed. */
  #replacement: Uint8Array | undefined;
  #isOwnAnswered = false;
  #requestStartedMs = 0;
  #cleaningTimer: Timer | undefined;
  #cancelsInFlight = 0;
  /** The last message was FATAL or PANIC, and the client has it. */
  #hasSaidWhy = false;
  readonly #own = new OwnQueries();

  /** What the server owes, in order. */
  readonly replies = new ReplyQueue();
  readonly parameters: ServerParameters;
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
    this.#socket = socket;
    this.parameters = parts.parameters;
    this.statements = new ServerStatements(Math.max(1, parts.preparedStatementsMax));
    this.#framer = new Framer(parts.messageSizeMax, IS_BACKEND_TAG);
    socket.setHandler({
      onData: (view) => this.#onData(view),
      onEnd: () => this.#onEnd("it closed the connection"),
      onClose: (error) => this.#onClose(error),
    });
  }

  /** What it reported when it logged in, under its own names. */
  get reported(): ReadonlyMap<string, string> {
    return this.#parts.reported;
  }

  /** How to cancel what it runs. */
  get cancelTarget(): CancelTarget {
    return this.#parts.cancelTarget;
  }

  /** Where it is, for the log. */
  get address(): string {
    return this.#parts.address;
  }

  /** ReadyForQuery's last transaction status. */
  get isInTransaction(): boolean {
    return this.#status !== STATUS_IDLE;
  }

  /** True if nothing is under way on it. */
  get isQuiet(): boolean {
    return this.#status === STATUS_IDLE && this.replies.isEmpty;
  }

  /** True while a CancelRequest is on its way to it, which must not hit the next session. */
  get isBeingCancelled(): boolean {
    return this.#cancelsInFlight > 0;
  }

  /** False while a large message is on its way to the client: nothing else may be sent to it. */
  get isClientBetweenMessages(): boolean {
    return this.#framer.isBetweenMessages;
  }

  /** A session has it from now on. */
  attach(owner: BackendOwner): void {
    assert(this.#state === "idle", "a server connection serves one session at a time");
    this.#owner = owner;
    this.#setState("leased");
  }

  /** The session is done with it, and it is quiet and clean: it is free for the next one. */
  detach(): void {
    assert(this.isQuiet, "a server connection that owes answers stays with its session");
    this.#owner = undefined;
    this.#setState("idle");
    this.#parts.pool.release(this);
  }

  /**
   * The session is over, whatever runs.
   *
   * @param isBetweenMessages False if the client went in the middle of a message.
   */
  abandon(isBetweenMessages: boolean): void {
    if (this.#state !== "leased") return;
    this.#owner = undefined;
    this.#setState("cleaning");
    if (!isBetweenMessages) return this.close("the client left in the middle of a message");
    this.#cleaningTimer = this.#parts.clock.after(
      CLEANING_MS_MAX,
      () => this.close(`it was not clean within ${CLEANING_MS_MAX} ms`),
    );
    if (!this.replies.isEmpty) {
      if (this.#own.isEmpty) this.#cancelAbandoned();
      if (this.replies.isCopyIn) {
        this.#socket.write(copyFail("the client is gone"));
        this.replies.push(REPLY.copyEnd);
      }
      this.#socket.write(SYNC);
      this.replies.push(REPLY.sync);
    }
    this.#clean();
  }

  /** Ends it. */
  close(reason: string): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    if (this.#state === "idle") this.#socket.write(TERMINATE);
    this.#setState("closing");
    this.#parts.onClosing(this, reason);
    this.#socket.end();
  }

  /** Sends the client's bytes. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The client asks something that is answered with ReadyForQuery: the clock of the query runs. */
  startClock(): void {
    if (this.replies.isEmpty) this.#requestStartedMs = this.#parts.clock.nowMs();
  }

  /** Since when the server works for the client, or undefined if it does not. */
  get busySinceMs(): number | undefined {
    return this.replies.isEmpty ? undefined : this.#requestStartedMs;
  }

  /** Runs a query of the gateway's own behind what is on its way. */
  run(text: Uint8Array, onResult: (result: OwnResult) => void): void {
    this.replies.push(REPLY.own);
    this.#own.push(onResult);
    this.#socket.write(query(text));
  }

  /** Keeps it from changing hands until the function that is returned is called. */
  holdForCancel(): () => void {
    this.#cancelsInFlight += 1;
    return () => {
      this.#cancelsInFlight -= 1;
      if (this.#cancelsInFlight > 0) return;
      if (this.#state === "cleaning") this.#clean();
      else this.#owner?.guard(() => this.#owner?.onReady(this.#status));
    };
  }

  // From the server ---------------------------------------------------------------------------

  #onData(view: Uint8Array): number {
    if (this.#state === "closing" || this.#state === "gone") return view.length;
    try {
      return this.#relay(view);
    } catch (error) {
      const owner = this.#owner;
      const canTell = this.isClientBetweenMessages;
      this.close("it broke the protocol");
      if (owner === undefined) this.#parts.onDefect(error);
      else owner.guard(() => owner.onBrokenServer(error, canTell));
      return view.length;
    }
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
          this.#send(view, sent, framer.start);
          sent = framer.end;
        }
        passed = framer.end;
        if (!framer.isLast) continue;
        const isReady = framer.tag === BACKEND.readyForQuery;
        if (isReady || this.replies.isOmittedFirst) {
          this.#send(view, sent, framer.end);
          sent = framer.end;
          this.answerOmitted();
        }
        if (isReady) this.#onReady();
      }
    } finally {
      // What came before a broken message is whole, and the client is told of the break after it.
      this.#send(view, sent, Math.max(sent, passed));
    }
    return passed;
  }

  /** Sends the client what the gateway answers by itself, as far as it is due. */
  answerOmitted(): void {
    for (;;) {
      const omitted = this.replies.takeOmitted();
      if (omitted === 0) return;
      this.#owner?.client.write(omitted === REPLY.parseOmitted ? PARSE_COMPLETE : CLOSE_COMPLETE);
    }
  }

  #look(view: Uint8Array): number {
    const { tag, start, end, isLast } = this.#framer;
    const isOwn = this.replies.first === REPLY.own;
    const verdict = this.replies.onMessage(tag);
    switch (tag) {
      case BACKEND.readyForQuery:
        this.#lookAtReady(view, isOwn);
        break;
      case BACKEND.parameterStatus:
        return isLast ? this.#onParameterStatus(view.subarray(start, end), isOwn) : verdict;
      case BACKEND.errorResponse:
        if (isOwn) this.#own.onError(view.slice(start, end));
        else return this.#onErrorResponse(view, start, end);
        break;
      case BACKEND.dataRow:
        if (isOwn && isLast) this.#own.onRow(readDataRow(view.subarray(start, end)));
        break;
    }
    return this.#owner === undefined ? SWALLOW : verdict;
  }

  #lookAtReady(view: Uint8Array, isOwn: boolean): void {
    const { start, end } = this.#framer;
    if (end - start !== READY_FOR_QUERY_SIZE) throw new ProtocolError("invalid ReadyForQuery");
    this.#status = view[end - 1]!;
    this.#isOwnAnswered = isOwn;
    if (isOwn || this.#owner === undefined) return;
    const { cells, clock } = this.#parts;
    cells.add(POOL_CELL.queries, 1);
    if (this.#status === STATUS_IDLE) cells.add(POOL_CELL.transactions, 1);
    const nowMs = clock.nowMs();
    cells.observe(POOL_CELL.querySeconds, (nowMs - this.#requestStartedMs) / 1000);
    this.#requestStartedMs = nowMs; // of the next one, if the client pipelines
  }

  /** A change reaches the client that caused it, and whoever gets another server's value. */
  #onParameterStatus(bytes: Uint8Array, isOwn: boolean): number {
    const { name, value } = readParameterStatus(bytes);
    const owner = this.#owner;
    if (owner === undefined) {
      if (this.#state === "idle") this.parameters.report(name, value);
      else this.parameters.change(name.toLowerCase(), value);
      return SWALLOW;
    }
    this.parameters.change(name.toLowerCase(), value);
    if (!isOwn) owner.parameters.set(name.toLowerCase(), value);
    return owner.parameters.tell(name, value) ? PASS : SWALLOW;
  }

  #onErrorResponse(view: Uint8Array, start: number, end: number): number {
    const owner = this.#owner;
    const bytes = view.subarray(start, end);
    if (owner === undefined) return SWALLOW;
    this.#hasSaidWhy = owner.onError(bytes);
    const replaced = this.#framer.isLast ? owner.translateError(bytes) : undefined;
    if (replaced === undefined) return PASS;
    this.#replacement = replaced;
    return SWALLOW;
  }

  #send(view: Uint8Array, start: number, end: number): void {
    if (start !== end && this.#owner !== undefined) {
      this.#owner.client.write(end - start === view.length ? view : view.subarray(start, end));
      this.#parts.cells.add(POOL_CELL.bytesFromServers, end - start);
    }
    const replacement = this.#replacement;
    this.#replacement = undefined;
    if (replacement !== undefined) this.#owner?.client.write(replacement);
  }

  #onReady(): void {
    if (this.#isOwnAnswered) this.#own.finish();
    if (this.#state === "cleaning") this.#clean();
    else this.#owner?.guard(() => this.#owner?.onReady(this.#status));
  }

  // Cleaning ----------------------------------------------------------------------------------

  #cancelAbandoned(): void {
    const release = this.holdForCancel();
    this.#parts.cancelAbandoned(this.cancelTarget).then(release);
  }

  #clean(): void {
    if (this.#state !== "cleaning" || !this.replies.isEmpty || this.isBeingCancelled) return;
    const rollback = this.isInTransaction ? ROLLBACK : NO_ROLLBACK;
    const reset = this.isDirty ? this.#parts.resetQuery : NO_ROLLBACK;
    if (rollback.length > 0) return this.run(rollback, (result) => this.#onCleaned(result));
    if (reset.length === 0) return this.#becomeIdle();
    this.isDirty = false;
    this.run(reset, (result) => {
      this.onDiscarded();
      this.#onCleaned(result);
    });
  }

  #onCleaned({ error }: OwnResult): void {
    if (error !== undefined) this.close("it could not be made clean");
    // Whatever comes next is decided at the ReadyForQuery that has just come.
  }

  /** DISCARD ALL has run: the server is as it was after its login. */
  onDiscarded(): void {
    this.statements.clear();
    this.sqlStatements.clear();
    this.parameters.restore();
    this.unnamed = undefined;
  }

  #becomeIdle(): void {
    this.#cleaningTimer?.cancel();
    this.#cleaningTimer = undefined;
    this.#setState("idle");
    this.#parts.pool.release(this);
  }

  // The end -----------------------------------------------------------------------------------

  #onEnd(message: string): void {
    if (this.#state === "closing" || this.#state === "gone") return;
    const owner = this.#owner;
    const canTell = this.isClientBetweenMessages && !this.#hasSaidWhy;
    this.#parts.onLost(this, message);
    this.#setState("closing");
    this.#socket.end();
    owner?.guard(() => owner.onLost(canTell));
  }

  #onClose(error: Error | undefined): void {
    this.#onEnd(error?.message ?? "it closed the connection");
    if (this.#state === "gone") return;
    this.#cleaningTimer?.cancel();
    this.#setState("gone");
    this.#parts.pool.gone(this);
  }

  #setState(to: BackendState): void {
    this.#parts.onState(this.#state, to);
    this.#state = to;
  }
}
