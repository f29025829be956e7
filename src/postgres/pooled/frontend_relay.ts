/**
 * The way up of a pooled session: frames what the client sends, finds out what it does to its
 * session, and forwards it to whichever server the session has, under names that mean the same
 * there.
 *
 * @module
 */

import { int32At } from "../../base/bytes.ts";
import { READ_BUFFER_SIZE_MAX } from "../../net/socket.ts";
import { ProtocolError } from "../wire/errors.ts";
import { nameBytes, nameOf } from "../wire/extended_messages.ts";
import { Framer, HEADER_SIZE } from "../wire/framer.ts";
import { errorFieldsOf, readyForQuery } from "../wire/messages.ts";
import type { Traits } from "../sql/traits.ts";
import { FRONTEND, IS_FRONTEND_TAG, STATUS_IDLE } from "../wire/tags.ts";
import type { Backend } from "./backend.ts";
import { ClientStatements } from "./client_statements.ts";
import type { StatementsOwner } from "./meant.ts";
import { isLoneQuery } from "../wire/lone_messages.ts";
import type { PooledSession } from "./pooled_session.ts";
import type { PooledContext, PoolSettings } from "./pooled_context.ts";
import { refusalOf } from "./refused_statements.ts";
import { needsServer, REPLY, REPLY_OF } from "./reply_kinds.ts";
import { SqlState } from "./sql_state.ts";
import { type Batch, StalePlans, translateStale } from "./stale_plans.ts";
import type { Piece, Replacement } from "./unnamed_statement.ts";
import { type UntrackedOwner, UntrackedStatements } from "./untracked_statements.ts";

const READY_IDLE = readyForQuery(STATUS_IDLE);

/** One client's messages. */
export class FrontendRelay implements StatementsOwner, UntrackedOwner {
  readonly #context: PooledContext;
  readonly #settings: PoolSettings;
  readonly #session: PooledSession;
  #framer: Framer;
  readonly #statements: ClientStatements;
  readonly #untracked: UntrackedStatements;
  readonly #sql: SqlState;
  readonly #stale: StalePlans;
  /** What is sent again at the next ReadyForQuery. */
  #again: Batch | undefined;
  /** What becomes of the rest of a large message. */
  #isDropping = false;
  #isHeldBack = false;
  /** Whether the session's state has been brought to the server it has. */
  #hasFollowed = false;
  /** What of the view has been forwarded or dropped. */
  #sent = 0;

  constructor(context: PooledContext, settings: PoolSettings, session: PooledSession) {
    this.#context = context;
    this.#settings = settings;
    this.#session = session;
    this.#framer = new Framer(context.messageSizeMax, IS_FRONTEND_TAG, READ_BUFFER_SIZE_MAX);
    this.#statements = new ClientStatements(context.sharedStatements, this);
    this.#untracked = new UntrackedStatements(context.scanner, this);
    this.#sql = new SqlState(context, settings, session, this.#statements, this.#untracked);
    this.#stale = new StalePlans(context.sharedStatements, this.#statements);
  }

  onExecute(backend: Backend, traits: Traits): void {
    this.#sql.onExecute(backend, traits);
  }

  refusalOf(traits: Traits): Uint8Array | undefined {
    return refusalOf(traits, this.#settings)?.definition;
  }

  namesNow(): string | undefined {
    return this.#session.touched.namesNow();
  }

  /** True unless a message is being streamed. */
  get isBetweenMessages(): boolean {
    return this.#framer.isBetweenMessages;
  }

  /** True if the client sent what is not read before the server has answered something. */
  get isHeldBack(): boolean {
    return this.#isHeldBack;
  }

  /** True while the session's state is brought to its server. */
  get isFollowing(): boolean {
    return this.#sql.isFollowing;
  }

  /** It need not wait any more, unless for `follow`: it is shown again. */
  goOn(): void {
    if (this.#sql.isFollowing) return;
    this.#isHeldBack = false;
    this.#session.client.reoffer();
  }

  /** The text of a prepared statement, by its name; undefined if it is not known. */
  textOf(name: string): Uint8Array | undefined {
    return this.#statements.textOf(name);
  }

  /** True if what a statement on its way does to the session is not known yet. */
  get isPending(): boolean {
    return this.#sql.isPending;
  }

  /** The session's state is to be brought to its server again. */
  unsettle(): void {
    this.#sql.unsettle();
  }

  get needsItsServer(): boolean {
    return this.#statements.needsItsServer;
  }

  /** The session has a server, which is not yet as the session wants it. */
  onLinked(backend: Backend): void {
    this.#hasFollowed = false;
    this.#statements.onLinked(backend);
  }

  onError(backend: Backend): void {
    this.#sql.onError(backend);
  }

  onReady(backend: Backend): void {
    this.#sql.onReady(backend);
  }

  /** An error's fields, as the client would have them from a server of its own. */
  translate(fields: Map<string, string>): Map<string, string> {
    if (translateStale(fields)) return fields;
    const { backend } = this.#session;
    if (backend === undefined) return fields;
    return fields.set("M", this.#statements.translate(fields.get("M") ?? "", backend));
  }

  /** @returns How many bytes are done with. */
  onClientData(view: Uint8Array): number {
    this.#sent = 0;
    this.#isHeldBack = false;
    if (this.#forwardsLone(view)) return view.length;
    const framer = this.#framer;
    framer.begin(view);
    let passed = 0;
    try {
      while (this.#mayStep(view) && framer.next()) {
        if (framer.isFirst) this.#onMessage(view);
        if (this.#isDropping) this.#sent = framer.end;
        if (framer.isLast) this.#isDropping = false;
        passed = framer.end;
      }
    } finally {
      // What came before a broken message is served as if it had come alone.
      this.#flush(view, passed);
    }
    if (framer.isBetweenMessages) this.#session.onReleasable();
    return passed;
  }

  /** Forwards a plain Query to a server that owes nothing. @returns False for the long way. */
  #forwardsLone(view: Uint8Array): boolean {
    const session = this.#session;
    const isLone = isLoneQuery(view, this.#context.messageSizeMax) &&
      this.#framer.isBetweenMessages && session.routing === undefined;
    const backend = isLone ? session.backend ?? session.needServer(view, 0) : undefined;
    if (backend === undefined) return false;
    if (!this.#hasFollowed || !this.#sql.isSettled) this.#follow(backend, view, 0);
    const isPlain = backend.replies.isEmpty &&
      this.#sql.onPlainQuery(backend, view, HEADER_SIZE, view.length - 1);
    if (!isPlain) return false;
    if (!backend.isInTransaction) session.onRequest();
    this.#stale.forget();
    backend.startClock();
    this.#statements.onQuery(backend);
    this.#flush(view, view.length);
    return true;
  }

  /** Whether the next message can be taken now: it is there, and so is a server if it needs one. */
  #mayStep(view: Uint8Array): boolean {
    const at = this.#framer.end;
    if (!this.#framer.isBetweenMessages) return true;
    if (at >= view.length) return false;
    if (this.#session.isOver) return true; // what is left is dropped
    const tag = view[at]!;
    const backend = this.#session.backend;
    if (backend === undefined && !needsServer(tag)) return true;
    if (backend === undefined && !this.#isComplete(view, at)) return true; // the framer decides
    const server = backend ?? this.#session.needServer(view, at);
    if (server === undefined) return false;
    if (!this.#hasFollowed || !this.#sql.isSettled) this.#follow(server, view, at);
    this.#isHeldBack = this.#sql.isFollowing || this.#mustWait(server, view, at);
    return !this.#isHeldBack;
  }

  /** Whether a message must not be sent before something has been answered. */
  #mustWait(server: Backend, view: Uint8Array, at: number): boolean {
    if (server.replies.isCopyIn) return false; // the server waits for it
    if (this.#mustLeave(server, view, at)) return true;
    if (server.replies.isFull || this.#sql.isBarrier(server)) return true;
    if (this.#session.touched.isReading) return true; // what the session wants is not known
    if (!this.#settings.tracksStatements) return false;
    const waits = this.#statements.waits(server, view, at);
    if (waits !== "ask") return waits;
    this.#flush(view, at);
    this.#begin(server);
    server.startClock();
    server.write(this.#statements.ask(server, view, at));
    return true;
  }

  /** Whether the server that the session has now cannot serve what comes next. */
  #mustLeave({ isInTransaction, replies }: Backend, view: Uint8Array, at: number): boolean {
    const { routing, isOnReplica, stays } = this.#session;
    if (routing === undefined || !isOnReplica || stays) return false;
    // While answers are due, a transaction that is open may be ended by what has been sent.
    if (isInTransaction && !replies.isRequestDue) return false;
    return routing.mustLeave(view, at);
  }

  /** A server is going to be asked something. */
  #begin(backend: Backend): void {
    if (!backend.isQuiet) return;
    this.#session.onRequest();
    this.#stale.begin(backend.replies.clientAnswerCount);
  }

  /** Whether the framer is going to take the message: nobody waits for a server for half of one. */
  #isComplete(view: Uint8Array, at: number): boolean {
    const left = view.length - at;
    if (left < HEADER_SIZE || IS_FRONTEND_TAG[view[at]!] !== 1) return false;
    const size = int32At(view, at + 1) + 1;
    return size <= left || size > READ_BUFFER_SIZE_MAX;
  }

  #onMessage(view: Uint8Array): void {
    const { tag, start, end, isLast } = this.#framer;
    if (tag === FRONTEND.terminate) {
      this.#flush(view, start);
      this.#isDropping = true;
      return this.#session.terminated();
    }
    if (tag === FRONTEND.password) {
      throw new ProtocolError(`invalid frontend message type ${tag}`); // as PostgreSQL puts it
    }
    const backend = this.#session.backend;
    if (backend === undefined) {
      this.#flush(view, start);
      this.#isDropping = true;
      if (tag === FRONTEND.sync) this.#session.client.write(READY_IDLE);
      return;
    }
    this.#session.routing?.onMessage(view, start, !this.#session.isOnReplica);
    const piece: Piece = { view, start, end, isWhole: isLast };
    this.#begin(backend);
    if (this.#settings.tracksStatements) this.#stale.keep(tag, piece);
    const replacement = this.#translateMessage(backend, tag, piece);
    if (replacement !== undefined) this.#replace(backend, view, replacement);
    if (backend.replies.isOmittedFirst) backend.answerOmitted();
  }

  /** Whether the client is kept from an error because its messages are going to be sent again. */
  retries(error: Uint8Array, answers: number): boolean {
    const isInTransaction = this.#session.backend?.isInTransaction === true;
    this.#again = this.#stale.retries(errorFieldsOf(error), answers, isInTransaction);
    return this.#again !== undefined;
  }

  /** Sends them again, to a server that prepares its statements anew. */
  retry(backend: Backend): void {
    const { bytes, statements } = this.#again!;
    this.#again = undefined;
    for (const statement of statements) {
      backend.statements.delete(statement);
      backend.run(nameBytes(`DEALLOCATE ${nameOf(statement.serverName)}`), () => {});
    }
    backend.unnamed = undefined;
    const own = this.#framer;
    this.#framer = new Framer(this.#context.messageSizeMax, IS_FRONTEND_TAG, bytes.length);
    this.#framer.begin(bytes);
    this.#sent = 0;
    while (this.#framer.next()) this.#onMessage(bytes);
    this.#flush(bytes, bytes.length);
    this.#framer = own;
  }

  /**
   * Brings the session's state to a server that it has newly got. The message waits until that is
   * done: under another role or search_path it could do anything.
   */
  #follow(backend: Backend, view: Uint8Array, start: number): void {
    if (!backend.isQuiet) return;
    this.#flush(view, start);
    this.#hasFollowed = true;
    this.#sql.follow(backend);
  }

  #translateMessage(backend: Backend, tag: number, piece: Piece): Replacement {
    switch (tag) {
      case FRONTEND.query:
        return this.#onQuery(backend, piece);
      case FRONTEND.functionCall:
        this.#sql.onFunctionCall(backend);
        backend.startClock();
        backend.replies.push(REPLY.query);
        return undefined;
      case FRONTEND.sync:
        backend.startClock();
        backend.replies.push(REPLY.sync);
        return undefined;
      case FRONTEND.execute:
        backend.replies.push(REPLY.execute);
        return undefined;
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
        backend.replies.push(REPLY.copyEnd);
        return undefined;
      case FRONTEND.parse:
      case FRONTEND.bind:
      case FRONTEND.describe:
      case FRONTEND.close:
        backend.startClock();
        return this.#settings.tracksStatements
          ? this.#onMaybeBroken(backend, tag, piece)
          : this.#onUntracked(backend, tag, piece);
    }
    return undefined; // CopyData and Flush, which are not answered
  }

  #onQuery(backend: Backend, { view, start, end, isWhole }: Piece): Replacement {
    backend.startClock();
    this.#flush(view, start); // what the text names may be prepared ahead of it, but behind this
    const text = view.subarray(start + HEADER_SIZE, isWhole ? end - 1 : end);
    const replacement = this.#sql.onQuery(backend, text, isWhole);
    if (replacement !== undefined && !isWhole) this.#isDropping = true; // the rest of the old one
    this.#statements.onQuery(backend);
    return replacement;
  }

  /** A message whose names cannot be read is for the server to refuse: it can be read no better. */
  #onMaybeBroken(backend: Backend, tag: number, piece: Piece): Replacement {
    try {
      return this.#onTracked(backend, tag, piece);
    } catch (error) {
      const isUnreadable = error instanceof ProtocolError && error.sqlState === "08P01";
      if (!isUnreadable) throw error; // a limit's code is another one
      backend.unnamed = undefined;
      backend.replies.push(REPLY_OF[tag]!);
      return undefined;
    }
  }

  #onTracked(backend: Backend, tag: number, piece: Piece): Replacement {
    switch (tag) {
      case FRONTEND.parse:
        return this.#statements.onParse(backend, piece).replacement;
      case FRONTEND.describe: {
        const { replacement, statement } = this.#statements.onDescribe(backend, piece);
        if (statement !== undefined) this.#stale.use(statement);
        return replacement;
      }
      case FRONTEND.close:
        return this.#statements.onClose(backend, piece).replacement;
    }
    const { replacement, requires, statement, traits } = this.#statements.onBind(backend, piece);
    if (statement !== undefined) this.#stale.use(statement);
    if (traits !== undefined) this.#sql.onExecute(backend, traits);
    if (requires !== undefined) this.#sql.onExecute(backend, requires.traits);
    return replacement;
  }

  /** Statements stay where they are prepared: the session does, or has been told not to. */
  #onUntracked(backend: Backend, tag: number, piece: Piece): Replacement {
    if (tag === FRONTEND.parse) this.#untracked.onParse(backend, piece);
    if (tag === FRONTEND.bind) this.#untracked.onBind(backend, piece);
    backend.unnamed = undefined;
    backend.replies.push(REPLY_OF[tag]!);
    return undefined;
  }

  // Forwarding --------------------------------------------------------------------------------

  #replace(backend: Backend, view: Uint8Array, replacement: Uint8Array): void {
    const { start, end } = this.#framer;
    this.#flush(view, start);
    this.#sent = end;
    backend.write(replacement);
  }

  #flush(view: Uint8Array, end: number): void {
    const start = this.#sent;
    if (end <= start) return;
    this.#sent = end;
    this.#session.countBytes(end - start);
    const isAll = end - start === view.length;
    this.#session.backend?.write(isAll ? view : view.subarray(start, end));
  }
}
