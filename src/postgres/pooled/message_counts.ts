/**
 * How many Parse and Bind messages there were: what clients sent, and what of it servers were sent.
 * Whoever compares the two sees how much prepared statements are shared.
 *
 * @module
 */

import { type Cells, POOL_CELL } from "../../observe/counters.ts";

/** One server connection's, since they were reported last. */
export class MessageCounts {
  #clientParses = 0;
  #serverParses = 0;
  #binds = 0;

  /** The client sent a Parse. @param isForwarded Whether the server carries it out as well. */
  addParse(isForwarded: boolean): void {
    this.#clientParses += 1;
    if (isForwarded) this.#serverParses += 1;
  }

  /** The gateway had a server prepare a statement of the client's that it lacked. */
  addInjectedParse(): void {
    this.#serverParses += 1;
  }

  /** The client sent a Bind. */
  addBind(): void {
    this.#binds += 1;
  }

  /** Adds them to a pool's numbers: once for each ReadyForQuery, and not for each message. */
  report(cells: Cells): void {
    if (this.#clientParses > 0) cells.add(POOL_CELL.clientParses, this.#clientParses);
    if (this.#serverParses > 0) cells.add(POOL_CELL.serverParses, this.#serverParses);
    if (this.#binds > 0) cells.add(POOL_CELL.binds, this.#binds);
    this.#clientParses = this.#serverParses = this.#binds = 0;
  }
}
