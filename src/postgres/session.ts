/**
 * One client, from its first byte to its last.
 *
 *     startup -> login -> waiting -> connecting -> login -> active -> closing
 *
 * `startup`: first packets, and TLS. `login`: the client shows who it is, to the gateway or, later
 * and through it, to the server. `waiting`: for a server connection. `active`: messages pass both
 * ways. `closing`: the client has been told its last; sockets are winding up.
 *
 * What its messages are for is the business of its `Upstream`: `relay.ts` where the server
 * authenticates the client, `pooled/pooled_session.ts` where the gateway does.
 *
 * Everything here is synchronous: bytes and events in, bytes and decisions out.
 *
 * @module
 */

import { Countdown } from "../base/countdown.ts";
import type { KeptSession } from "../base/session_keeper.ts";
import type { Socket, SocketHandler } from "../net/socket.ts";
import type { TlsInfo } from "../net/tls/tls_connection.ts";
import type { ClientState } from "../observe/facts.ts";
import type { Lease } from "../pool/pool.ts";
import { ClientGate, type MakeUpstream } from "./client_gate.ts";
import * as reply from "./error_reply.ts";
import type { Gateway, ListenerContext } from "./gateway.ts";
import { type HookedOwner, HookedSession } from "./hooked/hooked_session.ts";
import { startupFrom } from "./hooked/startup.ts";
import { Relay } from "./relay.ts";
import type { SessionHome } from "./session_home.ts";
import { sizeHint } from "./size_hint.ts";
import { type Purpose, Startup } from "./startup.ts";
import type { Upstream } from "./upstream.ts";
import { ProtocolError } from "./wire/errors.ts";
import { type ErrorFields, errorResponse, sqlStateOf } from "./wire/messages.ts";
import type { StartupMessage } from "./wire/startup_packet.ts";

/** Why a session ended that its client ended as the protocol says. */
const TERMINATED = "client terminated";

const CLOSED_BY_PLUGIN = "closed by a plugin";

/** Serves one client. Made for each accepted connection. */
export class Session implements HookedOwner, KeptSession, SocketHandler {
  place = 0;
  readonly #home: SessionHome;
  #client: Socket;
  readonly number: number;
  readonly #startedMs: number;

  #state: ClientState = "startup";
  /** Undefined once the client has said what it wants. */
  #startup: Startup | undefined;
  #tls: TlsInfo | undefined;
  /**
   * Ends a login that takes too long; stopped while it is the gateway that takes its time.
   * Undefined once the client has logged in.
   */
  #loginTime: Countdown | undefined;
  /** The client's own place among those its listener serves. */
  #clientLease: Lease | undefined;
  #gate: ClientGate | undefined;
  #upstream: Upstream | undefined;
  /** Undefined where plugins are switched off. */
  readonly #hooked: HookedSession | undefined;
  /** Why it ended, in a word for the log. */
  #reason = "client closed the connection";
  #isClientGone = false;

  constructor(home: SessionHome, client: Socket, number: number) {
    const { gateway: { clock, startups }, context: listener, hooked } = home;
    this.#home = home;
    this.#client = client;
    this.number = number;
    this.#startedMs = clock.nowMs();
    const onTimeout = () => this.guard(() => this.#onLoginTimeout());
    this.#loginTime = new Countdown(clock, listener.loginTimeoutMs, onTimeout);
    const { startupPacketSizeMax, tls } = listener;
    this.#startup = new Startup(startupPacketSizeMax, tls !== undefined, startups);
    if (hooked !== undefined) this.#hooked = new HookedSession(hooked, client, this);
  }

  get #gateway(): Gateway {
    return this.#home.gateway;
  }

  get #listener(): ListenerContext {
    return this.#home.context;
  }

  /** Begins with the client's first byte. */
  start(): void {
    const { name: listener } = this.#listener;
    const { peer } = this.#client;
    this.#emit({ kind: "client_connected", listener, session: this.number, peer });
    this.#emit({ kind: "client_state", listener, from: undefined, to: "startup" });
    this.#loginTime?.start();
    this.#client.start(this);
    if (this.#hooked?.onOpening() === false) this.end(undefined, CLOSED_BY_PLUGIN);
  }

  /** The gateway stops: whoever has no session yet is sent away; the others may finish. */
  drain(): void {
    if (this.#state === "closing" || this.#upstream?.mayFinish() === true) return;
    this.guard(() => this.fail(reply.shuttingDown(), "gateway shut down"));
  }

  /** The gateway stops and waits no longer. */
  terminate(): void {
    if (this.#state === "closing") return this.#client.destroy();
    this.guard(() => this.fail(reply.terminated(), "gateway shut down"));
  }

  // From the client ---------------------------------------------------------------------------

  onData(view: Uint8Array): number {
    try {
      return this.#onClientData(view);
    } catch (error) {
      this.#onError(error);
      return view.length; // what cannot be understood is not looked at again
    }
  }

  onEnd(): void {
    this.guard(() => this.#onClientGone());
  }

  onClose(error: Error | undefined): void {
    if (error !== undefined) this.#onBroken(error);
    this.#isClientGone = true;
    this.guard(() => {
      this.#onClientGone();
      this.#finish();
    });
  }

  #onClientData(view: Uint8Array): number {
    if (this.#state === "closing") return view.length;
    if (this.#upstream !== undefined) return (this.#hooked ?? this.#upstream).onClientData(view);
    if (this.#gate !== undefined) return this.#gate.onClientData(view);
    return this.#startup === undefined ? 0 : this.#onStartup(this.#startup, view);
  }

  #onStartup(startup: Startup, view: Uint8Array): number {
    const { taken, purpose } = startup.take(view, (bytes) => this.#client.write(bytes));
    if (purpose?.kind === "tls") this.#startTls();
    if (purpose?.kind === "cancel") this.#cancel(purpose);
    if (purpose?.kind === "startup") this.#admit(purpose);
    return taken;
  }

  /** What is unconsumed goes to the handshake; there is none behind an SSLRequest, see Startup. */
  #startTls(): void {
    const secured = this.#listener.tls!.context().accept(
      this.#client,
      (info) => this.guard(() => this.#onSecured(info)),
    );
    this.#client = secured;
    secured.start(this);
  }

  #onSecured(info: TlsInfo): void {
    this.#tls = info;
    this.#hooked?.onSecured();
    this.#startup?.onSecured(info.alpn);
    const { protocol: version, cipher } = info;
    const { name: listener } = this.#listener;
    this.#emit({ kind: "tls_accepted", session: this.number, listener, version, cipher });
  }

  /** As PostgreSQL does, closes without a word: who sent the key may not be who it belongs to. */
  #cancel(request: Extract<Purpose, { kind: "cancel" }>): void {
    const { name: listener } = this.#listener;
    this.#reason = "cancel request";
    this.#loginTime?.stop();
    this.setState("closing");
    const session = this.number;
    this.#gateway.cancel(request.processId, request.key).then(({ outcome, message }) => {
      this.#emit({ kind: "cancel", session, listener, outcome, message });
      this.#client.end();
    });
  }

  #admit(startup: StartupMessage): void {
    this.#startup = undefined;
    const { name, clients, tls } = this.#listener;
    if (tls?.isRequired === true && this.#tls === undefined) {
      if (this.#client.peerAddress.kind !== "unix") {
        return this.fail(reply.tlsRequired(name), "TLS required");
      }
    }
    clients.acquire({
      onLease: (lease) => {
        this.#clientLease = lease;
        this.#onStartupMessage(startup);
      },
      onRefused: () => {
        const reason = `servers.${name}.clientsMax clients are served`;
        this.#emit({ kind: "client_refused", listener: name, peer: this.#client.peer, reason });
        this.fail(reply.tooManyClients(name, clients.size), "too many clients");
      },
    });
  }

  /** What plugins have to say to a StartupMessage comes before anybody is asked for a password. */
  #onStartupMessage(asked: StartupMessage): void {
    const hooked = this.#hooked?.onStartup(asked.parameters);
    if (hooked === "close") return this.end(undefined, CLOSED_BY_PLUGIN);
    if (hooked !== undefined && "sqlState" in hooked) {
      return this.fail({ ...hooked, severity: "FATAL" }, "rejected by a plugin");
    }
    const startup = startupFrom(asked, hooked?.payload);
    this.#hooked?.facts.onStartup(startup.parameters);
    this.#authenticate(startup, hooked?.proxy);
  }

  #authenticate(startup: StartupMessage, proxy: string | undefined): void {
    const { authentication } = this.#listener;
    if (authentication === undefined) return this.#relay(startup, proxy);
    this.setState("login");
    this.#gate = new ClientGate(authentication, {
      client: this.#client,
      session: this.number,
      tls: this.#tls,
      startup,
      owner: this,
      proxy,
      onRelayed: () => this.#relay(startup, proxy),
      onAdmitted: (makeUpstream) => this.#begin(makeUpstream),
    });
    this.#gate.start();
  }

  #relay(startup: StartupMessage, proxy: string | undefined): void {
    const [gateway, listener, { parameters }] = [this.#gateway, this.#listener, startup];
    const [{ peerAddress: address }, tlsServerName] = [this.#client, this.#tls?.serverName ?? ""];
    const routes = listener.routesFor({ address, parameters, proxy, tlsServerName });
    const parts = { gateway, listener, session: this.number, routes, startup };
    this.#begin((client, owner) => new Relay({ ...parts, client, owner }));
  }

  #begin(makeUpstream: MakeUpstream): void {
    this.#gate = undefined;
    const client = this.#hooked?.wrap(this.#client) ?? this.#client;
    this.#upstream = makeUpstream(client, this);
    this.#hooked?.attach(this.#upstream);
    this.#upstream.start();
  }

  #onBroken({ message }: Error): void {
    this.#reason = `client connection broke: ${message}`;
    if (this.#startup?.isSecuring !== true) return;
    const { name: listener } = this.#listener;
    this.#emit({ kind: "tls_failed", session: this.number, listener, message });
  }

  // What the upstream says --------------------------------------------------------------------

  setState(to: ClientState): void {
    if (this.#state === to || this.#state === "closing") return;
    this.#emit({ kind: "client_state", listener: this.#listener.name, from: this.#state, to });
    this.#state = to;
    if (to === "active") this.#onActive();
    if (to === "closing") this.#hooked?.onClosing(this.#reason);
  }

  /** The client has shown who it is, and may go on. */
  #onActive(): void {
    this.#loginTime?.stop();
    this.#loginTime = undefined;
    const refusal = this.#hooked?.onAuthenticated();
    if (refusal === undefined) return this.#hooked?.onOpened();
    // Whoever says so is in the middle of saying it to the client.
    queueMicrotask(() =>
      this.guard(() => {
        if (refusal === "close") return this.end(undefined, CLOSED_BY_PLUGIN);
        this.fail({ ...refusal, severity: "FATAL" }, "rejected by a plugin");
      })
    );
  }

  runLoginTime(isRunning: boolean): void {
    if (isRunning) this.#loginTime?.start();
    else this.#loginTime?.stop();
  }

  onTerminate(): void {
    this.#reason = TERMINATED;
  }

  onIgnored(plugin: string, message: string): void {
    this.#emit({ kind: "verdict_ignored", session: this.number, plugin, message });
  }

  onGone(): void {
    this.#finish();
  }

  // The end -----------------------------------------------------------------------------------

  #onClientGone(): void {
    if (this.#state === "closing") return;
    this.setState("closing");
    this.#client.end();
    this.#release();
  }

  fail(fields: ErrorFields, reason: string, isQuoted = false): void {
    const isBetween = this.#hooked?.isClientBetweenMessages ??
      this.#upstream?.isClientBetweenMessages ?? true;
    const message = isBetween ? errorResponse(fields) : undefined;
    this.end(message, reason, isQuoted);
  }

  end(message: Uint8Array | undefined, reason: string, isQuoted = false): void {
    if (this.#state === "closing") return;
    if (this.#reason !== TERMINATED) this.#reason = reason;
    if (message !== undefined) {
      const session = this.number;
      const { sqlState, text } = sqlStateOf(message);
      const told = { session, sqlState, message: isQuoted ? undefined : text };
      this.#emit({ kind: "error_reported", source: "gateway", ...told });
      this.#client.write(message);
    }
    this.setState("closing");
    if (this.#hasSaidGoodbye) this.#client.destroy();
    else this.#client.end();
    this.#release();
  }

  /**
   * Nothing more is wanted, and the system has all that was. As with PostgreSQL, who still talks
   * after that may lose the end of it. With TLS a goodbye of the client's would reset it all.
   */
  get #hasSaidGoodbye(): boolean {
    return this.#reason === TERMINATED && this.#tls === undefined && !this.#client.isSending;
  }

  #release(): void {
    this.#loginTime?.stop();
    this.#gate?.stop();
    this.#hooked?.release();
    this.#upstream?.release();
  }

  /** Called as each side goes; the last one ends the session. */
  #finish(): void {
    if (!this.#isClientGone || this.#upstream?.isGone === false) return;
    const { name: listener } = this.#listener;
    const durationMs = this.#gateway.clock.nowMs() - this.#startedMs;
    this.#loginTime?.stop();
    this.#clientLease?.[Symbol.dispose]();
    this.#emit({ kind: "client_state", listener, from: this.#state, to: undefined });
    this.#hooked?.onClosed(this.#reason, durationMs);
    const who = { session: this.number, listener };
    this.#emit({ kind: "client_disconnected", ...who, reason: this.#reason, durationMs });
    this.#home.onOver(this);
  }

  // Helpers -----------------------------------------------------------------------------------

  #onLoginTimeout(): void {
    const { name, loginTimeoutMs } = this.#listener;
    this.#emit({ kind: "login_timeout", session: this.number, listener: name });
    this.fail(reply.loginTimedOut(name, loginTimeoutMs), "login took too long");
  }

  /** What the client did wrong is answered; what we did costs this session, not the worker. */
  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#onError(error);
    }
  }

  #onError(error: unknown): void {
    if (error instanceof ProtocolError) {
      const fields = { ...reply.clientBrokeProtocol(error), ...this.#sizeHint(error) };
      this.fail(fields, "client broke the protocol");
    } else {
      const message = error instanceof Error ? error.stack ?? error.message : String(error);
      this.#emit({ kind: "internal_error", session: this.number, message });
      this.fail(reply.internalError(), "internal error");
    }
  }

  /** What a gate reads has a limit of its own, which is no key. */
  #sizeHint(error: ProtocolError): { readonly hint?: string } {
    if (this.#gate !== undefined) return {};
    const key = this.#upstream === undefined ? "startupPacketSizeMax" : "messageSizeMax";
    return sizeHint(error, this.#listener.name, key);
  }

  #emit(fact: Parameters<Gateway["observer"]["emit"]>[0]): void {
    this.#gateway.observer.emit(fact);
  }
}
