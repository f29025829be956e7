/**
 * The memory of one thread that its ring's operations read and write: what is received, and what is
 * sent. It is mapped, so that the kernel never sees anything that the engine could move or free.
 *
 * It stays mapped until the process ends, even if the thread does not: an operation that is still
 * being cancelled must not write into what has become somebody else's.
 *
 * @module
 */

import { type LibC, systemError } from "../libc.ts";
import { REGISTER, type RingCalls } from "./ring_calls.ts";

const PAGE_SIZE = 4096;

/** Bytes of `struct io_uring_buf`, which says where a buffer is, and its words. */
const ENTRY_SIZE = 16;
const ENTRY = { low: 0, high: 1, size: 2, number: 3 } as const;
const ENTRY_WORDS = ENTRY_SIZE / 4;

/** Where a ring of buffers has its tail: 16 bits, in what its first entry leaves free. */
const TAIL_OFFSET = 14;

/** Bytes of `struct io_uring_buf_reg`. */
const REGISTRATION_SIZE = 40;

/**
 * How many buffers of a group are in use from the start. The kernel takes them in turns, so the
 * fewer there are the more of them are in the processor's caches.
 */
const FIRST_COUNT = 64;

/** Buffers of a group. */
export interface GroupOptions {
  /** A power of two, 32,768 at most. */
  readonly count: number;
  /** Bytes of each. */
  readonly size: number;
}

/** How much memory there is for what. */
export interface RingMemoryOptions {
  /** For what may come at any time: the kernel fills as many as it needs. */
  readonly small: GroupOptions;
  /** For what comes in bulk, and is received one by one. */
  readonly large: GroupOptions;
  /** Bytes of copies that are sent with one call. */
  readonly outgoingSize: number;
}

/** One thread's mapped memory. */
export class RingMemory {
  readonly small: ReceiveBuffers;
  readonly large: ReceiveBuffers;
  readonly outgoing: Outgoing;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** The address of it all, in two words. */
  readonly #low: number;
  readonly #high: number;

  /** @throws {Error} If there is no memory, or the kernel has no rings of buffers. */
  constructor(calls: RingCalls, libC: LibC, ring: number, options: RingMemoryOptions) {
    const { small, large, outgoingSize } = options;
    let size = 0;
    const take = (taken: number) => {
      const start = size;
      size += Math.ceil(taken / PAGE_SIZE) * PAGE_SIZE;
      return start;
    };
    const places = [small, large].map((group) => ({
      ...group,
      ring: take(group.count * ENTRY_SIZE),
      start: take(group.count * group.size),
    }));
    const outgoingStart = take(outgoingSize);
    const mapped = calls.map(-1, size, 0);
    if (mapped === undefined) throw systemError(libC, libC.errno);
    const address = Deno.UnsafePointer.value(mapped.pointer);
    this.#low = Number(address & 0xffff_ffffn);
    this.#high = Number(address >> 32n);
    this.#bytes = new Uint8Array(mapped.buffer);
    const groups = places.map((place, group) => {
      const registration = new Uint8Array(REGISTRATION_SIZE);
      const view = new DataView(registration.buffer);
      view.setBigUint64(0, address + BigInt(place.ring), true);
      view.setUint32(8, place.count, true);
      view.setUint16(12, group, true);
      if (calls.register(ring, REGISTER.PBUF_RING, registration) < 0) {
        throw systemError(libC, libC.errno);
      }
      return new ReceiveBuffers(this, group, place);
    });
    [this.small, this.large] = groups as [ReceiveBuffers, ReceiveBuffers];
    const end = outgoingStart + outgoingSize;
    this.outgoing = new Outgoing(this.#bytes.subarray(outgoingStart, end));
  }

  get buffer(): ArrayBuffer {
    return this.#bytes.buffer;
  }

  /** Whether the kernel may be shown these bytes. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.#bytes.buffer;
  }

  /** The low word of the address of what is at an offset. */
  lowOf(offset: number): number {
    return (this.#low + offset) | 0;
  }

  /** The high word. */
  highOf(offset: number): number {
    return this.#low + offset > 0xffff_ffff ? this.#high + 1 : this.#high;
  }

  /** Shows the kernel what was given back. */
  publish(): void {
    this.small.publish();
    this.large.publish();
  }

  /** Bytes that were received, as the buffer that they are in goes back to its group. */
  giveBack(bytes: Uint8Array): void {
    if (this.small.has(bytes)) this.small.giveBack(bytes);
    else this.large.giveBack(bytes);
  }
}

/**
 * A ring of buffers, of which the kernel takes the next one when there is something to receive, so
 * that a connection that waits has none.
 */
export class ReceiveBuffers {
  readonly group: number;
  readonly size: number;
  readonly #memory: RingMemory;
  readonly #start: number;
  readonly #count: number;
  readonly #words: Int32Array;
  readonly #tails: Uint16Array;
  #tail = 0;
  #free = 0;
  /** Those from this one on have not been needed yet. */
  #used: number;

  constructor(
    memory: RingMemory,
    group: number,
    { count, size, ring, start }: GroupOptions & { readonly ring: number; readonly start: number },
  ) {
    this.#memory = memory;
    this.group = group;
    this.size = size;
    this.#count = count;
    this.#start = start;
    this.#words = new Int32Array(memory.buffer, ring, count * ENTRY_WORDS);
    this.#tails = new Uint16Array(memory.buffer, ring + TAIL_OFFSET, 1);
    this.#used = Math.min(count, FIRST_COUNT);
    for (let number = 0; number < this.#used; number += 1) this.#put(number);
    this.publish();
  }

  /** There were too few: uses twice as many, if there are more. */
  grow(): void {
    const used = Math.min(this.#count, 2 * this.#used);
    for (; this.#used < used; this.#used += 1) this.#put(this.#used);
  }

  /** How many are in use, that nobody has, as far as completions have told. */
  get free(): number {
    return this.#free;
  }

  /** How many are in use. */
  get used(): number {
    return this.#used;
  }

  /** What has been received into a buffer, which is the caller's until it gives it back. */
  take(number: number, size: number): Uint8Array {
    this.#free -= 1;
    return new Uint8Array(this.#memory.buffer, this.#start + number * this.size, size);
  }

  /** Nothing was received into a buffer that was taken for it. */
  leave(number: number): void {
    this.#free -= 1;
    this.#put(number);
  }

  /** Whether these bytes are in one of them. */
  has({ byteOffset }: Uint8Array): boolean {
    return byteOffset >= this.#start && byteOffset < this.#start + this.#count * this.size;
  }

  giveBack({ byteOffset }: Uint8Array): void {
    this.#put(Math.floor((byteOffset - this.#start) / this.size));
  }

  #put(number: number): void {
    const words = this.#words;
    const at = (this.#tail & (this.#count - 1)) * ENTRY_WORDS;
    const offset = this.#start + number * this.size;
    words[at + ENTRY.low] = this.#memory.lowOf(offset);
    words[at + ENTRY.high] = this.#memory.highOf(offset);
    words[at + ENTRY.size] = this.size;
    // The high half of this word of the first entry is the tail.
    if (at === 0) words[ENTRY.number] = number | this.#tails[0]! << 16;
    else words[at + ENTRY.number] = number;
    this.#tail += 1;
    this.#free += 1;
  }

  /** Shows the kernel what was given back. */
  publish(): void {
    Atomics.store(this.#tails, 0, this.#tail & 0xffff);
  }
}

/** Copies of what is sent with the next call, before it is cleared. */
export class Outgoing {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #size = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  /** Bytes that there is still room for. */
  get room(): number {
    return this.#bytes.length - this.#size;
  }

  /** @returns The copy; undefined if there is no room. */
  copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const { length } = bytes;
    if (length > this.room) return undefined;
    const copy = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#size, length);
    copy.set(bytes);
    this.#size += length;
    return copy;
  }

  /**
   * Copies views behind one another, as far as there is room.
   *
   * @param sizeMax Bytes at most.
   * @returns Undefined if there is no room at all.
   */
  gather(views: readonly Uint8Array[], sizeMax: number): Uint8Array<ArrayBuffer> | undefined {
    const start = this.#size;
    const end = start + Math.min(sizeMax, this.room);
    for (const view of views) {
      const room = end - this.#size;
      if (room === 0) break;
      const part = view.length <= room ? view : view.subarray(0, room);
      this.#bytes.set(part, this.#size);
      this.#size += part.length;
    }
    return this.#size === start ? undefined : this.#bytes.subarray(start, this.#size);
  }

  /** Everything was sent, or copied elsewhere. */
  clear(): void {
    this.#size = 0;
  }
}
