/**
 * Writes the WebAssembly binary format.
 *
 * @module
 */

import { InvalidModuleError } from "./invalid_module_error.ts";

const CAPACITY_AT_START = 1_024;

/** An integer in unsigned LEB128. `value` is whole, from 0, and safe. */
export function unsignedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push(rest % 0x80 + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

/** An integer in signed LEB128. `value` is whole, from 0, and safe. */
export function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x40) { // bit 6 of the last byte is the sign
    bytes.push(rest % 0x80 + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

/** Collects bytes, up to a limit. */
export class Writer {
  readonly #sizeMax: number;
  #bytes = new Uint8Array(CAPACITY_AT_START);
  #size = 0;

  /** @param sizeMax The most bytes that it may hold. */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** How many bytes there are. */
  get size(): number {
    return this.#size;
  }

  /** Appends bytes. */
  put(bytes: ArrayLike<number>): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  /** Appends an unsigned integer. */
  putUint32(value: number): void {
    this.put(unsignedLeb(value));
  }

  /** Appends what `other` holds, with its size before it: a section, or a function's body. */
  putSized(other: Writer): void {
    this.putUint32(other.size);
    this.put(other.view());
  }

  /** What was written, valid until more is. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Forgets what was written. */
  clear(): void {
    this.#size = 0;
  }

  #reserve(size: number): void {
    const needed = this.#size + size;
    if (needed > this.#sizeMax) {
      const problem = `the module has more than ${this.#sizeMax} bytes when metered`;
      throw new InvalidModuleError(problem, 0);
    }
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, Math.min(2 * needed, this.#sizeMax)));
    larger.set(this.view());
    this.#bytes = larger;
  }
}
