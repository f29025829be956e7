/**
 * The one error of the demo's database: finding, downloading, starting or stopping it failed.
 *
 * @module
 */

/** A PostgreSQL server for the demo could not be had. The message says what to do about it. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError";
}

/** The message of anything that was thrown, for use inside another message. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
