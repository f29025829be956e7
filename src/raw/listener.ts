/**
 * Takes the connections that one raw listener accepts in one worker.
 *
 * @module
 */

import { SessionKeeper } from "../base/session_keeper.ts";
import type { ListenHandler, Socket } from "../net/socket.ts";
import type { Lease } from "../pool/pool.ts";
import type { RawGateway, RawListenerContext } from "./gateway.ts";
import { RawSession } from "./session.ts";

/** One raw listener in one worker. */
export class RawListener implements ListenHandler {
  /** What its connections become. */
  readonly sessions = new SessionKeeper();
  readonly #gateway: RawGateway;
  readonly #context: RawListenerContext;
  readonly #nextNumber: () => number;

  /** @param nextNumber Gives each session a number that no other session of the process has. */
  constructor(gateway: RawGateway, context: RawListenerContext, nextNumber: () => number) {
    this.#gateway = gateway;
    this.#context = context;
    this.#nextNumber = nextNumber;
  }

  /** Serves a connection, or closes it: there are no words for "too many" in a raw protocol. */
  onConnection(socket: Socket): void {
    if (this.sessions.isDraining) return socket.destroy();
    const { name: listener, clients } = this.#context;
    clients.acquire({
      onLease: (lease) => this.#serve(socket, lease),
      onRefused: () => {
        const reason = `servers.${listener}.clientsMax clients are served`;
        this.#gateway.observer.emit({
          kind: "client_refused",
          listener,
          peer: socket.peer,
          reason,
        });
        socket.destroy();
      },
    });
  }

  onAcceptError(error: Error): void {
    const { name: listener } = this.#context;
    this.#gateway.observer.emit({ kind: "accept_failed", listener, message: error.message });
  }

  #serve(socket: Socket, lease: Lease): void {
    const number = this.#nextNumber();
    this.sessions.serve(
      new RawSession(this.#gateway, this.#context, socket, number, (session) => {
        lease[Symbol.dispose]();
        this.sessions.onOver(session);
      }),
    );
  }
}
