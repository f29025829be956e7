/**
 * What one worker knows of one pair of a database and a user besides its connections: what servers
 * report at login, so that a client can be let in without one.
 *
 * @module
 */

import type { Greetings } from "./greeting.ts";

/** Sets of startup parameters that are remembered to be good. */
const ACCEPTED_MAX = 100;

/** One pair. */
export class PairState {
  readonly #accepted = new Map<string, Greetings>();
  #reported = "";

  /** What servers made of these parameters before, if it is known. */
  accepted(settings: ReadonlyMap<string, string>): Greetings | undefined {
    return this.#accepted.get(keyOf(settings));
  }

  accept(settings: ReadonlyMap<string, string>, accepted: Greetings): void {
    this.#accepted.set(keyOf(settings), accepted);
    if (this.#accepted.size <= ACCEPTED_MAX) return;
    for (const oldest of this.#accepted.keys()) {
      this.#accepted.delete(oldest);
      return;
    }
  }

  /** A new connection reports other things than the last one, as after an upgrade: begins anew. */
  onReported(reported: ReadonlyMap<string, string>): void {
    const key = keyOf(reported);
    if (key !== this.#reported) this.#accepted.clear();
    this.#reported = key;
  }
}

function keyOf(settings: ReadonlyMap<string, string>): string {
  if (settings.size === 0) return "";
  return JSON.stringify([...settings]);
}
