/**
 * What requests on their way change, for as long as it is not known whether the server has skipped
 * them: what a later request finds may be what was there before.
 *
 * Within one request nothing is unsure: what fails has all that follows skipped.
 *
 * @module
 */

import { LateMap } from "../../base/late_collections.ts";
import type { ReplyQueue } from "./reply_queue.ts";

/** Entries from which on those that have been answered are dropped. */
const CHANGES_MAX = 1_000;

/** Changes of one kind of thing. */
export class PendingChanges<Thing> {
  /** The number of the request that changes it last. */
  readonly #requests = new LateMap<Thing, number>();

  /** The request that is being sent changes it. */
  note(thing: Thing, replies: ReplyQueue): void {
    if (this.#requests.size >= CHANGES_MAX) {
      for (const [old, request] of this.#requests) {
        if (request <= replies.answerCount) this.#requests.delete(old);
      }
    }
    this.#requests.set(thing, replies.requestCount + 1);
  }

  /** Whether a request before the one that is being sent changes any, and has not been answered. */
  isAnyUnsure(replies: ReplyQueue): boolean {
    for (const thing of this.#requests.keys()) if (this.isUnsure(thing, replies)) return true;
    return false;
  }

  /** Whether a request before the one that is being sent changes it, and has not been answered. */
  isUnsure(thing: Thing, replies: ReplyQueue): boolean {
    if (this.#requests.size === 0) return false;
    if (!replies.hasUnanswered) {
      this.#requests.clear();
      return false;
    }
    const request = this.#requests.get(thing);
    return request !== undefined && replies.isDue(request);
  }
}
