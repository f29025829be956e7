/**
 * Where what is in a store's shared memory:
 *
 *     | header: HEADER_SIZE | index: buckets of 64 bytes, a 16th | entries: the rest |
 *
 * All of it is read and written under the lock in the header, but for numbers that are only shown.
 *
 * @module
 */

/** Bytes of the smallest store. */
export const STORE_SIZE_MIN = 64 * 1024;

/** Bytes of the largest store. */
export const STORE_SIZE_MAX = 1024 ** 3;

/** Bytes before the index. */
const HEADER_SIZE = 128;

/** Entries have places, and their sizes are multiples, of so many bytes: that of a double. */
export const ALIGNMENT = 8;

/** Bytes of a bucket of the index: one line of a CPU's cache. */
const BUCKET_SIZE = 64;

/** One part of this many is the index: an entry may be expected to have 128 bytes or more. */
const INDEX_PART = 16;

/** Words of the header, by index in 32 bits. */
export const HEADER_WORD = {
  /** The first of the lock's. */
  lock: 0,
  /** What keys are hashed with, so that nobody can tell which keys share a bucket. */
  seed: 2,
  /** Where the next entry is written, in bytes from the first entry's place. */
  head: 3,
  /** Where the oldest entry is. */
  tail: 4,
  /** Bytes from tail to head, those of entries that were removed included. */
  spanned: 5,
  /** Entries that can be found. */
  entries: 6,
  /** Their bytes. */
  bytesUsed: 7,
  /** 1 from when a call begins to when it is whole: one that was left half way leaves it. */
  inside: 8,
} as const;

/** Numbers of the header that only grow, by index in 64 bits. */
export const HEADER_NUMBER = { evictions: 8, clears: 9 } as const;

/** A store's memory as views. */
export interface StoreParts {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly numbers: Float64Array<SharedArrayBuffer>;
  readonly index: Int32Array<SharedArrayBuffer>;
  readonly entries: Uint8Array<SharedArrayBuffer>;
}

/**
 * Memory for a store, empty.
 *
 * @param sizeBytes From 64 KiB to 1 GiB.
 * @throws {RangeError} If it is something else.
 */
export function storeBuffer(sizeBytes: number): SharedArrayBuffer {
  if (!Number.isInteger(sizeBytes) || sizeBytes < STORE_SIZE_MIN || sizeBytes > STORE_SIZE_MAX) {
    throw new RangeError(
      `Cannot make a store of ${sizeBytes} bytes: it must be an integer from ${STORE_SIZE_MIN} ` +
        `to ${STORE_SIZE_MAX}`,
    );
  }
  const buffer = new SharedArrayBuffer(sizeBytes);
  const [seed] = crypto.getRandomValues(new Int32Array(1));
  partsOf(buffer).words[HEADER_WORD.seed] = seed!;
  return buffer;
}

/** @param buffer Made by {@linkcode storeBuffer}. */
export function partsOf(buffer: SharedArrayBuffer): StoreParts {
  const buckets = Math.floor(buffer.byteLength / INDEX_PART / BUCKET_SIZE);
  const entriesAt = HEADER_SIZE + buckets * BUCKET_SIZE;
  const entriesSize = buffer.byteLength - entriesAt;
  return {
    words: new Int32Array(buffer, 0, HEADER_SIZE / 4),
    numbers: new Float64Array(buffer, 0, HEADER_SIZE / 8),
    index: new Int32Array(buffer, HEADER_SIZE, buckets * BUCKET_SIZE / 4),
    entries: new Uint8Array(buffer, entriesAt, entriesSize - entriesSize % ALIGNMENT),
  };
}
