/**
 * Takes the connections that one raw listener accepts in one worker, and keeps the sessions they
 * become until they are over.
 *
 * @module
 */

import type { ListenHandler, Socket } from "../net/socket.ts";
import type { Lease } from "../pool/pool.ts";
import type { RawGateway, RawListenerContext } from "./gateway.ts";
import { RawSession } from "./session.ts";

/** One listener's sessions in one worker. */
export class RawListener implements ListenHandler {
  readonly #gateway: RawGateway;
  readonly #context: RawListenerContext;
  readonly #nextNumber: () => number;
  readonly #sessions = new Set<RawSession>();
  /** Set once the gateway stops; called once, when no session is left. */
  #onEmpty: (() => void) | undefined;
  #isDraining = false;

  /** @param nextNumber Gives each session a number that no other session of the process has. */
  constructor(gateway: RawGateway, context: RawListenerContext, nextNumber: () => number) {
    this.#gateway = gateway;
    this.#context = context;
    this.#nextNumber = nextNumber;
  }

  /** Serves a connection, or closes it: there are no words for "too many" in a raw protocol. */
  onConnection(socket: Socket): void {
    if (this.#isDraining) return socket.destroy(); // accepted in the instant that accepting stopped
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

  /** Sends away who has no server yet, and calls `onEmpty` when the last session is over. */
  drain(onEmpty: () => void): void {
    this.#isDraining = true;
    this.#onEmpty = onEmpty;
    for (const session of [...this.#sessions]) session.drain();
    this.#checkEmpty();
  }

  /** Ends every session. */
  terminate(): void {
    for (const session of [...this.#sessions]) session.terminate();
  }

  #serve(socket: Socket, lease: Lease): void {
    const number = this.#nextNumber();
    const session = new RawSession(this.#gateway, this.#context, socket, number, () => {
      lease[Symbol.dispose]();
      this.#sessions.delete(session);
      this.#checkEmpty();
    });
    this.#sessions.add(session);
    session.start();
  }

  #checkEmpty(): void {
    if (this.#sessions.size > 0) return;
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    onEmpty?.();
  }
}
