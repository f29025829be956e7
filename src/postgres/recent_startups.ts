/**
 * StartupMessages that clients have sent of late. Those of one application are alike to the byte:
 * the message that is decoded already serves the next of them, and while they stay, all of them.
 *
 * @module
 */

import type { StartupMemory, StartupMessage } from "./wire/startup_packet.ts";

/** Messages that are remembered. */
const RECENT_MAX = 32;

/** Largest packet of one, in bytes: most take less than a hundred. */
export const RECENT_STARTUP_SIZE_MAX = 512;

/** One thread's. */
export class RecentStartups implements StartupMemory {
  readonly #recent: StartupMessage[] = [];
  #next = 0;

  find(view: Uint8Array, size: number): StartupMessage | undefined {
    for (const message of this.#recent) {
      if (message.packet.length === size && isSame(message.packet, view, size)) return message;
    }
    return undefined;
  }

  note(message: StartupMessage): void {
    if (message.packet.length > RECENT_STARTUP_SIZE_MAX) return;
    this.#recent[this.#next] = message; // in the place of the one that was noted first
    this.#next = (this.#next + 1) % RECENT_MAX;
  }
}

function isSame(packet: Uint8Array, view: Uint8Array, size: number): boolean {
  // From the end: names of parameters come first, and are the same for everybody.
  for (let at = size - 1; at >= 0; at -= 1) if (packet[at] !== view[at]) return false;
  return true;
}
