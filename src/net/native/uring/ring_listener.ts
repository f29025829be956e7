/**
 * A listening socket on a ring: the kernel accepts for as long as it can.
 *
 * @module
 */

import type { Timer } from "../../../base/clock.ts";
import { asError } from "../../../base/errors.ts";
import type { ListenHandler, ListenOptions } from "../../socket.ts";
import { ERRNO, systemError } from "../libc.ts";
import { decodeSocketAddress, SOCKET_ADDRESS_SIZE_MAX } from "../socket_address.ts";
import { goesOn } from "./ring.ts";
import { KIND, type RingOwner } from "./ring_poller.ts";
import { RingSocket, type RingThread } from "./ring_socket.ts";

/** Pause after a failed accept: long enough for a few connections to end and free descriptors. */
const ACCEPT_RETRY_MS = 100;

/** Connections that are opened in one turn: others are served in between. */
const OPENED_PER_TURN = 64;

/** A client was gone before it was accepted: nothing is wrong. */
const IGNORED = new Set<number>([
  ERRNO.EAGAIN,
  ERRNO.EINTR,
  ERRNO.ECONNABORTED,
  ERRNO.ECANCELED,
]);

/** Accepts connections until it is closed. */
export class RingListener implements RingOwner {
  readonly #fd: number;
  readonly #options: ListenOptions;
  readonly #thread: RingThread;
  readonly #handler: ListenHandler;
  readonly #number: number;
  readonly #address = new Uint8Array(SOCKET_ADDRESS_SIZE_MAX);
  readonly #size = new Int32Array(1);
  readonly #sizeBytes = new Uint8Array(this.#size.buffer);
  #accepted: number[] = [];
  /** Why accepting has failed, until somebody is told. */
  #failure = 0;
  #isAccepting = false;
  #isReady = false;
  #retry: Timer | undefined;
  #isClosed = false;

  /** @param fd Listening; it is the listener's from now on. */
  constructor(fd: number, options: ListenOptions, thread: RingThread, handler: ListenHandler) {
    this.#fd = fd;
    this.#options = options;
    this.#thread = thread;
    this.#handler = handler;
    this.#number = thread.poller.add(this);
    this.#accept();
  }

  #accept(): void {
    this.#isAccepting = true;
    this.#thread.poller.accept(this.#fd, this.#number);
  }

  onCompletion(_kind: number, result: number, flags: number): void {
    if (!goesOn(flags)) this.#isAccepting = false;
    if (result >= 0) this.#accepted.push(this.#thread.loop.own(result));
    else if (!IGNORED.has(-result)) this.#failure = -result;
    this.#wantTurn();
  }

  onShortSend(): void {}

  #wantTurn(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#thread.poller.wantTurn(this);
  }

  serve(): void {
    this.#isReady = false;
    const { loop } = this.#thread;
    for (const fd of this.#accepted.splice(0, OPENED_PER_TURN)) {
      if (this.#isClosed) loop.close(fd);
      else this.#open(fd);
    }
    if (this.#accepted.length > 0) this.#wantTurn();
    if (this.#isClosed || this.#isAccepting || this.#retry !== undefined) return;
    if (this.#failure === 0) return this.#accept();
    this.#retry = loop.after(ACCEPT_RETRY_MS, () => {
      this.#retry = undefined;
      this.#accept();
    });
    const error = systemError(loop.libC, this.#failure);
    this.#failure = 0;
    this.#handler.onAcceptError(error);
  }

  #open(fd: number): void {
    const { loop } = this.#thread;
    const isTcp = this.#options.address.kind === "tcp";
    let socket: RingSocket | undefined;
    try {
      const peer = isTcp ? this.#peerOf(fd) : undefined;
      if (isTcp && peer === undefined) return loop.close(fd);
      socket = new RingSocket(fd, peer, this.#thread);
      this.#handler.onConnection(socket);
    } catch (error) {
      if (socket === undefined) loop.close(fd);
      else socket.destroy();
      this.#handler.onAcceptError(asError(error));
    }
  }

  /** @returns Undefined if it is gone already. */
  #peerOf(fd: number) {
    this.#size[0] = this.#address.length;
    const { calls } = this.#thread.poller;
    if (calls.getpeername(fd, this.#address, this.#sizeBytes) < 0) return undefined;
    return decodeSocketAddress(this.#address);
  }

  /** @returns False if it was closed before. */
  close(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    this.#retry?.cancel();
    const { loop, poller } = this.#thread;
    if (this.#isAccepting) poller.cancel(this.#number, KIND.accept);
    poller.remove(this.#number);
    poller.closeLater(this.#fd);
    for (const fd of this.#accepted.splice(0)) loop.close(fd);
    return true;
  }
}
