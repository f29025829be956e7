/**
 * Copies of short byte strings that are needed for a moment: a memory of their own for each would
 * cost more than the copy.
 *
 * @module
 */

/** Bytes that are got at once. */
const SLAB_SIZE = 16 * 1024;

/** What is longer gets a memory of its own, so that few keep much alive. */
const SHARED_SIZE_MAX = 1024;

/** Makes copies that lie side by side. Whoever keeps one for long keeps its neighbours alive. */
export class ByteSlab {
  #slab = new Uint8Array(SLAB_SIZE);
  #used = 0;

  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length > SHARED_SIZE_MAX) return bytes.slice();
    if (this.#used + bytes.length > SLAB_SIZE) {
      this.#slab = new Uint8Array(SLAB_SIZE);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes.length;
    this.#slab.set(bytes, start);
    return this.#slab.subarray(start, this.#used);
  }
}
