/**
 * TLS as a layer: a socket that encrypts what it is given and writes it to the socket below. It
 * keeps the promises of `socket.ts`, back-pressure among them, because it is called by the socket
 * below, and answers it, exactly as any handler does.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import { asError } from "../../base/errors.ts";
import {
  LINGER_MS,
  type PeerAddress,
  READ_BUFFER_SIZE_MAX,
  type Socket,
  type SocketHandler,
  WRITE_QUEUE_SIZE_MAX,
} from "../socket.ts";
import { ByteArena } from "./byte_arena.ts";
import { RECORD_SIZE_MAX, type TlsConnection, TlsError, type TlsInfo } from "./tls_connection.ts";

/** What differs between the two sides of a connection. */
export interface TlsSide {
  /** Makes what encrypts, when the handshake begins. */
  readonly begin: () => TlsConnection;
  /** The channel binding of our own certificate, for a server. */
  readonly ownEndPoint: Uint8Array | undefined;
  /** Told once, when the handshake is done and before any data. */
  readonly onSecured: (info: TlsInfo) => void;
}

/** Ciphertext decrypted at once, in bytes: OpenSSL keeps memory for the most it ever was given. */
const FEED_SIZE_MAX = RECORD_SIZE_MAX;

/** A larger write, in bytes, is one below, too: of several, no more may wait than a queue holds. */
const AT_ONCE_SIZE = WRITE_QUEUE_SIZE_MAX / 2;

const NOTHING = new Uint8Array();

/** Large enough for a few full records, so that they leave in one piece. In bytes. */
const ENCRYPTED_BLOCK_SIZE = 128 * 1024;

/** Decrypted bytes of all connections; a block takes what a handler may be shown at once. */
const decrypted = new ByteArena(READ_BUFFER_SIZE_MAX);

/** Encrypted bytes of all connections. */
const encrypted = new ByteArena(ENCRYPTED_BLOCK_SIZE);

/** Where what was written in small pieces is joined; free again when a function returns. */
const joint = new Uint8Array(RECORD_SIZE_MAX);

/** One connection that is encrypted. */
export class TlsSocket implements Socket {
  readonly #socket: Socket;
  readonly #side: TlsSide;
  #tls: TlsConnection | undefined;
  #handler: SocketHandler | undefined;
  /** `ending`: nothing more is shown or accepted; the socket below ends, too. */
  #state: "handshaking" | "open" | "ending" | "closed" = "handshaking";
  #failure: Error | undefined;

  /** Plaintext that the handler has left. */
  #held: Uint8Array = NOTHING;
  /** What the socket below shows, while it does, and how much of it OpenSSL was given. */
  #below: Uint8Array = NOTHING;
  #taken = 0;
  /** Whether all ciphertext that OpenSSL was given is decrypted. */
  #isDry = false;
  /** Bytes of ciphertext left in the socket below, since the handler takes nothing. */
  #leftBelow = 0;
  /** `due`: it is told once the handler has been shown what came before. */
  #peerEnd: "none" | "due" | "told" = "none";

  /** Views that are written once the handler has returned. */
  #written: Uint8Array[] = [];
  /** Whether what is encrypted now is sent apart from the `onData` that runs. */
  #isApart = false;
  /** Whether the peer is told that nothing follows, or has been, while it is still read. */
  #sendingEnd: "none" | "due" | "told" = "none";
  /** Copies of what was written during the handshake. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  readonly #sendWritten = () => this.#encryptWritten();

  /** @param socket The socket below; it is taken over by `start`. */
  constructor(socket: Socket, side: TlsSide) {
    this.#socket = socket;
    this.#side = side;
  }

  get peer(): string {
    return this.#socket.peer;
  }

  get peerAddress(): PeerAddress {
    return this.#socket.peerAddress;
  }

  start(handler: SocketHandler): void {
    this.#handler = handler;
    this.#tls = this.#side.begin();
    this.#socket.setHandler({
      onData: (view) => this.#onCiphertext(view),
      onEnd: () => this.#onEnd(),
      onClose: (error) => this.#onClose(error),
    });
    try {
      this.#shakeHands();
    } catch (error) {
      // As where the system's OpenSSL allows no version that we may speak. The peer has heard
      // nothing yet that would have to be ended politely; the handler hears why.
      if (!(error instanceof TlsError)) throw error;
      this.#failure = this.#explained(error);
      this.destroy();
    }
  }

  setHandler(handler: SocketHandler): void {
    if (this.#handler === undefined) return this.start(handler);
    this.#handler = handler;
    this.reoffer();
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#sendingEnd !== "none") return;
    if (this.#state === "handshaking") return this.#keepEarly(bytes);
    if (this.#state !== "open") return;
    if (this.#written.push(bytes) === 1) this.#socket.beforeSending(this.#sendWritten);
  }

  writeApart(bytes: Uint8Array): void {
    if (this.#state !== "open" || this.#sendingEnd !== "none") return this.write(bytes);
    this.#written.push(bytes);
    this.#isApart = true;
    this.#encryptWritten();
    this.#isApart = false;
  }

  get isSending(): boolean {
    return this.#written.length > 0 || this.#socket.isSending;
  }

  whenSent(then: () => void): void {
    this.#socket.whenSent(then);
  }

  beforeSending(prepare: () => void): void {
    this.#socket.beforeSending(prepare);
  }

  reoffer(): void {
    queueMicrotask(() => {
      if (this.#state !== "open") return;
      try {
        this.#decrypt(true);
        if (this.#leftBelow > 0) this.#socket.reoffer();
        this.#tellEnd();
      } catch (error) {
        this.#fail(asError(error));
      }
    });
  }

  endSending(): void {
    if (this.#sendingEnd !== "none") return;
    this.#sendingEnd = "due";
    if (this.#state === "open") this.#sayGoodbye();
  }

  /** Tells the peer, behind what was written, that nothing follows. */
  #sayGoodbye(): void {
    if (this.#sendingEnd === "told") return;
    this.#encryptWritten();
    if (this.#isOver()) return;
    this.#sendingEnd = "told";
    this.#tls!.shutdown();
    this.#send();
    this.#socket.endSending();
  }

  /** As {@linkcode Socket.end}; what was written before the handshake is done is forgotten. */
  end(lingerMs = LINGER_MS): void {
    if (this.#state === "open") this.#sayGoodbye();
    if (this.#state === "ending" || this.#state === "closed") return;
    this.#state = "ending";
    this.#socket.end(lingerMs);
  }

  destroy(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#socket.destroy();
  }

  /** @returns How much of it was taken: all, unless the handler leaves as much as there may be. */
  #onCiphertext(view: Uint8Array): number {
    if (this.#peerEnd === "told") return view.length;
    this.#below = view;
    try {
      while (this.#state === "handshaking" && this.#taken < view.length) {
        this.#feed();
        this.#shakeHands();
      }
      if (this.#state === "open") this.#decrypt(false);
    } catch (error) {
      // What the handler throws is for the socket below to deal with: it made the call.
      if (!(error instanceof TlsError)) throw error;
      this.#fail(error);
    }
    const taken = this.#isOver() ? view.length : this.#taken;
    this.#below = NOTHING;
    this.#taken = 0;
    this.#leftBelow = view.length - taken;
    this.#tellEnd();
    return taken;
  }

  #onEnd(): void {
    if (this.#state === "handshaking") {
      return this.#fail(new TlsError("the peer has closed the connection"));
    }
    if (this.#peerEnd === "none") this.#peerEnd = "due";
    this.#tellEnd();
  }

  /** Tells the handler that nothing follows, once that is true of what it is shown. */
  #tellEnd(): void {
    if (this.#peerEnd !== "due" || !this.#isDry || this.#leftBelow > 0) return;
    if (this.#state !== "open") return;
    this.#peerEnd = "told";
    this.#handler!.onEnd();
  }

  #onClose(error: Error | undefined): void {
    this.#state = "closed";
    this.#tls!.free();
    this.#tls = undefined;
    this.#held = NOTHING;
    this.#written = [];
    this.#early = [];
    this.#handler!.onClose(this.#failure ?? error);
  }

  /** In a function of its own, since TypeScript takes fields for constant within one. */
  #isOver(): boolean {
    return this.#state === "ending" || this.#state === "closed";
  }

  #feed(): void {
    const piece = this.#below.subarray(this.#taken, this.#taken + FEED_SIZE_MAX);
    this.#tls!.feed(piece);
    this.#taken += piece.length;
  }

  #shakeHands(): void {
    const tls = this.#tls!;
    const isDone = tls.handshake();
    this.#send();
    if (!isDone) return;
    const info = tls.info(this.#side.ownEndPoint);
    this.#state = "open";
    const early = this.#early;
    this.#early = [];
    const isEndDue = this.#sendingEnd === "due";
    this.#sendingEnd = "none";
    for (const bytes of early) this.write(bytes);
    if (isEndDue) this.endSending();
    this.#side.onSecured(info);
  }

  /**
   * Decrypts and shows, until there is no more or the handler takes no more.
   *
   * @param mustShow Whether to show what the handler left even if nothing has come since.
   */
  #decrypt(mustShow: boolean): void {
    let isShown = !mustShow;
    for (;;) {
      const heldSize = this.#held.length;
      const sizeMax = heldSize + this.#below.length - this.#taken + RECORD_SIZE_MAX;
      const room = decrypted.room(Math.min(sizeMax, READ_BUFFER_SIZE_MAX));
      room.set(this.#held);
      const size = this.#fill(room, heldSize);
      if (size > heldSize || (!isShown && size > 0)) {
        isShown = true;
        const view = decrypted.take(size);
        const consumed = this.#handler!.onData(view);
        this.#held = consumed === size ? NOTHING : view.slice(consumed);
      }
      if (this.#isOver() || this.#isDry || this.#held.length === READ_BUFFER_SIZE_MAX) break;
    }
    if (!this.#isOver()) this.#send(); // answers to what only OpenSSL sees, such as KeyUpdate
  }

  /** Decrypts into `room` behind its first `start` bytes. @returns Where it ended. */
  #fill(room: Uint8Array, start: number): number {
    const tls = this.#tls!;
    let size = start;
    while (size < room.length) {
      if (this.#isDry) {
        if (this.#taken === this.#below.length) break;
        this.#feed();
      }
      const read = tls.read(size === 0 ? room : room.subarray(size));
      if (read === "end") {
        // What follows this is nobody's.
        this.#taken = this.#below.length;
        this.#leftBelow = 0;
        this.#peerEnd = "due";
        this.#isDry = true;
        break;
      }
      size += read ?? 0;
      this.#isDry = read === undefined || (size < room.length && !tls.hasUnread);
    }
    return size;
  }

  #keepEarly(bytes: Uint8Array): void {
    this.#earlyBytes += bytes.length;
    if (this.#earlyBytes <= WRITE_QUEUE_SIZE_MAX) return void this.#early.push(bytes.slice());
    const rule = `at most ${WRITE_QUEUE_SIZE_MAX} bytes may wait to be sent`;
    this.#fail(new Error(`Cannot send to ${this.peer}: ${rule}`));
  }

  /** Encrypts what was written since the handler was called, in as few records as it fits in. */
  #encryptWritten(): void {
    const parts = this.#written;
    this.#written = [];
    if (this.#state !== "open") return;
    try {
      if (parts.length === 1) return this.#encrypt(parts[0]!);
      let joined = 0;
      for (const part of parts) {
        if (joined + part.length > joint.length) {
          this.#encrypt(joint.subarray(0, joined));
          joined = 0;
        }
        if (part.length > joint.length) this.#encrypt(part);
        else {
          joint.set(part, joined);
          joined += part.length;
        }
      }
      this.#encrypt(joint.subarray(0, joined));
    } catch (error) {
      this.#fail(asError(error));
    }
  }

  #encrypt(bytes: Uint8Array): void {
    const pieces = bytes.length > AT_ONCE_SIZE ? new Array<Uint8Array>() : undefined;
    for (let at = 0; at < bytes.length; at += RECORD_SIZE_MAX) {
      const isWhole = bytes.length <= RECORD_SIZE_MAX;
      this.#tls!.write(isWhole ? bytes : bytes.subarray(at, at + RECORD_SIZE_MAX));
      this.#send(pieces);
    }
    if (pieces !== undefined) this.#pass(concat(...pieces));
  }

  /** Hands the ciphertext that is ready to the socket below, or to who joins it. */
  #send(pieces?: Uint8Array[]): void {
    const tls = this.#tls!;
    for (let left = tls.outgoingSize; left > 0;) {
      const size = tls.takeOutgoing(encrypted.room(Math.min(left, ENCRYPTED_BLOCK_SIZE)));
      const bytes = encrypted.take(size);
      if (pieces === undefined) this.#pass(bytes);
      else pieces.push(bytes);
      left -= size;
    }
  }

  #pass(bytes: Uint8Array): void {
    if (this.#isApart) this.#socket.writeApart(bytes);
    else this.#socket.write(bytes);
  }

  /** Ends for a reason that the handler is told: politely if the peer can be told as well. */
  #fail(error: Error): void {
    if (this.#isOver()) return;
    const isTls = error instanceof TlsError;
    this.#failure = isTls ? this.#explained(error) : error;
    if (!isTls) return this.destroy();
    this.#send(); // the alert
    this.#state = "ending";
    this.#socket.end();
  }

  #explained(error: TlsError): TlsError {
    const during = this.#state === "handshaking"
      ? `Cannot complete the TLS handshake with ${this.peer}`
      : `Cannot decrypt what ${this.peer} sends`;
    return new TlsError(`${during}: ${error.message}`, { cause: error });
  }
}
