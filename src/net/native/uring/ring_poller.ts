/**
 * One thread's turns on a ring. Each one
 *
 * 1. has sockets put entries into the queue that had to wait with what they have to send; others
 *    have done so in the turn before, when it was written;
 * 2. enters the kernel once, which works off all entries and waits;
 * 3. looks at completions for what was not sent: before anybody is called it has to be known who
 *    must not be read on, and what is to be sent before anything else;
 * 4. takes all completions: a socket for which something was received is called at once, unless it
 *    was called in this turn or has something before that;
 * 5. calls those who have asked for their turn.
 *
 * @module
 */

import type { EventLoop, Poller, Watched } from "../event_loop.ts";
import { LINUX } from "../libc.ts";
import { empty } from "./empty.ts";
import { goesOn, Ring, type RingOptions } from "./ring.ts";
import { COMPLETION, type RingCalls } from "./ring_calls.ts";
import { type ReceiveBuffers, RingMemory, type RingMemoryOptions } from "./ring_memory.ts";

/** What kinds of operations there are; in the lowest four bits of their tags. */
export const KIND = { receiveMany: 1, receiveOnce: 2, send: 3, poll: 4, accept: 5 } as const;
const KIND_BITS = 4;
const KIND_MASK = (1 << KIND_BITS) - 1;

/** Turns are numbered in so many bits. */
const TURNS_MASK = 2 ** 30 - 1;

const NOBODY: RingSender[] = [];

/** Whose operations are in the ring. */
export interface RingOwner {
  /** What anything but a send has come to. Handlers are called only if `mayCall` says so. */
  onCompletion(kind: number, result: number, flags: number): void;
  /** Not all of what it has sent was taken. Nobody is called from here. */
  onShortSend(result: number): void;
  /** Its turn has come, which it asked for. */
  serve(): void;
}

/** Who has something to send. */
export interface RingSender {
  /** Puts it into the ring, if it is not in. @returns Whether somebody waits for it to be sent. */
  submit(): boolean;
  /** It was sent, or a completion has told what was not. */
  judge(): void;
}

/** Who receives, and gets no buffer for now. */
export interface RingReceiver {
  receiveAgain(): void;
}

/** Waits with a ring, and knows whose operations are in it. */
export class RingPoller implements Poller {
  readonly memory: RingMemory;
  readonly calls: RingCalls;
  readonly #loop: EventLoop;
  readonly #ring: Ring;
  /** By number, which is used again. 0 is nobody's. */
  readonly #owners: (RingOwner | undefined)[] = [undefined];
  /** How often each number was used: what completes late is for none of its next owners. */
  readonly #generations: number[] = [0];
  readonly #freeNumbers: number[] = [];
  readonly #watches: (WatchedDescriptor | undefined)[] = [];
  #ready: RingOwner[] = [];
  #readyNext: RingOwner[] = [];
  #senders: RingSender[] = [];
  #sendersNext: RingSender[] = [];
  readonly #starved: RingReceiver[] = [];
  readonly #closing: number[] = [];
  #isUrgent = false;
  #isClosed = false;
  #turn = 0;
  #mayCall = true;

  /** @throws {Error} If the system has no io_uring that does; the message says why. */
  constructor(
    loop: EventLoop,
    calls: RingCalls,
    options: RingOptions & RingMemoryOptions,
  ) {
    this.#loop = loop;
    this.calls = calls;
    this.#ring = new Ring(calls, loop.libC, options);
    loop.own(this.#ring.fd);
    try {
      this.memory = new RingMemory(calls, loop.libC, this.#ring.fd, options);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  // Whose operations ------------------------------------------------------------------------------

  /** @returns The owner's number. */
  add(owner: RingOwner): number {
    const number = this.#freeNumbers.pop() ?? this.#owners.length;
    this.#owners[number] = owner;
    this.#generations[number] ??= 0;
    return number;
  }

  /** Nothing of what completes from now on is for the owner. */
  remove(number: number): void {
    this.#owners[number] = undefined;
    this.#generations[number] = (this.#generations[number]! + (1 << KIND_BITS)) | 0;
    this.#freeNumbers.push(number);
  }

  /** Calls the owner's `serve`, not from here; once for each time that it is asked. */
  wantTurn(owner: RingOwner): void {
    this.#readyNext.push(owner);
  }

  #tag(number: number, kind: number): number {
    return this.#generations[number]! | kind;
  }

  // Operations ------------------------------------------------------------------------------------

  /** Receives into small buffers for as long as there is something to receive, and beyond. */
  receiveMany(fd: number, number: number): void {
    const { group } = this.memory.small;
    this.#ring.receive(fd, true, group, number, this.#tag(number, KIND.receiveMany));
  }

  /** Receives into one large buffer. */
  receiveOnce(fd: number, number: number): void {
    const { group } = this.memory.large;
    this.#ring.receive(fd, false, group, number, this.#tag(number, KIND.receiveOnce));
  }

  /** There was no buffer: receives again when there are some. @param kind What it was. */
  starve(receiver: RingReceiver, kind: number): void {
    this.#buffers(kind).grow();
    this.#starved.push(receiver);
  }

  /** Calls `submit` before the next call, and `judge` behind it. */
  wantSend(sender: RingSender): void {
    this.#sendersNext.push(sender);
  }

  /** @param bytes In the ring's memory. */
  send(fd: number, bytes: Uint8Array, number: number): void {
    const { memory } = this;
    const { byteOffset: at, length } = bytes;
    const tag = this.#tag(number, KIND.send);
    this.#ring.send(fd, memory.lowOf(at), memory.highOf(at), length, number, tag);
  }

  accept(fd: number, number: number): void {
    this.#ring.accept(fd, number, this.#tag(number, KIND.accept));
  }

  /** @param events `EPOLLIN` and its kind. */
  poll(fd: number, events: number, isMultishot: boolean, number: number): void {
    this.#ring.poll(fd, events, isMultishot, number, this.#tag(number, KIND.poll));
  }

  /** To be called before {@linkcode RingPoller.remove}. */
  cancel(number: number, kind: number): void {
    this.#ring.cancel(number, this.#tag(number, kind));
    this.#isUrgent = true;
  }

  /**
   * Closes a descriptor once the kernel has heard that its operations are cancelled. It is in use
   * until then: an entry that was queued before must not find another file under this number.
   */
  closeLater(fd: number): void {
    if (this.#isClosed) this.#loop.close(fd);
    else this.#closing.push(fd);
  }

  watch(fd: number, events: number, watched: Watched): void {
    this.#watches[fd] = new WatchedDescriptor(this, fd, events, watched);
  }

  unwatch(fd: number): void {
    this.#watches[fd]?.cancel();
    this.#watches[fd] = undefined;
  }

  // Turns -----------------------------------------------------------------------------------------

  /** The number of this turn: it is another one as soon as the kernel has been entered. */
  get turn(): number {
    return this.#turn;
  }

  /** Whether all is known that was not sent, so that whoever has received may be called. */
  get mayCall(): boolean {
    return this.#mayCall;
  }

  wait(waitMs: number): number {
    const ring = this.#ring;
    const senders = this.#sendersNext.length > 0 ? this.#swapSenders() : NOBODY;
    let isUrgent = this.#isUrgent || this.#readyNext.length > 0 || this.#closing.length > 0 ||
      this.#starved.length > 0;
    for (const sender of senders) if (sender.submit()) isUrgent = true;
    this.#isUrgent = false;
    this.memory.publish();
    ring.enter(isUrgent ? 0 : waitMs);
    this.#turn = (this.#turn + 1) & TURNS_MASK;
    ring.look(KIND_MASK, KIND.send, this.#onSendCompletion);
    let count = ring.hasMore ? this.#noteAll() : 0;
    if (senders !== NOBODY) judge(senders);
    this.memory.outgoing.clear();
    if (this.#closing.length > 0) this.#closeNow();
    if (this.#starved.length > 0) this.#feed();
    count += ring.take(this.#onCompletion);
    if (this.#readyNext.length > 0) count += this.#serve();
    // Who has not waited has not waited in vain.
    return isUrgent ? count + 1 : count;
  }

  /** There is more than the queue could take, and what was not sent may be among it. */
  #noteAll(): number {
    const ring = this.#ring;
    this.#mayCall = false;
    let count = 0;
    while (ring.hasMore) {
      count += ring.take(this.#onCompletion);
      ring.askForMore();
      ring.look(KIND_MASK, KIND.send, this.#onSendCompletion);
    }
    this.#mayCall = true;
    return count;
  }

  #swapSenders(): RingSender[] {
    const senders = this.#sendersNext;
    this.#sendersNext = this.#senders;
    this.#senders = senders;
    return senders;
  }

  readonly #onSendCompletion = (number: number, tag: number, result: number): void => {
    const owner = this.#owners[number];
    if ((tag & ~KIND_MASK) === this.#generations[number]) owner?.onShortSend(result);
  };

  readonly #onCompletion = (number: number, tag: number, result: number, flags: number): void => {
    const owner = this.#owners[number];
    const kind = tag & KIND_MASK;
    if (kind === KIND.send) return; // it was looked at before
    if (owner !== undefined && (tag & ~KIND_MASK) === this.#generations[number]) {
      owner.onCompletion(kind, result, flags);
    } else this.#onLate(kind, result, flags);
  };

  /** Its owner is gone. What it has brought must not be lost. */
  #onLate(kind: number, result: number, flags: number): void {
    this.takeReceived(kind, 0, flags);
    if (kind === KIND.accept && result >= 0) this.#loop.libC.close(result);
  }

  #buffers(kind: number): ReceiveBuffers {
    return kind === KIND.receiveMany ? this.memory.small : this.memory.large;
  }

  /** Takes what a completion has brought. @returns Undefined if it has brought nothing. */
  takeReceived(kind: number, result: number, flags: number): Uint8Array | undefined {
    if ((flags & COMPLETION.BUFFER) === 0) return undefined;
    const buffers = this.#buffers(kind);
    if (result > 0) return buffers.take(flags >>> 16, result);
    buffers.leave(flags >>> 16);
    return undefined;
  }

  #closeNow(): void {
    for (const fd of this.#closing) this.#loop.close(fd);
    empty(this.#closing);
  }

  /** As many receive again as there are buffers. */
  #feed(): void {
    const { small, large } = this.memory;
    for (const receiver of this.#starved.splice(0, Math.min(small.ready, large.ready))) {
      receiver.receiveAgain();
    }
  }

  #serve(): number {
    const ready = this.#readyNext;
    this.#readyNext = this.#ready;
    this.#ready = ready;
    for (const owner of ready) owner.serve();
    const { length } = ready;
    empty(ready);
    return length;
  }

  close(): void {
    this.#isClosed = true;
    this.#closeNow();
    this.#ring.unmap();
    this.#loop.close(this.#ring.fd);
  }
}

function judge(senders: RingSender[]): void {
  for (const sender of senders) sender.judge();
  empty(senders);
}

/** A descriptor that somebody waits for by its readiness. */
class WatchedDescriptor implements RingOwner {
  readonly #poller: RingPoller;
  readonly #fd: number;
  readonly #events: number;
  readonly #watched: Watched;
  readonly #number: number;
  #noted = 0;
  #isArmed = false;
  #isCancelled = false;

  constructor(poller: RingPoller, fd: number, events: number, watched: Watched) {
    this.#poller = poller;
    this.#fd = fd;
    this.#events = events;
    this.#watched = watched;
    this.#number = poller.add(this);
    this.#arm();
  }

  #arm(): void {
    this.#poller.poll(this.#fd, this.#events, true, this.#number);
    this.#isArmed = true;
  }

  onCompletion(_kind: number, result: number, flags: number): void {
    if (!goesOn(flags)) this.#isArmed = false;
    if (this.#noted === 0) this.#poller.wantTurn(this);
    // Whoever looks finds out what is wrong.
    this.#noted |= result < 0 ? LINUX.EPOLLERR : result;
  }

  onShortSend(): void {}

  serve(): void {
    if (this.#isCancelled) return;
    const events = this.#noted;
    this.#noted = 0;
    if (!this.#isArmed) this.#arm();
    this.#watched.onReady(events);
  }

  cancel(): void {
    this.#isCancelled = true;
    if (this.#isArmed) this.#poller.cancel(this.#number, KIND.poll);
    this.#poller.remove(this.#number);
  }
}
