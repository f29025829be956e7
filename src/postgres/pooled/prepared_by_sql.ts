/**
 * Statements that a client prepares by SQL, `PREPARE`: they have the client's own names on servers,
 * and are taken from one to the next as texts.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { LateMap, LateWeakMap } from "../../base/late_collections.ts";
import type { StatementName, Traits } from "../sql/traits.ts";
import { nameOf, query } from "../wire/extended_messages.ts";
import type { Backend } from "./backend.ts";
import type { ClientStatements } from "./client_statements.ts";
import { renamedText } from "./meant.ts";
import { NOBODYS_NAME, SERVER_NAME_PREFIX } from "./statements.ts";
import type { PooledSession } from "./pooled_session.ts";
import type { Replacement } from "./unnamed_statement.ts";

/** Statements that one session may have prepared by SQL and taken along. */
const SQL_STATEMENTS_MAX = 100;

/** Longest text of one that is sent again, in bytes. */
const SQL_STATEMENT_SIZE_MAX = 64 * 1024;

/**
 * In place of the text of a statement that may be on a server or not: PREPARE and DEALLOCATE stay
 * done if what they were in fails as it is committed.
 */
const UNSURE = new Uint8Array();

/** Something that is to be done when a request has been answered without an error. */
export interface Effect {
  /** The request's number: see `ReplyQueue.requestCount`. */
  readonly request: number;
  /** It would be undone by a ROLLBACK: in a transaction block it is not counted on. */
  readonly isTransactional?: boolean;
  readonly apply: (backend: Backend) => void;
  /** What is to be done if it has failed. */
  readonly fail?: (backend: Backend) => void;
}

/** What they need of the session's state. */
export interface PreparedOwner {
  schedule(effect: Effect): void;
  /** One of them is going to be executed. */
  onPreparedExecute(backend: Backend, traits: Traits, request: number): void;
}

/** Those of one client. */
export class PreparedBySql {
  readonly #session: PooledSession;
  readonly #statements: ClientStatements;
  readonly #owner: PreparedOwner;
  /** Texts of PREPARE by the name they prepare. */
  readonly #texts = new LateMap<string, Uint8Array>();
  /** What those do when they are executed, if it is anything. */
  readonly #traits = new LateWeakMap<Traits>();

  /** @param statements Those that were prepared by Parse, which SQL may name, too. */
  constructor(
    session: PooledSession,
    statements: ClientStatements,
    owner: PreparedOwner,
  ) {
    this.#session = session;
    this.#statements = statements;
    this.#owner = owner;
  }

  /** DEALLOCATE ALL has been carried out. */
  clear(): void {
    this.#texts.clear();
  }

  /** DEALLOCATE ALL has failed; it may have been carried out all the same. */
  doubtAll({ sqlStatements }: Backend): void {
    for (const name of [...sqlStatements.keys()]) sqlStatements.set(name, UNSURE);
  }

  /** Brings them to a server, by queries that `run` runs. */
  follow(backend: Backend, run: (text: Uint8Array, onError: () => void) => void): void {
    if (this.#texts.size === 0 && backend.sqlStatements.size === 0) return;
    for (const [name, text] of [...backend.sqlStatements]) {
      if (this.#texts.get(name) === text) continue;
      backend.sqlStatements.delete(name);
      run(utf8(`DEALLOCATE ${quoted(name)}`), () => {});
    }
    for (const [name, text] of this.#texts) {
      if (backend.sqlStatements.has(name)) continue;
      backend.sqlStatements.set(name, text);
      // What it is about may be gone; PostgreSQL would say so when it is executed.
      run(text, () => void backend.sqlStatements.delete(name));
    }
  }

  /** A statement of the extended protocol is going to be executed. */
  onExecute(backend: Backend, traits: Traits, request: number): void {
    for (const { use, name } of traits.statementNames) {
      if (use === "prepare") this.#session.pin("prepare");
      if (use === "execute") this.#onExecuted(backend, name, request);
      if (use !== "deallocate") continue;
      this.#owner.schedule({
        request,
        apply: (server) => {
          this.#texts.delete(name);
          server.sqlStatements.delete(name);
          this.#statements.onDeallocated(server, nameOf(utf8(name)));
        },
        fail: (server) => {
          if (server.sqlStatements.has(name)) server.sqlStatements.set(name, UNSURE);
          server.statements.doubtNamed(nameOf(utf8(name)));
        },
      });
    }
  }

  /** @returns The Query with the names that the server knows, if there are others in it. */
  onQuery(
    backend: Backend,
    text: Uint8Array,
    traits: Traits,
    isWhole: boolean,
    request: number,
  ): Replacement {
    const isOnly = traits.statementCount === 1 && isWhole;
    let renamed = text;
    // From the end, so that the ranges before stay right.
    for (const name of traits.statementNames.toReversed()) {
      if (name.use === "prepare") this.#onPrepare(text, traits, name.name, isOnly, request);
      else if (name.use !== "deallocate all") {
        const serverName = this.#onNameUsed(backend, name, request);
        if (serverName !== undefined) renamed = renamedText(renamed, name, serverName);
      }
    }
    return renamed === text || !isWhole ? undefined : query(renamed);
  }

  #onPrepare(
    text: Uint8Array,
    traits: Traits,
    name: string,
    isOnly: boolean,
    request: number,
  ): void {
    const isKept = isOnly && text.length <= SQL_STATEMENT_SIZE_MAX &&
      this.#texts.size < SQL_STATEMENTS_MAX;
    if (!isKept) return this.#session.pin("prepare");
    const copy = text.slice();
    this.#traits.set(copy, traits);
    this.#owner.schedule({
      request,
      apply: (server) => {
        this.#texts.set(name, copy);
        server.sqlStatements.set(name, copy);
      },
      fail: (server) => void server.sqlStatements.set(name, UNSURE),
    });
  }

  /** What a statement does that SQL names counts as if it were in the text. */
  #onExecuted(backend: Backend, name: string, request: number): void {
    const text = this.#texts.get(name);
    const traits = text === undefined
      ? this.#statements.get(nameOf(utf8(name)))?.traits
      : this.#traits.get(text);
    if (traits !== undefined) this.#owner.onPreparedExecute(backend, traits, request);
  }

  /** @returns What the server knows it as, if that is another name. */
  #onNameUsed(backend: Backend, { name, use }: StatementName, request: number) {
    const isDeallocate = use === "deallocate";
    if (!isDeallocate) this.#onExecuted(backend, name, request);
    if (this.#texts.has(name)) {
      if (!isDeallocate) return undefined;
      this.#owner.schedule({
        request,
        apply: (server) => {
          this.#texts.delete(name);
          server.sqlStatements.delete(name);
        },
        fail: (server) => void server.sqlStatements.set(name, UNSURE),
      });
      return undefined;
    }
    const protocolName = nameOf(utf8(name));
    const statement = this.#statements.get(protocolName);
    // Another client's statement may have a name like those of servers.
    if (statement === undefined) {
      return name.startsWith(SERVER_NAME_PREFIX) ? NOBODYS_NAME : undefined;
    }
    // Prepared by Parse, named by SQL.
    this.#statements.ensureNow(backend, protocolName, statement);
    if (isDeallocate) {
      this.#owner.schedule({
        request,
        apply: (server) => {
          this.#statements.delete(protocolName);
          server.statements.delete(statement);
        },
        fail: (server) => server.statements.doubt(statement),
      });
    }
    return statement.serverName;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
