/**
 * Secrets of SCRAM, made as PostgreSQL makes them.
 *
 * @module
 */

import { toBase64 } from "../../src/base/base64.ts";
import { NODE_PRIMITIVES, scramKeys } from "../../src/postgres/auth/scram.ts";
import type { ScramVerifier } from "../../src/postgres/secrets/secret.ts";

/**
 * Makes the verifier of a password.
 *
 * @param password In UTF-8, as the user knows it.
 * @param salt 1 to 1024 bytes.
 * @param iterations 1 to 1,000,000.
 */
export function verifierOf(
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): ScramVerifier {
  const { storedKey, serverKey } = scramKeys(NODE_PRIMITIVES, password, salt, iterations);
  return { iterations, salt, storedKey, serverKey };
}

/** A verifier as PostgreSQL writes it. */
export function verifierText(verifier: ScramVerifier): string {
  const { iterations, salt, storedKey, serverKey } = verifier;
  const keys = `${toBase64(storedKey)}:${toBase64(serverKey)}`;
  return `SCRAM-SHA-256$${iterations}:${toBase64(salt)}$${keys}`;
}
