/**
 * Sessions of one listener in one worker, whatever their protocol, until the last of them is over.
 *
 * @module
 */

import { type Placed, PlacedList } from "./placed_list.ts";

/** A session that is kept. */
export interface KeptSession extends Placed {
  /** Called once, when it is kept. */
  start(): void;
  /** The gateway stops: ends the session unless it serves, which it may do to its end. */
  drain(): void;
  /** The gateway stops and waits no longer: ends the session. */
  terminate(): void;
}

/** Keeps sessions from their start to their end, and says when none is left. */
export class SessionKeeper {
  readonly #sessions = new PlacedList<KeptSession>();
  /** Set once the gateway stops; called once, when no session is left. */
  #onEmpty: (() => void) | undefined;
  #isDraining = false;

  /** How many sessions are not over yet. */
  get size(): number {
    return this.#sessions.size;
  }

  /** True once the gateway stops: what is accepted in that instant is not to be served. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Keeps a session, and starts it. */
  serve(session: KeptSession): void {
    this.#sessions.add(session);
    session.start();
  }

  /** A session that was served is over. */
  onOver(session: KeptSession): void {
    this.#sessions.delete(session);
    this.#checkEmpty();
  }

  /** Sends away whom no session serves yet; calls `onEmpty` once, when the last one is over. */
  drain(onEmpty: () => void): void {
    this.#isDraining = true;
    this.#onEmpty = onEmpty;
    for (const session of [...this.#sessions.members]) session.drain();
    this.#checkEmpty();
  }

  /** Ends every session. */
  terminate(): void {
    for (const session of [...this.#sessions.members]) session.terminate();
  }

  #checkEmpty(): void {
    if (this.#sessions.size > 0) return;
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    onEmpty?.();
  }
}
