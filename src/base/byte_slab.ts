/**
 * Copies of short byte strings that are needed for a moment: a memory of their own for each would
 * cost more than the copy.
 *
 * @module
 */

import { copyInto } from "./bytes.ts";

/** Bytes that are got at once. */
const SLAB_SIZE = 16 * 1024;

/** What is longer gets a memory of its own, so that few keep much alive. */
const SHARED_SIZE_MAX = 1024;

/** Makes copies that lie side by side. Whoever keeps one for long keeps its neighbours alive. */
export class ByteSlab {
  #slab = new Uint8Array(SLAB_SIZE);
  #used = 0;

  /** @param start Where in `bytes` the copy begins. */
  copy(bytes: Uint8Array, start = 0): Uint8Array {
    const copy = this.take(bytes.length - start);
    copyInto(copy, 0, bytes, start, bytes.length);
    return copy;
  }

  /** So many bytes, all zero, which nobody else gets. */
  take(size: number): Uint8Array {
    if (size > SHARED_SIZE_MAX) return new Uint8Array(size);
    if (this.#used + size > SLAB_SIZE) {
      this.#slab = new Uint8Array(SLAB_SIZE);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += size;
    return this.#slab.subarray(start, this.#used);
  }
}
