/**
 * What one socket sends. Nearly always a turn has one view for it: that becomes an entry of the
 * ring's at once, and nothing is heard of it again. All else takes its way through a queue, whose
 * owner looks behind the call what was taken of it.
 *
 * @module
 */

import { WRITE_QUEUE_SIZE_MAX } from "../../socket.ts";
import type { EventLoop } from "../event_loop.ts";
import { ERRNO, LINUX, systemError } from "../libc.ts";
import type { Round } from "../round.ts";
import { GATHERED_SIZE_MAX, RingOutlet } from "./ring_outlet.ts";
import type { RingPoller, RingSender } from "./ring_poller.ts";

const NOTHING = new Uint8Array();

/** No turn has this number. */
const NEVER = -1;

/** The kernel has no room for now. */
const WAITING = new Set<number>([ERRNO.EAGAIN, ERRNO.EINTR]);

/** Whose handler has written: it is not read on while that is not sent. */
export interface RingReader {
  /** Something that it has written is not sent: once for each time that it is let go. */
  holdUp(): void;
  letGo(): void;
  /** Whether there is something that it has not been shown. */
  readonly hasMore: boolean;
}

/** Whose bytes they are. */
export interface SendingOwner {
  /** For messages. */
  readonly peer: string;
  /** Everything is sent, and somebody may have waited for that. */
  onSent(): void;
  /** Nothing more can be sent. */
  onSendError(error: Error): void;
}

/** What all sockets of one thread send with. */
export interface SendingParts {
  readonly loop: EventLoop;
  readonly poller: RingPoller;
  readonly writes: Round<RingReader>;
}

/** One socket's sending half. */
export class RingSending implements RingSender {
  readonly #fd: number;
  readonly #number: number;
  readonly #parts: SendingParts;
  readonly #owner: SendingOwner;
  /** Undefined while all that was written has become an entry at once, as it mostly does. */
  #outlet: RingOutlet | undefined;
  /**
   * What is in the outlet goes out with the next call (`wanted`), or when the kernel has room again
   * (`stuck`). Of what is `shown`, the entry is in this turn's queue, or was in the last one's.
   */
  #state: "none" | "wanted" | "shown" | "stuck" | "closed" = "none";
  /** Somebody waits until everything is sent. */
  #hasSequel = false;
  /** The turn in which an entry was made past the outlet, of what, and who wrote it. */
  #entryTurn = NEVER;
  #entryBytes: Uint8Array = NOTHING;
  #entryReader: RingReader | undefined;
  /** Those that are read on when everything is sent. */
  #waiting: RingReader[] | undefined;
  /** How much the kernel took of what it was shown, if not all of it; below 0 why nothing. */
  #result: number | undefined;
  #whenSent: (() => void)[] | undefined;

  /** @param number The socket's, with the poller. */
  constructor(fd: number, number: number, parts: SendingParts, owner: SendingOwner) {
    this.#fd = fd;
    this.#number = number;
    this.#parts = parts;
    this.#owner = owner;
  }

  get #queued(): number {
    return this.#outlet?.size ?? 0;
  }

  get #madeOutlet(): RingOutlet {
    return this.#outlet ??= new RingOutlet(this.#parts.poller.memory);
  }

  /** Whether something was written that the kernel has not taken. */
  get isSending(): boolean {
    if (this.#state === "closed") return false;
    return this.#queued > 0 || this.#hasEntry || this.#parts.writes.has(this);
  }

  /** What is written while a handler runs goes out when it has returned. */
  write(bytes: Uint8Array): void {
    const { writes } = this.#parts;
    if (writes.isOpen) writes.write(this, bytes);
    else this.#sendApart(bytes);
  }

  /** Sends a copy, and at once, behind what was written before. */
  writeApart(bytes: Uint8Array): void {
    const { writes } = this.#parts;
    if (writes.has(this)) {
      const pieces = writes.take(this);
      if (this.#enterAll([...pieces, bytes], undefined)) return;
      for (const piece of pieces) this.#queue(piece);
    }
    this.#sendApart(bytes);
  }

  /** Calls `then` once nothing is being sent any more, or the socket is gone; not from here. */
  whenSent(then: () => void): void {
    if (!this.isSending) return this.#parts.loop.soon(then);
    this.expectSequel();
    (this.#whenSent ??= []).push(then);
  }

  /** The owner is told when everything is sent. To be called while something is. */
  expectSequel(): void {
    this.#hasSequel = true;
    if (this.#hasEntry) this.#judgeEntry();
  }

  /** Sends what a handler has written. `reader` is not read while something of it is left. */
  flush(reader: RingReader, bytes: Uint8Array): void {
    if (this.#enter(bytes, reader)) return;
    this.#queue(bytes);
    this.#onFlushed(reader);
  }

  flushAll(reader: RingReader, pieces: readonly Uint8Array[]): void {
    if (pieces.length > 0 && this.#enterAll(pieces, reader)) return;
    for (const piece of pieces) this.#queue(piece);
    this.#onFlushed(reader);
  }

  #onFlushed(reader: RingReader): void {
    if (this.#queued > 0) this.#holdUp(reader);
  }

  #holdUp(reader: RingReader): void {
    (this.#waiting ??= []).push(reader);
    reader.holdUp();
  }

  // Past the outlet -------------------------------------------------------------------------------

  /** Whether this turn's queue has an entry that the outlet knows nothing of. */
  get #hasEntry(): boolean {
    return this.#entryTurn === this.#parts.poller.turn && this.#state === "none";
  }

  /** One entry a turn: the kernel works off all of them, even if one was not taken whole. */
  get #mayEnter(): boolean {
    return this.#state === "none" && !this.#hasSequel &&
      this.#entryTurn !== this.#parts.poller.turn;
  }

  /** @returns False if it has to go through the outlet. */
  #enter(bytes: Uint8Array, reader: RingReader | undefined): boolean {
    if (!this.#mayEnter) return false;
    const { poller } = this.#parts;
    const { memory } = poller;
    const shown = memory.holds(bytes) ? bytes : memory.outgoing.copy(bytes);
    if (shown === undefined) return false;
    this.#entryTurn = poller.turn;
    this.#entryBytes = shown;
    this.#entryReader = reader;
    poller.send(this.#fd, shown, this.#number);
    return true;
  }

  /** As one entry. @returns False if they have to go through the outlet. */
  #enterAll(pieces: readonly Uint8Array[], reader: RingReader | undefined): boolean {
    if (pieces.length === 1) return this.#enter(pieces[0]!, reader);
    if (!this.#mayEnter) return false;
    const { outgoing } = this.#parts.poller.memory;
    const size = pieces.reduce((sum, { length }) => sum + length, 0);
    if (size > GATHERED_SIZE_MAX || size > outgoing.room) return false;
    return this.#enter(outgoing.gather(pieces, size)!, reader);
  }

  /** The outlet is to know of the entry, as of any other that the kernel is shown. */
  #tellOutlet(): void {
    this.#state = "shown";
    this.#result = undefined;
    this.#madeOutlet.addShown(this.#entryBytes);
    if (this.#entryReader !== undefined) this.#holdUp(this.#entryReader);
  }

  #judgeEntry(): void {
    this.#tellOutlet();
    this.#parts.poller.wantSend(this);
  }

  // Through the outlet ----------------------------------------------------------------------------

  /** What no back-pressure holds up must not pile up. */
  #sendApart(bytes: Uint8Array): void {
    if (this.#enter(bytes, undefined)) return;
    if (this.#state === "stuck" && this.#queued + bytes.length > WRITE_QUEUE_SIZE_MAX) {
      const rule = `at most ${WRITE_QUEUE_SIZE_MAX} bytes may wait to be sent`;
      const { peer } = this.#owner;
      return this.#owner.onSendError(new Error(`Cannot send to ${peer}: ${rule}`));
    }
    this.#queue(bytes);
  }

  #queue(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    if (this.#hasEntry) this.#judgeEntry();
    this.#madeOutlet.add(bytes, this.#state === "none" || this.#state === "wanted");
    if (this.#state === "none") this.#wantSend();
  }

  #wantSend(): void {
    this.#state = "wanted";
    this.#parts.poller.wantSend(this);
  }

  submit(): boolean {
    if (this.#state !== "wanted") return this.#state === "shown";
    this.#result = undefined;
    const bytes = this.#outlet?.show();
    if (bytes === undefined) return true; // there is room in the next turn
    this.#state = "shown";
    this.#parts.poller.send(this.#fd, bytes, this.#number);
    if (this.#waiting?.some((reader) => reader.hasMore) === true) return true;
    return this.#outlet?.hasMore === true || this.#hasSequel;
  }

  /** Not all that was shown was taken. */
  onShort(result: number): void {
    const isJudged = this.#state === "shown";
    if (!isJudged) this.#tellOutlet();
    this.#result = result;
    if (!isJudged) this.judge();
  }

  judge(): void {
    if (this.#state === "closed" || this.#state === "stuck") return;
    const result = this.#result;
    this.#outlet?.onTaken(result === undefined ? undefined : Math.max(0, result));
    const { loop, poller } = this.#parts;
    if (result !== undefined && result < 0 && !WAITING.has(-result)) {
      return this.#owner.onSendError(systemError(loop.libC, -result));
    }
    if (this.#queued === 0) return this.#onSent();
    if (result === undefined) return this.#wantSend();
    this.#state = "stuck";
    poller.poll(this.#fd, LINUX.EPOLLOUT, false, this.#number);
  }

  /** The kernel has room again. */
  onRoom(): void {
    this.#wantSend();
  }

  #onSent(): void {
    this.#state = "none";
    this.#hasSequel = false;
    this.#release();
    this.#owner.onSent();
  }

  /** Whoever has waited goes on. */
  #release(): void {
    const [waiting, whenSent] = [this.#waiting, this.#whenSent];
    this.#waiting = this.#whenSent = undefined;
    for (const reader of waiting ?? []) reader.letGo();
    for (const then of whenSent ?? []) this.#parts.loop.soon(then);
  }

  /** Forgets what was not sent. @returns Whether the kernel still tells when it has room. */
  close(): boolean {
    const isPolled = this.#state === "stuck";
    this.#state = "closed";
    this.#entryReader = undefined;
    this.#outlet = undefined;
    this.#release();
    return isPolled;
  }
}
