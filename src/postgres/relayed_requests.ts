/**
 * What one relayed session has asked its server for: what is not answered yet, how long it takes,
 * and whether a transaction is open.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Cells } from "../observe/counters.ts";
import { RequestClock } from "./request_clock.ts";
import { RequestsDue } from "./requests_due.ts";
import { FRONTEND, STATUS_IDLE } from "./wire/tags.ts";

/** One session's. */
export class RelayedRequests {
  readonly #due = new RequestsDue();
  readonly #clock: RequestClock;
  #isInBlock = false;

  /** @param cells The pool's. */
  constructor(clock: Clock, cells: Cells) {
    this.#clock = new RequestClock(clock, cells);
  }

  /** True if the server may be at work for the client. */
  get isBusy(): boolean {
    return this.#due.isBusy;
  }

  /** True if the server owes nothing, and no transaction is open. */
  get isIdle(): boolean {
    return !this.#isInBlock && !this.#due.isBusy;
  }

  /** The client sends a message of this type. */
  onFrontendMessage(tag: number): void {
    switch (tag) {
      case FRONTEND.query:
      case FRONTEND.functionCall:
        this.#startClock();
        return this.#due.addPlain();
      case FRONTEND.sync:
        this.#startClock();
        return this.#due.addSync();
      case FRONTEND.execute:
        return this.#due.addExecute();
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
        return this.#due.addCopyEnd();
    }
  }

  /** The server sends CopyInResponse. */
  onCopyIn(): void {
    this.#due.onCopyIn();
  }

  /** The server sends ErrorResponse. */
  onError(): void {
    this.#due.onError();
  }

  /** The server sends ReadyForQuery. @param status "I", "T" or "E" as a byte. */
  onReadyForQuery(status: number): void {
    this.#startClock(); // whatever nobody asked for took no time
    this.#isInBlock = status !== STATUS_IDLE;
    this.#clock.stop(true, this.#isInBlock);
    if (this.#due.count > 0) this.#due.onReadyForQuery();
  }

  #startClock(): void {
    if (this.#due.count === 0) this.#clock.start();
  }
}
