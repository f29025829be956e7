/**
 * The memory of a plugin's instance, as host functions see it. Every access is checked: pointers
 * and lengths are the plugin's, and are taken as unsigned integers of 32 bits.
 *
 * @module
 */

import { textOf } from "../base/bytes.ts";
import { PluginTrap } from "./plugin_failure.ts";

/** Up to so many bytes, a loop is quicker than a call of `set`. */
const LOOP_SIZE_MAX = 24;

const EMPTY = new Uint8Array();

/** One instance's memory; none between two instances, and while one is made. */
export class GuestMemory {
  #memory: WebAssembly.Memory | undefined;
  /** All of the memory, or empty: a memory that has grown leaves an array of length 0 behind. */
  #bytes: Uint8Array<ArrayBuffer> = EMPTY;
  #view = new DataView(EMPTY.buffer);

  /** Works on another memory from now on, or on none. */
  attach(memory: WebAssembly.Memory | undefined): void {
    this.#memory = memory;
    this.#renew();
  }

  /** All of it. Good until the plugin runs again: it may grow. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length === 0) this.#renew();
    return this.#bytes;
  }

  /** The same as a DataView, good for as long. */
  get view(): DataView {
    if (this.#bytes.length === 0) this.#renew();
    return this.#view;
  }

  /** @throws {PluginTrap} If some of the bytes are outside of memory. */
  check(pointer: number, length: number): void {
    const start = pointer >>> 0;
    const size = length >>> 0;
    if (start + size > this.bytes.length) {
      throw new PluginTrap(
        "pointer",
        `${size} bytes at ${start} are not within its memory of ${this.bytes.length} bytes`,
      );
    }
  }

  /** A view of some bytes, good until the plugin runs again; throws as {@linkcode check} does. */
  viewOf(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    this.check(pointer, length);
    const start = pointer >>> 0;
    return this.#bytes.subarray(start, start + (length >>> 0));
  }

  /** A copy of some bytes; throws as {@linkcode check} does. */
  copyOf(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    this.check(pointer, length);
    const start = pointer >>> 0;
    return this.#bytes.slice(start, start + (length >>> 0));
  }

  /** Bytes as UTF-8 text; throws as {@linkcode check} does. */
  textOf(pointer: number, length: number): string {
    return textOf(this.viewOf(pointer, length));
  }

  /**
   * Copies `source` from `offset` on into a buffer of the plugin, as much as fits.
   *
   * @returns How many bytes were copied.
   * @throws {PluginTrap} If the buffer is not within memory, even if there is nothing to copy.
   */
  put(pointer: number, capacity: number, source: Uint8Array, offset: number): number {
    this.check(pointer, capacity);
    const start = pointer >>> 0;
    const from = offset >>> 0;
    const count = Math.min(capacity >>> 0, source.length - from);
    if (count <= 0) return 0;
    const bytes = this.#bytes;
    if (count <= LOOP_SIZE_MAX) {
      for (let i = 0; i < count; i++) bytes[start + i] = source[from + i]!;
    } else if (count === source.length) {
      bytes.set(source, start);
    } else {
      bytes.set(source.subarray(from, from + count), start);
    }
    return count;
  }

  #renew(): void {
    this.#bytes = this.#memory === undefined
      ? EMPTY
      : new Uint8Array(this.#memory.buffer as ArrayBuffer);
    this.#view = new DataView(this.#bytes.buffer);
  }
}
