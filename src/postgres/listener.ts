/**
 * Takes the connections that one listener accepts in one worker.
 *
 * @module
 */

import { type KeptSession, SessionKeeper } from "../base/session_keeper.ts";
import type { ListenHandler, Socket } from "../net/socket.ts";
import type { Gateway, ListenerContext } from "./gateway.ts";
import type { HookedListener } from "./hooked/hooked_session.ts";
import { Session } from "./session.ts";
import type { SessionHome } from "./session_home.ts";

/** One listener in one worker. */
export class SessionListener implements ListenHandler, SessionHome {
  /** What its connections become. */
  readonly sessions = new SessionKeeper();
  readonly gateway: Gateway;
  readonly context: ListenerContext;
  readonly hooked: HookedListener | undefined;
  readonly #nextNumber: () => number;

  /** @param nextNumber Gives each session a number that no other session of the process has. */
  constructor(gateway: Gateway, context: ListenerContext, nextNumber: () => number) {
    this.gateway = gateway;
    this.context = context;
    this.#nextNumber = nextNumber;
    const { hooks, clock } = gateway;
    const { name: listener, messageSizeMax } = context;
    this.hooked = hooks && { hooks, clock, listener, messageSizeMax };
  }

  /**
   * Serves a connection. Beyond twice `clientsMax` it is closed without a word: clients above
   * `clientsMax` are told so once they have said that they are not cancelling a query, which must
   * work when the gateway is full, and this bounds how many may be about to say something.
   */
  onConnection(socket: Socket): void {
    const { name: listener, clients } = this.context;
    if (this.sessions.isDraining) return socket.destroy();
    if (this.sessions.size >= 2 * clients.size) {
      const { peer } = socket;
      const reason = `twice servers.${listener}.clientsMax connections are open in this worker`;
      this.gateway.observer.emit({ kind: "client_refused", listener, peer, reason });
      return socket.destroy();
    }
    this.sessions.serve(new Session(this, socket, this.#nextNumber()));
  }

  onOver(session: KeptSession): void {
    this.sessions.onOver(session);
  }

  onAcceptError(error: Error): void {
    const { name: listener } = this.context;
    this.gateway.observer.emit({ kind: "accept_failed", listener, message: error.message });
  }
}
