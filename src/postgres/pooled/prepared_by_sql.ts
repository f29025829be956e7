/**
 * Statements that a client prepares by SQL, `PREPARE`: they have the client's own names on servers,
 * and are taken from one to the next as texts.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import type { StatementName, Traits } from "../sql/traits.ts";
import type { Backend } from "./backend.ts";
import { type ClientStatements, renamedText } from "./client_statements.ts";
import { nameOf, query } from "./extended_messages.ts";
import { NOBODYS_NAME, SERVER_NAME_PREFIX } from "./statements.ts";
import type { PooledSession } from "./pooled_session.ts";
import type { Replacement } from "./unnamed_statement.ts";

/** Statements that one session may have prepared by SQL and taken along. */
const SQL_STATEMENTS_MAX = 100;

/** Longest text of one that is sent again, in bytes. */
const SQL_STATEMENT_SIZE_MAX = 64 * 1024;

/** Something that is to be done when a request has been answered without an error. */
export interface Effect {
  /** The request's number: see `ReplyQueue.requestCount`. */
  readonly request: number;
  /** It would be undone by a ROLLBACK: in a transaction block it is not counted on. */
  readonly isTransactional?: boolean;
  readonly apply: (backend: Backend) => void;
}

/** Those of one client. */
export class PreparedBySql {
  readonly #session: PooledSession;
  readonly #statements: ClientStatements;
  readonly #schedule: (effect: Effect) => void;
  /** Texts of PREPARE by the name they prepare. */
  readonly #texts = new Map<string, Uint8Array>();

  /** @param statements Those that were prepared by Parse, which SQL may name, too. */
  constructor(
    session: PooledSession,
    statements: ClientStatements,
    schedule: (effect: Effect) => void,
  ) {
    this.#session = session;
    this.#statements = statements;
    this.#schedule = schedule;
  }

  /** DEALLOCATE ALL has been carried out. */
  clear(): void {
    this.#texts.clear();
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
  onExecute(traits: Traits, request: number): void {
    for (const { use, name } of traits.statementNames) {
      if (use === "prepare") this.#session.pin("prepare");
      if (use !== "deallocate") continue;
      this.#schedule({
        request,
        apply: (server) => {
          this.#texts.delete(name);
          server.sqlStatements.delete(name);
          this.#statements.onDeallocated(server, nameOf(utf8(name)));
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
      if (name.use === "prepare") this.#onPrepare(text, name.name, isOnly, request);
      else if (name.use !== "deallocate all") {
        const serverName = this.#onNameUsed(backend, name, request);
        if (serverName !== undefined) renamed = renamedText(renamed, name, serverName);
      }
    }
    return renamed === text || !isWhole ? undefined : query(renamed);
  }

  #onPrepare(text: Uint8Array, name: string, isOnly: boolean, request: number): void {
    const isKept = isOnly && text.length <= SQL_STATEMENT_SIZE_MAX &&
      this.#texts.size < SQL_STATEMENTS_MAX;
    if (!isKept) return this.#session.pin("prepare");
    const copy = text.slice();
    this.#schedule({
      request,
      apply: (server) => {
        this.#texts.set(name, copy);
        server.sqlStatements.set(name, copy);
      },
    });
  }

  /** @returns What the server knows it as, if that is another name. */
  #onNameUsed(backend: Backend, { name, use }: StatementName, request: number) {
    const isDeallocate = use === "deallocate";
    if (this.#texts.has(name)) {
      if (!isDeallocate) return undefined;
      this.#schedule({
        request,
        apply: (server) => {
          this.#texts.delete(name);
          server.sqlStatements.delete(name);
        },
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
      this.#schedule({
        request,
        apply: (server) => {
          this.#statements.delete(protocolName);
          server.statements.delete(statement);
        },
      });
    }
    return statement.serverName;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
