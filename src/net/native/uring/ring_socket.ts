/**
 * A socket on a ring: what is received is shown where the kernel has put it, and what handlers have
 * written goes out with the next call, together with what all others have.
 *
 * @module
 */

import { addressText, type TcpAddress } from "../../../base/address.ts";
import type { Timer } from "../../../base/clock.ts";
import { ByteSlab } from "../../../base/byte_slab.ts";
import { asError } from "../../../base/errors.ts";
import {
  LINGER_MS,
  type PeerAddress,
  READ_BUFFER_SIZE_MAX,
  type Socket,
  type SocketHandler,
} from "../../socket.ts";
import type { EventLoop } from "../event_loop.ts";
import { LINUX, systemError } from "../libc.ts";
import { Round } from "../round.ts";
import { goesOn } from "./ring.ts";
import { RingInlet } from "./ring_inlet.ts";
import { KIND, type RingOwner, type RingPoller } from "./ring_poller.ts";
import {
  type RingReader,
  RingSending,
  type SendingOwner,
  type SendingParts,
} from "./ring_sending.ts";

const NOTHING = new Uint8Array();

/** No turn has this number. */
const NEVER = -1;

/** What all sockets of one thread share. */
export class RingThread implements SendingParts {
  readonly loop: EventLoop;
  readonly poller: RingPoller;
  readonly writes = new Round<RingReader>();
  /** Where what the handler has left is put together with what came behind it. */
  readonly buffer = new Uint8Array(READ_BUFFER_SIZE_MAX);
  /** Where what handlers have left is copied to: mostly one short message. */
  readonly kept = new ByteSlab();

  constructor(loop: EventLoop, poller: RingPoller) {
    this.loop = loop;
    this.poller = poller;
  }
}

/** One TCP or Unix connection. */
export class RingSocket implements Socket, RingOwner, RingReader, SendingOwner {
  readonly #fd: number;
  readonly #thread: RingThread;
  readonly #number: number;
  readonly #inlet: RingInlet;
  readonly #sending: RingSending;
  readonly peerAddress: PeerAddress;
  #handler: SocketHandler | undefined;
  /** `ending`: nothing more is accepted, the queue is still sent. `lingering`: it has been. */
  #state: "open" | "ending" | "lingering" | "closed" = "open";
  #hasEnded = false;
  /** Whether the peer is told that nothing follows, or has been, while it is still read. */
  #sendingEnd: "none" | "due" | "told" = "none";
  /** It has asked for its turn. */
  #isReady = false;
  /** The turn in which its handler was called. */
  #calledTurn = NEVER;
  /** What the handler has left. */
  #rest: Uint8Array = NOTHING;
  /** Sockets that have still to send what this one's handler wrote to them. */
  #waitsFor = 0;
  #linger: Timer | undefined;

  /** @param fd It is the socket's from now on. */
  constructor(fd: number, peer: TcpAddress | undefined, thread: RingThread) {
    const { poller } = thread;
    this.#fd = fd;
    this.#thread = thread;
    this.#number = poller.add(this);
    this.#inlet = new RingInlet(poller, fd, this.#number);
    this.#sending = new RingSending(fd, this.#number, thread, this);
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
    if (this.#mayWrite && bytes.length > 0) this.#sending.write(bytes);
  }

  writeApart(bytes: Uint8Array): void {
    if (this.#mayWrite && bytes.length > 0) this.#sending.writeApart(bytes);
  }

  get isSending(): boolean {
    return this.#sending.isSending;
  }

  whenSent(then: () => void): void {
    this.#sending.whenSent(then);
  }

  beforeSending(prepare: () => void): void {
    this.#thread.writes.beforeFlush(prepare);
  }

  onShortSend(result: number): void {
    this.#sending.onShort(result);
  }

  onSendError(error: Error): void {
    this.#close(error);
  }

  onSent(): void {
    if (this.#state === "ending") this.#finishSending();
    else if (this.#sendingEnd === "due") this.#tellEnd();
  }

  holdUp(): void {
    this.#waitsFor += 1;
  }

  letGo(): void {
    this.#waitsFor -= 1;
    if (this.#waitsFor === 0 && (this.#inlet.hasMore || this.#inlet.isHalted)) this.#wantTurn();
  }

  get hasMore(): boolean {
    return this.#inlet.hasMore;
  }

  // Reading ---------------------------------------------------------------------------------------

  onCompletion(kind: number, result: number, flags: number): void {
    if (kind === KIND.receiveMany && result > 0 && goesOn(flags) && this.#mayBeCalled) {
      const { turn, memory: { small } } = this.#thread.poller;
      const buffer = flags >>> 16;
      this.#calledTurn = turn;
      this.#offer(small.take(buffer, result));
      small.giveBack(buffer);
    } else if (kind === KIND.poll) this.#sending.onRoom();
    else if (this.#inlet.onCompletion(kind, result, flags)) this.#wantTurn();
  }

  /** With what was just received, as nothing is before that. */
  get #mayBeCalled(): boolean {
    if (this.#isReady || this.#waitsFor > 0 || this.#rest !== NOTHING) return false;
    const { turn, mayCall } = this.#thread.poller;
    return mayCall && this.#calledTurn !== turn && this.#state === "open";
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
    const { turn } = this.#thread.poller;
    if (this.#calledTurn === turn) return this.#wantTurn();
    const inlet = this.#inlet;
    if (this.#state !== "open") inlet.discard();
    else if (this.#waitsFor > 0 || this.#rest.length === READ_BUFFER_SIZE_MAX) {
      return inlet.holdBack();
    }
    this.#calledTurn = turn;
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
    if (taken < view.length && this.#state === "open") this.#keep(view, taken);
    else if (this.#rest !== NOTHING) this.#rest = NOTHING;
    writes.flush(this);
  }

  #keep(view: Uint8Array, taken: number): void {
    if (taken > 0 || view.buffer !== this.#rest.buffer) {
      this.#rest = this.#thread.kept.copy(view, taken);
    }
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
    if (errno !== 0) return this.#close(systemError(this.#thread.loop.libC, errno));
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
    if (this.isSending) this.#sending.expectSequel();
    else this.#tellEnd();
  }

  end(lingerMs = LINGER_MS): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#rest = NOTHING;
    this.#linger = this.#thread.loop.after(lingerMs, () => this.#close(undefined));
    if (!this.isSending) return this.#finishSending();
    this.#sending.expectSequel();
    this.#wantTurn();
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
    this.#rest = NOTHING;
    this.#inlet.close();
    const { loop, poller } = this.#thread;
    if (this.#sending.close()) poller.cancel(this.#number, KIND.poll);
    poller.remove(this.#number);
    poller.closeLater(this.#fd);
    loop.soon(() => this.#handler?.onClose(cause));
  }
}
