/**
 * What all sockets of one thread share: the buffer that they are read into, and the round of what
 * one `onData` writes.
 *
 * @module
 */

import { ByteSlab } from "../../base/byte_slab.ts";
import { READ_BUFFER_SIZE_MAX } from "../socket.ts";
import type { EventLoop } from "./event_loop.ts";
import { pointerTo } from "./libc.ts";
import type { NativeSocket } from "./native_socket.ts";
import { Round } from "./round.ts";

/** Bytes that are copied together to be sent with one system call. */
const GATHERED_SIZE_MAX = 64 * 1024;

/** Reads of less are so usual that a view of each size is kept: together 500 KiB at most. */
const KEPT_SIZE_END = 4096;

/** One thread's buffer and round. */
export class NativeRound {
  readonly loop: EventLoop;
  readonly writes = new Round<NativeSocket>();
  readonly buffer = new Uint8Array(READ_BUFFER_SIZE_MAX);
  /** Where the buffer is. */
  readonly pointer = pointerTo(this.buffer.buffer);
  /** By size. */
  readonly #views: (Uint8Array | undefined)[] = Array.from({ length: KEPT_SIZE_END });
  /** Where what handlers have left is copied to: mostly one short message. */
  readonly kept = new ByteSlab();
  readonly #gathered = new Uint8Array(GATHERED_SIZE_MAX);

  constructor(loop: EventLoop) {
    this.loop = loop;
  }

  /** The first bytes of the buffer. */
  view(size: number): Uint8Array {
    if (size >= KEPT_SIZE_END) return this.buffer.subarray(0, size);
    return this.#views[size] ??= this.buffer.subarray(0, size);
  }

  /** Views as one, good until the next call; undefined if they are too large for that. */
  gather(views: readonly Uint8Array[]): Uint8Array | undefined {
    let size = 0;
    for (const view of views) {
      if (size + view.length > GATHERED_SIZE_MAX) return undefined;
      this.#gathered.set(view, size);
      size += view.length;
    }
    return this.#gathered.subarray(0, size);
  }
}
