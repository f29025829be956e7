/**
 * Random bytes from a store: asking the system for a few of them takes far longer than for many.
 *
 * @module
 */

/** Bytes that are asked for at once. */
const STORE_SIZE = 2_048;

/** Cryptographically strong random bytes, each of which is given once. */
export class RandomStore {
  readonly #fill: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly #bytes = new Uint8Array(STORE_SIZE);
  #used = STORE_SIZE;

  /** @param fill Fills an array with random bytes. */
  constructor(
    fill: (bytes: Uint8Array<ArrayBuffer>) => void = (bytes) => crypto.getRandomValues(bytes),
  ) {
    this.#fill = fill;
  }

  /** An array of its own. */
  take(size: number): Uint8Array<ArrayBuffer> {
    if (size > STORE_SIZE) {
      const bytes = new Uint8Array(size);
      this.#fill(bytes);
      return bytes;
    }
    if (this.#used + size > STORE_SIZE) {
      this.#fill(this.#bytes);
      this.#used = 0;
    }
    const [start, end] = [this.#used, this.#used + size];
    this.#used = end;
    const taken = this.#bytes.slice(start, end);
    this.#bytes.fill(0, start, end); // it may be a key: it is not to be found here
    return taken;
  }
}
