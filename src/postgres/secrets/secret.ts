/**
 * What is stored of a user to check a password with: the password itself, or one of the two forms
 * that PostgreSQL keeps in pg_authid.rolpassword.
 *
 * A secret, and what is made of it, goes to no log and into no error.
 *
 * @module
 */

import { fromBase64 } from "../../base/base64.ts";
import { utf8 } from "../../base/bytes.ts";
import {
  areIterations,
  SCRAM_ITERATIONS_MAX,
  SCRAM_KEY_SIZE,
  SCRAM_SALT_SIZE_MAX,
} from "./scram_limits.ts";

/**
 * Longest password, in bytes. PG_MAX_AUTH_TOKEN_LENGTH of src/backend/libpq/auth.c; tokens of cloud
 * providers, which are sent as passwords, can be as long.
 */
export const PASSWORD_SIZE_MAX = 65_535;

/** What a server keeps to check a SCRAM exchange with. */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** 32 bytes. */
  readonly storedKey: Uint8Array;
  /** 32 bytes. */
  readonly serverKey: Uint8Array;
}

/** A stored secret. */
export type Secret =
  | { readonly kind: "plain"; readonly password: Uint8Array }
  /** 32 lower-case hexadecimal digits: the MD5 of the password and the user's name. */
  | { readonly kind: "md5"; readonly hash: string }
  | { readonly kind: "scram-sha-256"; readonly verifier: ScramVerifier };

/** A stored secret is malformed. Its message holds nothing of the secret. */
export class SecretError extends Error {
  override readonly name = "SecretError";
}

const SCRAM_PREFIX = "SCRAM-SHA-256$";

/**
 * Reads a secret as users files and pg_authid.rolpassword have it: `SCRAM-SHA-256$...`, `md5` and
 * 32 lower-case hexadecimal digits, or else a password. PostgreSQL tells them apart the same way,
 * except that a malformed SCRAM secret is refused here: taken as a password, it would let in
 * whoever has read the file.
 *
 * @returns Undefined for an empty text: nobody can log in with an empty password.
 * @throws {SecretError} If it is malformed or too long.
 */
export function parseSecret(text: string): Secret | undefined {
  if (text === "") return undefined;
  if (text.startsWith(SCRAM_PREFIX)) return { kind: "scram-sha-256", verifier: verifierIn(text) };
  if (/^md5[0-9a-f]{32}$/.test(text)) return { kind: "md5", hash: text.slice(3) };
  const password = utf8(text);
  if (password.length > PASSWORD_SIZE_MAX || password.includes(0)) {
    throw new SecretError(
      `invalid secret: a password must have at most ${PASSWORD_SIZE_MAX} bytes, none of them NUL`,
    );
  }
  return { kind: "plain", password };
}

function verifierIn(text: string): ScramVerifier {
  const match = /^([^:$]*):([^:$]*)\$([^:$]*):([^:$]*)$/.exec(text.slice(SCRAM_PREFIX.length));
  const [iterations, salt, storedKey, serverKey] = match?.slice(1) ?? [];
  const bytes = [salt, storedKey, serverKey].map((part) => fromBase64(part ?? ""));
  const isWhole = areIterations(iterations ?? "") && bytes[0] !== undefined &&
    bytes[0].length >= 1 && bytes[0].length <= SCRAM_SALT_SIZE_MAX &&
    bytes[1]?.length === SCRAM_KEY_SIZE && bytes[2]?.length === SCRAM_KEY_SIZE;
  if (!isWhole) {
    throw new SecretError(
      "invalid SCRAM secret: it must be SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey with " +
        `1 to ${SCRAM_ITERATIONS_MAX} iterations and the rest in base64; copy it from ` +
        "pg_authid.rolpassword again",
    );
  }
  return {
    iterations: Number(iterations),
    salt: bytes[0]!,
    storedKey: bytes[1]!,
    serverKey: bytes[2]!,
  };
}
