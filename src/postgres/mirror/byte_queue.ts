/**
 * Bytes that wait, side by side, so that any part of them can be shown as one view.
 *
 *     | taken | waiting | free |
 *             start     end
 *
 * @module
 */

/** What is got at first, and kept while nothing waits. */
const SIZE_MIN = 4 * 1024;

const NOTHING = new Uint8Array();

/** A queue of bytes. It grows as it must: whoever fills it has the limit. */
export class ByteQueue {
  #bytes: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  /** How many bytes wait. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** Adds a copy. Views that were given before are not good any more. */
  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The first bytes, `sizeMax` at most. Good until the queue is changed. */
  view(sizeMax: number): Uint8Array {
    return this.#bytes.subarray(this.#start, Math.min(this.#end, this.#start + sizeMax));
  }

  /** Takes out the first bytes, which must be there. */
  drop(size: number): void {
    this.#start += size;
    if (this.#start < this.#end) return;
    this.#start = this.#end = 0;
    if (this.#bytes.length > SIZE_MIN) this.#bytes = NOTHING;
  }

  /** Takes out all. */
  clear(): void {
    this.#bytes = NOTHING;
    this.#start = this.#end = 0;
  }

  #makeRoom(size: number): void {
    const needed = this.size + size;
    // What is moved is at most what was taken since it was moved last: each byte moves once or so.
    if (needed <= this.#bytes.length && this.#start >= this.size) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    } else {
      const bytes = new Uint8Array(Math.max(SIZE_MIN, 2 ** Math.ceil(Math.log2(needed))));
      bytes.set(this.#bytes.subarray(this.#start, this.#end));
      this.#bytes = bytes;
    }
    this.#end = this.size;
    this.#start = 0;
  }
}
