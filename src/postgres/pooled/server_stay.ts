/**
 * One session's stay on a server: counted among those who use the server, and ended when the server
 * goes down, or is not what the session has to have any more.
 *
 * @module
 */

import type { ServerUser } from "../../upstream/server_loads.ts";
import * as reply from "../error_reply.ts";
import type { UpstreamOwner } from "../upstream.ts";
import type { PooledRoute } from "./pooled_context.ts";

/** Whose stay it is. */
export interface ServerGuest {
  /** Whether the server may still serve what it was found for. */
  readonly isServerUsable: boolean;
  /** True if nothing is under way, and no transaction open. */
  readonly isIdle: boolean;
}

/** One session's. */
export class ServerStay implements ServerUser {
  readonly #guest: ServerGuest;
  readonly #owner: UpstreamOwner;
  #route: PooledRoute | undefined;
  #isLeaving = false;

  constructor(guest: ServerGuest, owner: UpstreamOwner) {
    this.#guest = guest;
    this.#owner = owner;
  }

  /** The session has a server. */
  begin(route: PooledRoute): void {
    this.#route = route;
    route.load.users.add(this);
  }

  /** The session has it no more. */
  end(): void {
    this.#route?.load.users.delete(this);
    this.#route = undefined;
    this.#isLeaving = false;
  }

  /** Whether the server is to be given back, or the session to be ended, as soon as that can be. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /**
   * What was under way is over, and the session would stay.
   *
   * @returns Whether it was ended instead.
   */
  endsSession(): boolean {
    if (!this.#isLeaving) return false;
    this.#owner.fail(reply.serverDemoted(), "server changed its role");
    return true;
  }

  onServerUnusable(isDown: boolean): void {
    this.#owner.guard(() => {
      if (isDown) return this.#owner.fail(reply.serverLost(), "server is down");
      if (this.#guest.isServerUsable) return;
      this.#isLeaving = true;
      if (this.#guest.isIdle) this.endsSession();
    });
  }
}
