/**
 * What is between the two ends of a connection in memory, and the end that a test plays itself.
 *
 * @module
 */

import { concat } from "../../src/base/bytes.ts";
import type { PeerAddress } from "../../src/net/socket.ts";

/** One direction of a connection: bytes on their way, then perhaps an end. */
export class Pipe {
  readonly #sizeMax: number;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #isEnded = false;
  #isReset = false;
  /** Set once the reader is gone: what it would have been answered with, to be reset too. */
  #abandonedWith: Pipe | undefined;

  /** @param sizeMax Bytes that may be on their way; what is more is not taken. */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** Bytes on their way. */
  get size(): number {
    return this.#size;
  }

  /** True when everything was taken and nothing will follow. */
  get hasEnded(): boolean {
    return this.#isEnded && this.#size === 0;
  }

  /** True when the connection is broken. */
  get isReset(): boolean {
    return this.#isReset;
  }

  /** @returns How many bytes from the start of `bytes` it took a copy of. */
  put(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    if (this.#abandonedWith !== undefined) this.resetWith(this.#abandonedWith);
    if (this.#isEnded) return bytes.length; // nobody will read them
    const taken = Math.min(bytes.length, this.#sizeMax - this.#size);
    if (taken > 0) this.#chunks.push(bytes.slice(0, taken));
    this.#size += taken;
    return taken;
  }

  /** Takes up to `sizeMax` bytes out. */
  take(sizeMax: number): Uint8Array {
    const taken: Uint8Array[] = [];
    let room = sizeMax;
    while (room > 0 && this.#chunks.length > 0) {
      const chunk = this.#chunks.shift()!;
      if (chunk.length > room) this.#chunks.unshift(chunk.subarray(room));
      taken.push(chunk.subarray(0, room));
      room -= Math.min(room, chunk.length);
    }
    const bytes = taken.length === 1 ? taken[0]! : concat(...taken);
    this.#size -= bytes.length;
    return bytes;
  }

  /** Nothing more follows. */
  end(): void {
    this.#isEnded = true;
  }

  /**
   * The reader goes. If it has not read everything, or the writer goes on, the connection is reset,
   * and what was on its way `back` to the writer is lost: as TCP does (RFC 1122, 4.2.2.13).
   */
  abandon(back: Pipe): void {
    if (this.#size > 0) this.resetWith(back);
    else this.#abandonedWith = back;
  }

  /** Breaks the connection: what is on its way in both directions is lost. */
  resetWith(back: Pipe): void {
    this.#reset();
    back.#reset();
  }

  #reset(): void {
    this.#chunks = [];
    this.#size = 0;
    this.#isReset = true;
    this.#isEnded = true;
  }
}

/** "127.0.0.1:5432", "[::1]:5432" or "unix", taken apart. */
export function peerAddressOf(peer: string): PeerAddress {
  const [, host, port] = /^(.*):(\d+)$/.exec(peer) ?? [];
  if (host === undefined) return { kind: "unix" };
  return { kind: "tcp", host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

/** The end of a connection that a test plays. */
export class MemoryPeer {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  #received: Uint8Array[] = [];
  /** Set to false to be a peer that does not read. */
  isReading = true;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  /** True when the other end has said that nothing follows, or is gone, and all was read. */
  get hasSeenEnd(): boolean {
    return this.#incoming.hasEnded;
  }

  /** True when the other end broke the connection off. */
  get wasReset(): boolean {
    return this.#incoming.isReset;
  }

  /** Bytes sent that the other end has not read. */
  get unreadBytes(): number {
    return this.#outgoing.size;
  }

  write(bytes: Uint8Array): void {
    this.#outgoing.put(bytes);
  }

  /** Sends nothing more, but goes on reading. */
  end(): void {
    this.#outgoing.end();
  }

  /** Goes as a process does that ends: whatever it has not read resets the connection. */
  close(): void {
    this.#outgoing.end();
    this.#incoming.abandon(this.#outgoing);
  }

  /** Breaks the connection, as a machine does that has lost power and comes back. */
  reset(): void {
    this.#outgoing.resetWith(this.#incoming);
  }

  /** Takes out what was received so far. */
  take(): Uint8Array {
    const bytes = concat(...this.#received);
    this.#received = [];
    return bytes;
  }

  /** Puts back what was taken out and not looked at. */
  putBack(bytes: Uint8Array): void {
    this.#received.unshift(bytes.slice());
  }

  /** Reads what has come. Only for the network. @returns Whether anything had. */
  drink(): boolean {
    if (!this.isReading || this.#incoming.size === 0) return false;
    this.#received.push(this.#incoming.take(Infinity));
    return true;
  }
}
