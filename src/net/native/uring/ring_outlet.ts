/**
 * What one socket has to send: views of memory that the kernel may be shown, and copies of what it
 * did not take.
 *
 * @module
 */

import { adjoins, joined } from "../round.ts";
import { empty } from "./empty.ts";
import type { RingMemory } from "./ring_memory.ts";

/** Bytes of one socket that are copied together to be sent with one entry. */
export const GATHERED_SIZE_MAX = 64 * 1024;

/** What is at least so large, and in the ring's memory, is sent from where it is. */
const IN_PLACE_SIZE_MIN = 16 * 1024;

/** A queue of bytes. */
export class RingOutlet {
  readonly #memory: RingMemory;
  readonly #queue: Uint8Array[] = [];
  #size = 0;
  /** Bytes that the kernel is shown. */
  #shown = 0;

  constructor(memory: RingMemory) {
    this.#memory = memory;
  }

  /** Bytes that have not been taken. */
  get size(): number {
    return this.#size;
  }

  /** Whether there is more than the kernel is shown. */
  get hasMore(): boolean {
    return this.#shown < this.#size;
  }

  /**
   * @param bytes Good until they are shown to the kernel, if they are in the ring's memory.
   * @param isSoon Whether they are shown with the next call.
   */
  add(bytes: Uint8Array, isSoon: boolean): void {
    const view = isSoon ? this.#mapped(bytes) : bytes.slice();
    this.#size += view.length;
    const queue = this.#queue;
    const last = queue.at(-1);
    if (last === undefined || !adjoins(last, view)) queue.push(view);
    else queue[queue.length - 1] = joined(last, view);
  }

  #mapped(bytes: Uint8Array): Uint8Array {
    const memory = this.#memory;
    if (memory.holds(bytes)) return bytes;
    const copy = bytes.length > GATHERED_SIZE_MAX ? undefined : memory.outgoing.copy(bytes);
    return copy ?? bytes.slice();
  }

  /** The kernel is shown these bytes already, and there is nothing before them. */
  addShown(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#size = this.#shown = bytes.length;
  }

  /** @returns The next bytes for the kernel; undefined if there is no room for them, or none. */
  show(): Uint8Array | undefined {
    const bytes = this.#next();
    this.#shown = bytes?.length ?? 0;
    return bytes;
  }

  #next(): Uint8Array | undefined {
    const first = this.#queue[0];
    if (first === undefined) return undefined;
    const isMapped = this.#memory.holds(first);
    const isInPlace = this.#queue.length === 1 || first.length >= IN_PLACE_SIZE_MIN;
    if (isMapped && isInPlace) return first;
    return this.#memory.outgoing.gather(this.#queue, GATHERED_SIZE_MAX) ??
      (isMapped ? first : undefined);
  }

  /** @param taken How much the kernel has taken of what it was shown; all of it by default. */
  onTaken(taken = this.#shown): void {
    this.#shown = 0;
    this.#size -= taken;
    const queue = this.#queue;
    if (this.#size === 0) return empty(queue);
    let left = taken;
    while (left > 0 && queue[0]!.length <= left) left -= queue.shift()!.length;
    if (left > 0) queue[0] = queue[0]!.subarray(left);
    // What was shown is overwritten from now on.
    for (const [i, bytes] of queue.entries()) {
      if (this.#memory.holds(bytes)) queue[i] = bytes.slice();
    }
  }
}
