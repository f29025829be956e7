/**
 * The round of what one `onData` writes, to whichever sockets. Handlers run one at a time, so there
 * is one round a thread.
 *
 * @module
 */

/** A socket that takes part. */
interface Writer<Reader> {
  /** Sends what it was given in the round. @param reader Whose `onData` it was. */
  flush(reader: Reader): void;
}

/** One thread's round. */
export class Round<Reader> {
  #isOpen = false;
  readonly #written: Writer<Reader>[] = [];
  readonly #prepares: (() => void)[] = [];

  /** True while an `onData` runs: views that are written stay good until the round is flushed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
  }

  /** The socket has something to send. */
  join(socket: Writer<Reader>): void {
    this.#written.push(socket);
  }

  /** Calls `prepare` when the round is flushed, or at once if there is none. */
  beforeFlush(prepare: () => void): void {
    if (this.#isOpen) this.#prepares.push(prepare);
    else prepare();
  }

  /** Ends the round: sends what was written. @param reader Whose `onData` it was. */
  flush(reader: Reader): void {
    if (this.#prepares.length > 0) this.#prepare();
    this.#isOpen = false;
    for (let socket = this.#written.pop(); socket !== undefined; socket = this.#written.pop()) {
      socket.flush(reader);
    }
  }

  #prepare(): void {
    // One may ask for another: a layer's preparation writes to the layer below.
    for (const prepare of this.#prepares) prepare();
    this.#prepares.length = 0;
  }
}

/** Whether one view begins where another one ends. */
export function adjoins(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset + a.length === b.byteOffset;
}

/** A view of two that lie side by side. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  return new Uint8Array(a.buffer as ArrayBuffer, a.byteOffset, a.length + b.length);
}
