/**
 * A cache that all threads share, of one plugin: keys and values are bytes, in one piece of shared
 * memory. A call takes a microsecond and the time to copy a value; a thread waits for another only
 * while that one is inside a call.
 *
 * What does not fit evicts what was not used for long (see {@linkcode StoreRing}). A thread that
 * dies inside a call (see {@linkcode StoreLock}), and a call that ends half way as there is no more
 * room on the stack, empty the store: it is a cache.
 *
 * @module
 */

import { murmur3 } from "../base/murmur3.ts";
import { ENTRY_STATE, entrySize, StoreEntries } from "./store_entries.ts";
import { StoreIndex } from "./store_index.ts";
import { HEADER_NUMBER, HEADER_WORD, partsOf, type StoreParts } from "./store_layout.ts";
import { StoreLock } from "./store_lock.ts";
import { StoreRing } from "./store_ring.ts";

export { STORE_SIZE_MAX, STORE_SIZE_MIN, storeBuffer } from "./store_layout.ts";

/** Bytes of the longest key; the shortest has one. */
export const STORE_KEY_SIZE_MAX = 1024;

/** An entry, with its key and 24 bytes more than its value, has at most this part of a store. */
const ENTRY_PART = 4;

/** Values up to so many bytes are copied twice, so that nothing is allocated under the lock. */
const COPIED_TWICE_SIZE_MAX = 4096;

/** The integer 0. */
const ZERO = new Uint8Array(8);

/** A store in numbers, as they are now. */
export interface StoreStats {
  /** Entries, with those that have expired and were not noticed yet. */
  readonly entries: number;
  /** Their bytes, with 24 to 31 bytes for each besides its key and value. */
  readonly bytesUsed: number;
  /** Entries that gave way to others, since the store was made. */
  readonly evictions: number;
  /** How often the store was emptied, because a call was cut off, or stood still for long. */
  readonly clears: number;
  /** All of its memory. */
  readonly sizeBytes: number;
}

/** One thread's access to a store. */
export class SharedStore {
  /** Bytes of the largest value: of one with a longer key, some fewer are taken. */
  readonly valueSizeMax: number;
  readonly #parts: StoreParts;
  readonly #entries: StoreEntries;
  readonly #index: StoreIndex;
  readonly #ring: StoreRing;
  readonly #lock: StoreLock;
  readonly #nowMs: () => number;
  readonly #entrySizeMax: number;
  readonly #small = new Uint8Array(COPIED_TWICE_SIZE_MAX);

  /**
   * @param buffer Made by {@linkcode storeBuffer}.
   * @param nowMs Milliseconds since 1970: the same clock in all threads.
   */
  constructor(buffer: SharedArrayBuffer, nowMs: () => number) {
    this.#parts = partsOf(buffer);
    this.#entries = new StoreEntries(this.#parts.entries);
    this.#index = new StoreIndex(this.#parts.index);
    this.#ring = new StoreRing(this.#parts, this.#entries, this.#index);
    this.#lock = new StoreLock(this.#parts.words, HEADER_WORD.lock);
    this.#nowMs = nowMs;
    this.#entrySizeMax = Math.floor(this.#entries.capacity / ENTRY_PART);
    this.valueSizeMax = this.#entrySizeMax - entrySize(1, 0);
  }

  /**
   * A copy of the value, or undefined.
   *
   * @throws {RangeError} If the key is empty or longer than {@linkcode STORE_KEY_SIZE_MAX}; so do
   * all methods that take one.
   */
  get(key: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    let target = this.#small;
    for (;;) {
      const size = this.getInto(key, target);
      if (size < 0) return undefined;
      if (size === target.length && target !== this.#small) return target;
      if (size <= target.length) return target.slice(0, size);
      target = new Uint8Array(size);
    }
  }

  /**
   * Copies the value, or as much of it as fits.
   *
   * @returns The size of the whole value, -1 if there is none.
   */
  getInto(key: Uint8Array, target: Uint8Array): number {
    const hash = this.#hashOf(key);
    const nowMs = this.#nowMs();
    return this.#exclusively(() => {
      const place = this.#find(hash, key, nowMs);
      if (place < 0) return -1;
      this.#touch(place);
      this.#entries.copyValue(place, target);
      return this.#entries.valueSizeAt(place);
    });
  }

  /**
   * Stores a value, in the place of the one that the key had.
   *
   * @param ttlMs How long it is there, in milliseconds; 0 for as long as there is room.
   * @returns False if it is larger than the store takes: the entry more than a quarter of it. The
   * key has its old value then.
   * @throws {RangeError} If the key or the time cannot be used.
   */
  set(key: Uint8Array, value: Uint8Array, ttlMs: number): boolean {
    const hash = this.#hashOf(key);
    const size = entrySize(key.length, value.length);
    const nowMs = this.#nowMs();
    const expiresMs = expiry(nowMs, ttlMs);
    if (size > this.#entrySizeMax) return false;
    return this.#exclusively(() => {
      const place = this.#find(hash, key, nowMs);
      if (place >= 0) {
        const sizeThere = this.#entries.sizeAt(place);
        if (size <= sizeThere && 2 * size >= sizeThere) {
          this.#entries.overwrite(place, value, expiresMs);
          this.#touch(place);
          return true;
        }
        this.#ring.remove(place);
      }
      this.#ring.add({ hash, key, value, expiresMs }, nowMs);
      return true;
    });
  }

  /** @returns Whether there was one. */
  delete(key: Uint8Array): boolean {
    const hash = this.#hashOf(key);
    const nowMs = this.#nowMs();
    return this.#exclusively(() => {
      const place = this.#find(hash, key, nowMs);
      if (place < 0) return false;
      this.#ring.remove(place);
      return true;
    });
  }

  /**
   * Adds to an integer of 64 bits, signed, that is stored as 8 bytes, little endian; what is not
   * there counts as 0. It wraps around.
   *
   * @param ttlMs As for {@linkcode SharedStore.set}, from when it is made: later calls keep it.
   * @returns The sum; undefined if the value has not 8 bytes.
   * @throws {RangeError} If the key or the time cannot be used.
   */
  increment(key: Uint8Array, by: bigint, ttlMs: number): bigint | undefined {
    const hash = this.#hashOf(key);
    const nowMs = this.#nowMs();
    const expiresMs = expiry(nowMs, ttlMs);
    return this.#exclusively(() => {
      const place = this.#find(hash, key, nowMs);
      if (place < 0) {
        return this.#addTo(this.#ring.add({ hash, key, value: ZERO, expiresMs }, nowMs), by);
      }
      if (this.#entries.valueSizeAt(place) !== 8) return undefined;
      this.#touch(place);
      return this.#addTo(place, by);
    });
  }

  /** The store's numbers, read without waiting: others may be changing them. */
  get stats(): StoreStats {
    const { words, numbers } = this.#parts;
    return {
      entries: words[HEADER_WORD.entries]!,
      bytesUsed: words[HEADER_WORD.bytesUsed]!,
      evictions: numbers[HEADER_NUMBER.evictions]!,
      clears: numbers[HEADER_NUMBER.clears]!,
      sizeBytes: words.buffer.byteLength,
    };
  }

  #addTo(place: number, by: bigint): bigint {
    const sum = BigInt.asIntN(64, this.#entries.integerAt(place) + by);
    this.#entries.setInteger(place, sum);
    return sum;
  }

  /** Where the entry is, or -1. One that has expired is removed. */
  #find(hash: number, key: Uint8Array, nowMs: number): number {
    const place = this.#index.find(hash, (candidate) => this.#entries.hasKey(candidate, key));
    if (place < 0 || !this.#entries.isExpired(place, nowMs)) return place;
    this.#ring.remove(place);
    return -1;
  }

  #touch(place: number): void {
    if (this.#entries.stateAt(place) === ENTRY_STATE.cold) {
      this.#entries.setState(place, ENTRY_STATE.hot);
    }
  }

  /**
   * Does something while no other thread does. If the lock was broken meanwhile, this thread stood
   * still for long and has then written to what others use: all is emptied, and done again.
   *
   * @param action Throws nothing of its own. The stack's end can cut it off at any call, and then
   * whoever comes next empties the store: here there is no room left for that.
   */
  #exclusively<Result>(action: () => Result): Result {
    const { words } = this.#parts;
    for (;;) {
      const wasBroken = this.#lock.lock();
      let isWhole = false;
      try {
        const wasLeft = words[HEADER_WORD.inside] !== 0;
        words[HEADER_WORD.inside] = 1;
        if (wasBroken || wasLeft) this.#ring.clear();
        const result = action();
        words[HEADER_WORD.inside] = 0;
        isWhole = this.#lock.unlock();
        if (isWhole) return result;
      } finally {
        if (!isWhole && !this.#lock.unlock()) this.#empty();
      }
    }
  }

  #empty(): void {
    const { words } = this.#parts;
    do {
      this.#lock.lock();
      words[HEADER_WORD.inside] = 1;
      this.#ring.clear();
      words[HEADER_WORD.inside] = 0;
    } while (!this.#lock.unlock());
  }

  #hashOf(key: Uint8Array): number {
    if (key.length < 1 || key.length > STORE_KEY_SIZE_MAX) {
      throw new RangeError(
        `Cannot use a key of ${key.length} bytes: it must have 1 to ${STORE_KEY_SIZE_MAX}`,
      );
    }
    return murmur3(key, this.#parts.words[HEADER_WORD.seed]!);
  }
}

function expiry(nowMs: number, ttlMs: number): number {
  if (!Number.isFinite(ttlMs) || ttlMs < 0) {
    throw new RangeError(`Cannot store for ${ttlMs} ms: it must be a number from 0`);
  }
  return ttlMs === 0 ? Infinity : nowMs + ttlMs;
}
