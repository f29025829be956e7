/**
 * What stands in for the secret of a user who has none, so that a stranger cannot find out which
 * users there are: the same messages, made by the same calls, with a salt that stays the same from
 * one attempt to the next.
 *
 * @module
 */

import { toBase64 } from "../../base/base64.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Secret } from "../secrets/secret.ts";
import type { Primitives } from "./scram.ts";

/** PostgreSQL's own salts are as long: SCRAM_DEFAULT_SALT_LEN of scram-common.h. */
const SALT_SIZE = 16;

/** The made-up secrets of one user. Nobody knows a password for them. */
export class StandIn {
  readonly #primitives: Primitives;
  readonly #key: Uint8Array;
  readonly #user: string;

  /** @param key Secret, and the same for as long as answers should stay the same. */
  constructor(primitives: Primitives, key: Uint8Array, user: string) {
    this.#primitives = primitives;
    this.#key = key;
    this.#user = user;
  }

  /** 16 bytes, which are seen by the client. */
  salt(): Uint8Array {
    return this.#made("salt").slice(0, SALT_SIZE);
  }

  /** As long as a long password. */
  password(): Uint8Array {
    return utf8(toBase64(this.#made("password")));
  }

  /** 32 lower-case hexadecimal digits. */
  md5Hash(): string {
    return [...this.#made("md5").slice(0, 16)].map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
  }

  /** Keys that no password has. */
  scramKeys(): { readonly storedKey: Uint8Array; readonly serverKey: Uint8Array } {
    return { storedKey: this.#made("stored key"), serverKey: this.#made("server key") };
  }

  /** Which kind of secret the user would seem to have, of those that there are. */
  kind(kinds: ReadonlySet<Secret["kind"]>): Secret["kind"] | undefined {
    const sorted = [...kinds].sort();
    return sorted[this.#made("kind")[0]! % sorted.length];
  }

  #made(what: string): Uint8Array {
    return this.#primitives.hmac(this.#key, utf8(`${what}\0${this.#user}`));
  }
}
