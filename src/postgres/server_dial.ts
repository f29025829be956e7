/**
 * Reaches a server and agrees with it on TLS, in libpq's words:
 *
 *     dialling -> asking (SSLRequest) -> handshake -> connected
 *
 * @module
 */

import type { Clock, Timer } from "../base/clock.ts";
import { asError } from "../base/errors.ts";
import type { Driver, Socket } from "../net/socket.ts";
import type { TlsClientContext } from "../net/tls/client_context.ts";
import type { TlsInfo } from "../net/tls/tls_connection.ts";
import { Dial, type FailedAttempt, type ServerAddress } from "../upstream/dial.ts";
import { sslRequest } from "./wire/startup_packet.ts";

/** TLS towards a server. */
export interface ServerTls {
  readonly mode: "allow" | "prefer" | "require" | "verify-ca" | "verify-full";
  /** `direct`: TLS from the first byte, without asking (PostgreSQL 17 and newer). */
  readonly negotiation: "postgres" | "direct";
  readonly context: TlsClientContext;
}

/** True for the modes that do without TLS where a server does not want it. */
export function isTlsOptional(mode: ServerTls["mode"] | "disable"): boolean {
  return mode === "allow" || mode === "prefer" || mode === "disable";
}

/** Whether a connection is tried with TLS first; `allow` begins without. */
export function beginsWithTls(tls: ServerTls | undefined): boolean {
  return tls !== undefined && tls.mode !== "allow";
}

/** Why there is no connection. */
export interface DialFailure {
  readonly message: string;
  /** The server accepted a connection, but there was no agreement on TLS. */
  readonly isReached: boolean;
  /** Whether it is `dialTimeoutMs` that was over. */
  readonly isTimeout: boolean;
  /** The server ended the connection instead of an answer: it stops, or breaks down. */
  readonly isLost: boolean;
}

/** Told what becomes of it: exactly one of `onConnected` and `onFailed`, unless it is cancelled. */
export interface ServerDialWatcher {
  /** `tls` is undefined where it is not spoken. The socket has no handler that matters yet. */
  onConnected(socket: Socket, tls: TlsInfo | undefined): void;
  onFailed(failure: DialFailure): void;
  onFailedAttempt(failed: FailedAttempt): void;
}

/** ALPN for PostgreSQL, which direct negotiation needs. */
const ALPN = ["postgresql"];

/** cannot_connect_now: it starts, stops or recovers. */
export const CANNOT_CONNECT_NOW = "57P03";

const S = 0x53;
const N = 0x4e;

/** One effort. It begins when it is made. */
export class ServerDial {
  readonly #server: ServerAddress;
  /** Undefined: without TLS. */
  #tls: ServerTls | undefined;
  readonly #parts: { readonly driver: Driver; readonly clock: Clock };
  readonly #watcher: ServerDialWatcher;
  #state: "dialling" | "asking" | "handshake" | "over" = "dialling";
  #dial: Dial;
  #timer: Timer | undefined;
  #socket: Socket | undefined;

  /** @param withTls Whether it is tried first: see {@linkcode beginsWithTls}. */
  constructor(
    server: ServerAddress,
    tls: ServerTls | undefined,
    withTls: boolean,
    parts: { readonly driver: Driver; readonly clock: Clock },
    watcher: ServerDialWatcher,
  ) {
    this.#server = server;
    this.#tls = withTls ? tls : undefined;
    this.#parts = parts;
    this.#watcher = watcher;
    this.#dial = this.#connect();
  }

  /**
   * The server cannot serve yet, as it says or shows by closing: its connection is closed, and one
   * more of the configured attempts is made.
   *
   * @returns False if none is left: then nothing has happened.
   */
  again(message: string): boolean {
    if (!this.#dial.again(message)) return false;
    this.#drop();
    this.#state = "dialling";
    return true;
  }

  /** Gives it up without a word. */
  cancel(): void {
    if (this.#state === "over") return;
    this.#finish();
    this.#dial.cancel();
    this.#socket?.destroy();
  }

  #connect(): Dial {
    return new Dial(this.#parts.driver, this.#parts.clock, this.#server, {
      onConnected: (socket) => this.#onReached(socket),
      onFailedAttempt: (failed) => this.#watcher.onFailedAttempt(failed),
      onGivenUp: ({ message }) => this.#fail(message, { isReached: false }),
    });
  }

  #onReached(socket: Socket): void {
    this.#socket = socket;
    // libpq does not use TLS on a Unix socket either.
    if (this.#tls === undefined || socket.peerAddress.kind === "unix") {
      return this.#succeed(socket, undefined);
    }
    this.#timer = this.#parts.clock.after(this.#server.dialTimeoutMs, () => {
      const message = `no agreement on TLS within ${this.#server.dialTimeoutMs} ms`;
      this.#fail(message, { isTimeout: true });
    });
    if (this.#tls.negotiation === "direct") return this.#startTls(this.#tls);
    this.#state = "asking";
    this.#listen(socket);
    socket.write(sslRequest());
  }

  #listen(socket: Socket): void {
    socket.setHandler({
      onData: (view) => this.#state === "asking" ? this.#onAnswer(view) : 0,
      onEnd: () => this.#onEnd(undefined),
      onClose: (error) => this.#onEnd(error),
    });
  }

  #onAnswer(view: Uint8Array): number {
    const tls = this.#tls!;
    // Bytes behind the answer are not inside of TLS, whoever put them there (CVE-2021-43767 class).
    if (view.length > 1) this.#fail("it sent plain bytes behind its answer to SSLRequest");
    else if (view[0] === S) this.#startTls(tls);
    else if (view[0] === N && tls.mode === "prefer") this.#succeed(this.#socket!, undefined);
    else {
      const what = view[0] === N ? "it does not offer TLS" : "its answer to SSLRequest is nonsense";
      this.#fail(`${what}, and tls.mode is ${tls.mode}`);
    }
    return view.length;
  }

  #startTls({ context, negotiation }: ServerTls): void {
    this.#state = "handshake";
    const { host } = this.#server.address as { readonly host: string };
    const plain = this.#socket!;
    try {
      const socket = context.connect(plain, {
        host,
        alpn: negotiation === "direct" ? ALPN : [],
        onSecured: (info) => this.#succeed(socket, info),
      });
      this.#socket = socket;
      this.#listen(socket);
    } catch (error) {
      // It cannot even begin. With `direct`, it is a promise that calls us: nobody would catch it.
      this.#socket = plain;
      this.#onEnd(asError(error));
    }
  }

  #onEnd(error: Error | undefined): void {
    if (this.#state === "over") return;
    const what = error?.message ?? "it closed the connection";
    const isHandshake = this.#state === "handshake";
    // As libpq: with `prefer`, a handshake that fails is followed by an attempt without.
    if (isHandshake && this.#tls?.mode === "prefer") return this.#retryPlain();
    if (!isHandshake && this.again(what)) return;
    this.#fail(isHandshake ? `TLS handshake: ${what}` : what, { isLost: !isHandshake });
  }

  #retryPlain(): void {
    this.#drop();
    this.#tls = undefined;
    this.#state = "dialling";
    this.#dial = this.#connect();
  }

  #drop(): void {
    this.#timer?.cancel();
    this.#socket!.setHandler({ onData: (view) => view.length, onEnd() {}, onClose() {} });
    this.#socket!.destroy();
  }

  #succeed(socket: Socket, info: TlsInfo | undefined): void {
    if (this.#state === "over") return;
    this.#finish();
    this.#watcher.onConnected(socket, info);
  }

  #fail(message: string, { isReached = true, isTimeout = false, isLost = false } = {}): void {
    if (this.#state === "over") return;
    this.#finish();
    this.#socket?.destroy();
    this.#watcher.onFailed({ message, isReached, isTimeout, isLost });
  }

  #finish(): void {
    this.#state = "over";
    this.#timer?.cancel();
  }
}
