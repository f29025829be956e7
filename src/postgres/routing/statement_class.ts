/**
 * What one statement text asks of the server that runs it.
 *
 * @module
 */

/**
 * What a text asks for:
 *
 * - `read`: it may run on a replica that is not behind.
 * - `write`: it needs the primary, or it is not known what it needs.
 * - `session`: it is about the session and nothing else: SET, RESET, SHOW, DISCARD ALL or PLANS,
 *   DEALLOCATE, UNLISTEN, and a text without statements. Any server can run it.
 * - `transaction`: it ends a transaction or is about its savepoints: COMMIT, ROLLBACK, SAVEPOINT,
 *   RELEASE. It belongs where the transaction is; outside of one any server can run it.
 * - `begin`: it begins a transaction that is read-only if default_transaction_read_only is on.
 * - `begin read only`: it begins one that is read-only.
 * - `begin read write`: it begins one that needs the primary: it says READ WRITE, or SERIALIZABLE,
 *   which no replica has, or stands in a text with further statements.
 */
export type StatementKind =
  | "read"
  | "write"
  | "session"
  | "transaction"
  | "begin"
  | "begin read only"
  | "begin read write";

/** What is known of a text. Immutable: equal texts may get the same object. */
export interface StatementClass {
  readonly kind: StatementKind;
  /**
   * Names of the tables (or views) that it reads, each once. As the server sees them: folded to
   * lower case unless quoted. Without their schemas, since the text leaves those to the
   * search_path as often as not: two tables of one name count as one. Undefined if it cannot be
   * known.
   */
  readonly reads: readonly string[] | undefined;
  /** Names of the tables that it writes, likewise. What triggers write is not seen. */
  readonly writes: readonly string[] | undefined;
}

/** A write of which nothing is known. */
export const UNKNOWN_WRITE: StatementClass = Object.freeze({
  kind: "write",
  reads: undefined,
  writes: undefined,
});

/** What of a session's parameters decides where its statements can run. */
export interface SessionDefaults {
  /** Whether default_transaction_read_only is on. */
  readonly isReadOnly: boolean;
  /** Whether default_transaction_isolation is serializable, which no replica has. */
  readonly isSerializable: boolean;
  /**
   * Whether its texts mean what they seem to: standard_conforming_strings is on, and
   * client_encoding is none in which later bytes of a character look like ASCII.
   */
  readonly isReadable: boolean;
}

/** Where a text can run: `replica` is on any server, too, and better there. */
export type Side = "primary" | "replica" | "any";

/** Where a text of this kind can run that begins outside of a transaction. */
export function sideOf(kind: StatementKind, session: SessionDefaults): Side {
  if (!session.isReadable) return "primary";
  switch (kind) {
    case "session":
    case "transaction":
      return "any";
    case "read":
    case "begin read only":
      return session.isSerializable ? "primary" : "replica";
    case "begin":
      return session.isReadOnly && !session.isSerializable ? "replica" : "primary";
    case "write":
    case "begin read write":
      return "primary";
  }
}
