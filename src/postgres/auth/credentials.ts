/**
 * What the gateway logs in to a server with, and what it learns of that when it authenticates a
 * client. Nothing of it goes to a log or into an error.
 *
 * @module
 */

import type { ScramVerifier, Secret } from "../secrets/secret.ts";

/** What proves to a server who somebody is. */
export type ServerCredentials =
  /** Good for every method. In UTF-8, without a NUL. */
  | { readonly kind: "password"; readonly password: Uint8Array }
  /** Good for method md5: 32 lower-case hexadecimal digits, as in a stored secret. */
  | { readonly kind: "md5"; readonly hash: string }
  /** Good for SCRAM-SHA-256 with a server that stores the very same verifier. */
  | {
    readonly kind: "scram-sha-256";
    /** 32 bytes. */
    readonly clientKey: Uint8Array;
    readonly verifier: ScramVerifier;
  };

/** What a stored secret alone is good for: a verifier proves nothing without the client's key. */
export function credentialsOf(secret: Secret | undefined): ServerCredentials | undefined {
  switch (secret?.kind) {
    case "plain":
      return { kind: "password", password: secret.password };
    case "md5":
      return { kind: "md5", hash: secret.hash };
  }
  return undefined;
}
