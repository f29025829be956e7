/**
 * One client, from its first byte to its last: the hot path, top to bottom.
 *
 *     startup -> waiting -> connecting -> login -> active -> closing
 *
 * `startup`: first packets. `waiting`: for a place in the pool. `connecting`: the place is ours,
 * the server is being dialled. `login`: the server authenticates the client through us. `active`:
 * messages pass both ways. `closing`: the client has been told its last; sockets are winding up.
 *
 * Everything here is synchronous: bytes and events in, bytes and decisions out. A session has a
 * server connection of its own from `login` to the end, authenticated as its client, so no other
 * client can be given it: it ends with the session, and the place in the pool becomes free.
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import { Countdown } from "../base/countdown.ts";
import type { Socket, SocketHandler } from "../net/socket.ts";
import type { ClientState, WaitOutcome } from "../observe/facts.ts";
import type { Acquisition, Lease } from "../pool/pool.ts";
import * as reply from "./error_reply.ts";
import type { Gateway, ListenerContext, Route } from "./gateway.ts";
import { ServerConnection } from "./server_connection.ts";
import { type Purpose, Startup } from "./startup.ts";
import { ProtocolError } from "./wire/errors.ts";
import { Framer } from "./wire/framer.ts";
import { type ErrorFields, errorResponse } from "./wire/messages.ts";
import type { StartupMessage } from "./wire/startup_packet.ts";
import { FRONTEND, IS_FRONTEND_TAG } from "./wire/tags.ts";

/** Why a session ended that its client ended as the protocol says. */
const TERMINATED = "client terminated";

/** Serves one client. Made for each accepted connection; `onOver` is called when it is all over. */
export class Session {
  readonly #gateway: Gateway;
  readonly #listener: ListenerContext;
  readonly #client: Socket;
  readonly #number: number;
  readonly #onOver: (session: Session) => void;
  readonly #startedMs: number;
  readonly #framer: Framer;

  #state: ClientState = "startup";
  readonly #startup: Startup;
  #startupMessage: StartupMessage | undefined;
  /** Ends a login that takes too long; stopped while it is the gateway that takes its time. */
  readonly #loginTime: Countdown;
  /** The client's own place among those its listener serves. */
  #clientLease: Lease | undefined;
  #acquisition: Acquisition | undefined;
  #server: ServerConnection | undefined;
  /** Why it ended, in a word for the log. */
  #reason = "client closed the connection";
  #isClientGone = false;

  constructor(
    gateway: Gateway,
    listener: ListenerContext,
    client: Socket,
    number: number,
    onOver: (session: Session) => void,
  ) {
    this.#gateway = gateway;
    this.#listener = listener;
    this.#client = client;
    this.#number = number;
    this.#onOver = onOver;
    this.#startedMs = gateway.clock.nowMs();
    this.#loginTime = new Countdown(
      gateway.clock,
      listener.loginTimeoutMs,
      () => this.#guard(() => this.#onLoginTimeout()),
    );
    this.#framer = new Framer(listener.messageSizeMax, IS_FRONTEND_TAG);
    this.#startup = new Startup(listener.startupPacketSizeMax);
  }

  /** Begins with the client's first byte. */
  start(): void {
    const { name: listener } = this.#listener;
    const { peer } = this.#client;
    this.#emit({ kind: "client_connected", listener, session: this.#number, peer });
    this.#emit({ kind: "client_state", listener, from: undefined, to: "startup" });
    this.#loginTime.start();
    this.#client.start(this.#clientHandler());
  }

  /** The gateway stops: whoever has no session yet is sent away; the others may finish. */
  drain(): void {
    const isLate = ["startup", "waiting", "connecting"].includes(this.#state);
    if (isLate) this.#guard(() => this.#fail(reply.shuttingDown(), "gateway shut down"));
  }

  /** The gateway stops and waits no longer. */
  terminate(): void {
    if (this.#state === "closing") return this.#client.destroy();
    this.#guard(() => this.#fail(reply.terminated(), "gateway shut down"));
  }

  // From the client ---------------------------------------------------------------------------

  #clientHandler(): SocketHandler {
    return {
      onData: (view) => {
        try {
          return this.#onClientData(view);
        } catch (error) {
          this.#onError(error);
          return view.length; // what cannot be understood is not looked at again
        }
      },
      onEnd: () => this.#guard(() => this.#onClientGone()),
      onClose: (error) => {
        if (error !== undefined) this.#reason = `client connection broke: ${error.message}`;
        this.#isClientGone = true;
        this.#guard(() => {
          this.#onClientGone();
          this.#finish();
        });
      },
    };
  }

  #onClientData(view: Uint8Array): number {
    switch (this.#state) {
      case "startup":
        return this.#onStartup(view);
      case "waiting":
      case "connecting":
        return 0; // nothing may come yet; what comes early is kept by the driver, up to a buffer
      case "login":
      case "active":
        return this.#relayUp(view);
      case "closing":
        return view.length;
    }
  }

  #onStartup(view: Uint8Array): number {
    const { taken, purpose } = this.#startup.take(view, (bytes) => this.#client.write(bytes));
    if (purpose?.kind === "cancel") this.#cancel(purpose);
    if (purpose?.kind === "startup") this.#admit(purpose);
    return taken;
  }

  /** As PostgreSQL does, closes without a word: who sent the key may not be who it belongs to. */
  #cancel(request: Extract<Purpose, { kind: "cancel" }>): void {
    const { name: listener } = this.#listener;
    this.#reason = "cancel request";
    this.#loginTime.stop();
    this.#setState("closing");
    const session = this.#number;
    this.#gateway.cancel(request.processId, request.key).then(({ outcome, message }) => {
      this.#emit({ kind: "cancel", session, listener, outcome, message });
      this.#client.end();
    });
  }

  #admit(startup: StartupMessage): void {
    this.#startupMessage = startup;
    const { name, clients } = this.#listener;
    clients.acquire({
      onLease: (lease) => {
        this.#clientLease = lease;
        this.#attach(0);
      },
      onRefused: () => {
        const reason = `servers.${name}.clientsMax clients are served`;
        this.#emit({ kind: "client_refused", listener: name, peer: this.#client.peer, reason });
        this.#fail(reply.tooManyClients(name, clients.size), "too many clients");
      },
    });
  }

  // A server connection -----------------------------------------------------------------------

  /** Asks for a place in the pool of route number `index`, then dials. */
  #attach(index: number): void {
    const route = this.#listener.routes[index]!;
    const pool = route.pool.options.name;
    const { clock } = this.#gateway;
    const startedMs = clock.nowMs();
    // Who gets a place at once has not waited; who is refused at once has, for no time.
    let hasWaited = false;
    const endWait = (outcome: WaitOutcome) => {
      this.#acquisition = undefined;
      if (!hasWaited && outcome === "acquired") return;
      if (!hasWaited) this.#emit({ kind: "wait_started", pool });
      const waitMs = clock.nowMs() - startedMs;
      this.#emit({ kind: "wait_ended", session: this.#number, pool, outcome, waitMs });
    };
    this.#loginTime.stop();
    this.#setState("waiting");
    const acquisition = route.pool.acquire({
      onLease: (lease) => {
        endWait("acquired");
        this.#guard(() => this.#connect(index, route, lease));
      },
      onRefused: (reason) => {
        endWait(reason);
        this.#guard(() => this.#fail(reply.poolExhausted(reason, route.pool), "pool exhausted"));
      },
    });
    if (this.#state !== "waiting") return;
    hasWaited = true;
    this.#emit({ kind: "wait_started", pool });
    this.#acquisition = {
      cancel: () => {
        endWait("abandoned");
        acquisition.cancel();
      },
    };
  }

  #connect(index: number, route: Route, lease: Lease): void {
    this.#setState("connecting");
    this.#server = new ServerConnection({
      gateway: this.#gateway,
      route,
      lease,
      session: this.#number,
      startup: this.#startupMessage!,
      messageSizeMax: this.#listener.messageSizeMax,
      client: this.#client,
      owner: {
        onLogin: () => this.#onLogin(),
        onReady: () => this.#onReady(route),
        onUnreachable: () => this.#onUnreachable(index),
        onLost: (canTell) => this.#onServerLost(canTell),
        onBrokenProtocol: (error, canTell) => this.#onServerBrokeProtocol(error, canTell),
        onGone: () => this.#finish(),
        guard: (act) => this.#guard(act),
      },
    });
    this.#server.dial();
  }

  #onLogin(): void {
    this.#setState("login");
    this.#loginTime.start();
    this.#client.reoffer();
  }

  #onReady(route: Route): void {
    this.#loginTime.stop();
    this.#setState("active");
    const { parameters } = this.#startupMessage!;
    const user = parameters.get("user")!;
    this.#emit({
      kind: "session_ready",
      session: this.#number,
      pool: route.pool.options.name,
      user,
      database: parameters.get("database") ?? user,
      application: parameters.get("application_name") ?? "",
      server: addressText(route.server.address),
    });
    this.#startupMessage = undefined; // up to 64 KiB that nobody needs any more
  }

  #onUnreachable(index: number): void {
    this.#server = undefined;
    const { routes } = this.#listener;
    if (index + 1 < routes.length) return this.#attach(index + 1);
    const names = routes.map((route) => route.server.name);
    this.#fail(reply.unreachable(names), "database not reachable");
  }

  // Messages ----------------------------------------------------------------------------------

  /** Client to server. Headers are read, bytes are forwarded as they came. */
  #relayUp(view: Uint8Array): number {
    const server = this.#server!;
    const framer = this.#framer;
    let passed = 0;
    framer.begin(view);
    try {
      while (framer.next()) {
        if (framer.isFirst) this.#onMessage(server, framer.tag);
        passed = framer.end;
      }
    } finally {
      // What came before a broken message is served as if it had come alone.
      if (passed > 0) server.forward(passed === view.length ? view : view.subarray(0, passed));
    }
    return passed;
  }

  #onMessage(server: ServerConnection, tag: number): void {
    server.onFrontendMessage(tag);
    if (tag === FRONTEND.terminate) this.#reason = TERMINATED;
  }

  // The end -----------------------------------------------------------------------------------

  #onClientGone(): void {
    if (this.#state === "closing") return;
    this.#setState("closing");
    this.#client.end();
    this.#releaseServer();
  }

  #onServerLost(canTell: boolean): void {
    const reason = this.#reason === TERMINATED ? TERMINATED : "server closed the connection";
    this.#end(canTell ? reply.serverLost() : undefined, reason);
  }

  #onServerBrokeProtocol(error: ProtocolError, canTell: boolean): void {
    this.#end(canTell ? reply.serverBrokeProtocol(error) : undefined, "server broke the protocol");
  }

  /** Tells the client why, unless it is in the middle of a message, and winds up. */
  #fail(fields: ErrorFields, reason: string): void {
    this.#end(this.#server?.isClientBetweenMessages === false ? undefined : fields, reason);
  }

  #end(fields: ErrorFields | undefined, reason: string): void {
    if (this.#state === "closing") return;
    this.#reason = reason;
    if (fields !== undefined) {
      const { sqlState, message } = fields;
      const session = this.#number;
      this.#emit({ kind: "error_reported", session, source: "gateway", sqlState, message });
      this.#client.write(errorResponse(fields));
    }
    this.#setState("closing");
    this.#client.end();
    this.#releaseServer();
  }

  #releaseServer(): void {
    this.#loginTime.stop();
    this.#acquisition?.cancel();
    this.#acquisition = undefined;
    this.#server?.release(this.#framer.isBetweenMessages);
  }

  /** Called as each side goes; the last one ends the session. */
  #finish(): void {
    if (!this.#isClientGone || this.#server?.isGone === false) return;
    const { name: listener } = this.#listener;
    const durationMs = this.#gateway.clock.nowMs() - this.#startedMs;
    this.#loginTime.stop();
    this.#clientLease?.[Symbol.dispose]();
    this.#emit({ kind: "client_state", listener, from: this.#state, to: undefined });
    this.#emit({
      kind: "client_disconnected",
      listener,
      session: this.#number,
      reason: this.#reason,
      durationMs,
    });
    this.#onOver(this);
  }

  // Helpers -----------------------------------------------------------------------------------

  #setState(to: ClientState): void {
    if (this.#state === to) return;
    this.#emit({ kind: "client_state", listener: this.#listener.name, from: this.#state, to });
    this.#state = to;
  }

  #onLoginTimeout(): void {
    const { name, loginTimeoutMs } = this.#listener;
    this.#emit({ kind: "login_timeout", session: this.#number, listener: name });
    this.#fail(reply.loginTimedOut(name, loginTimeoutMs), "login took too long");
  }

  /** What the client did wrong is answered; what we did costs this session, not the worker. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#onError(error);
    }
  }

  #onError(error: unknown): void {
    if (error instanceof ProtocolError) {
      this.#fail(reply.clientBrokeProtocol(error), "client broke the protocol");
    } else {
      const message = error instanceof Error ? error.stack ?? error.message : String(error);
      this.#emit({ kind: "internal_error", session: this.#number, message });
      this.#fail(reply.internalError(), "internal error");
    }
  }

  #emit(fact: Parameters<Gateway["observer"]["emit"]>[0]): void {
    this.#gateway.observer.emit(fact);
  }
}
