/**
 * A socket on `Deno.Conn`: one loop that reads, shows the handler what came, and waits until what
 * the handler wrote in answer has left. No promise is made for a message, only for a read and a
 * write of the kernel's, and a chunk that is forwarded as it came is never copied.
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import { concat } from "../base/bytes.ts";
import { asError } from "../base/errors.ts";
import type { FairTurns } from "./fair_turns.ts";
import {
  LINGER_MS,
  type PeerAddress,
  READ_BUFFER_SIZE_MAX,
  READ_BUFFER_SIZE_MIN,
  type Socket,
  type SocketHandler,
  WRITE_QUEUE_SIZE_MAX,
} from "./socket.ts";

/** A grown buffer shrinks after this many small reads in a row, so that idling is cheap again. */
const SMALL_READS_TO_SHRINK = 64;

/**
 * Collects the sockets that one `onData` writes to. Shared by all sockets of a driver: handlers
 * run one at a time, so there is one `onData` at most.
 */
export class WriteRound {
  #isOpen = false;
  #written: DenoSocket[] = [];
  readonly #prepares: (() => void)[] = [];

  /** True while an `onData` runs: views that are written stay good until the round is flushed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
  }

  join(socket: DenoSocket): void {
    if (!this.#written.includes(socket)) this.#written.push(socket);
  }

  /** Calls `prepare` when the round is flushed, or at once if there is none. */
  beforeFlush(prepare: () => void): void {
    if (this.#isOpen) this.#prepares.push(prepare);
    else prepare();
  }

  /** Ends the round. @returns What to wait for before the views may change, if anything. */
  flush(): Promise<unknown> | undefined {
    // One may ask for another: a layer's preparation writes to the layer below.
    for (const prepare of this.#prepares) prepare();
    this.#prepares.length = 0;
    this.#isOpen = false;
    const written = this.#written;
    if (written.length === 0) return undefined;
    if (written.length === 1) return written.pop()!.flush();
    this.#written = [];
    return Promise.all(written.map((socket) => socket.flush()));
  }
}

/** One TCP or Unix connection. */
export class DenoSocket implements Socket {
  readonly #conn: Deno.Conn;
  readonly #round: WriteRound;
  readonly #turns: FairTurns;
  #handler: SocketHandler | undefined;
  /** `ending`: nothing more is accepted, the queue is still sent. `lingering`: it has been. */
  #state: "open" | "ending" | "lingering" | "closed" = "open";
  #hasEnded = false;
  /** Whether the peer is told that nothing follows, or has been, while it is still read. */
  #sendingEnd: "none" | "due" | "told" = "none";

  /** Unconsumed bytes are `#buffer[#start..#filled]`; a pending read appends at `#filled`. */
  #buffer = new Uint8Array(READ_BUFFER_SIZE_MIN);
  #start = 0;
  #filled = 0;
  #smallReads = 0;
  /** Resolves when a handler that left the buffer full takes something, or the socket ends. */
  #room: PromiseWithResolvers<void> | undefined;

  /** A view of another socket's buffer, to be sent as it is when the round is flushed. */
  #direct: Uint8Array | undefined;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #sending: Promise<void> | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(conn: Deno.Conn, round: WriteRound, turns: FairTurns) {
    this.#conn = conn;
    this.#round = round;
    this.#turns = turns;
  }

  get peer(): string {
    const address = this.peerAddress;
    return address.kind === "unix" ? "unix" : addressText(address);
  }

  get peerAddress(): PeerAddress {
    const address = this.#conn.remoteAddr;
    if (address.transport !== "tcp") return { kind: "unix" };
    return { kind: "tcp", host: address.hostname, port: address.port };
  }

  start(handler: SocketHandler): void {
    this.#handler = handler;
    this.#turns.join();
    this.#readLoop().catch((error) => this.#close(asError(error)))
      .finally(() => this.#turns.leave());
  }

  setHandler(handler: SocketHandler): void {
    if (this.#handler === undefined) return this.start(handler);
    this.#handler = handler;
    this.reoffer();
  }

  write(bytes: Uint8Array): void {
    if (!this.#mayWrite || bytes.length === 0) return;
    const isIdle = this.#sending === undefined && this.#queue.length === 0;
    if (!this.#round.isOpen) {
      this.#enqueueApart(bytes);
      this.flush();
      return;
    }
    this.#round.join(this);
    if (this.#direct === undefined && isIdle) {
      this.#direct = bytes;
    } else if (this.#direct !== undefined && adjoins(this.#direct, bytes)) {
      this.#direct = new Uint8Array(
        bytes.buffer as ArrayBuffer,
        this.#direct.byteOffset,
        this.#direct.length + bytes.length,
      );
    } else {
      this.#enqueueDirect();
      this.#enqueue(bytes);
    }
  }

  writeApart(bytes: Uint8Array): void {
    if (!this.#mayWrite || bytes.length === 0) return;
    this.#enqueueDirect();
    this.#enqueueApart(bytes);
    this.flush();
  }

  get #mayWrite(): boolean {
    return this.#state === "open" && this.#sendingEnd === "none";
  }

  get isSending(): boolean {
    return this.#sending !== undefined || this.#direct !== undefined || this.#queue.length > 0;
  }

  whenSent(then: () => void): void {
    const sending = this.#sending ?? Promise.resolve();
    sending.then(() => {
      if (this.isSending && this.#state !== "closed") this.whenSent(then);
      else then();
    });
  }

  beforeSending(prepare: () => void): void {
    this.#round.beforeFlush(prepare);
  }

  /** Starts sending what was written. @returns Settles when nothing is left; never rejects. */
  flush(): Promise<void> | undefined {
    if (this.#sending !== undefined) {
      this.#enqueueDirect();
      return this.#sending;
    }
    const direct = this.#direct;
    this.#direct = undefined;
    if (direct === undefined && this.#queue.length === 0) return undefined;
    this.#sending = this.#send(direct ?? this.#takeQueue());
    return this.#sending;
  }

  reoffer(): void {
    queueMicrotask(() => {
      if (this.#start < this.#filled && this.#state === "open") {
        // Outside of a round, so what is forwarded is copied: a read is pending in this buffer.
        this.#guard(() => this.#offer());
      }
      this.#room?.resolve();
    });
  }

  endSending(): void {
    if (!this.#mayWrite) return;
    this.#sendingEnd = "due";
    if (!this.isSending) this.#tellEnd();
  }

  end(lingerMs = LINGER_MS): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#linger = setTimeout(() => this.#close(undefined), lingerMs);
    this.#room?.resolve();
    if (!this.isSending) this.#finishSending();
  }

  destroy(): void {
    this.#close(undefined);
  }

  async #readLoop(): Promise<void> {
    while (this.#state !== "closed") {
      if (this.#filled === this.#buffer.length) await this.#makeRoom();
      const room = this.#filled === 0 ? this.#buffer : this.#buffer.subarray(this.#filled);
      const size = await this.#conn.read(room);
      if (this.#hasStopped()) return;
      if (size === null) return this.#onEnd();
      if (this.#state !== "open") continue; // thrown away: see Socket.end
      this.#filled += size;
      this.#round.open();
      this.#guard(() => this.#offer());
      const pending = this.#round.flush();
      if (pending !== undefined) await pending;
      this.#compact(size);
      const turn = this.#turns.next();
      if (turn !== undefined) await turn;
    }
  }

  /** In a function of its own, since TypeScript takes fields for constant within one. */
  #hasStopped(): boolean {
    return this.#state === "closed";
  }

  #offer(): void {
    const isWhole = this.#start === 0 && this.#filled === this.#buffer.length;
    const view = isWhole ? this.#buffer : this.#buffer.subarray(this.#start, this.#filled);
    this.#start += this.#handler!.onData(view);
  }

  /** Moves what was left to the front, and fits the buffer to the traffic. */
  #compact(lastReadSize: number): void {
    const left = this.#filled - this.#start;
    const wasFull = this.#filled === this.#buffer.length;
    if (wasFull && left < this.#buffer.length && this.#buffer.length < READ_BUFFER_SIZE_MAX) {
      this.#resize(READ_BUFFER_SIZE_MAX);
    } else if (left > 0 && this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#filled);
    }
    this.#start = 0;
    this.#filled = left;
    if (this.#buffer.length === READ_BUFFER_SIZE_MIN) return;
    this.#smallReads = lastReadSize < READ_BUFFER_SIZE_MIN ? this.#smallReads + 1 : 0;
    if (this.#smallReads > SMALL_READS_TO_SHRINK && left === 0) this.#resize(READ_BUFFER_SIZE_MIN);
  }

  #resize(size: number): void {
    const buffer = new Uint8Array(size);
    buffer.set(this.#buffer.subarray(this.#start, this.#filled));
    this.#buffer = buffer;
    this.#smallReads = 0;
  }

  async #makeRoom(): Promise<void> {
    const isFull = this.#state === "open" && this.#start === 0;
    if (isFull && this.#buffer.length < READ_BUFFER_SIZE_MAX) {
      return this.#resize(READ_BUFFER_SIZE_MAX);
    }
    if (isFull) {
      this.#room = Promise.withResolvers();
      await this.#room.promise;
      this.#room = undefined;
    }
    if (this.#state !== "open") this.#start = this.#filled;
    this.#compact(0);
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (this.#state === "lingering") this.#close(undefined);
    else if (this.#state === "open") this.#guard(() => this.#handler!.onEnd());
  }

  /** What a handler throws is a defect of ours; it costs this connection, not the worker. */
  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#close(asError(error));
    }
  }

  /** What no back-pressure holds up must not pile up. */
  #enqueueApart(bytes: Uint8Array): void {
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes.length > WRITE_QUEUE_SIZE_MAX) {
      const rule = `at most ${WRITE_QUEUE_SIZE_MAX} bytes may wait to be sent`;
      return this.#close(new Error(`Cannot send to ${this.peer}: ${rule}`));
    }
    this.#enqueue(bytes);
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue.push(bytes.slice());
    this.#queuedBytes += bytes.length;
  }

  #enqueueDirect(): void {
    const direct = this.#direct;
    this.#direct = undefined;
    if (direct !== undefined) this.#enqueue(direct);
  }

  #takeQueue(): Uint8Array {
    const bytes = this.#queue.length === 1 ? this.#queue[0]! : concat(...this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
    return bytes;
  }

  async #send(first: Uint8Array): Promise<void> {
    try {
      let bytes = first;
      for (;;) {
        let sent = await this.#conn.write(bytes);
        while (sent < bytes.length) sent += await this.#conn.write(bytes.subarray(sent));
        if (this.#queue.length === 0) break;
        bytes = this.#takeQueue();
      }
    } catch (error) {
      this.#close(asError(error));
    }
    this.#sending = undefined;
    if (this.#state === "ending") this.#finishSending();
    else if (this.#state === "open" && this.#sendingEnd === "due") this.#tellEnd();
  }

  #finishSending(): void {
    if (this.#hasEnded || this.#handler === undefined) return this.#close(undefined);
    this.#state = "lingering";
    this.#tellEnd();
  }

  /** A peer that is gone already hears nothing, and what is to be known of that, reading says. */
  #tellEnd(): void {
    if (this.#sendingEnd === "told") return;
    this.#sendingEnd = "told";
    this.#conn.closeWrite().catch(() => {
      if (this.#state === "lingering") this.#close(undefined);
    });
  }

  #close(error: Error | undefined): void {
    if (this.#state === "closed") return;
    // A peer that resets while we are saying goodbye has heard enough.
    const cause = this.#state === "open" ? error : undefined;
    this.#state = "closed";
    clearTimeout(this.#linger);
    this.#room?.resolve();
    this.#queue = [];
    this.#direct = undefined;
    try {
      this.#conn.close();
    } catch {
      // Closed by the runtime already: the peer was faster.
    }
    queueMicrotask(() => this.#handler?.onClose(cause));
  }
}

function adjoins(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset + a.length === b.byteOffset;
}
