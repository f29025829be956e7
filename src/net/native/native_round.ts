/**
 * What all sockets of one thread share: the buffer that they are read into, and the round of what
 * one `onData` writes. Handlers run one at a time, so there is one of each.
 *
 * @module
 */

import { READ_BUFFER_SIZE_MAX } from "../socket.ts";
import type { EventLoop } from "./event_loop.ts";
import type { NativeSocket } from "./native_socket.ts";

/** Bytes that are copied together to be sent with one system call. */
const GATHERED_SIZE_MAX = 64 * 1024;

/** One thread's buffer and round. */
export class NativeRound {
  readonly loop: EventLoop;
  readonly buffer = new Uint8Array(READ_BUFFER_SIZE_MAX);
  readonly #gathered = new Uint8Array(GATHERED_SIZE_MAX);
  #isOpen = false;
  #written: NativeSocket[] = [];
  #prepares: (() => void)[] = [];

  constructor(loop: EventLoop) {
    this.loop = loop;
  }

  /** True while an `onData` runs: views that are written stay good until the round is flushed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
  }

  /** The socket has something to send. */
  join(socket: NativeSocket): void {
    this.#written.push(socket);
  }

  /** Calls `prepare` when the round is flushed, or at once if there is none. */
  beforeFlush(prepare: () => void): void {
    if (this.#isOpen) this.#prepares.push(prepare);
    else prepare();
  }

  /** Ends the round: sends what was written. @param reader Whose `onData` it was. */
  flush(reader: NativeSocket): void {
    // One may ask for another: a layer's preparation writes to the layer below.
    for (const prepare of this.#prepares) prepare();
    this.#prepares.length = 0;
    this.#isOpen = false;
    for (let socket = this.#written.pop(); socket !== undefined; socket = this.#written.pop()) {
      socket.flush(reader);
    }
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
