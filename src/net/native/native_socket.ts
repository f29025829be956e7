/**
 * A socket on an epoll loop: read into the thread's one buffer when the kernel has something,
 * written at once when the handler has returned. A connection that waits keeps no buffer.
 *
 * @module
 */

import { addressText, type TcpAddress } from "../../base/address.ts";
import type { Timer } from "../../base/clock.ts";
import { asError } from "../../base/errors.ts";
import {
  LINGER_MS,
  type PeerAddress,
  READ_BUFFER_SIZE_MAX,
  type Socket,
  type SocketHandler,
  WRITE_QUEUE_SIZE_MAX,
} from "../socket.ts";
import type { Turn, Watched } from "./event_loop.ts";
import { ERRNO, LINUX, systemError } from "./libc.ts";
import type { NativeRound } from "./native_round.ts";

/** Registered once, and never changed: the kernel tells of each change, and flags remember it. */
export const SOCKET_EVENTS = LINUX.EPOLLIN | LINUX.EPOLLOUT | LINUX.EPOLLRDHUP | LINUX.EPOLLET;

/** What the kernel says of a socket that goes on. */
const USUAL = LINUX.EPOLLIN | LINUX.EPOLLOUT;
const READABLE = LINUX.EPOLLIN | LINUX.EPOLLRDHUP | LINUX.EPOLLHUP | LINUX.EPOLLERR;
const ENDED = LINUX.EPOLLRDHUP | LINUX.EPOLLHUP | LINUX.EPOLLERR;

const NOTHING = new Uint8Array();

/** One TCP or Unix connection. */
export class NativeSocket implements Socket, Watched, Turn {
  readonly #fd: number;
  readonly #round: NativeRound;
  readonly peerAddress: PeerAddress;
  #handler: SocketHandler | undefined;
  /** `ending`: nothing more is accepted, the queue is still sent. `lingering`: it has been. */
  #state: "open" | "ending" | "lingering" | "closed" = "open";
  /** The kernel may have something: it has said so, and has not been found empty since. */
  #mayRead = false;
  /** The kernel has said that the peer ends: there is no later word of it. */
  #isPeerEnding = false;
  #hasEnded = false;
  /** Whether the peer is told that nothing follows, or has been, while it is still read. */
  #sendingEnd: "none" | "due" | "told" = "none";
  /** What the handler has left. */
  #rest: Uint8Array = NOTHING;
  /** Sockets that have still to send what this one's handler wrote to them. */
  #waitsFor = 0;
  /** Sockets that are read on when everything is sent. */
  #waiting: NativeSocket[] | undefined;
  /** What the kernel did not take, and what came behind it. */
  #queue: Uint8Array[] | undefined;
  #queuedBytes = 0;
  /** Something follows once everything is sent: see `#onSent`. */
  #hasSequel = false;
  #whenSent: (() => void)[] | undefined;
  #linger: Timer | undefined;

  /** @param fd Not blocking; it is the socket's from now on. */
  constructor(fd: number, peer: TcpAddress | undefined, round: NativeRound) {
    this.#fd = fd;
    this.#round = round;
    this.peerAddress = peer ?? { kind: "unix" };
    round.loop.watch(fd, SOCKET_EVENTS, this);
  }

  get peer(): string {
    const { peerAddress } = this;
    return peerAddress.kind === "unix" ? "unix" : addressText(peerAddress);
  }

  start(handler: SocketHandler): void {
    this.#handler = handler;
    this.#round.loop.soon(this);
  }

  setHandler(handler: SocketHandler): void {
    if (this.#handler === undefined) return this.start(handler);
    this.#handler = handler;
    this.reoffer();
  }

  // Writing ---------------------------------------------------------------------------------------

  get #mayWrite(): boolean {
    return this.#state === "open" && this.#sendingEnd === "none";
  }

  write(bytes: Uint8Array): void {
    if (!this.#mayWrite || bytes.length === 0) return;
    const { writes } = this.#round;
    if (writes.isOpen) writes.write(this, bytes);
    else this.#sendApart(bytes);
  }

  writeApart(bytes: Uint8Array): void {
    if (!this.#mayWrite || bytes.length === 0) return;
    const { writes } = this.#round;
    if (writes.has(this)) this.#sendPieces(writes.take(this));
    if (this.#state === "open") this.#sendApart(bytes);
  }

  get isSending(): boolean {
    return this.#queuedBytes > 0 || (this.#state !== "closed" && this.#round.writes.has(this));
  }

  whenSent(then: () => void): void {
    if (!this.isSending || this.#state === "closed") return this.#round.loop.soon(then);
    this.#hasSequel = true;
    (this.#whenSent ??= []).push(then);
  }

  beforeSending(prepare: () => void): void {
    this.#round.writes.beforeFlush(prepare);
  }

  /** Sends what the handler has written. `reader` is not read while something of it is left. */
  flush(reader: NativeSocket, bytes: Uint8Array): void {
    this.#deliver(bytes);
    if (this.#queuedBytes > 0 || this.#hasSequel) this.#onFlushed(reader);
  }

  flushAll(reader: NativeSocket, pieces: readonly Uint8Array[]): void {
    this.#sendPieces(pieces);
    this.#onFlushed(reader);
  }

  #onFlushed(reader: NativeSocket): void {
    if (this.#state === "closed") return;
    if (this.#queuedBytes === 0) return this.#onSent();
    this.#hasSequel = true;
    (this.#waiting ??= []).push(reader);
    reader.#waitsFor += 1;
  }

  #sendPieces(pieces: readonly Uint8Array[]): void {
    if (pieces.length === 0) return;
    if (pieces.length === 1) return this.#deliver(pieces[0]!);
    const bytes = this.#round.gather(pieces);
    if (bytes !== undefined) this.#deliver(bytes);
    else for (const piece of pieces) this.#deliver(piece);
  }

  /** What no back-pressure holds up must not pile up. */
  #sendApart(bytes: Uint8Array): void {
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes.length > WRITE_QUEUE_SIZE_MAX) {
      const rule = `at most ${WRITE_QUEUE_SIZE_MAX} bytes may wait to be sent`;
      return this.#close(new Error(`Cannot send to ${this.peer}: ${rule}`));
    }
    this.#deliver(bytes);
  }

  /** Sends as much as the kernel takes, and keeps a copy of the rest. */
  #deliver(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    let sent = 0;
    while (this.#queuedBytes === 0 && sent < bytes.length) {
      const taken = this.#send(sent === 0 ? bytes : bytes.subarray(sent));
      if (taken < 0) return; // closed
      if (taken === 0) break;
      sent += taken;
    }
    if (sent === bytes.length) return;
    this.#queuedBytes += bytes.length - sent;
    (this.#queue ??= []).push(bytes.slice(sent));
  }

  /** @returns How many bytes the kernel has taken; -1 if the connection is broken. */
  #send(bytes: Uint8Array): number {
    const { libC } = this.#round.loop;
    for (;;) {
      const taken = libC.send(this.#fd, bytes, bytes.length, LINUX.MSG_NOSIGNAL);
      if (taken >= 0) return taken;
      const { errno } = libC;
      if (errno === ERRNO.EAGAIN) return 0;
      if (errno === ERRNO.EINTR) continue;
      this.#close(systemError(libC, errno));
      return -1;
    }
  }

  #sendQueue(): void {
    while (this.#queuedBytes > 0) {
      const queue = this.#queue!;
      const bytes = queue[0]!;
      const taken = this.#send(bytes);
      if (taken <= 0) return;
      this.#queuedBytes -= taken;
      if (taken === bytes.length) queue.shift();
      else queue[0] = bytes.subarray(taken);
    }
    this.#onSent();
  }

  #onSent(): void {
    this.#hasSequel = false;
    this.#release();
    if (this.#state === "ending") this.#finishSending();
    else if (this.#sendingEnd === "due") this.#tellEnd();
  }

  /** Whoever has waited for this socket to send goes on. */
  #release(): void {
    const [waiting, whenSent] = [this.#waiting, this.#whenSent];
    this.#waiting = this.#whenSent = undefined;
    const { loop } = this.#round;
    for (const reader of waiting ?? []) {
      reader.#waitsFor -= 1;
      if (reader.#waitsFor === 0) loop.soon(reader);
    }
    for (const then of whenSent ?? []) loop.soon(then);
  }

  // Reading ---------------------------------------------------------------------------------------

  onTurn(): void {
    this.#read();
  }

  onReady(events: number): void {
    if ((events & READABLE) !== 0) this.#mayRead = true;
    if ((events & ~USUAL) !== 0 && (events & ENDED) !== 0) this.#isPeerEnding = true;
    if (this.#queuedBytes > 0 && (events & LINUX.EPOLLOUT) !== 0) this.#sendQueue();
    if (this.#mayRead) this.#read();
  }

  /** One read: whoever has more to say has its next turn behind all others. */
  #read(): void {
    if (!this.#mayRead || this.#handler === undefined) return;
    if (this.#state !== "open" || this.#rest !== NOTHING) return this.#readBehindRest();
    if (this.#waitsFor > 0) return;
    const { loop, pointer } = this.#round;
    const size = loop.libC.recv(this.#fd, pointer, READ_BUFFER_SIZE_MAX, 0);
    if (size <= 0) return this.#onNothing(size);
    this.#mayRead = size === READ_BUFFER_SIZE_MAX || this.#isPeerEnding;
    this.#offer(this.#round.view(size));
    if (this.#mayRead) loop.soon(this);
  }

  /** What the handler has left comes first; who is not open any more reads to throw away. */
  #readBehindRest(): void {
    const isOpen = this.#state === "open";
    if (this.#state === "closed" || (isOpen && this.#waitsFor > 0)) return;
    const { loop, pointer, buffer } = this.#round;
    const kept = isOpen ? this.#rest.length : 0;
    const room = READ_BUFFER_SIZE_MAX - kept;
    if (room === 0) return; // until the handler asks to see it again
    const target = kept === 0 ? pointer : Deno.UnsafePointer.offset(pointer, kept);
    const size = loop.libC.recv(this.#fd, target, room, 0);
    if (size <= 0) return this.#onNothing(size);
    this.#mayRead = size === room || this.#isPeerEnding;
    if (isOpen) {
      buffer.set(this.#rest);
      this.#offer(this.#round.view(kept + size));
    }
    if (this.#mayRead) loop.soon(this);
  }

  /** @param size 0 is the end; below 0 nothing could be read, and `errno` says why. */
  #onNothing(size: number): void {
    if (size === 0) this.#onEnd();
    else this.#onReadError(this.#round.loop.libC.errno);
  }

  #onReadError(errno: number): void {
    if (errno === ERRNO.EAGAIN) this.#mayRead = false;
    else if (errno === ERRNO.EINTR) this.#round.loop.soon(this);
    else this.#close(systemError(this.#round.loop.libC, errno));
  }

  /** @param view All that is not consumed. */
  #offer(view: Uint8Array): void {
    this.#round.writes.open();
    let taken = view.length;
    try {
      taken = this.#handler!.onData(view);
    } catch (error) {
      // A defect of ours costs this connection, not the worker.
      this.#close(asError(error));
    }
    if (taken < view.length && this.#state === "open") this.#keep(view, taken);
    else if (this.#rest !== NOTHING) this.#rest = NOTHING;
    this.#round.writes.flush(this);
  }

  #keep(view: Uint8Array, taken: number): void {
    if (taken > 0 || view.buffer !== this.#rest.buffer) {
      this.#rest = this.#round.kept.copy(view, taken);
    }
  }

  reoffer(): void {
    this.#round.loop.soon(() => {
      if (this.#state !== "open" || this.#handler === undefined) return;
      if (this.#rest.length > 0) this.#offer(this.#rest);
      this.#read();
    });
  }

  #onEnd(): void {
    this.#mayRead = false;
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#state === "lingering") return this.#close(undefined);
    if (this.#state !== "open") return;
    try {
      this.#handler!.onEnd();
    } catch (error) {
      this.#close(asError(error));
    }
  }

  // Ending ----------------------------------------------------------------------------------------

  endSending(): void {
    if (!this.#mayWrite) return;
    this.#sendingEnd = "due";
    this.#hasSequel = true;
    if (!this.isSending) this.#tellEnd();
  }

  end(lingerMs = LINGER_MS): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#hasSequel = true;
    this.#rest = NOTHING;
    this.#linger = this.#round.loop.after(lingerMs, () => this.#close(undefined));
    if (!this.isSending) this.#finishSending();
    else if (this.#mayRead) this.#round.loop.soon(this);
  }

  #finishSending(): void {
    if (this.#hasEnded || this.#handler === undefined) return this.#close(undefined);
    this.#state = "lingering";
    if (!this.#tellEnd()) return this.#close(undefined);
    if (this.#mayRead) this.#round.loop.soon(this);
  }

  /** @returns False if the peer is gone already: what is to be known of that, reading says. */
  #tellEnd(): boolean {
    if (this.#sendingEnd === "told") return true;
    this.#sendingEnd = "told";
    return this.#round.loop.libC.shutdown(this.#fd, LINUX.SHUT_WR) === 0;
  }

  destroy(): void {
    this.#close(undefined);
  }

  #close(error: Error | undefined): void {
    if (this.#state === "closed") return;
    // A peer that resets while we are saying goodbye has heard enough.
    const cause = this.#state === "open" ? error : undefined;
    this.#state = "closed";
    this.#linger?.cancel();
    this.#queue = undefined;
    this.#queuedBytes = 0;
    this.#rest = NOTHING;
    const { loop } = this.#round;
    loop.unwatch(this.#fd);
    loop.close(this.#fd);
    this.#release();
    loop.soon(() => this.#handler?.onClose(cause));
  }
}
