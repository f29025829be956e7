/**
 * Which entries a store keeps. They lie in a ring in the order in which they were written; new ones
 * are written at its head, and room is made at its tail: an entry there that was used is moved to
 * the head once (a second chance, as in CLOCK), any other is evicted. Holes that replaced and
 * deleted entries leave are gone when the tail passes them, so nothing ever has to be compacted.
 *
 * Every call needs the store's lock.
 *
 * @module
 */

import { ENTRY_STATE, entrySize, type NewEntry, type StoreEntries } from "./store_entries.ts";
import type { StoreIndex } from "./store_index.ts";
import { HEADER_NUMBER, HEADER_WORD, type StoreParts } from "./store_layout.ts";

/**
 * Bytes that may be moved to the head to make room for a new entry: so many, and so many times its
 * size. Beyond, entries are evicted though they were used: a call's time is bounded by its size.
 */
const SPARED_SIZE_MIN = 64 * 1024;
const SPARED_TIMES = 4;

/** The entries of one store, in order. */
export class StoreRing {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #entries: StoreEntries;
  readonly #index: StoreIndex;

  constructor(parts: StoreParts, entries: StoreEntries, index: StoreIndex) {
    this.#words = parts.words;
    this.#numbers = parts.numbers;
    this.#entries = entries;
    this.#index = index;
  }

  /**
   * Writes an entry, of at most a quarter of the ring; there is none with its key.
   *
   * @returns Where it is.
   */
  add(entry: NewEntry, nowMs: number): number {
    const size = entrySize(entry.key.length, entry.value.length);
    const place = this.#reserve(size, nowMs);
    const slot = this.#index.freeSlot(entry.hash) ?? this.#evictOf(entry.hash, nowMs);
    this.#entries.write(place, size, entry);
    this.#index.put(slot, entry.hash, place);
    this.#count(1, size);
    return place;
  }

  /** Leaves a hole where an entry is. */
  remove(place: number): void {
    this.#index.remove(this.#entries.hashAt(place), place);
    this.#entries.setState(place, ENTRY_STATE.hole);
    this.#count(-1, -this.#entries.sizeAt(place));
  }

  /**
   * Forgets all entries, as what is written of them may be half written. The head stays where it
   * is: the place that another may still be writing to is then used as late as possible.
   */
  clear(): void {
    const words = this.#words;
    const head = words[HEADER_WORD.head]!;
    const isPlace = this.#entries.capacity > head && head >= 0 && head % 8 === 0;
    words[HEADER_WORD.head] = isPlace ? head : 0;
    words[HEADER_WORD.tail] = words[HEADER_WORD.head]!;
    words[HEADER_WORD.spanned] = 0;
    words[HEADER_WORD.entries] = 0;
    words[HEADER_WORD.bytesUsed] = 0;
    this.#index.clear();
    this.#numbers[HEADER_NUMBER.clears] = this.#numbers[HEADER_NUMBER.clears]! + 1;
  }

  /** Makes room at the head. @returns Where it is. */
  #reserve(size: number, nowMs: number): number {
    const words = this.#words;
    const { capacity } = this.#entries;
    let sparedSizeLeft = SPARED_SIZE_MIN + SPARED_TIMES * size;
    for (;;) {
      const toEnd = capacity - words[HEADER_WORD.head]!;
      const free = capacity - words[HEADER_WORD.spanned]!;
      if (free < Math.min(size, toEnd)) {
        sparedSizeLeft -= this.#passTail(sparedSizeLeft, nowMs);
      } else if (toEnd < size) {
        this.#skipToStart(toEnd);
      } else {
        return this.#advance(size);
      }
    }
  }

  /**
   * Takes away the oldest entry or hole, or moves the entry to the head.
   *
   * @returns Bytes moved: at most `sparedSizeMax`.
   */
  #passTail(sparedSizeMax: number, nowMs: number): number {
    const words = this.#words;
    const place = words[HEADER_WORD.tail]!;
    const size = this.#entries.sizeAt(place);
    if (size === 0 || size > words[HEADER_WORD.spanned]!) {
      this.clear();
      return 0;
    }
    words[HEADER_WORD.tail] = (place + size) % this.#entries.capacity;
    words[HEADER_WORD.spanned] = words[HEADER_WORD.spanned]! - size;
    if (this.#entries.stateAt(place) === ENTRY_STATE.hole) return 0;
    const isHot = this.#entries.stateAt(place) === ENTRY_STATE.hot;
    if (isHot && size <= sparedSizeMax && !this.#entries.isExpired(place, nowMs)) {
      this.#spare(place, size);
      return size;
    }
    this.#evict(place, nowMs);
    return 0;
  }

  /**
   * Moves an entry that the tail has just passed to the head. It fits there: room is made only as
   * long as less is free than there is up to the end, so the entry is between the head and the end.
   */
  #spare(place: number, size: number): void {
    const hash = this.#entries.hashAt(place);
    const to = this.#advance(size);
    this.#entries.move(place, to, size);
    this.#entries.setState(to, ENTRY_STATE.cold);
    this.#index.move(hash, place, to);
  }

  /** Entries do not wrap around: what is left at the end becomes a hole. */
  #skipToStart(toEnd: number): void {
    this.#entries.writeHole(this.#advance(toEnd), toEnd);
  }

  #advance(size: number): number {
    const place = this.#words[HEADER_WORD.head]!;
    this.#words[HEADER_WORD.head] = (place + size) % this.#entries.capacity;
    this.#words[HEADER_WORD.spanned] = this.#words[HEADER_WORD.spanned]! + size;
    return place;
  }

  /** Evicts the oldest entry of a bucket, cold ones first. @returns Its slot. */
  #evictOf(hash: number, nowMs: number): number {
    const { capacity } = this.#entries;
    let victim = 0;
    let ageMax = -1;
    for (const slot of this.#index.takenSlots(hash)) {
      const place = this.#index.placeOf(slot);
      const isCold = this.#entries.stateAt(place) !== ENTRY_STATE.hot;
      const age = (this.#words[HEADER_WORD.head]! - place + capacity) % capacity +
        (isCold ? capacity : 0);
      if (age > ageMax) {
        ageMax = age;
        victim = slot;
      }
    }
    this.#evict(this.#index.placeOf(victim), nowMs);
    return victim;
  }

  #evict(place: number, nowMs: number): void {
    if (!this.#entries.isExpired(place, nowMs)) {
      this.#numbers[HEADER_NUMBER.evictions] = this.#numbers[HEADER_NUMBER.evictions]! + 1;
    }
    this.remove(place);
  }

  #count(entries: number, bytes: number): void {
    const words = this.#words;
    words[HEADER_WORD.entries] = words[HEADER_WORD.entries]! + entries;
    words[HEADER_WORD.bytesUsed] = words[HEADER_WORD.bytesUsed]! + bytes;
  }
}
