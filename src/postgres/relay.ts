/**
 * A session whose server authenticates its client, through the gateway: one place in a pool, one
 * server connection, from the login to the end.
 *
 *     waiting -> connecting -> login -> active -> closing
 *
 * `waiting`: for a place in the pool. `connecting`: the place is ours, the server is being dialled.
 * `login`: the server authenticates the client through us. `active`: messages pass both ways.
 *
 * Authenticated as its client, the connection can be given to no other client: it ends with the
 * session, and the place in the pool becomes free.
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import type { Socket } from "../net/socket.ts";
import type { WaitOutcome } from "../observe/facts.ts";
import type { Acquisition, Lease } from "../pool/pool.ts";
import * as reply from "./error_reply.ts";
import type { Gateway, ListenerContext, Route } from "./gateway.ts";
import { ServerConnection } from "./server_connection.ts";
import { ServerStay } from "./server_stay.ts";
import { sizeHint } from "./size_hint.ts";
import type { Upstream, UpstreamOwner, UpstreamPlace } from "./upstream.ts";
import type { ProtocolError } from "./wire/errors.ts";
import { Framer } from "./wire/framer.ts";
import type { StartupMessage } from "./wire/startup_packet.ts";
import { FRONTEND, IS_FRONTEND_TAG } from "./wire/tags.ts";

/** What one relayed session is made of. */
export interface RelayParts {
  readonly gateway: Gateway;
  readonly listener: ListenerContext;
  readonly session: number;
  readonly client: Socket;
  readonly startup: StartupMessage;
  /** In the order they are tried; at least one. */
  readonly routes: readonly Route[];
  readonly owner: UpstreamOwner;
}

/** One relayed session. */
export class Relay implements Upstream {
  readonly #parts: RelayParts;
  readonly #framer: Framer;
  readonly #stay: ServerStay;
  #startup: StartupMessage | undefined;
  #state: "waiting" | "connecting" | "login" | "active" | "over" = "waiting";
  #acquisition: Acquisition | undefined;
  #server: ServerConnection | undefined;
  #route: Route | undefined;
  /** A server has got messages of the client, which no other one will get. */
  #hasForwarded = false;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    this.#startup = parts.startup;
    this.#framer = new Framer(parts.listener.messageSizeMax, IS_FRONTEND_TAG);
    this.#stay = new ServerStay(this, parts.owner);
  }

  get isClientBetweenMessages(): boolean {
    return this.#server?.isClientBetweenMessages ?? true;
  }

  readonly isPooled = false;
  readonly canRoute = false; // its one connection was chosen before it began

  sendTo(): boolean {
    return false;
  }

  get place(): UpstreamPlace | undefined {
    if (this.#state !== "login" && this.#state !== "active") return undefined;
    const { proxy, server } = this.#route!;
    return { proxy, server: addressText(server.address) };
  }

  get isIdle(): boolean {
    return this.#state === "active" && this.#framer.isBetweenMessages &&
      this.#server?.isIdle === true;
  }

  get mayStay(): boolean {
    return this.#route!.mayStay();
  }

  get isGone(): boolean {
    return this.#server?.isGone ?? true;
  }

  start(): void {
    const { routes, listener, owner } = this.#parts;
    if (routes.length > 0) return this.#attach(0);
    owner.fail(reply.noServerOfRole(listener.need.role, 0), "no server could serve");
  }

  /** Whoever has no session yet is sent away. */
  mayFinish(): boolean {
    return this.#state === "login" || this.#state === "active";
  }

  release(): void {
    this.#state = "over";
    this.#stay.end();
    this.#acquisition?.cancel();
    this.#acquisition = undefined;
    this.#server?.release(this.#framer.isBetweenMessages);
  }

  onClientData(view: Uint8Array): number {
    switch (this.#state) {
      case "waiting":
      case "connecting":
        return 0; // nothing may come yet; what comes early is kept by the driver, up to a buffer
      case "login":
      case "active":
        return this.#relayUp(view);
      case "over":
        return view.length;
    }
  }

  // A server connection -----------------------------------------------------------------------

  /** Asks for a place in the pool of route number `index`, then dials. */
  #attach(index: number): void {
    const { gateway: { clock }, routes, session, owner } = this.#parts;
    const route = routes[index]!;
    const pool = route.pool.options.name;
    const startedMs = clock.nowMs();
    // Who gets a place at once has not waited; who is refused at once has, for no time.
    let hasWaited = false;
    const endWait = (outcome: WaitOutcome) => {
      this.#acquisition = undefined;
      if (!hasWaited && outcome === "acquired") return;
      if (!hasWaited) this.#emit({ kind: "wait_started", pool, session });
      const waitMs = clock.nowMs() - startedMs;
      this.#emit({ kind: "wait_ended", session, pool, outcome, waitMs });
    };
    owner.runLoginTime(false);
    this.#setState("waiting");
    const acquisition = route.pool.acquire({
      onLease: (lease) => {
        endWait("acquired");
        owner.guard(() => this.#connect(index, route, lease));
      },
      onRefused: (reason) => {
        endWait(reason);
        owner.guard(() => owner.fail(reply.poolExhausted(reason, route.pool), "pool exhausted"));
      },
    });
    if (this.#state !== "waiting") return;
    hasWaited = true;
    this.#emit({ kind: "wait_started", pool, session });
    this.#acquisition = {
      cancel: () => {
        endWait("abandoned");
        acquisition.cancel();
      },
    };
  }

  #connect(index: number, route: Route, lease: Lease): void {
    const { gateway, listener, session, client, owner } = this.#parts;
    this.#setState("connecting");
    this.#route = route;
    this.#server = new ServerConnection({
      gateway,
      route,
      lease,
      session,
      startup: this.#startup!,
      messageSizeMax: listener.messageSizeMax,
      client,
      owner: {
        onLogin: () => this.#onLogin(),
        mayAskAgain: () => !this.#hasForwarded,
        maySendElsewhere: () => this.#maySendElsewhere(index),
        onDialAgain: () => this.#onDialAgain(),
        onAnswer: () => owner.runLoginTime(true),
        onReady: () => this.#onReady(route),
        onUnreachable: () => this.#onUnreachable(index),
        onDisagreed: () => this.#onDisagreed(),
        onLost: (canTell) => this.#onServerLost(canTell),
        onBrokenProtocol: (error, canTell) => this.#onServerBrokeProtocol(error, canTell),
        onGone: () => owner.onGone(),
        guard: (act) => owner.guard(act),
      },
    });
    this.#server.dial();
  }

  #onLogin(): void {
    this.#stay.begin(this.#route!);
    this.#setState("login");
    this.#parts.client.reoffer();
  }

  #onReady(route: Route): void {
    const { owner, session } = this.#parts;
    owner.runLoginTime(false);
    this.#setState("active");
    const { parameters } = this.#startup!;
    const user = parameters.get("user")!;
    this.#emit({
      kind: "session_ready",
      session,
      pool: route.pool.options.name,
      user,
      database: parameters.get("database") ?? user,
      application: parameters.get("application_name") ?? "",
      server: addressText(route.server.address),
    });
    this.#startup = undefined; // up to 64 KiB that nobody needs any more
  }

  #onDialAgain(): void {
    this.#stay.end();
    this.#parts.owner.runLoginTime(false);
    this.#setState("connecting");
  }

  #maySendElsewhere(index: number): boolean {
    return !this.#hasForwarded && index + 1 < this.#parts.routes.length;
  }

  #onUnreachable(index: number): void {
    const { routes, owner } = this.#parts;
    this.#server = undefined;
    routes[index]!.onUnreachable();
    if (this.#maySendElsewhere(index)) return this.#attach(index + 1);
    const names = routes.slice(0, index + 1).map((route) => route.server.name);
    owner.fail(reply.unreachable(names), "database not reachable");
  }

  /** Nobody is sent elsewhere by a server that is there: what is wrong with it is to be seen. */
  #onDisagreed(): void {
    this.#server = undefined;
    this.#parts.owner.fail(reply.serverLoginFailed(), "server login failed");
  }

  #onServerLost(canTell: boolean): void {
    const reason = "server closed the connection";
    if (canTell) this.#parts.owner.fail(reply.serverLost(), reason);
    else this.#parts.owner.end(undefined, reason);
  }

  #onServerBrokeProtocol(error: ProtocolError, canTell: boolean): void {
    const reason = "server broke the protocol";
    const { owner, listener } = this.#parts;
    const hint = sizeHint(error, listener.name, "messageSizeMax");
    if (canTell) owner.fail({ ...reply.serverBrokeProtocol(error), ...hint }, reason);
    else owner.end(undefined, reason);
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
      if (passed > 0) {
        this.#hasForwarded = true;
        server.forward(passed === view.length ? view : view.subarray(0, passed));
      }
    }
    return passed;
  }

  #onMessage(server: ServerConnection, tag: number): void {
    server.onFrontendMessage(tag);
    if (tag === FRONTEND.terminate) this.#parts.owner.onTerminate();
  }

  #setState(to: "waiting" | "connecting" | "login" | "active"): void {
    this.#state = to;
    this.#parts.owner.setState(to);
  }

  #emit(fact: Parameters<Gateway["observer"]["emit"]>[0]): void {
    this.#parts.gateway.observer.emit(fact);
  }
}
