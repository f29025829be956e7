/**
 * Makes a server connection clean whose client has left, so that the next session finds it as if
 * it were new: what runs is cancelled, what is open is rolled back, what was left is reset. If that
 * takes too long, the connection is closed.
 *
 * @module
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { formatDuration } from "../../base/duration.ts";
import type { CancelResult, CancelTarget } from "../cancel.ts";
import { nameBytes, SYNC } from "../wire/extended_messages.ts";
import { copyFail } from "../wire/messages.ts";
import type { Backend } from "./backend.ts";
import type { OwnResult } from "./own_queries.ts";
import { REPLY } from "./reply_kinds.ts";

/** How long cleaning may take, cancelling included, in milliseconds. */
const CLEANING_MS_MAX = 5_000;

/** The same for a client that has said Terminate: it asked for what runs, as of PostgreSQL. */
const FINISHING_MS_MAX = 30_000;

const ROLLBACK = nameBytes("ROLLBACK");

/** What cleaning needs to know. */
export interface CleanerParts {
  readonly clock: Clock;
  /** Text of the query that removes what a session leaves behind; empty for none. */
  readonly resetQuery: Uint8Array;
  /** Where the configuration has that query, for messages. */
  readonly resetKey: string;
  /** Whether that is DISCARD ALL, or undoes as much. */
  readonly isResetWhole: boolean;
  /** Cancels what a server runs for a client that is gone. Never rejects. */
  cancelAbandoned(target: CancelTarget): Promise<CancelResult>;
}

/** Cleans one connection, each time that its client leaves it. */
export class BackendCleaner {
  readonly #backend: Backend;
  readonly #parts: CleanerParts;
  readonly #onClean: () => void;
  #timer: Timer | undefined;
  #isCleaning = false;
  /** The number of the client's last request: what the server does up to it is cancelled. */
  #cancelThrough = 0;

  constructor(backend: Backend, parts: CleanerParts, onClean: () => void) {
    this.#backend = backend;
    this.#parts = parts;
    this.#onClean = onClean;
  }

  /** The parameters are those of `Backend.abandon`. */
  begin(isBetweenMessages: boolean, isTerminated: boolean): void {
    const backend = this.#backend;
    if (!isBetweenMessages) return backend.close("the client left in the middle of a message");
    this.#cancelThrough = 0;
    this.#isCleaning = true;
    const timeMs = isTerminated ? FINISHING_MS_MAX : CLEANING_MS_MAX;
    this.#timer = this.#parts.clock.after(timeMs, () => {
      this.#isCleaning = false;
      backend.close(`it was not clean within ${formatDuration(timeMs)}`);
    });
    if (!backend.replies.isEmpty) {
      this.#cancelThrough = isTerminated ? 0 : backend.replies.requestCount;
      if (!isTerminated && backend.replies.first !== REPLY.own) this.#cancel();
      // A Sync of ours would commit what the client never asked to be committed.
      const isOpen = backend.replies.isUnsynced && !backend.replies.isSkipping;
      if (isOpen) return this.#giveUp("the client left before the Sync of what it had sent");
      if (backend.replies.isCopyIn) this.#endCopy();
      this.#sync();
    }
    this.goOn();
  }

  /** The server asks for data that nobody has; the Sync that was sent is ignored meanwhile. */
  onCopyIn(): void {
    this.#endCopy();
    this.#sync();
  }

  /** The connection may have become quiet. */
  goOn(): void {
    const backend = this.#backend;
    const { answerCount, first } = backend.replies;
    // What came first was the gateway's own, and a cancel would have hit that.
    if (first !== REPLY.own && answerCount < this.#cancelThrough) this.#cancel();
    const isBusy = !backend.replies.isEmpty || backend.isBeingCancelled;
    if (!this.#isCleaning || isBusy) return;
    if (backend.replies.isUncertain) return this.#giveUp("how much it has answered is not certain");
    if (backend.isInTransaction) return this.#run(ROLLBACK, "ROLLBACK");
    if (backend.isDirty) {
      backend.isDirty = false;
      const { resetQuery, resetKey } = this.#parts;
      if (resetQuery.length > 0) return this.#run(resetQuery, resetKey, () => this.#onReset());
      backend.parameters.mayHaveChanged = true;
    }
    this.stop();
    this.#onClean();
  }

  /** The connection is gone, or clean. */
  stop(): void {
    this.#isCleaning = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #run(text: Uint8Array, name: string, onDone = () => {}): void {
    this.#backend.run(text, ({ error }: OwnResult) => {
      if (error !== undefined) {
        const why = `${error.get("C") ?? ""}: ${error.get("M") ?? ""}`;
        return this.#giveUp(`it could not be made clean, ${name} failed with ${why}`);
      }
      onDone(); // what comes next is decided at the ReadyForQuery that has just come
    });
  }

  #onReset(): void {
    if (this.#parts.isResetWhole) this.#backend.onDiscarded();
    else this.#backend.parameters.mayHaveChanged = true;
  }

  /** What was sent without a Sync is answered, too. */
  #sync(): void {
    const backend = this.#backend;
    backend.startClock();
    backend.write(SYNC);
    backend.replies.push(REPLY.sync);
  }

  #giveUp(reason: string): void {
    this.stop();
    this.#backend.close(reason);
  }

  #cancel(): void {
    this.#cancelThrough = 0;
    const release = this.#backend.holdForCancel();
    this.#parts.cancelAbandoned(this.#backend.cancelTarget).then(release);
  }

  #endCopy(): void {
    this.#backend.write(copyFail("the client is gone"));
    this.#backend.replies.push(REPLY.copyEnd);
  }
}
