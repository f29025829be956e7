/**
 * What the names that servers know statements by stand for, for one client: errors of servers have
 * them, and the client is to hear its own.
 *
 * @module
 */

import { nameOf } from "./extended_messages.ts";
import { SERVER_NAME_PREFIX, type Statement } from "./statements.ts";

/** Names that are remembered; with more, the client may hear the server's in a rare error. */
const NAMES_MAX = 10_000;

/** One client's. */
export class ServerNames {
  readonly #clientNames = new Map<string, string>();

  /** The client calls a statement so. */
  note(name: string, { serverName }: Statement): void {
    const key = nameOf(serverName);
    if (this.#clientNames.get(key) === name) return;
    if (this.#clientNames.size >= NAMES_MAX) this.#clientNames.clear();
    this.#clientNames.set(key, name);
  }

  /** The text of an error with the client's names in place of the server's. */
  translate(text: string): string {
    if (!text.includes(SERVER_NAME_PREFIX)) return text;
    return text.replaceAll(/"(sluice_[0-9]+)"/g, (quoted, serverName) => {
      const name = this.#clientNames.get(serverName);
      return name === undefined ? quoted : `"${name}"`;
    });
  }
}
