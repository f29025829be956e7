/**
 * What a query text does to its session, as far as the text shows it. A server connection that
 * serves many clients needs to know: what one client leaves behind must follow it to its next
 * server, or hold it to this one.
 *
 * What the text does not show is not reported: functions, triggers and rules of the database can
 * change a session without a trace in the query. Where the text is in doubt the answer errs on the
 * side of a session that was changed.
 *
 * @module
 */

/** First words of statements that are told apart. */
export const COMMANDS = [
  ...["abort", "alter", "begin", "call", "close", "commit", "copy", "create", "deallocate"],
  ...["declare", "delete", "discard", "do", "drop", "end", "execute", "explain", "fetch"],
  ...["import", "insert", "listen", "load", "lock", "merge", "move", "notify", "prepare"],
  ...["release", "reset", "rollback", "savepoint", "select", "set", "show", "start", "table"],
  ...["truncate", "unlisten", "update", "vacuum", "values", "with"],
] as const;

/** What a statement begins with: "other" for words not listed, "none" if there is no statement. */
export type Command = (typeof COMMANDS)[number] | "other" | "none";

/** What a DISCARD discards. */
export type Discard = "all" | "plans" | "sequences" | "temp";

/** What only this server connection has from now on, so that its session must stay with it. */
export type Pin =
  /** LISTEN. */
  | "listen"
  /** A session-level advisory lock. */
  | "advisory lock"
  /** A temporary table, sequence, view or other object; not one with ON COMMIT DROP. */
  | "temporary object"
  /** DECLARE ... CURSOR WITH HOLD. */
  | "holdable cursor"
  /** LOAD of a library. */
  | "load"
  /** PREPARE in a text with more statements, where it cannot be sent again on its own. */
  | "prepare";

/** What ends the reason for a {@linkcode Pin}, all of its kind at once. */
export type Unpin = "unlisten all" | "advisory unlock all" | "close all";

/** A name in a text: of a prepared statement. */
export interface StatementName {
  /**
   * - "prepare": PREPARE;
   * - "execute": EXECUTE, EXPLAIN EXECUTE, CREATE TABLE AS EXECUTE;
   * - "deallocate": DEALLOCATE of one statement;
   * - "deallocate all": DEALLOCATE ALL; `name` is empty and the range is that of ALL.
   */
  readonly use: "prepare" | "execute" | "deallocate" | "deallocate all";
  /** As the server sees it: folded to lower case unless quoted, unquoted, cut at 63 bytes. */
  readonly name: string;
  /** Where it begins in the text, in bytes: quotes are part of the range. */
  readonly start: number;
  /** Where it ends. */
  readonly end: number;
}

/** What a query text does to its session. Immutable: equal texts may get the same object. */
export interface Traits {
  /** How many statements the server runs; empty ones do not count. */
  readonly statementCount: number;
  /** The first statement's first word. */
  readonly command: Command;
  /**
   * Session parameters that SET, RESET or set_config() touch, each once, at most 16: lower case,
   * with their dots. What lasts for a transaction only (SET LOCAL, SET TRANSACTION) is left out.
   * RESET ALL and DISCARD ALL are not spelled out here.
   */
  readonly parameters: readonly string[];
  /** Those of `parameters` that a RESET is the last to touch. */
  readonly resets: readonly string[];
  /** True if further parameters may be set, whose names the text does not show or are too many. */
  readonly setsUnknownParameter: boolean;
  /** True if there is a RESET ALL. */
  readonly resetsAllParameters: boolean;
  /** Each DISCARD, by what it discards, each kind once. */
  readonly discards: readonly Discard[];
  /** Names of prepared statements in the order of the text, at most 16. */
  readonly statementNames: readonly StatementName[];
  /** True if `statementNames` is not complete. */
  readonly hasMoreStatementNames: boolean;
  /** Why the session must stay with its server, each reason once. */
  readonly pins: readonly Pin[];
  /** Which reasons have ended, each once. In a text with both, the order is not told. */
  readonly unpins: readonly Unpin[];
  /** True for CREATE, ALTER, DROP and SELECT INTO: plans of prepared statements may be stale. */
  readonly changesSchema: boolean;
  /** True for SET LOCAL of what names of tables depend on, or of what is not known. */
  readonly setsNamesLocally: boolean;
  /** True for BEGIN, START TRANSACTION, and COMMIT or ROLLBACK with AND CHAIN. */
  readonly beginsTransaction: boolean;
  /**
   * True if what runs cannot be seen: DO, CALL, or a text that ends inside a string, a comment or
   * a parenthesis, so that the server reads it in another way or not at all.
   */
  readonly isOpaque: boolean;
}

/** What the meaning of names of tables and functions depends on: `$user` is the role. */
export const NAMING_PARAMETERS: readonly string[] = [
  "search_path",
  "role",
  "session_authorization",
];

/** Whether a text does nothing to its session that anybody must know. */
export function isPlain(traits: Traits): boolean {
  return traits.parameters.length === 0 && traits.pins.length === 0 &&
    traits.statementNames.length === 0 && traits.discards.length === 0 &&
    traits.unpins.length === 0 && !traits.changesSchema && !traits.resetsAllParameters &&
    !traits.setsUnknownParameter && !traits.setsNamesLocally && !traits.isOpaque;
}
