/**
 * A ring of hashes on which every server has many points, the virtual nodes. A key belongs to the
 * server of the next point, so if a server goes, its keys go to all others, and no other key moves.
 *
 *     hash   0 ......... 2^32 - 1, and on with 0
 *     point      b  a   c a  b  c
 *     key            x -> c
 *
 * A point is the MurmurHash3 of the server's name, in UTF-8, and one byte, its own number from 0; a
 * key's place is that of its UTF-8. So gateways agree who have never heard of one another. A change
 * of this moves nearly all keys. The number comes last: as a seed, or before the name, it leaves
 * pairs of names that share a part of their points, as db735 and db1658 did.
 *
 * Source: D. Karger et al., "Consistent Hashing and Random Trees", STOC 1997.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { utf8 } from "../../base/bytes.ts";
import { murmur3 } from "../../base/murmur3.ts";

/** Points of a server. As many as Ketama has. */
export const POINTS_MAX = 160;

/** A point is one number below 2^53, so that sorting is quick: 32 bits of hash, 13, and 8. */
const OWNERS_MAX = 2 ** 13;
const NUMBERS_MAX = 2 ** 8;

const SEED = 0;

/** Keys up to this length are hashed without garbage. */
const ASCII_SIZE_MAX = 256;

const ascii = new Uint8Array(ASCII_SIZE_MAX);

/** The points of some servers. */
export class HashRing {
  /** In ascending order, and in the same places as what is known of them. */
  readonly #hashes: Uint32Array;
  readonly #owners: Uint16Array;
  readonly #numbers: Uint8Array;

  /** @param names Sorted, so that points of equal hash have the same order everywhere. */
  constructor(names: readonly string[]) {
    assert(names.length <= OWNERS_MAX, "a ring has at most 8,192 names");
    const points = new Float64Array(names.length * POINTS_MAX);
    for (const [owner, name] of names.entries()) {
      const bytes = new Uint8Array([...utf8(name), 0]);
      for (let number = 0; number < POINTS_MAX; number++) {
        bytes[bytes.length - 1] = number;
        const hash = murmur3(bytes, SEED) >>> 0;
        points[owner * POINTS_MAX + number] = (hash * OWNERS_MAX + owner) * NUMBERS_MAX + number;
      }
    }
    points.sort();
    this.#hashes = new Uint32Array(points.length);
    this.#owners = new Uint16Array(points.length);
    this.#numbers = new Uint8Array(points.length);
    for (let place = 0; place < points.length; place++) {
      const point = points[place]!;
      const upper = Math.floor(point / NUMBERS_MAX);
      this.#hashes[place] = Math.floor(upper / OWNERS_MAX);
      this.#owners[place] = upper % OWNERS_MAX;
      this.#numbers[place] = point % NUMBERS_MAX;
    }
  }

  /** How many points it has. */
  get size(): number {
    return this.#hashes.length;
  }

  /** Where a key's way begins: the first point that is not before it. There must be one. */
  placeOf(key: string): number {
    const hash = keyHash(key);
    let low = 0;
    let high = this.#hashes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#hashes[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low === this.#hashes.length ? 0 : low;
  }

  /** Whose point it is: an index into the names. */
  ownerAt(place: number): number {
    return this.#owners[place]!;
  }

  /** Which of its owner's points it is, from 0. */
  numberAt(place: number): number {
    return this.#numbers[place]!;
  }
}

function keyHash(key: string): number {
  if (key.length > ASCII_SIZE_MAX) return murmur3(utf8(key), SEED) >>> 0;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return murmur3(utf8(key), SEED) >>> 0;
    ascii[i] = code;
  }
  return murmur3(ascii, SEED, key.length) >>> 0;
}
