/**
 * The one error of the demo's database: finding, downloading, starting or stopping it failed.
 *
 * @module
 */

/** A PostgreSQL server for the demo could not be had. The message says what to do about it. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
}
