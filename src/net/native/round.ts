/**
 * The round of what one `onData` writes, to whichever sockets. Handlers run one at a time, so there
 * is one round a thread. Nearly always it is one view for one socket: that takes no list.
 *
 * @module
 */

/** A socket that takes part. */
interface Writer<Reader> {
  /** Sends what it was given in the round. @param reader Whose `onData` it was. */
  flush(reader: Reader, bytes: Uint8Array): void;
  /** The same for any number of views, which are good until it returns; none are no failure. */
  flushAll(reader: Reader, pieces: readonly Uint8Array[]): void;
}

/** What one socket was given. */
interface Share<Reader> {
  readonly socket: Writer<Reader>;
  readonly pieces: Uint8Array[];
}

const NOTHING = new Uint8Array();
const NO_PIECES: readonly Uint8Array[] = [];

/** One thread's round. */
export class Round<Reader> {
  #isOpen = false;
  /** Who was given something first, and what. */
  #socket: Writer<Reader> | undefined;
  #bytes: Uint8Array = NOTHING;
  /** All that the same socket was given, that included, once it is not one view any more. */
  readonly #more: Uint8Array[] = [];
  /** What others were given. */
  readonly #others: Share<Reader>[] = [];
  readonly #prepares: (() => void)[] = [];

  /** True while an `onData` runs: views that are written stay good until the round is flushed. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(): void {
    this.#isOpen = true;
  }

  /** Has the socket send these bytes when the round is flushed. They are not none. */
  write(socket: Writer<Reader>, bytes: Uint8Array): void {
    if (this.#socket === undefined) {
      this.#socket = socket;
      this.#bytes = bytes;
    } else if (this.#socket !== socket) this.#writeToOther(socket, bytes);
    else if (this.#more.length > 0) append(this.#more, bytes);
    else if (this.#bytes === NOTHING) this.#bytes = bytes;
    else if (adjoins(this.#bytes, bytes)) this.#bytes = joined(this.#bytes, bytes);
    else this.#more.push(this.#bytes, bytes);
  }

  #writeToOther(socket: Writer<Reader>, bytes: Uint8Array): void {
    const share = this.#others.find((share) => share.socket === socket);
    if (share === undefined) this.#others.push({ socket, pieces: [bytes] });
    else append(share.pieces, bytes);
  }

  /** Whether the socket takes part: it was given something, which may have been taken out. */
  has(socket: Writer<Reader>): boolean {
    if (this.#socket === undefined) return false;
    return this.#socket === socket || this.#others.some((share) => share.socket === socket);
  }

  /** Takes out what the socket was given. It takes part nevertheless. */
  take(socket: Writer<Reader>): readonly Uint8Array[] {
    if (this.#socket !== socket) {
      return this.#others.find((share) => share.socket === socket)?.pieces.splice(0) ?? [];
    }
    const first = this.#bytes;
    this.#bytes = NOTHING;
    if (this.#more.length > 0) return this.#more.splice(0);
    return first === NOTHING ? NO_PIECES : [first];
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
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    const bytes = this.#bytes;
    if (this.#more.length > 0) this.#flushSeveral(socket, reader);
    else if (bytes === NOTHING) socket.flushAll(reader, NO_PIECES);
    else socket.flush(reader, bytes);
    if (this.#others.length > 0) this.#flushOthers(reader);
  }

  #flushSeveral(socket: Writer<Reader>, reader: Reader): void {
    const pieces = this.#more;
    socket.flushAll(reader, pieces);
    while (pieces.length > 0) pieces.pop(); // `length = 0` is not compiled
  }

  #flushOthers(reader: Reader): void {
    for (const { socket, pieces } of this.#others.splice(0)) socket.flushAll(reader, pieces);
  }

  #prepare(): void {
    // One may ask for another: a layer's preparation writes to the layer below.
    for (const prepare of this.#prepares) prepare();
    this.#prepares.length = 0;
  }
}

/** Appends a view, or makes it one with the last one, if it lies behind that. */
function append(pieces: Uint8Array[], bytes: Uint8Array): void {
  const last = pieces.at(-1);
  if (last === undefined || !adjoins(last, bytes)) pieces.push(bytes);
  else pieces[pieces.length - 1] = joined(last, bytes);
}

/** Whether one view begins where another one ends. */
export function adjoins(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteOffset + a.length === b.byteOffset && a.buffer === b.buffer;
}

/** A view of two that lie side by side. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  return new Uint8Array(a.buffer as ArrayBuffer, a.byteOffset, a.length + b.length);
}
