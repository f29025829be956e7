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
  readonly buffer: ArrayBuffer;
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
    this.buffer = mapped.buffer;
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
    this.outgoing = new Outgoing(new Uint8Array(this.buffer, outgoingStart, end - outgoingStart));
  }

  /** Whether the kernel may be shown these bytes. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.buffer;
  }

  /** The low word of the address of what is at an offset. */
  lowOf(offset: number): number {
    return (this.#low + offset) | 0;
  }

  /** The high word. */
  highOf(offset: number): number {
    return this.#low + offset > 0xffff_ffff ? this.#high + 1 : this.#high;
  }

  /** To be called before each call that the kernel may receive in: see `ReceiveBuffers`. */
  publish(): void {
    this.small.publish();
    this.large.publish();
  }

  /** Bytes that were received, as the buffer that they are in goes back to its group. */
  giveBack(bytes: Uint8Array): void {
    const buffers = this.small.has(bytes) ? this.small : this.large;
    buffers.giveBack(buffers.numberOf(bytes));
  }
}

/**
 * A ring of buffers, of which the kernel takes the next one when there is something to receive, so
 * that a connection that waits has none.
 *
 * What is given back is the kernel's one call later than it could be: the next one may still send
 * what is in there.
 */
export class ReceiveBuffers {
  readonly group: number;
  readonly size: number;
  readonly #memory: RingMemory;
  readonly #start: number;
  readonly #count: number;
  readonly #words: Int32Array;
  readonly #tails: Uint16Array;
  /** How many were put into the ring: now, and before the last call, and how many were taken. */
  #tail = 0;
  #tailBefore = 0;
  #taken = 0;
  /** What the kernel knows of. */
  #shownTail = 0;
  /** For each buffer the view of what it had last: what comes next is often as large. */
  readonly #views: (Uint8Array | undefined)[];
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
    this.#views = Array.from({ length: count });
    this.#used = Math.min(count, FIRST_COUNT);
    for (let number = 0; number < this.#used; number += 1) this.giveBack(number);
    this.publish();
    this.publish();
  }

  /** There were too few: uses twice as many, if there are more. */
  grow(): void {
    const used = Math.min(this.#count, 2 * this.#used);
    for (; this.#used < used; this.#used += 1) this.giveBack(this.#used);
  }

  /** How many are in use, that nobody has, as far as completions have told. */
  get free(): number {
    return (this.#tail - this.#taken) | 0;
  }

  /** How many of them the kernel has in the next call. */
  get ready(): number {
    return (this.#tailBefore - this.#taken) | 0;
  }

  /** How many are in use. */
  get used(): number {
    return this.#used;
  }

  /** What has been received into a buffer, which is the caller's until it gives it back. */
  take(number: number, size: number): Uint8Array {
    this.#taken = (this.#taken + 1) | 0;
    const last = this.#views[number];
    if (last !== undefined && last.length === size) return last;
    const view = new Uint8Array(this.#memory.buffer, this.#start + number * this.size, size);
    return this.#views[number] = view;
  }

  /** Nothing was received into a buffer that was taken for it. */
  leave(number: number): void {
    this.#taken = (this.#taken + 1) | 0;
    this.giveBack(number);
  }

  /** Whether these bytes are in one of them. */
  has({ byteOffset }: Uint8Array): boolean {
    return byteOffset >= this.#start && byteOffset < this.#start + this.#count * this.size;
  }

  /** The number of the buffer that these bytes are in. */
  numberOf({ byteOffset }: Uint8Array): number {
    return Math.floor((byteOffset - this.#start) / this.size);
  }

  /** It is the kernel's again, but not in the next call. */
  giveBack(number: number): void {
    const words = this.#words;
    const at = (this.#tail & (this.#count - 1)) * ENTRY_WORDS;
    const offset = this.#start + number * this.size;
    words[at + ENTRY.low] = this.#memory.lowOf(offset);
    words[at + ENTRY.high] = this.#memory.highOf(offset);
    words[at + ENTRY.size] = this.size;
    // The high half of this word of the first entry is the tail.
    if (at === 0) words[ENTRY.number] = number | this.#tails[0]! << 16;
    else words[at + ENTRY.number] = number;
    this.#tail = (this.#tail + 1) | 0;
  }

  /** Shows the kernel what was given back before the last call. */
  publish(): void {
    if (this.#shownTail !== this.#tailBefore) {
      this.#shownTail = this.#tailBefore;
      this.#tails[0] = this.#shownTail;
    }
    this.#tailBefore = this.#tail;
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
