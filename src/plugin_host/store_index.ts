/**
 * Where a store's entries are, by the hash of their keys: buckets of eight slots, each a hash and a
 * place. A look-up reads one line of a CPU's cache. A bucket that is full gives one up: there is
 * nothing to move and nothing to rebuild.
 *
 * @module
 */

import { ALIGNMENT } from "./store_layout.ts";

/** Two words each: the hash; the place in units of 8 bytes, plus one, or 0 for a free slot. */
const SLOT_WORDS = 2;
const BUCKET_WORDS = 8 * SLOT_WORDS;

/** The index of one store. Slots are numbers that only this class makes and understands. */
export class StoreIndex {
  readonly #words: Int32Array;
  readonly #buckets: number;

  /** @param words Zero at first. */
  constructor(words: Int32Array) {
    this.#words = words;
    this.#buckets = words.length / BUCKET_WORDS;
  }

  /**
   * A slot for an entry with this hash.
   *
   * @returns Undefined if all that it could have are taken.
   */
  freeSlot(hash: number): number | undefined {
    const first = this.#first(hash);
    for (let slot = first; slot < first + BUCKET_WORDS; slot += SLOT_WORDS) {
      if (this.#words[slot + 1] === 0) return slot;
    }
    return undefined;
  }

  /** The slots that an entry with this hash could have, all taken. */
  takenSlots(hash: number): readonly number[] {
    const first = this.#first(hash);
    return Array.from({ length: BUCKET_WORDS / SLOT_WORDS }, (_, i) => first + i * SLOT_WORDS);
  }

  /** Where the entry of a slot that is taken is. */
  placeOf(slot: number): number {
    return (this.#words[slot + 1]! - 1) * ALIGNMENT;
  }

  /**
   * The first place with this hash for which `isIt` holds.
   *
   * @returns -1 if there is none.
   */
  find(hash: number, isIt: (place: number) => boolean): number {
    const first = this.#first(hash);
    for (let slot = first; slot < first + BUCKET_WORDS; slot += SLOT_WORDS) {
      if (this.#words[slot] !== hash || this.#words[slot + 1] === 0) continue;
      const place = this.placeOf(slot);
      if (isIt(place)) return place;
    }
    return -1;
  }

  put(slot: number, hash: number, place: number): void {
    this.#words[slot] = hash;
    this.#words[slot + 1] = place / ALIGNMENT + 1;
  }

  /** Tells it that the entry has moved. */
  move(hash: number, from: number, to: number): void {
    const slot = this.#slotOf(hash, from);
    if (slot >= 0) this.put(slot, hash, to);
  }

  remove(hash: number, place: number): void {
    const slot = this.#slotOf(hash, place);
    if (slot >= 0) this.#words[slot + 1] = 0;
  }

  clear(): void {
    this.#words.fill(0);
  }

  #slotOf(hash: number, place: number): number {
    const first = this.#first(hash);
    for (let slot = first; slot < first + BUCKET_WORDS; slot += SLOT_WORDS) {
      if (this.#words[slot + 1] !== 0 && this.placeOf(slot) === place) return slot;
    }
    return -1;
  }

  #first(hash: number): number {
    return ((hash >>> 0) % this.#buckets) * BUCKET_WORDS;
  }
}

/**
 * MurmurHash3 for 32 bits, little endian (Austin Appleby, smhasher, MurmurHash3_x86_32): fast, and
 * well spread. It does not stand up to somebody who knows the seed.
 *
 * @returns A signed integer of 32 bits.
 */
export function hashOf(bytes: Uint8Array, seed: number): number {
  const whole = bytes.length & ~3;
  let hash = seed;
  for (let i = 0; i < whole; i += 4) {
    const block = bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24;
    hash ^= scrambled(block);
    hash = hash << 13 | hash >>> 19;
    hash = Math.imul(hash, 5) + 0xe6546b64 | 0;
  }
  let rest = 0;
  for (let i = bytes.length - 1; i >= whole; i--) rest = rest << 8 | bytes[i]!;
  hash ^= scrambled(rest) ^ bytes.length;
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return hash ^ hash >>> 16;
}

function scrambled(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul(mixed << 15 | mixed >>> 17, 0x1b873593);
}
