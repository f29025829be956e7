/**
 * Takes the connections that one listener accepts in one worker, and keeps the sessions they
 * become until they are over.
 *
 * @module
 */

import type { ListenHandler, Socket } from "../net/socket.ts";
import type { Gateway, ListenerContext } from "./gateway.ts";
import { Session } from "./session.ts";

/** One listener's sessions in one worker. */
export class SessionListener implements ListenHandler {
  readonly #gateway: Gateway;
  readonly #context: ListenerContext;
  readonly #nextNumber: () => number;
  readonly #sessions = new Set<Session>();
  /** Set once the gateway stops; called once, when no session is left. */
  #onEmpty: (() => void) | undefined;
  #isDraining = false;

  /** @param nextNumber Gives each session a number that no other session of the process has. */
  constructor(gateway: Gateway, context: ListenerContext, nextNumber: () => number) {
    this.#gateway = gateway;
    this.#context = context;
    this.#nextNumber = nextNumber;
  }

  /** How many sessions are not over yet. */
  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Serves a connection. Beyond twice `clientsMax` it is closed without a word: clients above
   * `clientsMax` are told so once they have said that they are not cancelling a query, which must
   * work when the gateway is full, and this bounds how many may be about to say something.
   */
  onConnection(socket: Socket): void {
    const { name: listener, clients } = this.#context;
    if (this.#isDraining) return socket.destroy(); // accepted in the instant that accepting stopped
    if (this.#sessions.size >= 2 * clients.size) {
      const { peer } = socket;
      const reason = `twice servers.${listener}.clientsMax connections are open in this worker`;
      this.#gateway.observer.emit({ kind: "client_refused", listener, peer, reason });
      return socket.destroy();
    }
    const session = new Session(this.#gateway, this.#context, socket, this.#nextNumber(), () => {
      this.#sessions.delete(session);
      this.#checkEmpty();
    });
    this.#sessions.add(session);
    session.start();
  }

  onAcceptError(error: Error): void {
    const { name: listener } = this.#context;
    this.#gateway.observer.emit({ kind: "accept_failed", listener, message: error.message });
  }

  /** Sends away who has no session yet, and calls `onEmpty` when the last session is over. */
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

  #checkEmpty(): void {
    if (this.#sessions.size > 0) return;
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    onEmpty?.();
  }
}
