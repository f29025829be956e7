/**
 * One client's prepared statements on whichever server it has: translates the names in Parse,
 * Bind, Describe and Close, and prepares on a server what it lacks.
 *
 * What a message does to names is done as it is sent, since what follows in the same pipeline
 * counts on it, and undone if the server turns out to have skipped it (see `ReplyQueue`).
 *
 * @module
 */

import { concat, utf8 } from "../../base/bytes.ts";
import { HEADER_SIZE } from "../wire/framer.ts";
import { FRONTEND } from "../wire/tags.ts";
import type { Traits } from "../sql/traits.ts";
import type { Backend } from "./backend.ts";
import {
  bindNothing,
  closeStatement,
  nameOf,
  parse,
  STATEMENT,
  stringEnd,
  SYNC,
  withReplaced,
} from "./extended_messages.ts";
import { checkNameSize, NamedStatements } from "./named_statements.ts";
import { REPLY, type ReplyQueue } from "./reply_queue.ts";
import { ServerNames } from "./server_names.ts";
import {
  isRefusal,
  NOBODYS_NAME,
  SERVER_NAME_PREFIX,
  type SharedStatements,
  type Statement,
  type UnnamedStatement,
} from "./statements.ts";
import {
  ClientUnnamedStatement,
  type Meant,
  type Piece,
  type Replacement,
  type Translated,
} from "./unnamed_statement.ts";

const NOTHING = new Uint8Array();

/** What a server takes in a transaction that has failed. */
const ENDS_TRANSACTION: ReadonlySet<string> = new Set([
  "abort",
  "commit",
  "end",
  "prepare",
  "rollback",
]);

/** Names that changed, from which on those that have been answered are dropped. */
const CHANGES_MAX = 1_000;

/** The names of one client. */
export class ClientStatements {
  readonly #shared: SharedStatements;
  readonly #refusal: (traits: Traits) => Uint8Array | undefined;
  readonly #named = new NamedStatements();
  readonly #unnamed: ClientUnnamedStatement;
  readonly #names = new ServerNames();
  /** Names whose Parse or Close may turn out to be skipped, with its request's number. */
  readonly #changed = new Map<string, number>();

  /** @param refusal The definition of a statement that raises an error, for one that may not be. */
  constructor(shared: SharedStatements, refusal: (traits: Traits) => Uint8Array | undefined) {
    this.#shared = shared;
    this.#refusal = refusal;
    this.#unnamed = new ClientUnnamedStatement(shared, {
      meant: (statement) => this.#meant(statement),
      require: (backend, statement) => this.#require(backend, statement),
    });
  }

  /** True if only the server that the client has now can serve what it prepared. */
  get needsItsServer(): boolean {
    return this.#named.hasRaw || this.#unnamed.needsItsServer;
  }

  /** The statement that a name stands for, if it has been prepared by Parse. */
  get(name: string): Statement | undefined {
    return this.#named.get(name);
  }

  /** DEALLOCATE of one that was prepared by Parse, which the server has carried out. */
  delete(name: string): void {
    this.#named.delete(name);
  }

  /** DEALLOCATE ALL or DISCARD ALL. */
  clear(): void {
    this.#named.clear();
    this.#unnamed.clear();
  }

  /** Whether a Parse at hand prepares a name that is prepared already, or may be still. */
  isTwice({ replies }: Backend, view: Uint8Array, at: number): boolean {
    const nameEnd = view.indexOf(0, at + HEADER_SIZE);
    if (nameEnd <= at + HEADER_SIZE) return false;
    const name = nameOf(view.subarray(at + HEADER_SIZE, nameEnd));
    return this.#isUnsure(replies, name) || this.#named.get(name) !== undefined;
  }

  /**
   * Whether a Bind or Describe at hand names what a request before it prepares, which has been sent
   * and not been answered: it may have failed, and the name may mean nothing.
   */
  isUnsure({ replies }: Backend, view: Uint8Array, at: number): boolean {
    if (this.#changed.size === 0) return false;
    if (!replies.hasUnanswered) {
      this.#changed.clear();
      return false;
    }
    const portalEnd = view[at] === FRONTEND.bind ? view.indexOf(0, at + HEADER_SIZE) : at + 5;
    const nameEnd = portalEnd < 0 ? -1 : view.indexOf(0, portalEnd + 1);
    return nameEnd > 0 && this.#isUnsure(replies, nameOf(view.subarray(portalEnd + 1, nameEnd)));
  }

  /** Within one request what fails has all that follows skipped, so that it is sure. */
  #isUnsure({ answerCount, requestCount }: ReplyQueue, name: string): boolean {
    const request = this.#changed.get(name);
    return request !== undefined && request > answerCount && request <= requestCount;
  }

  #noteChange({ replies }: Backend, name: string): void {
    if (this.#changed.size >= CHANGES_MAX) {
      for (const [old, request] of this.#changed) {
        if (request <= replies.answerCount) this.#changed.delete(old);
      }
    }
    this.#changed.set(name, replies.requestCount + 1);
  }

  /** A Query ends the unnamed statement. */
  onQuery(backend: Backend): void {
    if (!backend.replies.isSkipping) this.#unnamed.forget(backend);
  }

  /** @returns What is sent, and what the statement does to the session. */
  onParse(backend: Backend, piece: Piece): { replacement: Replacement } {
    const { view, start, end } = piece;
    const nameStart = start + HEADER_SIZE;
    const nameEnd = stringEnd(view, nameStart, end);
    if (nameEnd === nameStart) return { replacement: this.#unnamed.onParse(backend, piece) };
    checkNameSize(nameEnd - nameStart);
    const name = nameOf(view.subarray(nameStart, nameEnd));
    const before = this.#named.get(name);
    if (!piece.isWhole || before === undefined && this.#named.isFull) {
      this.#prepareRaw(backend, name);
      return { replacement: undefined };
    }
    const definition = view.subarray(nameEnd + 1, end);
    if (before !== undefined) {
      return { replacement: this.#provokeDuplicate(backend, name, before, definition) };
    }
    let statement = this.#shared.find(definition);
    const meant = this.#meant(statement);
    if (meant !== undefined) statement = this.#shared.find(meant.definition, meant.requires);
    this.#names.note(name, statement);
    const undo = () => this.#named.delete(name);
    if (!backend.replies.isSkipping) this.#named.set(name, statement);
    this.#noteChange(backend, name);
    const isDue = backend.replies.isRequestDue; // which may end a transaction, or fail in one
    const isRefused = backend.isInFailedTransaction && !isDue;
    if (isRefused && !ENDS_TRANSACTION.has(statement.traits.command)) {
      // The server refuses it before it looks at its name.
      backend.replies.push(REPLY.parse, undo);
      return { replacement: parse(statement.serverName, statement.definition) };
    }
    let ahead: Uint8Array = NOTHING;
    if (backend.statements.use(statement)) {
      if (!isDue || backend.replies.isSkipping) {
        backend.replies.push(REPLY.parseOmitted, undo);
        return { replacement: NOTHING };
      }
      ahead = this.#closeOnServer(backend, statement);
    }
    ahead = concat(ahead, this.#require(backend, statement));
    return { replacement: concat(ahead, this.#prepare(backend, statement, REPLY.parse, undo)) };
  }

  /** Has the server itself answer a Parse of what it knows, since it may refuse any. */
  #closeOnServer(backend: Backend, statement: Statement): Uint8Array {
    backend.statements.delete(statement);
    backend.replies.push(REPLY.closeInjected, () => backend.statements.restore(statement));
    return closeStatement(statement.serverName);
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
      if (!isPortal && name === "") this.#unnamed.forget(backend);
      if (!isPortal && this.#named.deleteRaw(name)) {
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
    this.#noteChange(backend, name);
    backend.replies.push(REPLY.closeOmitted, () => this.#named.set(name, statement));
    return { replacement: NOTHING };
  }

  /**
   * As `ensure`, with a request of its own: a Query behind a Parse that fails would be skipped. So
   * it is behind messages without a Sync that fail, which is not to be concluded by a Sync of ours.
   */
  ensureNow(backend: Backend, name: string, statement: Statement): void {
    this.#names.note(name, statement);
    if (backend.replies.isUnsynced) return backend.write(this.ensure(backend, statement));
    if (backend.replies.isSkipping || backend.statements.use(statement)) return;
    const { serverName, definition } = statement;
    const evicted = backend.statements.add(statement);
    const close = evicted === undefined ? NOTHING : closeStatement(evicted.serverName);
    const messages = concat(parse(serverName, definition), close, SYNC);
    backend.replies.counts.addInjectedParse();
    backend.runMessages(messages, ({ error }) => {
      if (error !== undefined) backend.statements.delete(statement);
    });
  }

  /** Makes sure that the server has a statement. @returns What must be sent ahead, if anything. */
  ensure(backend: Backend, statement: Statement): Uint8Array {
    if (backend.replies.isSkipping || backend.statements.use(statement)) return NOTHING;
    return concat(
      this.#require(backend, statement),
      this.#prepare(backend, statement, REPLY.parseInjected, undefined),
    );
  }

  /** See {@linkcode ServerNames.translate}. */
  translate(text: string): string {
    return this.#names.translate(text);
  }

  /**
   * What is prepared in place of a statement: an error for one that may not be, or the same with
   * the names that servers know for EXECUTE and DEALLOCATE of what was prepared by Parse.
   */
  #meant({ definition, traits }: UnnamedStatement): Meant | undefined {
    const refusal = this.#refusal(traits);
    if (refusal !== undefined) return { definition: refusal };
    const [range] = traits.statementNames;
    if (range === undefined || traits.statementCount !== 1) return undefined;
    const requires = range.use === "prepare"
      ? undefined
      : this.#named.get(nameOf(utf8(range.name)));
    if (requires === undefined) return undefined;
    return { definition: renamedText(definition, range, requires.serverName), requires };
  }

  /** What must be sent ahead of a statement whose text names another one. */
  #require(backend: Backend, { requires }: UnnamedStatement): Uint8Array {
    return requires === undefined ? NOTHING : this.ensure(backend, requires);
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
    const name = nameOf(view.subarray(nameStart, nameEnd));
    const statement = this.#named.get(name);
    if (statement === undefined) {
      backend.replies.push(reply);
      // Another client's statement has such a name: what this one means must not be there.
      if (!name.startsWith(SERVER_NAME_PREFIX)) return { replacement: undefined };
      return { replacement: withReplaced(view, start, end, nameStart, nameEnd, NOBODYS_NAME) };
    }
    this.#names.note(name, statement);
    if (reply === REPLY.bind && isRefusal(statement)) {
      const ahead = this.ensure(backend, statement);
      backend.replies.push(reply);
      const bind = bindNothing(view.subarray(start + HEADER_SIZE, nameStart), statement.serverName);
      return { replacement: concat(ahead, bind) };
    }
    const ahead = concat(this.#require(backend, statement), this.ensure(backend, statement));
    backend.replies.push(reply);
    const renamed = withReplaced(view, start, end, nameStart, nameEnd, statement.serverName);
    return {
      replacement: ahead.length === 0 ? renamed : concat(ahead, renamed),
      traits: statement.traits,
      statement,
    };
  }

  #prepare(
    backend: Backend,
    statement: Statement,
    reply: number,
    undo: (() => void) | undefined,
  ): Uint8Array {
    const bytes = parse(statement.serverName, statement.definition);
    if (backend.replies.isSkipping) {
      undo?.();
      return bytes;
    }
    const evicted = backend.statements.add(statement);
    backend.replies.push(reply, () => {
      backend.statements.delete(statement);
      undo?.();
    });
    if (evicted === undefined) return bytes;
    backend.replies.push(REPLY.closeInjected, () => backend.statements.restore(evicted));
    return concat(bytes, closeStatement(evicted.serverName));
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
    this.#names.note(name, statement);
    const ahead = this.ensure(backend, statement);
    backend.replies.push(REPLY.parse);
    return concat(ahead, parse(statement.serverName, definition));
  }
}

/** SQL that names a statement: the client's name replaced by one of the server's. */
export function renamedText(
  text: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
  serverName: Uint8Array,
): Uint8Array {
  return concat(text.subarray(0, start), serverName, text.subarray(end));
}
