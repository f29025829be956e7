/**
 * What one socket receives: in many small pieces for as long as something comes now and then, and
 * piece by piece where it comes in bulk. A connection that waits has no buffer, and one that is not
 * read keeps none of those that all share.
 *
 * @module
 */

import { ERRNO } from "../libc.ts";
import { goesOn } from "./ring.ts";
import { KIND, type RingPoller, type RingReceiver } from "./ring_poller.ts";

/** Pieces that nobody has looked at, of which a socket gets no more for a while. */
const PIECES_MAX = 4;

/** Full pieces that show that more is coming than is for small ones. */
const FULL_PIECES_MAX = 2;

/** One socket's receiving. */
export class RingInlet implements RingReceiver {
  readonly #poller: RingPoller;
  readonly #fd: number;
  readonly #number: number;
  #operation: "none" | "many" | "once" | "cancelled" | "starved" = "none";
  #isBulk = false;
  #isClosed = false;
  /** What nobody has looked at; undefined if it is nothing. */
  #pieces: Uint8Array[] | undefined;
  /** How it has ended: 0 is politely, else it is the number of an error. */
  #end: number | undefined;

  /** @param number The socket's, with the poller. */
  constructor(poller: RingPoller, fd: number, number: number) {
    this.#poller = poller;
    this.#fd = fd;
    this.#number = number;
  }

  /** Whether nothing more comes by itself. */
  get isHalted(): boolean {
    return this.#operation === "none";
  }

  /** Whether there is something that nobody has been shown. */
  get hasMore(): boolean {
    return this.#pieces !== undefined || this.#end !== undefined;
  }

  /** How it has ended, behind all pieces: 0 is politely, else it is the number of an error. */
  get end(): number | undefined {
    return this.#pieces === undefined ? this.#end : undefined;
  }

  /** Has the kernel receive, if it does not. */
  receive(): void {
    if (this.#operation !== "none" || this.#end !== undefined || this.#isClosed) return;
    if (this.#isBulk) this.#poller.receiveOnce(this.#fd, this.#number);
    else this.#poller.receiveMany(this.#fd, this.#number);
    this.#operation = this.#isBulk ? "once" : "many";
  }

  receiveAgain(): void {
    this.#operation = "none";
    this.receive();
  }

  /** Takes note of a completion. @returns Whether there is something for the socket to do. */
  onCompletion(kind: number, result: number, flags: number): boolean {
    if (!goesOn(flags)) this.#operation = "none";
    const piece = this.#poller.takeReceived(kind, result, flags);
    if (piece !== undefined) this.#onPiece(piece, kind);
    else if (-result === ERRNO.ENOBUFS) {
      this.#operation = "starved";
      this.#poller.starve(this, kind);
      return false;
    } else if (!isPassing(-result)) this.#end = -result;
    return true;
  }

  #onPiece(piece: Uint8Array, kind: number): void {
    const pieces = this.#pieces ??= [];
    pieces.push(piece);
    const isFull = piece.length >= this.#poller.memory.small.size;
    if (kind === KIND.receiveOnce) this.#isBulk = isFull;
    else if (pieces.length >= (isFull ? FULL_PIECES_MAX : PIECES_MAX)) {
      this.#isBulk = true;
      this.#stop();
    }
  }

  /** Takes the next piece; undefined if there is none. It is to be given back. */
  take(): Uint8Array | undefined {
    const piece = this.#pieces?.shift();
    if (this.#pieces?.length === 0) this.#pieces = undefined;
    return piece;
  }

  /** Puts back what is left of a piece. */
  putBack(piece: Uint8Array): void {
    (this.#pieces ??= []).unshift(piece);
  }

  /** A piece will not be looked at any more; what is written of it goes out with the next call. */
  giveBack(piece: Uint8Array): void {
    const { memory } = this.#poller;
    if (memory.holds(piece)) memory.giveBack(piece);
  }

  /** Nobody looks for a while: others may have the buffers. */
  holdBack(): void {
    this.#stop();
    const { memory } = this.#poller;
    this.#pieces = this.#pieces?.map((piece) => {
      if (!memory.holds(piece)) return piece;
      const copy = piece.slice();
      memory.giveBack(piece);
      return copy;
    });
  }

  #stop(): void {
    if (this.#operation !== "many") return;
    this.#operation = "cancelled";
    this.#poller.cancel(this.#number, KIND.receiveMany);
  }

  /** Throws away what has come. */
  discard(): void {
    for (const piece of this.#pieces ?? []) this.giveBack(piece);
    this.#pieces = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    if (this.#operation === "once") this.#poller.cancel(this.#number, KIND.receiveOnce);
    this.discard();
  }
}

/** Whether it is to be tried again. */
function isPassing(errno: number): boolean {
  return errno === ERRNO.ECANCELED || errno === ERRNO.EINTR || errno === ERRNO.EAGAIN;
}
