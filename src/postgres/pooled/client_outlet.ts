/**
 * Where a pooled server connection's messages go: the client of the session that has it, or nobody.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";
import type { Socket } from "../../net/socket.ts";
import { type Cells, POOL_CELL } from "../../observe/counters.ts";
import type { SessionParameters } from "./parameters.ts";
import type { ServerParameters } from "./server_parameters.ts";
import type { ReplyQueue } from "./reply_queue.ts";

/** The server connection, as far as reports of parameters need it. */
interface Reporter {
  readonly replies: ReplyQueue;
  readonly parameters: ServerParameters;
  readonly isInTransaction: boolean;
}

/** Of a ReadyForQuery: its header, and a byte. */
const READY_SIZE = 6;

/** One server connection's way to its client. */
export class ClientOutlet {
  readonly #cells: Cells;
  /** Undefined: what comes is nobody's. */
  client: Socket | undefined;
  /** What the client gets in place of the message that ends the run which is sent next. */
  replacement: Uint8Array | undefined;
  #isBehind = false;

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  /** True if the last answer has to wait until the client has taken more. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /**
   * Has a ReadyForQuery, which begins at `start`, go out together with what a SET or RESET of the
   * client has still to report.
   *
   * @returns False if there is nothing.
   */
  reportsMore(
    session: SessionParameters | undefined,
    { replies: { answerCount }, parameters, isInTransaction }: Reporter,
    view: Uint8Array,
    start: number,
  ): boolean {
    if (session?.mayReport !== true) return false;
    const sets = session.takeSets(answerCount, parameters);
    const isReset = session.isReset(answerCount) && !isInTransaction;
    if (!isReset && sets.length === 0) return false;
    const resets = isReset ? session.takeResets() : new Uint8Array();
    this.replacement = concat(sets, resets, view.subarray(start, start + READY_SIZE));
    return true;
  }

  /** Sends a run of messages, then the replacement of the one behind them. */
  send(view: Uint8Array, start: number, end: number): void {
    const { client, replacement } = this;
    if (start !== end && client !== undefined) {
      client.write(end - start === view.length ? view : view.subarray(start, end));
      this.#cells.add(POOL_CELL.bytesFromServers, end - start);
    }
    this.replacement = undefined;
    if (replacement !== undefined) client?.write(replacement);
  }

  /**
   * As `send`, for what ends with a ReadyForQuery: the connection may be the next session's at
   * once, which is not to wait until this client has taken its answer.
   */
  sendLast(view: Uint8Array, start: number, end: number): void {
    const { client } = this;
    this.#isBehind = client?.isSending ?? false;
    if (client === undefined || this.#isBehind) return this.send(view, start, end);
    if (start === end) return;
    client.writeApart(end - start === view.length ? view : view.subarray(start, end));
    this.#cells.add(POOL_CELL.bytesFromServers, end - start);
  }
}
