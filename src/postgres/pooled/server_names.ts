/**
 * What the names that servers know statements by stand for, for one client: errors of servers have
 * them, and the client is to hear its own.
 *
 * A client may have several names for one statement. Which one an error means is told by the
 * message that failed: the name that was used last up to it.
 *
 * @module
 */

import { LateMap } from "../../base/late_collections.ts";
import { nameOf } from "../wire/extended_messages.ts";
import type { ReplyQueue } from "./reply_queue.ts";
import { SERVER_NAME_PREFIX, type Statement } from "./statements.ts";

/** Names that are remembered; with more, the client may hear the server's in a rare error. */
const NAMES_MAX = 10_000;

/** Uses of different names for one statement that are remembered. */
const USES_MAX = 16;

/** From some message on, a statement is called so. */
interface Use {
  readonly name: string;
  /** See `ReplyQueue.entryCount`, and {@linkcode ServerNames.begin}. */
  readonly entry: number;
}

/** One client's. */
export class ServerNames {
  readonly #uses = new LateMap<string, Use[]>();
  /** Added to the numbers of this server's entries, so that they are above the last one's. */
  #base = 0;
  #last = 0;

  /** The client has got another server, which counts its entries by itself. */
  begin({ entryCount }: ReplyQueue): void {
    this.#base = this.#last - entryCount;
  }

  /** The client calls a statement so, in a message that is going to be sent. */
  note(name: string, { serverName }: Statement, { entryCount }: ReplyQueue): void {
    const key = nameOf(serverName);
    const uses = this.#uses.get(key);
    if (uses !== undefined && uses.at(-1)!.name === name) return;
    this.#last = Math.max(this.#last, this.#base + entryCount + 1);
    const use = { name, entry: this.#base + entryCount + 1 };
    if (uses === undefined) {
      if (this.#uses.size >= NAMES_MAX) this.#uses.clear();
      this.#uses.set(key, [use]);
    } else {
      uses.push(use);
      if (uses.length > USES_MAX) uses.shift();
    }
  }

  /** The text of an error with the client's names in place of the server's. */
  translate(text: string, { failedEntry }: ReplyQueue): string {
    if (!text.includes(SERVER_NAME_PREFIX)) return text;
    return text.replaceAll(/"(sluice_[0-9]+)"/g, (quoted, serverName) => {
      const uses = this.#uses.get(serverName);
      const use = uses?.findLast(({ entry }) => entry <= this.#base + failedEntry) ?? uses?.[0];
      return use === undefined ? quoted : `"${use.name}"`;
    });
  }
}
