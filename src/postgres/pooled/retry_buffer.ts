/**
 * The last messages of a client up to its Sync, kept for the one error that is no fault of the
 * client's: "cached plan must not change result type", which a server raises when a table has
 * changed since the statement was prepared. If the client has not been answered anything yet, and
 * is going to be told what the new columns are, the same messages can be sent again.
 *
 * @module
 */

import type { Statement } from "./statements.ts";

/** Longest batch that is kept, in bytes: a longer one gets the error. */
const BATCH_SIZE_MAX = 8 * 1024;

/** One client's current batch. */
export class RetryBuffer {
  #bytes: Uint8Array | undefined;
  #size = 0;
  #state: "none" | "open" | "ended" = "none";
  #answersBefore = 0;
  #describes = false;
  /** What it executes, by the server's names. */
  readonly statements = new Set<Statement>();

  /** @param answers How much the client has been answered so far. */
  begin(answers: number): void {
    this.#state = "open";
    this.#size = 0;
    this.#answersBefore = answers;
    this.#describes = false;
    this.statements.clear();
  }

  /** Something makes a retry impossible. */
  forget(): void {
    this.#state = "none";
  }

  /** A whole message is sent. */
  add(message: Uint8Array, isDescribe: boolean, isSync: boolean): void {
    if (this.#state === "none") return;
    if (this.#state === "ended" || this.#size + message.length > BATCH_SIZE_MAX) {
      return this.forget();
    }
    this.#bytes ??= new Uint8Array(BATCH_SIZE_MAX);
    this.#bytes.set(message, this.#size);
    this.#size += message.length;
    this.#describes ||= isDescribe;
    if (isSync) this.#state = "ended";
  }

  /**
   * The messages to send again.
   *
   * @param answers How much the client has been answered by now.
   * @returns A copy, or undefined if the client must be told.
   */
  take(answers: number): Uint8Array | undefined {
    const mayRetry = this.#state === "ended" && this.#describes &&
      answers === this.#answersBefore && this.statements.size > 0;
    this.forget();
    return mayRetry ? this.#bytes!.slice(0, this.#size) : undefined;
  }
}
