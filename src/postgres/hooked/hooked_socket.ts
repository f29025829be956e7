/**
 * A client's socket as whoever serves it sees it: what is written goes through the hooks.
 *
 * @module
 */

import type { PeerAddress, Socket, SocketHandler } from "../../net/socket.ts";

/** What is written goes through it. */
export interface Filter {
  /** Whether it looks at what is written now; if not, that is sent as it is. */
  readonly isLooking: boolean;
  /** Takes what is to be written, and sends what the client is to get. */
  filter(bytes: Uint8Array, send: (bytes: Uint8Array) => void): void;
}

/** One client's socket. Reading is its session's, which was there before. */
export class HookedSocket implements Socket {
  readonly #socket: Socket;
  readonly #filter: Filter;
  /** Made when somebody looks: most sessions are never looked at. */
  #send: ((bytes: Uint8Array) => void) | undefined;

  constructor(socket: Socket, filter: Filter) {
    this.#socket = socket;
    this.#filter = filter;
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
    const socket = this.#socket;
    if (!this.#filter.isLooking) return socket.write(bytes);
    this.#filter.filter(bytes, this.#send ??= (filtered) => socket.write(filtered));
  }

  writeApart(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (!this.#filter.isLooking) return socket.writeApart(bytes);
    this.#filter.filter(bytes, (filtered) => socket.writeApart(filtered));
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
