/**
 * Finds one session a server: route by route, a place in the route's pool, then a connection.
 *
 *     waiting -> connecting -> found, or the next route
 *
 * @module
 */

import { formatDuration } from "../base/duration.ts";
import type { Lease } from "../pool/pool.ts";
import type { NextRoute, RawGateway, RawRoute } from "./gateway.ts";
import { ObservedWait } from "./observed_wait.ts";
import { RawServerConnection, type RawServerOwner } from "./server_connection.ts";

/** Told what comes of it, and then of the connection. */
export interface SearchOwner
  extends Pick<RawServerOwner, "onData" | "onEnd" | "onLost" | "onUnusable" | "onGone" | "guard"> {
  /** It waits for a place in a pool, or dials. */
  setState(to: "waiting" | "connecting"): void;
  /** Bytes can pass. */
  onFound(server: RawServerConnection, route: RawRoute): void;
  /** There is no server to be had. `reason` is for the log. */
  onFailed(reason: string): void;
}

/** What a search works with. */
export interface SearchParts {
  readonly gateway: RawGateway;
  readonly listener: string;
  readonly session: number;
  /** The client. */
  readonly peer: string;
  readonly nextRoute: NextRoute;
  readonly owner: SearchOwner;
}

/** One session's search, and what it has found. */
export class ServerSearch {
  readonly #parts: SearchParts;
  #wait: ObservedWait | undefined;
  #server: RawServerConnection | undefined;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** True if there is no connection, or nothing is left of it. */
  get isGone(): boolean {
    return this.#server?.isGone ?? true;
  }

  /** Tries the next route. */
  next(): void {
    const { gateway: { clock, observer }, nextRoute, session, owner } = this.#parts;
    const route = nextRoute();
    if (route === undefined) return this.#onNoRoute();
    this.#server = undefined;
    owner.setState("waiting");
    this.#wait = new ObservedWait(route.pool, { clock, observer, session });
    this.#wait.start({
      onLease: (lease) => owner.guard(() => this.#connect(route, lease)),
      onRefused: (reason) => owner.guard(() => this.#onNoPlace(route, reason)),
    });
  }

  /** The session is over. */
  release(): void {
    this.#wait?.cancel();
    this.#server?.release();
  }

  /** Nobody waits for the server's end any longer. */
  destroy(): void {
    this.#wait?.cancel();
    this.#server?.destroy();
  }

  /** Of servers that were tried the log has said why; of those that were not, nobody has. */
  #onNoRoute(): void {
    const { owner } = this.#parts;
    if (this.#server !== undefined) return owner.onFailed("server not reachable");
    this.#refuse("no server of the listener's proxies can serve now");
    owner.onFailed("no server could serve");
  }

  #onNoPlace({ pool }: RawRoute, refusal: "refused" | "timeout"): void {
    const { name, acquireTimeoutMs, waitersMax } = pool.options;
    const why = refusal === "timeout"
      ? `none came free within acquireTimeout, ${formatDuration(acquireTimeoutMs)}`
      : `waitersMax, ${waitersMax}, wait`;
    this.#refuse(`all ${pool.size} server connections of pools.${name} are in use, and ${why}`);
    this.#parts.owner.onFailed("pool exhausted");
  }

  #refuse(reason: string): void {
    const { gateway, listener, peer } = this.#parts;
    gateway.observer.emit({ kind: "client_refused", listener, peer, reason });
  }

  #connect(route: RawRoute, lease: Lease): void {
    const { gateway, session, owner } = this.#parts;
    owner.setState("connecting");
    const server = new RawServerConnection({
      gateway,
      route,
      lease,
      session,
      owner: {
        onReady: () => owner.onFound(server, route),
        onData: (view) => owner.onData(view),
        onEnd: () => owner.onEnd(),
        onLost: () => owner.onLost(),
        onUnusable: (isDown) => owner.onUnusable(isDown),
        onUnreachable: () => {
          route.onUnreachable();
          this.next();
        },
        // Nobody is sent elsewhere by a server that is there: what is wrong with it is to be seen.
        onDisagreed: () => owner.onFailed("no TLS with the server"),
        onGone: () => owner.onGone(),
        guard: (act) => owner.guard(act),
      },
    });
    this.#server = server;
    server.dial();
  }
}
