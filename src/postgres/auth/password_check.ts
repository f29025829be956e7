/**
 * Checks of passwords and of MD5 answers against a stored secret, in calls that do not depend on
 * whether there is one: every user pays for every kind of secret that there may be.
 *
 * @module
 */

import { concat, equalInConstantTime, utf8 } from "../../base/bytes.ts";
import type { Secret } from "../secrets/secret.ts";
import { md5HashOf } from "./md5.ts";
import { type Primitives, scramKeys } from "./scram.ts";
import type { StandIn } from "./stand_in.ts";

/** Whom a check is about. */
export interface CheckedUser {
  readonly user: string;
  /** Undefined if the user is unknown: then no check succeeds. */
  readonly secret: Secret | undefined;
  readonly standIn: StandIn;
  /** The kinds of secrets that any user may have. */
  readonly secretKinds: ReadonlySet<Secret["kind"]>;
  /** Of the verifiers that most users have: 1 to 1,000,000. */
  readonly iterations: number;
  readonly primitives: Primitives;
}

/** Whether the user, or anybody else who may be asked next, can have such a secret. */
export function isKindPossible(checked: CheckedUser, kind: Secret["kind"]): boolean {
  return checked.secretKinds.has(kind) || checked.secret?.kind === kind;
}

/**
 * Whether `given` is the password; an empty one never is, as with PostgreSQL.
 *
 * @param key 32 secret bytes: passwords are compared by a keyed hash, which hides their length.
 */
export function isPasswordRight(
  checked: CheckedUser,
  given: Uint8Array,
  key: Uint8Array,
): boolean {
  const { user, secret, standIn, primitives } = checked;
  const isRight = { "plain": false, "md5": false, "scram-sha-256": false };
  if (isKindPossible(checked, "plain")) {
    const other = standIn.password();
    const stored = secret?.kind === "plain" ? secret.password : other;
    isRight.plain = equalInConstantTime(primitives.hmac(key, given), primitives.hmac(key, stored));
  }
  if (isKindPossible(checked, "md5")) {
    const other = standIn.md5Hash();
    const stored = secret?.kind === "md5" ? secret.hash : other;
    const hash = md5HashOf(given, user, primitives);
    isRight.md5 = equalInConstantTime(utf8(hash), utf8(stored));
  }
  if (isKindPossible(checked, "scram-sha-256")) {
    const other = { ...standIn.scramKeys(), salt: standIn.salt(), iterations: checked.iterations };
    const { salt, iterations, storedKey } = secret?.kind === "scram-sha-256"
      ? secret.verifier
      : other;
    const keys = scramKeys(primitives, given, salt, iterations);
    isRight["scram-sha-256"] = equalInConstantTime(keys.storedKey, storedKey);
  }
  return secret !== undefined && given.length > 0 && isRight[secret.kind];
}

/**
 * Whether `given` answers an AuthenticationMD5Password: "md5" and the MD5 of the stored hash, as
 * hexadecimal digits, and the salt.
 *
 * @param salt The 4 bytes that were sent.
 */
export function isMd5AnswerRight(
  checked: CheckedUser,
  given: Uint8Array,
  salt: Uint8Array,
): boolean {
  const { user, secret, standIn, primitives } = checked;
  let hash = standIn.md5Hash();
  if (isKindPossible(checked, "plain")) {
    const other = standIn.password();
    const stored = secret?.kind === "plain" ? secret.password : other;
    const made = md5HashOf(stored, user, primitives);
    if (secret?.kind === "plain") hash = made;
  }
  if (secret?.kind === "md5") hash = secret.hash;
  const isRight = equalInConstantTime(given, md5Answer(hash, salt, primitives));
  return isRight && (secret?.kind === "plain" || secret?.kind === "md5");
}

/** The answer to AuthenticationMD5Password, for both sides. */
export function md5Answer(hash: string, salt: Uint8Array, primitives: Primitives): Uint8Array {
  return concat(utf8("md5"), utf8(primitives.md5(utf8(hash), salt)));
}
