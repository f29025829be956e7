/**
 * Entries in a store's shared memory. Each begins at a multiple of 8 bytes:
 *
 *     | size: u32, all of it | key size: u16 | state: u16 | hash: i32 | value size: u32 |
 *     | expires: f64, milliseconds since 1970 | key | value | up to 7 unused |
 *
 * A hole has a size and a state only.
 *
 * @module
 */

import { ALIGNMENT } from "./store_layout.ts";

/** Bytes before an entry's key. */
const ENTRY_HEADER_SIZE = 24;

/** A hole is nobody's; a hot entry was used since it was written or last spared. */
export const ENTRY_STATE = { hole: 0, cold: 1, hot: 2 } as const;

type EntryState = typeof ENTRY_STATE[keyof typeof ENTRY_STATE];

/** What is written: see {@linkcode StoreEntries.write}. */
export interface NewEntry {
  readonly hash: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Milliseconds since 1970, or Infinity. */
  readonly expiresMs: number;
}

/** Bytes of an entry with a key and a value of so many bytes. */
export function entrySize(keySize: number, valueSize: number): number {
  return Math.ceil((ENTRY_HEADER_SIZE + keySize + valueSize) / ALIGNMENT) * ALIGNMENT;
}

/** Reads and writes entries. Places are in bytes, multiples of 8, below `capacity`. */
export class StoreEntries {
  /** Bytes for entries. */
  readonly capacity: number;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array<SharedArrayBuffer>) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.capacity = byteLength;
    this.#bytes = bytes;
    this.#halves = new Uint16Array(buffer, byteOffset, byteLength / 2);
    this.#words = new Int32Array(buffer, byteOffset, byteLength / 4);
    this.#numbers = new Float64Array(buffer, byteOffset, byteLength / 8);
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /**
   * The size of what is at `place`, or 0 if it is no entry and no hole: memory that was left half
   * written. Anything is survived here, as the lock can be broken.
   */
  sizeAt(place: number): number {
    const size = this.#words[place / 4] ?? 0;
    const isSound = size >= ALIGNMENT && size % ALIGNMENT === 0 && place + size <= this.capacity;
    return isSound ? size : 0;
  }

  stateAt(place: number): EntryState {
    return this.#halves[place / 2 + 3] as EntryState;
  }

  setState(place: number, state: EntryState): void {
    this.#halves[place / 2 + 3] = state;
  }

  hashAt(place: number): number {
    return this.#words[place / 4 + 2]!;
  }

  isExpired(place: number, nowMs: number): boolean {
    return nowMs >= this.#numbers[place / 8 + 2]!;
  }

  valueSizeAt(place: number): number {
    return this.#words[place / 4 + 3]!;
  }

  /** Whether an entry with this key, whole, is at `place`. */
  hasKey(place: number, key: Uint8Array): boolean {
    if (this.#halves[place / 2 + 2] !== key.length) return false;
    if (this.stateAt(place) === ENTRY_STATE.hole) return false;
    const valueSize = this.valueSizeAt(place);
    if (valueSize < 0 || entrySize(key.length, valueSize) > this.sizeAt(place)) return false;
    const keyAt = place + ENTRY_HEADER_SIZE;
    for (let i = 0; i < key.length; i++) {
      if (this.#bytes[keyAt + i] !== key[i]) return false;
    }
    return true;
  }

  /** Copies as much of the value as fits into `target`. */
  copyValue(place: number, target: Uint8Array): void {
    const valueAt = this.#valueAt(place);
    const size = Math.min(this.valueSizeAt(place), target.length);
    target.set(this.#bytes.subarray(valueAt, valueAt + size));
  }

  /** The value of an entry whose value has 8 bytes, as an integer. */
  integerAt(place: number): bigint {
    return this.#view.getBigInt64(this.#valueAt(place), true);
  }

  setInteger(place: number, value: bigint): void {
    this.#view.setBigInt64(this.#valueAt(place), value, true);
  }

  /** Writes an entry of `size` bytes, which are enough for it. */
  write(place: number, size: number, entry: NewEntry): void {
    this.#words[place / 4] = size;
    this.#halves[place / 2 + 2] = entry.key.length;
    this.#words[place / 4 + 2] = entry.hash;
    this.#bytes.set(entry.key, place + ENTRY_HEADER_SIZE);
    this.overwrite(place, entry.value, entry.expiresMs);
    this.setState(place, ENTRY_STATE.cold);
  }

  /** Replaces the value of an entry by one that has room there. */
  overwrite(place: number, value: Uint8Array, expiresMs: number): void {
    this.#words[place / 4 + 3] = value.length;
    this.#numbers[place / 8 + 2] = expiresMs;
    this.#bytes.set(value, this.#valueAt(place));
  }

  writeHole(place: number, size: number): void {
    this.#words[place / 4] = size;
    this.setState(place, ENTRY_STATE.hole);
  }

  /** Moves what has `size` bytes; the old and the new place may overlap. */
  move(from: number, to: number, size: number): void {
    this.#bytes.copyWithin(to, from, from + size);
  }

  #valueAt(place: number): number {
    return place + ENTRY_HEADER_SIZE + this.#halves[place / 2 + 2]!;
  }
}
