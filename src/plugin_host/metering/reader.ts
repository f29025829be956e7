/**
 * Reads the WebAssembly binary format. Whatever the bytes are, it stays inside of them: what is cut
 * off or too large is an {@linkcode InvalidModuleError}.
 *
 * Source: https://webassembly.github.io/spec/core/binary/
 *
 * @module
 */

import { InvalidModuleError } from "./invalid_module_error.ts";

/**
 * The most items of any list that makes up a module: types, imports, functions and so on. V8
 * accepts up to a million of some, which would be much memory for one plugin.
 */
export const ITEMS_MAX = 100_000;

/** The most bytes of an integer of 32, 33 or 64 bits, in LEB128. */
const INT32_SIZE_MAX = 5;
const INT64_SIZE_MAX = 10;

/** Names are UTF-8, and a U+FEFF at the start of one is a part of it. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Goes through a part of a module. Offsets are those of the whole module. */
export class Reader {
  /** The whole module. */
  readonly bytes: Uint8Array;
  /** The first byte behind the part. */
  readonly end: number;
  /** The next byte to read. */
  offset: number;

  /** @param end At most the module's size. */
  constructor(bytes: Uint8Array, offset: number, end: number) {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
  }

  /** True when all has been read. */
  get isAtEnd(): boolean {
    return this.offset >= this.end;
  }

  /** The next byte. */
  byte(): number {
    if (this.offset >= this.end) throw this.#cutOff();
    return this.bytes[this.offset++]!;
  }

  /** An unsigned integer of 32 bits. */
  uint32(): number {
    const start = this.offset;
    let value = 0;
    for (let i = 0; i < INT32_SIZE_MAX; i++) {
      const byte = this.byte();
      if (i === INT32_SIZE_MAX - 1 && byte > 0x0f) break;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new InvalidModuleError("an integer has more than 32 bits", start);
  }

  /** Steps over an integer of 32 bits, or of the 33 of a block's type. */
  skipInt32(): void {
    this.#skipInteger(INT32_SIZE_MAX);
  }

  /** Steps over an integer of 64 bits. */
  skipInt64(): void {
    this.#skipInteger(INT64_SIZE_MAX);
  }

  /**
   * The size of a list whose items have at least one byte each: there cannot be more of them than
   * there are bytes left.
   */
  count(what: string, countMax: number = ITEMS_MAX): number {
    const start = this.offset;
    const count = this.uint32();
    if (count > this.end - this.offset) {
      throw new InvalidModuleError(`there are fewer ${what} than the announced ${count}`, start);
    }
    if (count > countMax) {
      throw new InvalidModuleError(
        `${count} ${what} are more than the limit of ${countMax}`,
        start,
      );
    }
    return count;
  }

  /** Steps over `size` bytes. @returns A view of them. */
  take(size: number): Uint8Array {
    if (size > this.end - this.offset) throw this.#cutOff();
    this.offset += size;
    return this.bytes.subarray(this.offset - size, this.offset);
  }

  /** A part of `size` bytes of this one, which steps over it. */
  part(size: number): Reader {
    const start = this.offset;
    this.take(size);
    return new Reader(this.bytes, start, this.offset);
  }

  /** Another one that stands where this one does. */
  copy(): Reader {
    return new Reader(this.bytes, this.offset, this.end);
  }

  /** A name in UTF-8, with its size before it. */
  text(): string {
    const start = this.offset;
    const bytes = this.take(this.uint32());
    try {
      return decoder.decode(bytes);
    } catch {
      throw new InvalidModuleError("a name is not UTF-8", start);
    }
  }

  /** @throws {InvalidModuleError} If there are bytes left. */
  expectEnd(what: string): void {
    if (this.isAtEnd) return;
    throw new InvalidModuleError(`there are bytes behind the end of ${what}`, this.offset);
  }

  #skipInteger(sizeMax: number): void {
    const start = this.offset;
    for (let i = 0; i < sizeMax; i++) if (this.byte() < 0x80) return;
    throw new InvalidModuleError(`an integer has more than ${sizeMax} bytes`, start);
  }

  #cutOff(): InvalidModuleError {
    const isWhole = this.end === this.bytes.length;
    return new InvalidModuleError(
      isWhole ? "the module is cut off" : "a part of the module is longer than its announced size",
      this.offset,
    );
  }
}
