/**
 * Sockets that are not there: what is written to one is counted and forgotten, and what it receives
 * is what the benchmark says. So only the state machines are measured.
 *
 * @module
 */

import type { Driver, Listener, Socket, SocketHandler } from "../src/net/socket.ts";

/** One end of a connection, as the gateway sees it. */
export class MemorySocket implements Socket {
  readonly peer = "memory";
  readonly peerAddress = { kind: "unix" } as const;
  #handler: SocketHandler | undefined;
  #hasEnded = false;
  /** Bytes that the gateway wrote. */
  written = 0;

  start(handler: SocketHandler): void {
    this.#handler = handler;
  }

  setHandler(handler: SocketHandler): void {
    this.#handler = handler;
  }

  /** At once: nothing is sent, so nothing can be sent too early. */
  beforeSending(prepare: () => void): void {
    prepare();
  }

  write(bytes: Uint8Array): void {
    this.written += bytes.length;
  }

  /** The same: nobody waits for it. */
  writeApart(bytes: Uint8Array): void {
    this.write(bytes);
  }

  readonly isSending = false;

  whenSent(then: () => void): void {
    queueMicrotask(then);
  }

  /** Nothing to do: everything that is delivered is taken at once, which `deliver` checks. */
  reoffer(): void {}

  /** Nobody reads what would end. */
  endSending(): void {}

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    queueMicrotask(() => this.#handler?.onClose(undefined));
  }

  /**
   * The other end sends `view`.
   *
   * @throws {Error} If the gateway leaves some of it, which whole messages give no reason for.
   */
  deliver(view: Uint8Array): void {
    const taken = this.#handler!.onData(view);
    if (taken !== view.length) throw new Error(`the gateway took ${taken} of ${view.length} bytes`);
  }
}

/** Connects to servers that are memory sockets, too. */
export class MemoryDriver implements Driver {
  /** The server sides, in the order they were asked for. */
  readonly servers: MemorySocket[] = [];

  listen(): Promise<Listener> {
    return Promise.reject(new Error("Cannot listen: this driver only connects"));
  }

  connect(): Promise<Socket> {
    const server = new MemorySocket();
    this.servers.push(server);
    return Promise.resolve(server);
  }
}
