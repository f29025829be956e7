/**
 * The client of a mirror's session: a socket in memory. What is written to it is answered to
 * nobody, and it takes all of it at once, so that a mirror is never held back by its client.
 *
 * @module
 */

import type { Socket } from "../../net/socket.ts";

/** One mirror's. */
export class MirrorClient implements Socket {
  readonly peer = "mirror";
  readonly peerAddress = { kind: "unix" } as const;
  readonly isSending = false;
  readonly #onWritten: (bytes: Uint8Array) => void;
  readonly #onReoffer: () => void;

  /**
   * @param onWritten Shown what is written, as a view that is good until it returns.
   * @param onReoffer What is not consumed is to be shown again, soon and not from there.
   */
  constructor(onWritten: (bytes: Uint8Array) => void, onReoffer: () => void) {
    this.#onWritten = onWritten;
    this.#onReoffer = onReoffer;
  }

  /** It is read by who has made it. */
  start(): void {}

  setHandler(): void {}

  write(bytes: Uint8Array): void {
    this.#onWritten(bytes);
  }

  writeApart(bytes: Uint8Array): void {
    this.#onWritten(bytes);
  }

  whenSent(then: () => void): void {
    queueMicrotask(then);
  }

  beforeSending(prepare: () => void): void {
    prepare();
  }

  reoffer(): void {
    this.#onReoffer();
  }

  /** Nobody is there to be told. */
  endSending(): void {}

  end(): void {}

  destroy(): void {}
}
