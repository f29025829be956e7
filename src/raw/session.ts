/**
 * One client of a raw listener, from its first byte to its last: what it sends goes to one server,
 * and back, as it came.
 *
 *     startup -> waiting -> connecting -> active -> closing
 *
 * `startup`: TLS, where it is spoken. `waiting`: for a place in the pool. `connecting`: the place
 * is ours, the server is being dialled; what the client sends is left in the driver. `active`:
 * bytes pass both ways, and each direction ends by itself. `closing`: sockets are winding up.
 *
 * Everything here is synchronous: bytes and events in, bytes and decisions out.
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import { Countdown } from "../base/countdown.ts";
import type { Timer } from "../base/clock.ts";
import type { KeptSession } from "../base/session_keeper.ts";
import { LINGER_MS, type Socket, type SocketHandler } from "../net/socket.ts";
import type { TlsInfo } from "../net/tls/tls_connection.ts";
import type { ClientState, Fact } from "../observe/facts.ts";
import type { RawGateway, RawListenerContext, RawRoute } from "./gateway.ts";
import { IdleTimeout } from "./idle_timeout.ts";
import type { RawServerConnection } from "./server_connection.ts";
import { ServerSearch } from "./server_search.ts";
import { type ClosedBy, SessionHooks } from "./session_hooks.ts";

/** How long a client may take to read the last bytes, in milliseconds. */
const CLIENT_LINGER_MS = 30_000;

/**
 * How long a client may say nothing to a server that has ended its direction, in milliseconds. Most
 * have closed for good, which cannot be seen before something is sent to them, and the place in the
 * pool is wanted. Linux forgets such a connection after the same time: tcp_fin_timeout in tcp(7).
 */
const SERVER_ENDED_MS = 60_000;

const SHUT_DOWN = "gateway shut down";

/** Serves one client. Made for each accepted connection; `onOver` is called when it is all over. */
export class RawSession implements KeptSession {
  place = 0;
  readonly #gateway: RawGateway;
  readonly #listener: RawListenerContext;
  #client: Socket;
  readonly #number: number;
  readonly #onOver: (session: RawSession) => void;
  readonly #startedMs: number;
  #state: ClientState = "startup";
  /** Ends a handshake that takes too long. */
  readonly #loginTime: Countdown;
  #isSecuring = false;
  #tlsServerName = "";
  readonly #search: ServerSearch;
  /** What was found. */
  #server: RawServerConnection | undefined;
  #pool = "";
  /** Undefined where plugins are switched off. */
  readonly #hooks: SessionHooks | undefined;
  readonly #idle: IdleTimeout;
  /** Bytes that the client has sent and that are left in the driver. */
  #unread = 0;
  /** What policies hold back; nothing more of the client is looked at meanwhile. */
  #held: Timer | undefined;
  #hasClientEnded = false;
  #hasServerEnded = false;
  /** Why it ended, in a word for the log. */
  #reason = "client closed the connection";
  #isClientGone = false;

  constructor(
    gateway: RawGateway,
    listener: RawListenerContext,
    client: Socket,
    number: number,
    onOver: (session: RawSession) => void,
  ) {
    const { clock } = gateway;
    this.#gateway = gateway;
    this.#listener = listener;
    this.#client = client;
    this.#number = number;
    this.#onOver = onOver;
    this.#startedMs = clock.nowMs();
    this.#idle = new IdleTimeout(clock, () => this.#guard(() => this.#onIdle()));
    this.#loginTime = new Countdown(
      clock,
      listener.loginTimeoutMs,
      () => this.#guard(() => this.#onLoginTimeout()),
    );
    this.#search = new ServerSearch({
      gateway,
      listener: listener.name,
      session: number,
      peer: client.peer,
      nextRoute: listener.routing(() => ({
        address: client.peerAddress,
        tlsServerName: this.#tlsServerName,
      })),
      owner: {
        setState: (to) => this.#setState(to),
        onFound: (server, route) => this.#onFound(server, route),
        onFailed: (reason) => this.#end(reason, LINGER_MS),
        onData: (view) => this.#relayDown(view),
        onEnd: () => this.#onServerEnd(),
        onLost: () => this.#end("server connection broke", CLIENT_LINGER_MS),
        onUnusable: (isDown) => this.#onServerUnusable(isDown),
        onGone: () => this.#finish(),
        guard: (act) => this.#guard(act),
      },
    });
    if (gateway.hooks === undefined) return;
    this.#hooks = new SessionHooks({
      hooks: gateway.hooks,
      number,
      listener: listener.name,
      peer: client.peer,
      onIgnored: (plugin, message) =>
        this.#emit({ kind: "verdict_ignored", session: number, plugin, message }),
    });
  }

  /** Begins. */
  start(): void {
    const { name: listener } = this.#listener;
    const { peer } = this.#client;
    this.#emit({ kind: "client_connected", listener, session: this.#number, peer });
    this.#emit({ kind: "client_state", listener, from: undefined, to: "startup" });
    this.#client.start(this.#handler());
    this.#guard(() => {
      const closed = this.#hooks?.onOpening();
      if (closed !== undefined) return this.#closeBy(closed);
      // As with PostgreSQL, TLS is not used on a Unix socket.
      const isPlain = this.#listener.tls === undefined || this.#client.peerAddress.kind === "unix";
      if (isPlain) this.#search.next();
      else this.#loginTime.start();
    });
  }

  /** The gateway stops: whoever has no server yet is sent away; the others may finish. */
  drain(): void {
    if (this.#state !== "active") this.#guard(() => this.#end(SHUT_DOWN, LINGER_MS));
  }

  /** The gateway stops and waits no longer: there are no words for that in a raw protocol. */
  terminate(): void {
    if (this.#state === "closing") this.#client.destroy();
    this.#guard(() => this.#end(SHUT_DOWN, LINGER_MS));
    this.#search.destroy();
  }

  // From the client ---------------------------------------------------------------------------

  #handler(): SocketHandler {
    return {
      onData: (view) => {
        try {
          return this.#onClientData(view);
        } catch (error) {
          this.#onError(error);
          return view.length;
        }
      },
      onEnd: () => this.#guard(() => this.#onClientEnd()),
      onClose: (error) => this.#guard(() => this.#onClientClose(error)),
    };
  }

  #onClientData(view: Uint8Array): number {
    switch (this.#state) {
      case "active":
        return this.#relayUp(view);
      case "closing":
        return view.length;
      case "startup":
        // A port check sends nothing: it costs no handshake, and is nothing to be logged.
        if (!this.#isSecuring) this.#startTls();
        return 0;
    }
    this.#unread = view.length; // what comes early is kept by the driver, up to a buffer
    return 0;
  }

  #startTls(): void {
    this.#isSecuring = true;
    const secured = this.#listener.tls!.context().accept(
      this.#client,
      (info) => this.#guard(() => this.#onSecured(info)),
    );
    this.#client = secured;
    secured.start(this.#handler());
  }

  #onSecured({ protocol: version, cipher, serverName = "" }: TlsInfo): void {
    const { name: listener } = this.#listener;
    this.#isSecuring = false;
    this.#tlsServerName = serverName;
    this.#loginTime.stop();
    this.#hooks?.onSecured();
    this.#emit({ kind: "tls_accepted", session: this.#number, listener, version, cipher });
    this.#search.next();
  }

  #onLoginTimeout(): void {
    const { name: listener } = this.#listener;
    this.#emit({ kind: "login_timeout", session: this.#number, listener });
    this.#end("TLS handshake took too long", LINGER_MS);
  }

  /** It sends nothing more. Who has said nothing at all has only looked whether we are here. */
  #onClientEnd(): void {
    if (this.#state === "closing") return;
    this.#hasClientEnded = true;
    if (this.#state !== "active" && this.#unread === 0) return this.#end(this.#reason, LINGER_MS);
    this.#idle.touch();
    this.#passClientEnd();
  }

  #onClientClose(error: Error | undefined): void {
    if (error !== undefined && this.#state !== "closing") {
      const { message } = error;
      this.#reason = `client connection broke: ${message}`;
      if (this.#isSecuring) {
        const { name: listener } = this.#listener;
        this.#emit({ kind: "tls_failed", session: this.#number, listener, message });
      }
    }
    this.#isClientGone = true;
    this.#end(this.#reason, LINGER_MS);
    this.#finish();
  }

  #onFound(server: RawServerConnection, { proxy, pool, server: { address } }: RawRoute): void {
    const place = { proxy, server: addressText(address) };
    this.#server = server;
    this.#pool = pool.options.name;
    this.#setState("active");
    const fact = { kind: "session_connected", session: this.#number } as const;
    this.#emit({ ...fact, pool: this.#pool, server: place.server });
    this.#idle.setLimit(this.#listener.clientIdleTimeoutMs);
    this.#hooks?.onOpened(place);
    this.#client.reoffer();
  }

  // What passes -------------------------------------------------------------------------------

  #relayUp(view: Uint8Array): number {
    this.#unread = this.#held === undefined ? 0 : view.length;
    if (this.#held !== undefined) return 0;
    this.#idle.touch();
    const bytes = this.#hooks === undefined ? view : this.#hooks.onClientData(view);
    if (isClosed(bytes)) this.#closeBy(bytes);
    else if ((this.#hooks?.delayMs ?? 0) > 0) this.#hold(bytes, this.#hooks!.delayMs);
    else this.#server!.write(bytes);
    this.#passClientEnd();
    return view.length;
  }

  #hold(bytes: Uint8Array, delayMs: number): void {
    const copy = bytes.slice();
    // Nothing holds up the client's socket meanwhile: who is behind with reading is waited for.
    this.#held = this.#gateway.clock.after(
      delayMs,
      () => this.#guard(() => this.#server!.whenSent(() => this.#letGo(copy))),
    );
  }

  #letGo(bytes: Uint8Array): void {
    if (this.#state !== "active") return;
    this.#held = undefined;
    this.#server!.write(bytes);
    this.#passClientEnd();
    this.#client.reoffer();
  }

  /** Tells the server that the client has ended, behind all that it sent. */
  #passClientEnd(): void {
    if (!this.#hasClientEnded || this.#state !== "active") return;
    if (this.#unread > 0 || this.#held !== undefined) return;
    this.#server!.endSending();
    this.#checkEnd();
  }

  #relayDown(view: Uint8Array): void {
    if (this.#state !== "active") return;
    this.#idle.touch();
    const bytes = this.#hooks === undefined ? view : this.#hooks.onServerData(view);
    if (isClosed(bytes)) this.#closeBy(bytes);
    else this.#client.write(bytes);
  }

  #onServerEnd(): void {
    if (this.#state !== "active") return;
    this.#hasServerEnded = true;
    if (!this.#hasClientEnded) this.#reason = "server closed the connection";
    this.#client.endSending();
    const { clientIdleTimeoutMs } = this.#listener;
    const limitMs = clientIdleTimeoutMs === 0 ? SERVER_ENDED_MS : clientIdleTimeoutMs;
    this.#idle.setLimit(Math.min(limitMs, SERVER_ENDED_MS));
    this.#checkEnd();
  }

  /** Once both have ended, and all that they sent is on its way, it is over. */
  #checkEnd(): void {
    const isUpOver = this.#hasClientEnded && this.#unread === 0 && this.#held === undefined;
    if (isUpOver && this.#hasServerEnded) this.#end(this.#reason, CLIENT_LINGER_MS);
  }

  /** As when it is down, or no primary any more: no moment would be better than another. */
  #onServerUnusable(isDown: boolean): void {
    this.#end("server is not to be used any more", CLIENT_LINGER_MS);
    if (isDown) this.#search.destroy();
  }

  #onIdle(): void {
    if (this.#hasServerEnded) return this.#end(this.#reason, LINGER_MS);
    const fact = { kind: "session_timeout", session: this.#number } as const;
    this.#emit({ ...fact, pool: this.#pool, timeout: "client_idle" });
    this.#end("nothing has passed for clientIdleTimeout", LINGER_MS);
  }

  // The end -----------------------------------------------------------------------------------

  #closeBy({ plugin }: ClosedBy): void {
    this.#end(`closed by plugin "${plugin}"`, LINGER_MS);
  }

  #end(reason: string, clientLingerMs: number): void {
    if (this.#state === "closing") return;
    this.#reason = reason;
    this.#setState("closing");
    this.#loginTime.stop();
    this.#idle.stop();
    this.#held?.cancel();
    this.#held = undefined;
    this.#client.end(clientLingerMs);
    this.#search.release();
  }

  /** Called as each side goes; the last one ends the session. */
  #finish(): void {
    if (!this.#isClientGone || !this.#search.isGone) return;
    const { name: listener } = this.#listener;
    const durationMs = this.#gateway.clock.nowMs() - this.#startedMs;
    this.#emit({ kind: "client_state", listener, from: this.#state, to: undefined });
    this.#hooks?.onClosed(this.#reason, durationMs);
    const session = this.#number;
    const reason = this.#reason;
    this.#emit({ kind: "client_disconnected", listener, session, reason, durationMs });
    this.#onOver(this);
  }

  // Helpers -----------------------------------------------------------------------------------

  #setState(to: ClientState): void {
    if (this.#state === to) return;
    this.#emit({ kind: "client_state", listener: this.#listener.name, from: this.#state, to });
    this.#state = to;
    if (to === "closing") this.#hooks?.onClosing(this.#reason);
  }

  /** What we did wrong costs this session, not the worker. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#onError(error);
    }
  }

  #onError(error: unknown): void {
    const message = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#emit({ kind: "internal_error", session: this.#number, message });
    this.#end("internal error", LINGER_MS);
  }

  #emit(fact: Fact): void {
    this.#gateway.observer.emit(fact);
  }
}

function isClosed(result: Uint8Array | ClosedBy): result is ClosedBy {
  return "plugin" in result;
}
