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
