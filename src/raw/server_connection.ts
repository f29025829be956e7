/**
 * A raw session's connection to its server, from dialling to the end. It owns the place in the
 * pool, and gives it back when the socket is gone.
 *
 *     connecting -> active -> closing -> gone
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import type { Timer } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { messageOf } from "../base/errors.ts";
import type { Socket } from "../net/socket.ts";
import type { TlsClientContext } from "../net/tls/client_context.ts";
import type { TlsInfo } from "../net/tls/tls_connection.ts";
import { POOL_CELL } from "../observe/counters.ts";
import type { Fact, ServerState } from "../observe/facts.ts";
import type { Lease } from "../pool/pool.ts";
import { Dial } from "../upstream/dial.ts";
import type { ServerUser } from "../upstream/server_loads.ts";
import type { RawGateway, RawRoute } from "./gateway.ts";

/** How long a server may take to end what it does for a session that is over, in milliseconds. */
const SERVER_LINGER_MS = 30_000;

/** Told what becomes of the connection. */
export interface RawServerOwner {
  /** Bytes can pass. */
  onReady(): void;
  onData(view: Uint8Array): void;
  /** The server sends nothing more. */
  onEnd(): void;
  /** The connection broke. */
  onLost(): void;
  /** It is not to be used any more. @param isDown Nothing more comes from the server. */
  onUnusable(isDown: boolean): void;
  /** It could not be reached; the place is given back: there is no `onGone`. */
  onUnreachable(): void;
  /** It was reached, but there is no agreement on TLS; else as `onUnreachable`. */
  onDisagreed(): void;
  /** The socket is gone and the place given back: the last call. */
  onGone(): void;
  /** Runs `act`; what it throws costs the session and nobody else. */
  guard(act: () => void): void;
}

/** What a connection is made of. */
export interface RawServerParts {
  readonly gateway: RawGateway;
  readonly route: RawRoute;
  readonly lease: Lease;
  readonly session: number;
  readonly owner: RawServerOwner;
}

/** One server connection for one session. */
export class RawServerConnection implements ServerUser {
  readonly #parts: RawServerParts;
  #state: "connecting" | "active" | "closing" | "gone" = "connecting";
  #dial: Dial | undefined;
  #socket: Socket | undefined;
  /** Ends a handshake that takes too long. */
  #handshakeTime: Timer | undefined;
  #isSendingOver = false;
  place = 0;

  constructor(parts: RawServerParts) {
    this.#parts = parts;
  }

  /** True when nothing of it is left. */
  get isGone(): boolean {
    return this.#state === "gone";
  }

  /** How facts call the pool and the server. */
  get #names(): { readonly pool: string; readonly server: string } {
    const { pool, server } = this.#parts.route;
    return { pool: pool.options.name, server: addressText(server.address) };
  }

  /** Begins. */
  dial(): void {
    const { gateway, route, owner } = this.#parts;
    const { pool } = this.#names;
    this.#emit({ kind: "server_state", pool, from: undefined, to: "connecting" });
    route.load.users.add(this);
    this.#dial = new Dial(gateway.driver, gateway.clock, route.server, {
      onConnected: (socket) => owner.guard(() => this.#onConnected(socket)),
      onFailedAttempt: (failed) =>
        this.#emit({ kind: "server_dial_failed", ...this.#names, ...failed }),
      onGivenUp: () =>
        owner.guard(() => {
          this.#giveBack();
          owner.onUnreachable();
        }),
    });
  }

  /** Sends the client's bytes. */
  write(bytes: Uint8Array): void {
    this.#socket!.write(bytes);
    this.#parts.route.cells.add(POOL_CELL.bytesFromClients, bytes.length);
  }

  /** The client sends nothing more. */
  endSending(): void {
    this.#isSendingOver = true;
    this.#socket!.endSending();
  }

  /** Calls `then` once the server has taken what was written, or the connection is gone. */
  whenSent(then: () => void): void {
    this.#socket!.whenSent(() => this.#parts.owner.guard(then));
  }

  /** One that is still being dialled will show by itself what has become of its server. */
  onServerUnusable(isDown: boolean): void {
    if (this.#state !== "active" || (!isDown && this.#parts.route.mayStay())) return;
    this.#parts.owner.guard(() => this.#parts.owner.onUnusable(isDown));
  }

  /** The session needs it no longer. */
  release(): void {
    this.#dial?.cancel();
    if (this.#state === "connecting") {
      this.#forget();
      return this.#giveBack();
    }
    if (this.#state !== "active") return;
    this.#setState("closing");
    this.#socket!.end(SERVER_LINGER_MS);
  }

  /** Nobody waits for its end any longer. */
  destroy(): void {
    this.release();
    if (this.#state === "closing") this.#socket!.destroy();
  }

  // Reaching it -----------------------------------------------------------------------------------

  #onConnected(plain: Socket): void {
    this.#socket = plain;
    const tls = this.#parts.route.tls();
    // As libpq, and as towards PostgreSQL: TLS is not used on a Unix socket.
    if (tls === undefined || plain.peerAddress.kind === "unix") return this.#begin(plain);
    try {
      this.#shakeHands(plain, tls.context);
    } catch (error) {
      this.#onNoTls(messageOf(error), false); // it cannot even begin
    }
  }

  #begin(socket: Socket): void {
    this.#setState("active");
    socket.start(this.#handler());
    this.#parts.owner.onReady();
  }

  #shakeHands(plain: Socket, context: TlsClientContext): void {
    const { gateway, route: { server }, owner } = this.#parts;
    const { host } = server.address as { readonly host: string };
    this.#handshakeTime = gateway.clock.after(server.dialTimeoutMs, () =>
      owner.guard(() => {
        const time = formatDuration(server.dialTimeoutMs);
        this.#onNoTls(`TLS handshake: it is not done within ${time}`, true);
      }));
    const secured = context.connect(plain, {
      host,
      onSecured: (info) => owner.guard(() => this.#onSecured(info)),
    });
    this.#socket = secured;
    secured.start(this.#handler());
  }

  #onSecured({ protocol: version, cipher }: TlsInfo): void {
    if (this.#state !== "connecting") return;
    this.#handshakeTime?.cancel();
    this.#setState("active");
    this.#emit({ kind: "server_secured", ...this.#names, version, cipher });
    this.#parts.owner.onReady();
  }

  #onNoTls(message: string, isTimeout: boolean): void {
    if (this.#state !== "connecting") return;
    const { owner } = this.#parts;
    const cause = isTimeout ? "timeout" : "other";
    const who = { user: "", database: "" };
    this.#emit({ kind: "server_login_failed", ...this.#names, ...who, cause, message });
    this.#forget();
    this.#giveBack();
    if (isTimeout) owner.onUnreachable();
    else owner.onDisagreed();
  }

  /** Closes what has not become a connection, and hears no more of it. */
  #forget(): void {
    this.#handshakeTime?.cancel();
    this.#socket?.setHandler({ onData: (view) => view.length, onEnd() {}, onClose() {} });
    this.#socket?.destroy();
  }

  // From the server -------------------------------------------------------------------------------

  #handler() {
    const { owner } = this.#parts;
    return {
      onData: (view: Uint8Array) => {
        owner.guard(() => this.#onData(view));
        return view.length;
      },
      onEnd: () => owner.guard(() => this.#onEnd()),
      onClose: (error: Error | undefined) => owner.guard(() => this.#onClose(error)),
    };
  }

  #onData(view: Uint8Array): void {
    if (this.#state !== "active") return;
    const { owner, route } = this.#parts;
    route.cells.add(POOL_CELL.bytesFromServers, view.length);
    owner.onData(view);
  }

  #onEnd(): void {
    if (this.#state === "connecting") {
      this.#onNoTls("TLS handshake: it closed the connection", false);
    }
    if (this.#state === "active") this.#parts.owner.onEnd();
  }

  #onClose(error: Error | undefined): void {
    const { owner, session } = this.#parts;
    const message = error?.message ?? "it closed the connection";
    if (this.#state === "connecting") return this.#onNoTls(`TLS handshake: ${message}`, false);
    if (this.#state === "active") {
      // Who has been told that nothing follows may be in a hurry to close.
      if (!this.#isSendingOver) {
        this.#emit({ kind: "server_lost", session, ...this.#names, message });
      }
      this.#setState("closing");
      owner.onLost();
    }
    this.#giveBack();
    owner.onGone();
  }

  #giveBack(): void {
    if (this.#state === "gone") return;
    const { pool } = this.#names;
    this.#emit({ kind: "server_state", pool, from: this.#state, to: undefined });
    this.#state = "gone";
    this.#parts.route.load.users.delete(this);
    this.#parts.lease[Symbol.dispose]();
  }

  #setState(to: Extract<ServerState, "active" | "closing">): void {
    const from = this.#state;
    if (from === to || from === "gone") return;
    this.#emit({ kind: "server_state", pool: this.#names.pool, from, to });
    this.#state = to;
  }

  #emit(fact: Fact): void {
    this.#parts.gateway.observer.emit(fact);
  }
}
