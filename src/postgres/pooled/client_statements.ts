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
  withReplaced,
} from "./extended_messages.ts";
import { checkNameSize, NamedStatements } from "./named_statements.ts";
import { PendingChanges } from "./pending_changes.ts";
import { closeOnServer, ensure, ensureNow, ensureRequired, prepare } from "./preparing.ts";
import { REPLY } from "./reply_kinds.ts";
import type { ReplyQueue } from "./reply_queue.ts";
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

/** The names of one client. */
export class ClientStatements {
  readonly #shared: SharedStatements;
  readonly #refusal: (traits: Traits) => Uint8Array | undefined;
  readonly #namesNow: () => string | undefined;
  readonly #named = new NamedStatements();
  readonly #unnamed: ClientUnnamedStatement;
  readonly #names = new ServerNames();
  /** Names whose Parse or Close may turn out to be skipped. */
  readonly #changes = new PendingChanges<string>();

  /**
   * @param refusal The definition of a statement that raises an error, for one that may not be.
   * @param namesNow What the names in a text depend on: see {@linkcode Meaning}.
   */
  constructor(
    shared: SharedStatements,
    refusal: (traits: Traits) => Uint8Array | undefined,
    namesNow: () => string | undefined,
  ) {
    this.#shared = shared;
    this.#refusal = refusal;
    this.#namesNow = namesNow;
    this.#unnamed = new ClientUnnamedStatement(shared, (statement) => this.#meant(statement));
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

  /** DEALLOCATE ALL or DISCARD ALL, which leave the unnamed statement. */
  clear(): void {
    this.#named.clear();
  }

  /**
   * Whether a message at hand must wait for answers, since its names may mean something else if
   * what was sent before turns out to have failed. A Bind, say, names what a request before it
   * prepares.
   *
   * @returns `flush` if nothing has been sent that makes the server answer.
   */
  waits(backend: Backend, view: Uint8Array, at: number): "no" | "yes" | "flush" {
    const { replies } = backend;
    if (!replies.hasUnanswered) return "no";
    const bodyStart = at + HEADER_SIZE;
    switch (view[at]) {
      case FRONTEND.bind:
        return this.#isUnsureNamed(replies, view, view.indexOf(0, bodyStart) + 1) ? "yes" : "no";
      case FRONTEND.describe: {
        const isStatement = view[bodyStart] === STATEMENT;
        return isStatement && this.#isUnsureNamed(replies, view, bodyStart + 1) ? "yes" : "no";
      }
      case FRONTEND.parse:
        return this.#isTwice(replies, view, bodyStart) ? "flush" : "no";
      case FRONTEND.query:
        return this.#isUnsureQuery(replies, view.subarray(bodyStart)) ? "yes" : "no";
    }
    return "no";
  }

  #isUnsureNamed(replies: ReplyQueue, view: Uint8Array, nameStart: number): boolean {
    const nameEnd = nameStart === 0 ? -1 : view.indexOf(0, nameStart);
    if (nameEnd < 0) return false; // for the server to refuse
    if (nameEnd === nameStart) return this.#unnamed.isUnsure(replies);
    return this.#changes.isUnsure(nameOf(view.subarray(nameStart, nameEnd)), replies);
  }

  /** Whether a Parse prepares a name that is prepared already, or may be still. */
  #isTwice(replies: ReplyQueue, view: Uint8Array, nameStart: number): boolean {
    const nameEnd = view.indexOf(0, nameStart);
    if (nameEnd <= nameStart) return false;
    const name = nameOf(view.subarray(nameStart, nameEnd));
    return this.#changes.isUnsure(name, replies) || this.#named.get(name) !== undefined;
  }

  /** Whether SQL executes or deallocates what a request before it prepares. */
  #isUnsureQuery(replies: ReplyQueue, text: Uint8Array): boolean {
    if (!this.#changes.isAnyUnsure(replies)) return false;
    const { statementNames } = this.#shared.traitsOf(text);
    return statementNames.some(({ name }) => this.#changes.isUnsure(nameOf(utf8(name)), replies));
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
    const names = this.#namesNow();
    let statement = this.#shared.find(definition, { names });
    const meant = this.#meant(statement);
    if (meant !== undefined) {
      statement = this.#shared.find(meant.definition, { names, requires: meant.requires });
    }
    this.#names.note(name, statement);
    const undo = () => this.#named.delete(name);
    if (!backend.replies.isSkipping) this.#named.set(name, statement);
    this.#changes.note(name, backend.replies);
    const isDue = backend.replies.isRequestDue; // which may end a transaction, or fail in one
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
    this.#names.note(name, statement);
    ensureNow(backend, statement);
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
    if (range.use === "prepare") return undefined;
    const requires = this.#named.get(nameOf(utf8(range.name)));
    if (requires !== undefined) {
      return { definition: renamedText(definition, range, requires.serverName), requires };
    }
    // Another client's statement may have such a name.
    if (!range.name.startsWith(SERVER_NAME_PREFIX)) return undefined;
    return { definition: renamedText(definition, range, NOBODYS_NAME) };
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
      const ahead = ensure(backend, statement);
      backend.replies.push(reply);
      const bind = bindNothing(view.subarray(start + HEADER_SIZE, nameStart), statement.serverName);
      return { replacement: concat(ahead, bind) };
    }
    const ahead = concat(ensureRequired(backend, statement), ensure(backend, statement));
    backend.replies.push(reply);
    const renamed = withReplaced(view, start, end, nameStart, nameEnd, statement.serverName);
    return {
      replacement: ahead.length === 0 ? renamed : concat(ahead, renamed),
      traits: statement.traits,
      statement,
    };
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
    const ahead = ensure(backend, statement);
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
