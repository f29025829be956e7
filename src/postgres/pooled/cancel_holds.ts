/**
 * Cancels that are on their way to a server connection: none of them may hit the next session.
 *
 * @module
 */

import type { CancelResult } from "../cancel.ts";

/** Those of one server connection. */
export class CancelHolds {
  #inFlight = 0;
  #mayStillHit = false;

  /** True while any of them is on its way. */
  get isAny(): boolean {
    return this.#inFlight > 0;
  }

  /** True if one of them may come later, although nothing is known of it any more. */
  get mayStillHit(): boolean {
    return this.#mayStillHit;
  }

  /**
   * One is going to be sent.
   *
   * @param onLast Called when nothing is known to be on its way any more.
   * @returns To be told what became of it.
   */
  hold(onLast: () => void): (result: CancelResult) => void {
    this.#inFlight += 1;
    return ({ mayStillHit = false }) => {
      this.#inFlight -= 1;
      this.#mayStillHit ||= mayStillHit;
      if (this.#inFlight === 0) onLast();
    };
  }
}
