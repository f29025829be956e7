/**
 * One client's prepared statements on whichever server it has: translates the names in Parse,
 * Bind, Describe and Close, and prepares on a server what it lacks.
 *
 * What a message does to names is done as it is sent, since what follows in the same pipeline
 * counts on it, and undone if the server turns out to have skipped it (see `ReplyQueue`).
 *
 * @module
 */

import { concat, utf8, zeroAt } from "../../base/bytes.ts";
import {
  bindNothing,
  closeStatement,
  FLUSH,
  nameOf,
  parse,
  STATEMENT,
  stringEnd,
  withReplaced,
} from "../wire/extended_messages.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { FRONTEND } from "../wire/tags.ts";
import type { Backend } from "./backend.ts";
import { KnownColumns } from "./columns.ts";
import { ENDS_TRANSACTION, meantBy } from "./meant.ts";
import type { Meanings, Meant, StatementsOwner } from "./meant.ts";
import { checkNameSize, NamedStatements } from "./named_statements.ts";
import { PendingChanges } from "./pending_changes.ts";
import {
  closeOnServer,
  ensure,
  ensureDescribed,
  ensureNow,
  ensureRequired,
  mustPrepareLater,
  prepare,
} from "./preparing.ts";
import { REPLY } from "./reply_kinds.ts";
import type { ReplyQueue } from "./reply_queue.ts";
import { ServerNames } from "./server_names.ts";
import {
  isRefusal,
  NOBODYS_NAME,
  SERVER_NAME_PREFIX,
  type SharedStatements,
  STALE_NAME,
  type Statement,
  type UnnamedStatement,
} from "./statements.ts";
import {
  ClientUnnamedStatement,
  type Piece,
  type Replacement,
  type Translated,
} from "./unnamed_statement.ts";

const NOTHING = new Uint8Array();

/** The names of one client. */
export class ClientStatements implements Meanings {
  readonly #shared: SharedStatements;
  readonly #owner: StatementsOwner;
  readonly #named = new NamedStatements();
  readonly #unnamed: ClientUnnamedStatement;
  readonly #names = new ServerNames();
  /** What the client has been told of those that have names. */
  readonly #columns = new KnownColumns();
  /** Names whose Parse or Close may turn out to be skipped. */
  readonly #changes = new PendingChanges<string>();

  constructor(shared: SharedStatements, owner: StatementsOwner) {
    this.#shared = shared;
    this.#owner = owner;
    this.#unnamed = new ClientUnnamedStatement(shared, this);
  }

  /** What is prepared in place of a statement, if it is not what it is. */
  meantBy(statement: UnnamedStatement): Meant | undefined {
    const refusal = this.#owner.refusalOf(statement.traits);
    return refusal === undefined ? meantBy(statement, this.#named) : { definition: refusal };
  }

  /** True if only the server that the client has now can serve what it prepared. */
  get needsItsServer(): boolean {
    return this.#named.hasRaw || this.#unnamed.needsItsServer;
  }

  /** The statement that a name stands for, if it has been prepared by Parse. */
  get(name: string): Statement | undefined {
    return this.#named.get(name);
  }

  /** The text of one, by its name; "" is the unnamed one. Undefined if it is not known. */
  textOf(name: string): Uint8Array | undefined {
    const definition = (name === "" ? this.#unnamed.statement : this.#named.get(name))?.definition;
    return definition?.subarray(0, definition.indexOf(0));
  }

  /** DEALLOCATE of one that was prepared by Parse, which the server has carried out. */
  delete(name: string): void {
    this.#named.delete(name);
  }

  /** DEALLOCATE ALL or DISCARD ALL, which leave the unnamed statement. */
  clear(): void {
    this.#named.clear();
  }

  /**
   * Whether a message at hand must wait for answers, since its names may mean something else if
   * what was sent before turns out to have failed, or for what the server has to be asked.
   *
   * @returns `ask` if what {@linkcode ClientStatements.ask} gives is to be sent.
   */
  waits(backend: Backend, view: Uint8Array, at: number): boolean | "ask" {
    const bodyStart = at + HEADER_SIZE;
    switch (view[at]) {
      case FRONTEND.bind:
      case FRONTEND.describe:
        return this.#waitsNamed(backend, view, usedNameAt(view, at));
      case FRONTEND.close:
        return this.#isUnsureName(backend.replies, view, usedNameAt(view, at));
      case FRONTEND.parse:
        return this.#isTwice(backend.replies, view, bodyStart) ? "ask" : false;
      case FRONTEND.query:
        return this.#isUnsureQuery(backend, view.subarray(bodyStart));
    }
    return false;
  }

  /** What makes the server answer what such a message waits for. */
  ask(backend: Backend, view: Uint8Array, at: number): Uint8Array {
    if (view[at] === FRONTEND.parse) return FLUSH;
    const nameStart = usedNameAt(view, at);
    const name = nameOf(view.subarray(nameStart, zeroAt(view, nameStart)));
    return ensureDescribed(backend, this.#named.get(name)!);
  }

  #isUnsureName(replies: ReplyQueue, view: Uint8Array, nameStart: number): boolean {
    if (nameStart === 0 || !replies.hasUnanswered) return false;
    const nameEnd = zeroAt(view, nameStart);
    if (nameEnd <= nameStart) return false;
    return this.#changes.isUnsure(nameOf(view, nameStart, nameEnd), replies);
  }

  #waitsNamed(backend: Backend, view: Uint8Array, nameStart: number): boolean | "ask" {
    const { replies } = backend;
    if (!replies.hasUnanswered && !this.#columns.hasAny) return false;
    const nameEnd = nameStart === 0 ? -1 : zeroAt(view, nameStart);
    if (nameEnd < 0) return false; // for the server to refuse, or no statement's
    if (nameEnd === nameStart) return this.#unnamed.isUnsure(replies);
    const name = nameOf(view, nameStart, nameEnd);
    return this.#changes.isUnsure(name, replies) || this.#waitsForColumns(backend, name);
  }

  /** Whether the client was told of columns, and those on this server are not known. */
  #waitsForColumns(backend: Backend, name: string): boolean | "ask" {
    const statement = this.#named.get(name);
    if (statement === undefined || !this.#columns.has(statement)) return false;
    const { isInFailedTransaction, replies, statements } = backend;
    if (statements.columns.has(statement) && statements.has(statement)) return false;
    if (replies.isSkipping || isInFailedTransaction) return false;
    return statements.checking.has(statement) || "ask";
  }

  /** Whether a Parse prepares a name that is prepared already, or may be still. */
  #isTwice(replies: ReplyQueue, view: Uint8Array, nameStart: number): boolean {
    if (!replies.hasUnanswered) return false;
    const nameEnd = zeroAt(view, nameStart);
    if (nameEnd <= nameStart) return false;
    const name = nameOf(view, nameStart, nameEnd);
    return this.#changes.isUnsure(name, replies) || this.#named.get(name) !== undefined;
  }

  /** Whether SQL executes or deallocates what a request before it prepares. */
  #isUnsureQuery(backend: Backend, text: Uint8Array): boolean {
    const { replies } = backend;
    if (!this.#changes.isAnyUnsure(replies) && !replies.mayBeUnsynced) return false;
    const names = this.#shared.traitsOf(text).statementNames.map(({ name }) => nameOf(utf8(name)));
    const isUnsure = (name: string) => this.#changes.isUnsure(name, replies);
    return names.some((name) => isUnsure(name) || mustPrepareLater(backend, this.#named.get(name)));
  }

  /** A Query is going to be sent, which ends the unnamed statement. */
  onQuery(backend: Backend): void {
    const undo = backend.replies.isSkipping ? undefined : this.#unnamed.end(backend);
    backend.replies.push(REPLY.query, undo);
  }

  /** @returns What is sent, and what the statement does to the session. */
  onParse(backend: Backend, piece: Piece): { replacement: Replacement } {
    const { view, start, end } = piece;
    const nameStart = start + HEADER_SIZE;
    const nameEnd = stringEnd(view, nameStart, end);
    if (nameEnd === nameStart) return { replacement: this.#unnamed.onParse(backend, piece) };
    checkNameSize(nameEnd - nameStart);
    const name = nameOf(view, nameStart, nameEnd);
    const before = this.#named.get(name);
    if (!piece.isWhole || before === undefined && this.#named.isFull) {
      this.#prepareRaw(backend, name);
      return { replacement: undefined };
    }
    const definition = view.subarray(nameEnd + 1, end);
    if (before !== undefined) {
      return { replacement: this.#provokeDuplicate(backend, name, before, definition) };
    }
    const names = this.#owner.namesNow();
    let statement = this.#shared.find(definition, { names });
    const meant = this.meantBy(statement);
    if (meant !== undefined) {
      statement = this.#shared.find(meant.definition, { names, requires: meant.requires });
    }
    this.#names.note(name, statement, backend.replies);
    this.#columns.forget(statement);
    const undo = () => this.#named.delete(name);
    if (!backend.replies.isSkipping) this.#named.set(name, statement);
    this.#changes.note(name, backend.replies);
    // What is on its way may end a transaction, or fail in one.
    const isDue = backend.replies.isRequestDue ||
      backend.isInFailedTransaction && backend.replies.isUnsynced;
    const isRefused = backend.isInFailedTransaction && !isDue;
    if (isRefused && !ENDS_TRANSACTION.has(statement.traits.command)) {
      // The server refuses it before it looks at its name.
      backend.replies.push(REPLY.parse, undo);
      return { replacement: parse(statement.serverName, statement.definition) };
    }
    const isThere = backend.statements.use(statement);
    if (isThere && (!isDue || backend.replies.isSkipping)) {
      backend.replies.push(REPLY.parseOmitted, undo);
      return { replacement: NOTHING };
    }
    // The server itself answers a Parse of what it knows, since it may refuse any.
    const mayBeThere = isThere || backend.statements.isUnsure(statement, backend.replies);
    const ahead = mayBeThere ? closeOnServer(backend, statement) : NOTHING;
    const required = ensureRequired(backend, statement);
    const own = prepare(backend, statement, REPLY.parse, undo);
    return { replacement: concat(ahead, required, own) };
  }

  /** A Parse passes as it is: only this server is going to know the name. */
  #prepareRaw(backend: Backend, name: string): void {
    const isNew = this.#named.addRaw(name);
    backend.isDirty = true;
    backend.replies.push(REPLY.parse, () => {
      if (isNew) this.#named.deleteRaw(name);
    });
  }

  /** @returns What is sent, and the traits of the statement that is going to be executed. */
  onBind(backend: Backend, piece: Piece): Translated {
    const { view, start, end } = piece;
    const portalEnd = stringEnd(view, start + HEADER_SIZE, end);
    const nameStart = portalEnd + 1;
    const nameEnd = stringEnd(view, nameStart, end);
    return this.#translate(backend, piece, nameStart, nameEnd, REPLY.bind);
  }

  onDescribe(backend: Backend, piece: Piece): Translated {
    const { view, start, end } = piece;
    const nameStart = start + HEADER_SIZE + 1;
    const nameEnd = stringEnd(view, nameStart, end);
    if (view[start + HEADER_SIZE] !== STATEMENT) {
      backend.replies.push(REPLY.describe);
      return { replacement: undefined };
    }
    return this.#translate(backend, piece, nameStart, nameEnd, REPLY.describe);
  }

  onClose(backend: Backend, piece: Piece): { replacement: Replacement } {
    const { view, start, end } = piece;
    const nameStart = start + HEADER_SIZE + 1;
    const name = nameOf(view.subarray(nameStart, stringEnd(view, nameStart, end)));
    const statement = this.#named.get(name);
    const isPortal = view[start + HEADER_SIZE] !== STATEMENT;
    if (isPortal || statement === undefined) {
      if (!isPortal && name === "" && !backend.replies.isSkipping) {
        backend.replies.push(REPLY.close, this.#unnamed.end(backend));
      } else if (!isPortal && this.#named.deleteRaw(name)) {
        backend.replies.push(REPLY.close, () => void this.#named.addRaw(name));
      } else {
        if (!isPortal) backend.sqlStatements.delete(name);
        backend.replies.push(REPLY.close);
        if (!isPortal && name.startsWith(SERVER_NAME_PREFIX)) {
          return { replacement: closeStatement(NOBODYS_NAME) };
        }
      }
      return { replacement: undefined };
    }
    // Other clients may have it, and this one may prepare it again: the server keeps it.
    if (!backend.replies.isSkipping) this.#named.delete(name);
    this.#changes.note(name, backend.replies);
    backend.replies.push(REPLY.closeOmitted, () => this.#named.set(name, statement));
    return { replacement: NOTHING };
  }

  /** SQL names a statement that was prepared by Parse: see `preparing.ts`. */
  ensureNow(backend: Backend, name: string, statement: Statement): void {
    this.#names.note(name, statement, backend.replies);
    ensureNow(backend, statement);
  }

  /** See {@linkcode ServerNames.translate}. */
  translate(text: string, { replies }: Backend): string {
    return this.#names.translate(text, replies);
  }

  /** The client has got a server. */
  onLinked({ replies }: Backend): void {
    this.#names.begin(replies);
  }

  /** DEALLOCATE of a name on servers has been carried out by the extended protocol. */
  onDeallocated(backend: Backend, serverName: string): void {
    backend.statements.deleteNamed(serverName);
    this.#named.deleteMeaning((statement) => nameOf(statement.serverName) === serverName);
  }

  #translate(
    backend: Backend,
    piece: Piece,
    nameStart: number,
    nameEnd: number,
    reply: number,
  ): Translated {
    const { view, start, end } = piece;
    if (nameStart === nameEnd) return this.#unnamed.translate(backend, piece, nameStart, reply);
    const name = nameOf(view, nameStart, nameEnd);
    const statement = this.#named.get(name);
    if (statement === undefined) {
      backend.replies.push(reply);
      // Another client's statement has such a name: what this one means must not be there.
      if (!name.startsWith(SERVER_NAME_PREFIX)) return { replacement: undefined };
      return { replacement: withReplaced(view, start, end, nameStart, nameEnd, NOBODYS_NAME) };
    }
    this.#names.note(name, statement, backend.replies);
    if (reply === REPLY.bind && isRefusal(statement)) {
      const ahead = ensure(backend, statement);
      backend.replies.push(reply);
      const bind = bindNothing(view.subarray(start + HEADER_SIZE, nameStart), statement.serverName);
      return { replacement: concat(ahead, bind) };
    }
    if (this.#columns.differs(backend.statements.columns, statement)) {
      backend.replies.push(reply);
      const stale = withReplaced(view, start, end, nameStart, nameEnd, utf8(STALE_NAME));
      return { replacement: stale, statement };
    }
    const required = ensureRequired(backend, statement);
    const own = ensure(backend, statement);
    const ahead = required.length === 0 ? own : concat(required, own);
    if (reply === REPLY.describe) this.#pushDescribe(backend, statement);
    else backend.replies.push(reply);
    const renamed = withReplaced(view, start, end, nameStart, nameEnd, statement.serverName);
    return {
      replacement: ahead.length === 0 ? renamed : concat(ahead, renamed),
      traits: statement.traits,
      requires: statement.requires,
      statement,
    };
  }

  #pushDescribe(backend: Backend, statement: Statement): void {
    backend.replies.push(REPLY.describe, undefined, (bytes) => {
      this.#columns.learn(statement, bytes);
      backend.statements.columns.learn(statement, bytes);
    });
  }

  /** The client is going to be told of its columns again. */
  forgetColumns(statement: Statement): void {
    this.#columns.forget(statement);
  }

  /**
   * The server is to refuse a name that is prepared twice, or what is wrong with the new text
   * first; so it gets the new one under the name that it has.
   */
  #provokeDuplicate(
    backend: Backend,
    name: string,
    statement: Statement,
    definition: Uint8Array,
  ): Uint8Array {
    this.#names.note(name, statement, backend.replies);
    const ahead = ensure(backend, statement);
    backend.replies.push(REPLY.parse);
    return concat(ahead, parse(statement.serverName, definition));
  }
}

/** Where a Bind, Describe or Close names a statement; 0 if it names none that can be read. */
function usedNameAt(view: Uint8Array, at: number): number {
  const bodyStart = at + HEADER_SIZE;
  if (view[at] === FRONTEND.bind) return zeroAt(view, bodyStart) + 1;
  return view[bodyStart] === STATEMENT ? bodyStart + 1 : 0;
}
