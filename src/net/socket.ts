/**
 * The one small port between protocol logic and sockets. Everything above it is synchronous:
 * bytes come in by a call, bytes go out by a call, and no call waits.
 *
 * **Views.** `onData` shows a view of the driver's buffer, good until it returns. `write` takes
 * a view that is good until the handler's call returns: the driver sends it or copies it.
 *
 * **Back-pressure** is the driver's: as long as a socket has not sent what an `onData` wrote to it,
 * the socket whose `onData` it was is not read. So a slow reader stops the fast writer behind it,
 * and a connection needs one read buffer each way, whatever the size of a message or result.
 *
 * **Calls never nest**: a handler is never called from inside one of its own calls to a socket.
 *
 * @module
 */

import type { Address, TcpAddress } from "../base/address.ts";

/**
 * A handler may leave less than this unconsumed and is shown more. Twice what PostgreSQL sends
 * at once (PQ_SEND_BUFFER_SIZE in pqcomm.c, 8 KiB), so that two of its sends fit in one read.
 */
export const READ_BUFFER_SIZE_MIN = 16 * 1024;

/** Read buffers grow to this while data comes in bulk, and shrink again. */
export const READ_BUFFER_SIZE_MAX = 64 * 1024;

/**
 * Bytes that may wait in a socket for its peer to take them, beside a single write that is larger,
 * such as a message that plugins were shown as a whole. Only what is written outside of
 * back-pressure (error messages, cancels) can pile up, so reaching it means that a rule above was
 * broken by a peer that never reads: the socket is destroyed.
 */
export const WRITE_QUEUE_SIZE_MAX = 1024 * 1024;

/** How long `end` waits, unless told otherwise, for the peer to take the last bytes and close. */
export const LINGER_MS = 2_000;

/** What the owner of a socket is told. */
export interface SocketHandler {
  /**
   * Bytes have come, or `Socket.reoffer` asked to see them again.
   *
   * @returns How many bytes from the start of the view are done with. The rest is shown again,
   * with newer bytes behind it; when {@linkcode READ_BUFFER_SIZE_MAX} of them are there, reading
   * stops until `Socket.reoffer`.
   */
  onData(view: Uint8Array): number;
  /** The peer will send nothing more. Bytes can still be written to it. */
  onEnd(): void;
  /** The socket is gone: the last call, and made exactly once. `error` is why, if it broke. */
  onClose(error: Error | undefined): void;
}

/** The other end of a connection: what rules about addresses are matched with. */
export type PeerAddress = TcpAddress | { readonly kind: "unix" };

/** One connection, seen by its owner. After `end` or `destroy` only `onClose` is called. */
export interface Socket {
  /** The other end as text for people: "127.0.0.1:51234", or "unix". */
  readonly peer: string;
  /** Who is connected; `host` is an IPv4 or IPv6 address. A Unix socket's client has none. */
  readonly peerAddress: PeerAddress;
  /** Begins reading. Called once, before anything else. */
  start(handler: SocketHandler): void;
  /**
   * Calls another handler from now on, and shows it soon, and not from here, what is unconsumed.
   * What the `onData` that runs returns still counts. Starts a socket that was not started.
   */
  setHandler(handler: SocketHandler): void;
  /** Sends bytes, in order. Does nothing once the socket is ending or gone. */
  write(bytes: Uint8Array): void;
  /**
   * As `write`, but sent as a copy and at once: whoever's `onData` runs is read on without waiting
   * for this socket's peer. For the last bytes of something, after which the other side is free for
   * somebody else; where `isSending` is true already, `write` is what keeps a queue from growing.
   */
  writeApart(bytes: Uint8Array): void;
  /** True while something that was written has not been taken by the system. */
  readonly isSending: boolean;
  /** Calls `then` once nothing is being sent any more, or the socket is gone; not from here. */
  whenSent(then: () => void): void;
  /**
   * For a layer above, such as TLS, that gathers what one `onData` writes: calls `prepare` once
   * that `onData`, of whichever socket of the driver, has returned, and before anything is sent;
   * at once if none runs. Its writes belong to that `onData`, and views are still good. It must
   * not throw.
   */
  beforeSending(prepare: () => void): void;
  /** Has `onData` called with the unconsumed bytes, if there are any, soon and not from here. */
  reoffer(): void;
  /**
   * Ends one direction: what was written is sent, then the peer is told that nothing follows, and
   * nothing more can be written. What the peer sends is shown as before; `end` or `destroy` is
   * still to be called.
   */
  endSending(): void;
  /**
   * Ends politely: what was written is sent, then the peer is told that nothing follows, and what
   * it still sends is thrown away, until it closes or `lingerMs` (default {@linkcode LINGER_MS})
   * have passed. A close with unread bytes would reset the connection and destroy the last message
   * on its way.
   */
  end(lingerMs?: number): void;
  /** Ends now, and forgets what was not sent. */
  destroy(): void;
}

/** What a listener needs to know. */
export interface ListenOptions {
  readonly address: Address;
  /** Lets several workers listen on a TCP port (SO_REUSEPORT). Unix sockets have no such thing. */
  readonly reusePort: boolean;
  readonly keepAlive: boolean;
  readonly noDelay: boolean;
  /** Permission bits of a Unix socket's file. */
  readonly socketMode: number;
}

/** A bound address that accepts connections. */
export interface Listener {
  /** As bound: a port 0 has become a real one. */
  readonly address: Address;
  /** Accepts no more; connections accepted before stay. */
  close(): void;
}

/** Told of new connections and of trouble in getting them. */
export interface ListenHandler {
  onConnection(socket: Socket): void;
  /** Accepting failed and is tried again in a moment. */
  onAcceptError(error: Error): void;
}

/** What a connection to a server needs to know. */
export interface ConnectOptions {
  readonly address: Address;
  readonly timeoutMs: number;
  readonly keepAlive: boolean;
  readonly noDelay: boolean;
}

/** There was no connection in time: whether anybody is there is not known. */
export class ConnectTimeoutError extends Error {
  override readonly name = "ConnectTimeoutError";
}

/** The other end said that nobody listens there: that is known, and at once. */
export class NobodyListensError extends Error {
  override readonly name = "NobodyListensError";
}

/** A way of doing I/O. */
export interface Driver {
  /** Rejects if the address cannot be bound; the message says why. */
  listen(options: ListenOptions, handler: ListenHandler): Promise<Listener>;
  /**
   * Rejects if there is no connection; the message says why. It is a
   * {@linkcode ConnectTimeoutError} if `timeoutMs` were over, and a
   * {@linkcode NobodyListensError} if nobody listens there.
   */
  connect(options: ConnectOptions): Promise<Socket>;
}
