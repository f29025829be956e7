/**
 * What a query's text is about.
 *
 * @module
 */

/** How a statement uses a table: `read`, or `write` for anything that changes or locks it. */
export type TableAccess = "read" | "write";

/** A table, a view or whatever else a query can take rows from, by the name in the text. */
export interface TableUse {
  /** Undefined if the text leaves it to the search_path. */
  readonly schema: string | undefined;
  readonly name: string;
  readonly access: TableAccess;
}

/**
 * What texts have in common that somebody smuggled something into. Each alone is found in honest
 * texts as well, so that a firewall should weigh them.
 *
 * - `tautology`: in a WHERE, HAVING or ON, a comparison of two constants that is not plainly false
 *   (`1 = 1`, `'a' LIKE '%'`), a column compared with itself, or a constant other than false as
 *   one side of an OR or as the whole WHERE of an UPDATE or DELETE. Query builders that begin
 *   with `WHERE 1 = 1` have it, too.
 * - `comment`: the text ends with a `--` comment that stands behind something on its line: what
 *   came after it in the program that made the text is cut off.
 * - `stacked`: the text has more than one statement.
 * - `union-null`: after a query that reads a table, UNION with one that has only constants, such
 *   as NULLs to find out the number of columns.
 * - `sleep`: a call of pg_sleep, pg_sleep_for or pg_sleep_until.
 * - `file-access`: a function that reads, writes or lists files of the server, COPY with a file
 *   or PROGRAM, or LOAD.
 * - `catalog`: a statement that uses tables of pg_catalog or information_schema, and others.
 */
export type InjectionSignal =
  | "tautology"
  | "comment"
  | "stacked"
  | "union-null"
  | "sleep"
  | "file-access"
  | "catalog";

/** One statement of a text. */
export interface StatementSummary {
  /**
   * PostgreSQL's command tag: "SELECT", "CREATE TABLE", "TRUNCATE TABLE", "LOCK TABLE". START
   * TRANSACTION has its own, END is "COMMIT", ABORT and ROLLBACK TO are "ROLLBACK".
   */
  readonly kind: string;
  /**
   * Whether the statement, as far as its text tells, changes nothing: no data, no session, no
   * transaction, no file, no lock. Only SELECT, SHOW, EXPLAIN and COPY TO STDOUT can be.
   * Built-in functions that change something are known. What other functions do is not, nor what
   * is behind operators and views: judge by {@linkcode functions}.
   */
  readonly isReadOnly: boolean;
  /**
   * Every table at any depth, once for each access. A table that is written is not also listed as
   * read for its own WHERE or RETURNING. Names of WITH queries are no tables. What stands in
   * strings (bodies of functions, DO, dynamic SQL, `'t'::regclass`) is not seen.
   */
  readonly tables: readonly TableUse[];
  /**
   * Functions, procedures and aggregates that are called by name, in lower case, with the schema if
   * one is written. Syntax of its own such as EXTRACT has the name of its function ("extract").
   */
  readonly functions: readonly string[];
  /** False if an UPDATE or DELETE at any depth has no WHERE. */
  readonly hasWhere: boolean;
  /** Whether it locks rows (FOR UPDATE, FOR SHARE and the like) or tables (LOCK). */
  readonly isLocking: boolean;
  readonly injectionSignals: readonly InjectionSignal[];
}

/** A text's statements, or why they are not known. */
export interface QueryAnalysis {
  /**
   * Why there are no statements: the parser's message with the position of the error, counted in
   * characters from 1, or the limit that the text exceeds. It can quote the text, secrets
   * included. Whoever lets only known statements pass must not let such a text pass.
   */
  readonly error: string | undefined;
  /**
   * pg_query's fingerprint of the whole text, 16 hexadecimal digits: equal for texts that differ
   * in constants, spaces and comments. Below a depth of about 100 nodes, differences are not seen.
   * Empty if there is an error, zeros if there is no statement.
   */
  readonly fingerprint: string;
  /** The text with `$n` for constants. Comments stay. Empty if there is an error. */
  readonly normalised: string;
  readonly statements: readonly StatementSummary[];
}
