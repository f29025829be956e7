/**
 * One end of a connection in memory, which keeps a driver's rules strictly: see
 * `memory_driver.ts`.
 *
 * @module
 */

import { concat } from "../../src/base/bytes.ts";
import type { Timer } from "../../src/base/clock.ts";
import {
  LINGER_MS,
  type PeerAddress,
  READ_BUFFER_SIZE_MAX,
  type Socket,
  type SocketHandler,
  WRITE_QUEUE_SIZE_MAX,
} from "../../src/net/socket.ts";
import type { MemoryNetwork } from "./memory_driver.ts";
import { peerAddressOf, type Pipe } from "./memory_pipe.ts";

/** What a view holds once it is not valid any more. */
const POISON = 0xdd;

/** One end of a connection, under the driver's rules. */
export class MemorySocket implements Socket {
  readonly peer: string;
  readonly peerAddress: PeerAddress;
  readonly #network: MemoryNetwork;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;
  #handler: SocketHandler | undefined;
  #state: "open" | "ending" | "lingering" | "closed" = "open";
  /** Nothing more is accepted, and the peer is told so behind the queue. */
  #isSendingOver = false;
  #hasSeenEnd = false;
  #isOffered = false;
  #closing: { readonly error: Error | undefined } | undefined;
  #unconsumed: Uint8Array = new Uint8Array();
  #queue: Uint8Array = new Uint8Array();
  /** Bytes at the queue's start that the system is being given: they do not count. */
  #leaving = 0;
  #linger: Timer | undefined;
  /** Sockets that the last `onData` wrote to and that have not sent it all. */
  #blockedOn: MemorySocket[] = [];

  /** Called once the queue is empty. */
  readonly #whenSent: (() => void)[] = [];

  constructor(network: MemoryNetwork, peer: string, incoming: Pipe, outgoing: Pipe) {
    this.peer = peer;
    this.peerAddress = peerAddressOf(peer);
    this.#network = network;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  /** Bytes that it holds: unconsumed ones, and those that its peer has not taken. */
  get heldBytes(): number {
    return this.#unconsumed.length + this.#queue.length;
  }

  start(handler: SocketHandler): void {
    if (this.#handler !== undefined) throw new Error("A socket is started once");
    this.#handler = handler;
  }

  setHandler(handler: SocketHandler): void {
    this.#handler = handler;
    this.reoffer();
  }

  writeApart(bytes: Uint8Array): void {
    if (this.#state !== "open" || this.#isSendingOver || bytes.length === 0) return;
    const sent = this.#queue.length === 0 ? this.#outgoing.put(bytes) : 0;
    this.#queue = concat(this.#queue, bytes.subarray(sent));
  }

  get isSending(): boolean {
    return this.#queue.length > 0;
  }

  whenSent(then: () => void): void {
    queueMicrotask(() => {
      if (this.#queue.length > 0 && this.#state !== "closed") this.#whenSent.push(then);
      else then();
    });
  }

  beforeSending(prepare: () => void): void {
    if (this.#network.round === undefined) prepare();
    else this.#network.prepares.push(prepare);
  }

  write(bytes: Uint8Array): void {
    if (this.#state !== "open" || this.#isSendingOver || bytes.length === 0) return;
    if (this.#handler === undefined) throw new Error("A socket is started before it is written to");
    const { round } = this.#network;
    const left = this.#queue.length - this.#leaving;
    if (round === undefined && left > 0 && left + bytes.length > WRITE_QUEUE_SIZE_MAX) {
      return this.#close(new Error(`at most ${WRITE_QUEUE_SIZE_MAX} bytes may wait to be sent`));
    }
    round?.add(this);
    const sent = this.#queue.length === 0 ? this.#outgoing.put(bytes) : 0;
    if (this.#queue.length === 0) this.#leaving = bytes.length - sent;
    this.#queue = concat(this.#queue, bytes.subarray(sent));
  }

  reoffer(): void {
    this.#isOffered = true;
  }

  endSending(): void {
    this.#isSendingOver = true;
    this.#flush();
  }

  end(lingerMs = LINGER_MS): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#linger = this.#network.clock.after(lingerMs, () => this.#close(undefined));
    this.#flush();
  }

  destroy(): void {
    this.#close(undefined);
  }

  /** Does one thing that can be done. @returns False if there is nothing. */
  poll(): boolean {
    if (this.#closing !== undefined) return this.#reportClose(this.#closing.error);
    if (this.#state === "closed") return false;
    if (this.#outgoing.isReset) return this.#close(new Error("connection reset by peer")), true;
    if (this.#flush()) return true;
    if (this.#isOffered) {
      this.#isOffered = false;
      if (this.#state === "open" && this.#unconsumed.length > 0) return this.#show(false);
    }
    return this.#read();
  }

  #read(): boolean {
    if (this.#handler === undefined || this.#hasSeenEnd) return false;
    if (this.#blockedOn.some((socket) => socket.#queue.length > 0)) return false;
    this.#blockedOn = [];
    const isOpen = this.#state === "open";
    const room = isOpen ? READ_BUFFER_SIZE_MAX - this.#unconsumed.length : READ_BUFFER_SIZE_MAX;
    if (room <= 0) return false;
    const bytes = this.#incoming.take(Math.min(room, this.#network.readSizeMax));
    if (bytes.length > 0) {
      if (!isOpen) return true; // thrown away: see Socket.end
      this.#unconsumed = this.#unconsumed.length === 0 ? bytes : concat(this.#unconsumed, bytes);
      return this.#show(true);
    }
    if (!this.#incoming.hasEnded) return false;
    this.#hasSeenEnd = true;
    if (this.#state === "lingering") this.#close(undefined);
    else if (isOpen) this.#call(() => this.#handler!.onEnd());
    return true;
  }

  /** Bytes that are offered again are outside of back-pressure, as in the real driver. */
  #show(isRound: boolean): boolean {
    const view = this.#unconsumed;
    const round = new Set<MemorySocket>();
    if (isRound) this.#network.round = round;
    let taken = view.length;
    this.#call(() => taken = this.#handler!.onData(view));
    for (const prepare of this.#network.prepares) prepare();
    this.#network.prepares.length = 0;
    this.#network.round = undefined;
    if (taken < 0 || taken > view.length) throw new Error(`onData took ${taken} of ${view.length}`);
    // Closing has emptied it, and then nothing is left to be shown.
    if (this.#unconsumed === view) this.#unconsumed = view.slice(taken);
    view.fill(POISON);
    this.#blockedOn = [...round];
    return true;
  }

  /** @returns Whether anything moved. */
  #flush(): boolean {
    if (this.#state === "closed" || this.#state === "lingering") return false;
    const sent = this.#outgoing.put(this.#queue);
    this.#queue = this.#queue.subarray(sent);
    this.#leaving = this.#leaving > sent ? this.#leaving - sent : this.#queue.length;
    if (this.#queue.length === 0) this.#tellSent();
    if (this.#isSendingOver && this.#queue.length === 0) this.#outgoing.end();
    if (this.#state !== "ending" || this.#queue.length > 0) return sent > 0;
    if (this.#hasSeenEnd || this.#handler === undefined) this.#close(undefined);
    else {
      this.#state = "lingering";
      this.#outgoing.end();
    }
    return true;
  }

  #close(error: Error | undefined): void {
    if (this.#state === "closed") return;
    this.#closing = { error: this.#state === "open" ? error : undefined };
    this.#state = "closed";
    this.#linger?.cancel();
    this.#queue = new Uint8Array();
    this.#unconsumed = new Uint8Array();
    this.#outgoing.end();
    this.#incoming.abandon(this.#outgoing);
  }

  #tellSent(): void {
    for (const then of this.#whenSent.splice(0)) queueMicrotask(then);
  }

  #reportClose(error: Error | undefined): boolean {
    this.#closing = undefined;
    this.#tellSent();
    this.#network.forget(this);
    if (this.#handler !== undefined) this.#call(() => this.#handler!.onClose(error));
    return true;
  }

  /** A handler that throws costs its connection, and fails the test: `MemoryNetwork.thrown`. */
  #call(act: () => void): void {
    if (this.#network.isInHandler) throw new Error("A handler was called inside of a call");
    this.#network.isInHandler = true;
    try {
      act();
    } catch (error) {
      this.#network.thrown.push(error);
      this.#close(error as Error);
    } finally {
      this.#network.isInHandler = false;
    }
  }
}
