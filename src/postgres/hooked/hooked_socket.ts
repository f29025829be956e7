/**
 * A client's socket as whoever serves it sees it: what is written goes through the hooks.
 *
 * @module
 */

import type { PeerAddress, Socket, SocketHandler } from "../../net/socket.ts";

/** Takes what is to be written, and sends what the client is to get. */
export type Filter = (bytes: Uint8Array, send: (bytes: Uint8Array) => void) => void;

/** One client's socket. Reading is its session's, which was there before. */
export class HookedSocket implements Socket {
  readonly #socket: Socket;
  readonly #filter: Filter;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #sendApart: (bytes: Uint8Array) => void;

  constructor(socket: Socket, filter: Filter) {
    this.#socket = socket;
    this.#filter = filter;
    this.#send = (bytes) => socket.write(bytes);
    this.#sendApart = (bytes) => socket.writeApart(bytes);
  }

  get peer(): string {
    return this.#socket.peer;
  }

  get peerAddress(): PeerAddress {
    return this.#socket.peerAddress;
  }

  start(handler: SocketHandler): void {
    this.#socket.start(handler);
  }

  setHandler(handler: SocketHandler): void {
    this.#socket.setHandler(handler);
  }

  write(bytes: Uint8Array): void {
    this.#filter(bytes, this.#send);
  }

  writeApart(bytes: Uint8Array): void {
    this.#filter(bytes, this.#sendApart);
  }

  get isSending(): boolean {
    return this.#socket.isSending;
  }

  whenSent(then: () => void): void {
    this.#socket.whenSent(then);
  }

  beforeSending(prepare: () => void): void {
    this.#socket.beforeSending(prepare);
  }

  reoffer(): void {
    this.#socket.reoffer();
  }

  endSending(): void {
    this.#socket.endSending();
  }

  end(lingerMs?: number): void {
    this.#socket.end(lingerMs);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
