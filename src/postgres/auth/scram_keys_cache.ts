/**
 * The keys of passwords that were hashed lately. Hashing one takes milliseconds on purpose; a pool
 * that logs in fifty times with one password should pay that once.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { toBase64 } from "../../base/base64.ts";
import { concat, putInt32 } from "../../base/bytes.ts";
import { NODE_PRIMITIVES, type Primitives, type ScramKeys, scramKeys } from "./scram.ts";

/** How large a cache is, and where it gets chance from. */
export interface ScramKeysCacheOptions {
  /** Most passwords that are remembered, from 1 on; one takes about 300 bytes. */
  readonly entriesMax: number;
  /** Cryptographically strong. */
  readonly randomBytes: (size: number) => Uint8Array;
  readonly primitives?: Primitives;
}

/**
 * Keys by password, salt and iterations; the one that was not asked for the longest goes first.
 * Passwords themselves are not kept. Logins of clients and logins to servers should have a cache
 * each, so that strangers who try names cannot push out what pools need.
 */
export class ScramKeysCache {
  readonly #entriesMax: number;
  readonly #primitives: Primitives;
  readonly #secret: Uint8Array;
  /** In the order of their last use, under a keyed hash of what they were made from. */
  readonly #entries = new Map<string, ScramKeys>();

  /** It is empty at first. */
  constructor(options: ScramKeysCacheOptions) {
    assert(options.entriesMax >= 1, "a cache has room for an entry");
    this.#entriesMax = options.entriesMax;
    this.#primitives = options.primitives ?? NODE_PRIMITIVES;
    this.#secret = options.randomBytes(32);
  }

  /** How many passwords are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** The keys; as `scramKeys`, but fast the second time. */
  keysOf(password: Uint8Array, salt: Uint8Array, iterations: number): ScramKeys {
    const lengths = new Uint8Array(8);
    putInt32(lengths, 0, password.length);
    putInt32(lengths, 4, iterations);
    const source = concat(lengths, password, salt);
    const name = toBase64(this.#primitives.hmac(this.#secret, source));
    const keys = this.#entries.get(name) ??
      scramKeys(this.#primitives, password, salt, iterations);
    this.#entries.delete(name);
    this.#entries.set(name, keys);
    if (this.#entries.size > this.#entriesMax) {
      this.#entries.delete(this.#entries.keys().next().value!);
    }
    return keys;
  }
}
