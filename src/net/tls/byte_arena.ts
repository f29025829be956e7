/**
 * Room for bytes that are shown, or handed to a socket, and that nobody says are done with.
 *
 * @module
 */

/**
 * Hands out memory that is never handed out again, from blocks that the garbage collector takes
 * back once no view of them is left. So views need no owner and no end, an idle connection holds
 * nothing, and pieces that follow one another adjoin: a socket sends them as one. What it costs is
 * that a small view in use keeps a block.
 */
export class ByteArena {
  readonly #blockSize: number;
  #block = new Uint8Array();
  #used = 0;

  /** @param blockSize In bytes. */
  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  /**
   * Shows `size` bytes, to be written to at once.
   *
   * @param size At most the size of a block.
   */
  room(size: number): Uint8Array<ArrayBuffer> {
    if (this.#block.length - this.#used < size) {
      this.#block = new Uint8Array(this.#blockSize);
      this.#used = 0;
    }
    return this.#block.subarray(this.#used, this.#used + size);
  }

  /** Hands out the first `size` bytes of the last room. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const start = this.#used;
    this.#used += size;
    return this.#block.subarray(start, this.#used);
  }
}
