/**
 * A socket on a ring: what is received is shown where the kernel has put it, and what handlers have
 * written goes out with the next call, together with what all others have.
 *
 * @module
 */

import { addressText, type TcpAddress } from "../../../base/address.ts";
import type { Timer } from "../../../base/clock.ts";
import { asError } from "../../../base/errors.ts";
import {
  LINGER_MS,
  type PeerAddress,
  READ_BUFFER_SIZE_MAX,
  type Socket,
  type SocketHandler,
  WRITE_QUEUE_SIZE_MAX,
} from "../../socket.ts";
import type { EventLoop } from "../event_loop.ts";
import { ERRNO, LINUX, systemError } from "../libc.ts";
import { adjoins, joined, Round } from "../round.ts";
import { empty } from "./empty.ts";
import { RingInlet } from "./ring_inlet.ts";
import { RingOutlet } from "./ring_outlet.ts";
import { KIND, type RingOwner, type RingPoller, type RingSender } from "./ring_poller.ts";

const NOTHING = new Uint8Array();

/** What all sockets of one thread share. */
export class RingThread {
  readonly loop: EventLoop;
  readonly poller: RingPoller;
  readonly writes = new Round<RingSocket>();
  /** Where what the handler has left is put together with what came behind it. */
  readonly buffer = new Uint8Array(READ_BUFFER_SIZE_MAX);

  constructor(loop: EventLoop, poller: RingPoller) {
    this.loop = loop;
    this.poller = poller;
  }
}

/** One TCP or Unix connection. */
export class RingSocket implements Socket, RingOwner, RingSender {
  readonly #fd: number;
  readonly #thread: RingThread;
  readonly #number: number;
  readonly #inlet: RingInlet;
  readonly #outlet: RingOutlet;
  readonly peerAddress: PeerAddress;
  #handler: SocketHandler | undefined;
  /** `ending`: nothing more is accepted, the queue is still sent. `lingering`: it has been. */
  #state: "open" | "ending" | "lingering" | "closed" = "open";
  #hasEnded = false;
  /** Whether the peer is told that nothing follows, or has been, while it is still read. */
  #sendingEnd: "none" | "due" | "told" = "none";
  /** It has asked for its turn. */
  #isReady = false;
  /** What the handler has left. */
  #rest: Uint8Array = NOTHING;
  /** Sockets that have still to send what this one's handler wrote to them. */
  #waitsFor = 0;
  /** Sockets that are read on when everything is sent. */
  #waiting: RingSocket[] = [];
  /** What the handler that runs has written, as it gave it. */
  #pieces: Uint8Array[] = [];
  /** `wanted`: with the next call. `stuck`: when the kernel has room again. */
  #sending: "none" | "wanted" | "shown" | "stuck" = "none";
  /** How much the kernel took of what it was shown, if not all of it; below 0 why nothing. */
  #sendResult: number | undefined;
  #whenSent: (() => void)[] = [];
  #linger: Timer | undefined;

  /** @param fd It is the socket's from now on. */
  constructor(fd: number, peer: TcpAddress | undefined, thread: RingThread) {
    const { poller } = thread;
    this.#fd = fd;
    this.#thread = thread;
    this.#number = poller.add(this);
    this.#inlet = new RingInlet(poller, fd, this.#number);
    this.#outlet = new RingOutlet(poller.memory);
    this.peerAddress = peer ?? { kind: "unix" };
  }

  get peer(): string {
    const { peerAddress } = this;
    return peerAddress.kind === "unix" ? "unix" : addressText(peerAddress);
  }

  start(handler: SocketHandler): void {
    this.#handler = handler;
    this.#inlet.receive();
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
    const { writes } = this.#thread;
    if (!writes.isOpen) return this.#sendApart(bytes);
    if (this.#pieces.length === 0) writes.join(this);
    const last = this.#pieces.at(-1);
    if (last === undefined || !adjoins(last, bytes)) this.#pieces.push(bytes);
    else this.#pieces[this.#pieces.length - 1] = joined(last, bytes);
  }

  writeApart(bytes: Uint8Array): void {
    if (!this.#mayWrite || bytes.length === 0) return;
    this.#queuePieces();
    this.#sendApart(bytes);
  }

  get isSending(): boolean {
    return this.#outlet.size > 0 || this.#pieces.length > 0;
  }

  whenSent(then: () => void): void {
    if (this.isSending && this.#state !== "closed") this.#whenSent.push(then);
    else this.#thread.loop.soon(then);
  }

  beforeSending(prepare: () => void): void {
    this.#thread.writes.beforeFlush(prepare);
  }

  /** Sends what the handler has written. `reader` is not read while something of it is left. */
  flush(reader: RingSocket): void {
    this.#queuePieces();
    if (this.#state === "closed") return;
    if (this.#outlet.size === 0) return this.#checkEnd();
    this.#waiting.push(reader);
    reader.#waitsFor += 1;
  }

  #queuePieces(): void {
    const pieces = this.#pieces;
    for (const piece of pieces) this.#queue(piece);
    empty(pieces);
  }

  /** What no back-pressure holds up must not pile up. */
  #sendApart(bytes: Uint8Array): void {
    const { size } = this.#outlet;
    if (this.#sending === "stuck" && size + bytes.length > WRITE_QUEUE_SIZE_MAX) {
      const rule = `at most ${WRITE_QUEUE_SIZE_MAX} bytes may wait to be sent`;
      return this.#close(new Error(`Cannot send to ${this.peer}: ${rule}`));
    }
    this.#queue(bytes);
  }

  #queue(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#outlet.add(bytes, this.#sending !== "stuck");
    if (this.#sending === "none") this.#wantSend();
  }

  #wantSend(): void {
    this.#sending = "wanted";
    this.#thread.poller.wantSend(this);
  }

  submit(): boolean {
    if (this.#sending !== "wanted") return false;
    this.#sendResult = undefined;
    const bytes = this.#outlet.show();
    if (bytes === undefined) return true; // there is room in the next turn
    this.#sending = "shown";
    this.#thread.poller.send(this.#fd, bytes, this.#number);
    for (const reader of this.#waiting) if (reader.#inlet.hasMore) return true;
    if (this.#state === "ending" || this.#sendingEnd === "due") return true;
    return this.#outlet.hasMore || this.#whenSent.length > 0;
  }

  judge(): void {
    if (this.#state === "closed" || this.#sending === "stuck") return;
    const result = this.#sendResult;
    this.#outlet.onTaken(result === undefined ? undefined : Math.max(0, result));
    if (result !== undefined && result < 0 && !WAITING.has(-result)) {
      return this.#close(systemError(this.#thread.loop.libC, -result));
    }
    if (this.#outlet.size === 0) return this.#onSent();
    if (result === undefined) return this.#wantSend();
    this.#sending = "stuck";
    this.#thread.poller.poll(this.#fd, LINUX.EPOLLOUT, false, this.#number);
  }

  #onSent(): void {
    this.#sending = "none";
    this.#release();
    this.#checkEnd();
  }

  /** Whoever has waited for this socket to send goes on. */
  #release(): void {
    const waiting = this.#waiting;
    for (const reader of waiting) {
      reader.#waitsFor -= 1;
      const { hasMore, isHalted } = reader.#inlet;
      if (reader.#waitsFor === 0 && (hasMore || isHalted)) reader.#wantTurn();
    }
    empty(waiting);
    if (this.#whenSent.length === 0) return;
    for (const then of this.#whenSent) this.#thread.loop.soon(then);
    this.#whenSent = [];
  }

  // Reading ---------------------------------------------------------------------------------------

  onCompletion(kind: number, result: number, flags: number): void {
    if (kind === KIND.send) this.#sendResult = result;
    else if (kind === KIND.poll) this.#wantSend();
    else if (this.#inlet.onCompletion(kind, result, flags)) this.#wantTurn();
  }

  #wantTurn(): void {
    if (this.#isReady || this.#state === "closed") return;
    this.#isReady = true;
    this.#thread.poller.wantTurn(this);
  }

  /** One piece: whoever has more to say has its next turn behind all others. */
  serve(): void {
    this.#isReady = false;
    if (this.#handler === undefined || this.#state === "closed") return;
    const inlet = this.#inlet;
    if (this.#state !== "open") inlet.discard();
    else if (this.#waitsFor > 0 || this.#rest.length === READ_BUFFER_SIZE_MAX) {
      return inlet.holdBack();
    }
    const piece = inlet.take();
    if (piece !== undefined) this.#onPiece(piece);
    else if (inlet.end !== undefined) return this.#onEnd(inlet.end);
    if (inlet.hasMore) this.#wantTurn();
    else if (this.#rest.length < READ_BUFFER_SIZE_MAX) inlet.receive();
  }

  #onPiece(piece: Uint8Array): void {
    const kept = this.#rest.length;
    if (kept === 0) {
      this.#offer(piece);
      return this.#inlet.giveBack(piece);
    }
    const { buffer } = this.#thread;
    const size = Math.min(buffer.length - kept, piece.length);
    buffer.set(this.#rest);
    buffer.set(size === piece.length ? piece : piece.subarray(0, size), kept);
    if (size < piece.length) this.#inlet.putBack(piece.subarray(size));
    else this.#inlet.giveBack(piece);
    const filled = kept + size;
    this.#offer(filled === buffer.length ? buffer : buffer.subarray(0, filled));
  }

  /** @param view All that is not consumed. */
  #offer(view: Uint8Array): void {
    const { writes } = this.#thread;
    writes.open();
    let taken = view.length;
    try {
      taken = this.#handler!.onData(view);
    } catch (error) {
      // A defect of ours costs this connection, not the worker.
      this.#close(asError(error));
    }
    const isKept = taken < view.length && this.#state === "open";
    if (!isKept) this.#rest = NOTHING;
    else if (taken > 0 || view.buffer !== this.#rest.buffer) this.#rest = view.slice(taken);
    writes.flush(this);
  }

  reoffer(): void {
    this.#thread.loop.soon(() => {
      if (this.#state !== "open" || this.#handler === undefined) return;
      if (this.#rest.length > 0) this.#offer(this.#rest);
      this.#wantTurn();
    });
  }

  /** @param errno 0 if the peer has ended politely. */
  #onEnd(errno: number): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const { loop } = this.#thread;
    loop.settled();
    if (errno !== 0) return this.#close(systemError(loop.libC, errno));
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
    if (!this.isSending) this.#tellEnd();
  }

  /** Everything has been sent. */
  #checkEnd(): void {
    if (this.#state === "ending") this.#finishSending();
    else if (this.#sendingEnd === "due") this.#tellEnd();
  }

  end(lingerMs = LINGER_MS): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#rest = NOTHING;
    this.#linger = this.#thread.loop.after(lingerMs, () => this.#close(undefined));
    if (this.isSending) this.#wantTurn();
    else this.#finishSending();
  }

  #finishSending(): void {
    if (this.#hasEnded || this.#handler === undefined) return this.#close(undefined);
    this.#state = "lingering";
    if (!this.#tellEnd()) return this.#close(undefined);
    this.#wantTurn();
  }

  /** @returns False if the peer is gone already: what is to be known of that, reading says. */
  #tellEnd(): boolean {
    if (this.#sendingEnd === "told") return true;
    this.#sendingEnd = "told";
    return this.#thread.loop.libC.shutdown(this.#fd, LINUX.SHUT_WR) === 0;
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
    this.#pieces = [];
    this.#rest = NOTHING;
    this.#outlet.clear();
    this.#inlet.close();
    const { loop, poller } = this.#thread;
    if (this.#sending === "stuck") poller.cancel(this.#number, KIND.poll);
    this.#sending = "none";
    poller.remove(this.#number);
    poller.closeLater(this.#fd);
    this.#release();
    loop.settled();
    loop.soon(() => this.#handler?.onClose(cause));
  }
}

/** The kernel has no room for now. */
const WAITING = new Set<number>([ERRNO.EAGAIN, ERRNO.EINTR]);
