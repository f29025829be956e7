/**
 * The arithmetic of SCRAM-SHA-256, for both sides.
 *
 *     SaltedPassword  = PBKDF2(SASLprep(password), salt, iterations)
 *     ClientKey       = HMAC(SaltedPassword, "Client Key")   proves who the client is
 *     StoredKey       = SHA-256(ClientKey)                   what a server keeps to check that
 *     ServerKey       = HMAC(SaltedPassword, "Server Key")   proves who the server is
 *     ClientProof     = ClientKey XOR HMAC(StoredKey, AuthMessage)
 *     ServerSignature = HMAC(ServerKey, AuthMessage)
 *
 * Source: https://www.rfc-editor.org/rfc/rfc5802#section-3 and RFC 7677
 *
 * @module
 */

import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { assert } from "../../base/assert.ts";
import { utf8 } from "../../base/bytes.ts";
import { SCRAM_ITERATIONS_MAX, SCRAM_KEY_SIZE } from "../secrets/scram_limits.ts";
import { saslprep } from "./saslprep.ts";

/** Iterations where nobody says otherwise: scram_iterations of PostgreSQL, RFC 7677 section 4. */
export const SCRAM_ITERATIONS = 4096;

/** The functions that everything here is made of; tests count their calls. */
export interface Primitives {
  /** 32 bytes of PBKDF2 with HMAC-SHA-256. */
  pbkdf2(password: Uint8Array, salt: Uint8Array, iterations: number): Uint8Array;
  /** HMAC-SHA-256. */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** SHA-256. */
  sha256(data: Uint8Array): Uint8Array;
  /** MD5 of both parts one after the other, as 32 lower-case hexadecimal digits. */
  md5(first: Uint8Array, second: Uint8Array): string;
}

/** The functions of the platform. */
export const NODE_PRIMITIVES: Primitives = {
  pbkdf2: (password, salt, iterations) =>
    new Uint8Array(pbkdf2Sync(password, salt, iterations, SCRAM_KEY_SIZE, "sha256")),
  hmac: (key, data) => new Uint8Array(createHmac("sha256", key).update(data).digest()),
  sha256: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
  md5: (first, second) => createHash("md5").update(first).update(second).digest("hex"),
};

/** Everything that follows from a password, a salt and a number of iterations. 32 bytes each. */
export interface ScramKeys {
  readonly clientKey: Uint8Array;
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/**
 * Computes the keys of a password; takes a millisecond for some 2,000 iterations.
 *
 * @param password As the user knows it, in UTF-8.
 * @param salt 1 to `SCRAM_SALT_SIZE_MAX` bytes.
 * @param iterations 1 to {@linkcode SCRAM_ITERATIONS_MAX}; checked where they are read.
 */
export function scramKeys(
  primitives: Primitives,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
): ScramKeys {
  assert(
    iterations >= 1 && iterations <= SCRAM_ITERATIONS_MAX,
    "iterations are checked where they are read",
  );
  const salted = primitives.pbkdf2(saslprep(password), salt, iterations);
  const clientKey = primitives.hmac(salted, utf8("Client Key"));
  return {
    clientKey,
    storedKey: primitives.sha256(clientKey),
    serverKey: primitives.hmac(salted, utf8("Server Key")),
  };
}

/**
 * ClientProof from a ClientKey, and the other way round: they differ by the same signature.
 *
 * @param either 32 bytes.
 */
export function maskWithClientSignature(
  primitives: Primitives,
  either: Uint8Array,
  storedKey: Uint8Array,
  authMessage: Uint8Array,
): Uint8Array {
  const signature = primitives.hmac(storedKey, authMessage);
  return either.map((byte, i) => byte ^ signature[i]!);
}
