/**
 * One session's stay on a server: counted among those who use the server, and ended when the server
 * goes down, or is not what the session has to have any more.
 *
 * @module
 */

import type { ServerRoute } from "../upstream/router.ts";
import type { ServerUser } from "../upstream/server_loads.ts";
import * as reply from "./error_reply.ts";
import type { PooledOwner } from "./pooled/pooled_end.ts";

/** Whose stay it is. */
export interface ServerGuest {
  /** Whether the server may still serve what it was found for. */
  readonly mayStay: boolean;
  /** True if nothing is under way, and no transaction open. */
  readonly isIdle: boolean;
}

/** One session's. */
export class ServerStay implements ServerUser {
  readonly #guest: ServerGuest;
  readonly #owner: PooledOwner;
  #load: ServerRoute["load"] | undefined;
  place = 0;

  constructor(guest: ServerGuest, owner: PooledOwner) {
    this.#guest = guest;
    this.#owner = owner;
  }

  /** The session has a server. */
  begin({ load }: ServerRoute): void {
    this.end();
    this.#load = load;
    load.users.add(this);
  }

  /** The session has it no more. */
  end(): void {
    this.#load?.users.delete(this);
    this.#load = undefined;
  }

  onServerUnusable(isDown: boolean): void {
    this.#owner.guard(() => {
      if (isDown) return this.#owner.fail(reply.serverLost(), "server is down");
      if (this.#guest.mayStay) return;
      // Nor may a transaction end there: what it would commit is lost with that server.
      this.#owner.fail(reply.serverDemoted(this.#guest.isIdle), "server changed its role");
    });
  }
}
