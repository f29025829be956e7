/**
 * How much work, and how many bytes, a SCRAM secret or exchange may ask for.
 *
 * @module
 */

/** Bytes of a SHA-256 hash, and so of every key, proof and signature of SCRAM-SHA-256. */
export const SCRAM_KEY_SIZE = 32;

/**
 * Most iterations that are accepted, from a stored secret or from a server: they are computed while
 * nothing else runs, and a million take half a second. It leaves room above the 600,000 that the
 * OWASP Password Storage Cheat Sheet asks of PBKDF2 with SHA-256.
 */
export const SCRAM_ITERATIONS_MAX = 1_000_000;

/** Longest salt that is accepted, in bytes; PostgreSQL makes salts of 16. */
export const SCRAM_SALT_SIZE_MAX = 1024;

/** Whether `text` is a number of iterations that is accepted. */
export function areIterations(text: string): boolean {
  return /^[1-9][0-9]{0,6}$/.test(text) && Number(text) <= SCRAM_ITERATIONS_MAX;
}
