/**
 * What a client has sent and its session has taken, framed by header only: where the copy may stop,
 * and which requests are in it.
 *
 * @module
 */

import { READ_BUFFER_SIZE_MAX } from "../../net/socket.ts";
import { Framer } from "../wire/framer.ts";
import { FRONTEND, IS_FRONTEND_TAG } from "../wire/tags.ts";

/** Told of the messages of one client. */
export interface RequestListener {
  /** A message that is answered with ReadyForQuery, and ends `end` bytes behind the first one. */
  onRequest(isSync: boolean, end: number): void;
  /** Which request is answered how cannot be told from here on. */
  onUncertain(): void;
  /** Data or the end of a COPY FROM STDIN, whose last request but for these was a Sync or not. */
  onCopyData(isBehindSync: boolean): void;
}

/** One client's messages. */
export class CopiedMessages {
  readonly #framer: Framer;
  readonly #listener: RequestListener | undefined;
  /** Bytes looked at so far, but for what is behind a Terminate. */
  #size = 0;
  #isTerminated = false;
  /** Messages of the extended protocol have come since the last Sync. */
  #isGroupOpen = false;
  #isBehindSync = false;

  /**
   * @param messageSizeMax As the session's own.
   * @param listener Undefined where nobody wants to know of requests.
   */
  constructor(messageSizeMax: number, listener: RequestListener | undefined) {
    // It must cut messages as the session does: see FrontendRelay.
    this.#framer = new Framer(messageSizeMax, IS_FRONTEND_TAG, READ_BUFFER_SIZE_MAX);
    this.#listener = listener;
  }

  /** False after a part of a large message. */
  get isBetweenMessages(): boolean {
    return this.#framer.isBetweenMessages;
  }

  /**
   * Looks at what the session has taken: whole messages, or parts of large ones.
   *
   * @returns How many bytes there are before a Terminate; all of them if there is none.
   * @throws {ProtocolError} If they cannot be what the session has understood.
   * @throws {RangeError} If they do not end where a session stops.
   */
  read(taken: Uint8Array): number {
    if (this.#isTerminated) return 0;
    const framer = this.#framer;
    framer.begin(taken);
    while (framer.next()) {
      if (framer.isFirst && framer.tag === FRONTEND.terminate) {
        this.#isTerminated = true;
        return framer.start;
      }
      this.#size += framer.end - framer.start;
      if (framer.isLast) this.#onMessage(framer.tag);
    }
    if (framer.end < taken.length) throw new RangeError("a session stops between messages");
    return taken.length;
  }

  #onMessage(tag: number): void {
    if (this.#listener === undefined) return;
    switch (tag) {
      case FRONTEND.query:
      case FRONTEND.functionCall:
        // After an error in the group it is skipped, and there is no answer of its own.
        if (this.#isGroupOpen) this.#listener.onUncertain();
        return this.#onRequest(false);
      case FRONTEND.sync:
        this.#isGroupOpen = false;
        return this.#onRequest(true);
      case FRONTEND.copyData:
      case FRONTEND.copyDone:
      case FRONTEND.copyFail:
        return this.#listener.onCopyData(this.#isBehindSync);
      case FRONTEND.flush:
        return;
    }
    this.#isGroupOpen = true;
    this.#isBehindSync = false;
  }

  #onRequest(isSync: boolean): void {
    this.#isBehindSync = isSync;
    this.#listener!.onRequest(isSync, this.#size);
  }
}
