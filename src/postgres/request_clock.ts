/**
 * How long a server works for its client: what the latency of queries and transactions is made
 * from, and what says whether a query takes too long.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { type Cells, POOL_CELL } from "../observe/counters.ts";
import type { ServerLoad } from "../upstream/server_loads.ts";

/** One server connection's. */
export class RequestClock {
  readonly #clock: Clock;
  readonly #cells: Cells;
  readonly #load: ServerLoad | undefined;
  #startedMs = 0;
  /** When the first request of the transaction began that is open; undefined if none is. */
  #transactionMs: number | undefined;

  /**
   * @param cells The pool's.
   * @param load The server's, where somebody asks how long its answers take.
   */
  constructor(clock: Clock, cells: Cells, load?: ServerLoad) {
    this.#clock = clock;
    this.#cells = cells;
    this.#load = load;
  }

  /** When the request that runs was sent, or the one before it was answered: milliseconds. */
  get startedMs(): number {
    return this.#startedMs;
  }

  /** A server that owed nothing is asked something. */
  start(): void {
    this.#startedMs = this.#clock.nowMs();
  }

  /**
   * A ReadyForQuery has come; the next request's time begins, if there is one on its way.
   *
   * @param isClients Whether it answers the client, so that it counts. A transaction that the
   * gateway ends for a client that is gone does not.
   */
  stop(isClients: boolean, isInTransaction: boolean): void {
    const nowMs = this.#clock.nowMs();
    if (isClients) {
      this.#transactionMs ??= this.#startedMs;
      this.#cells.add(POOL_CELL.queries, 1);
      this.#load?.onAnswered(nowMs - this.#startedMs);
      this.#cells.observe(POOL_CELL.querySeconds, (nowMs - this.#startedMs) / 1000);
      if (!isInTransaction) {
        this.#cells.add(POOL_CELL.transactions, 1);
        this.#cells.observe(POOL_CELL.transactionSeconds, (nowMs - this.#transactionMs) / 1000);
      }
    }
    if (!isInTransaction) this.#transactionMs = undefined;
    this.#startedMs = nowMs;
  }
}
