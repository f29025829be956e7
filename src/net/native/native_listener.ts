/**
 * A listening socket on an epoll loop.
 *
 * @module
 */

import { asError } from "../../base/errors.ts";
import type { Timer } from "../../base/clock.ts";
import type { ListenHandler, ListenOptions } from "../socket.ts";
import type { Watched } from "./event_loop.ts";
import { ERRNO, LINUX, systemError } from "./libc.ts";
import type { NativeRound } from "./native_round.ts";
import { NativeSocket } from "./native_socket.ts";
import { decodeSocketAddress, SOCKET_ADDRESS_SIZE_MAX } from "./socket_address.ts";

/** Pause after a failed accept: long enough for a few connections to end and free descriptors. */
const ACCEPT_RETRY_MS = 100;

/** Connections that are accepted in one turn: others are served in between. */
const ACCEPTS_PER_TURN = 64;

/** A client was gone before it was accepted, or has not come: nothing is wrong. */
const IGNORED = new Set<number>([ERRNO.EAGAIN, ERRNO.EINTR, ERRNO.ECONNABORTED]);

/** Accepts connections until it is closed. */
export class NativeListener implements Watched {
  readonly #fd: number;
  readonly #options: ListenOptions;
  readonly #round: NativeRound;
  readonly #handler: ListenHandler;
  readonly #address = new Uint8Array(SOCKET_ADDRESS_SIZE_MAX);
  readonly #size = new Int32Array(1);
  readonly #sizeBytes = new Uint8Array(this.#size.buffer);
  #retry: Timer | undefined;
  #isClosed = false;

  /** @param fd Listening and not blocking; it is the listener's from now on. */
  constructor(fd: number, options: ListenOptions, round: NativeRound, handler: ListenHandler) {
    this.#fd = fd;
    this.#options = options;
    this.#round = round;
    this.#handler = handler;
    round.loop.watch(fd, LINUX.EPOLLIN, this);
  }

  onReady(): void {
    for (let left = ACCEPTS_PER_TURN; left > 0 && !this.#isClosed; left -= 1) {
      const fd = this.#accept();
      if (fd < 0) return;
      this.#open(fd);
    }
  }

  /** @returns A descriptor; -1 if there is none for now. */
  #accept(): number {
    const { loop } = this.#round;
    const { libC } = loop;
    this.#size[0] = this.#address.length;
    const flags = LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC;
    const fd = libC.accept4(this.#fd, this.#address, this.#sizeBytes, flags);
    if (fd >= 0) return loop.own(fd);
    const { errno } = libC;
    if (IGNORED.has(errno)) return -1;
    loop.unwatch(this.#fd);
    this.#goOnLater(systemError(libC, errno));
    return -1;
  }

  /** To be called while nobody waits for the descriptor. */
  #goOnLater(error: Error): void {
    const { loop } = this.#round;
    this.#retry = loop.after(ACCEPT_RETRY_MS, () => {
      this.#retry = undefined;
      try {
        loop.watch(this.#fd, LINUX.EPOLLIN, this);
      } catch (error) {
        this.#goOnLater(asError(error));
      }
    });
    this.#handler.onAcceptError(error);
  }

  #open(fd: number): void {
    const { loop } = this.#round;
    const isTcp = this.#options.address.kind === "tcp";
    const peer = isTcp ? decodeSocketAddress(this.#address) : undefined;
    let socket: NativeSocket | undefined;
    try {
      socket = new NativeSocket(fd, peer, this.#round);
      this.#handler.onConnection(socket);
    } catch (error) {
      if (socket === undefined) loop.close(fd);
      else socket.destroy();
      this.#handler.onAcceptError(asError(error));
    }
  }

  /** @returns False if it was closed before. */
  close(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    const { loop } = this.#round;
    if (this.#retry === undefined) loop.unwatch(this.#fd);
    this.#retry?.cancel();
    loop.close(this.#fd);
    return true;
  }
}
