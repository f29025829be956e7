/**
 * Collects what a client gets in answer to one query, for a plugin that wants it stored.
 *
 * @module
 */

import { concat } from "../../base/bytes.ts";

/** One query's answer, for one plugin. */
export class ReplyCapture {
  /** That of another plugin, of the same answer. */
  readonly #other: ReplyCapture | undefined;
  readonly #sizeMax: number;
  readonly #onDone: (messages: Uint8Array) => void;
  #parts: Uint8Array[] | undefined = [];
  #size = 0;
  #commands = 0;

  /** @param sizeMax Bytes; a longer answer is not stored. */
  constructor(
    sizeMax: number,
    onDone: (messages: Uint8Array) => void,
    other: ReplyCapture | undefined,
  ) {
    this.#other = other;
    this.#sizeMax = sizeMax;
    this.#onDone = onDone;
  }

  /** Messages that the client gets. They are copied. */
  add(bytes: Uint8Array): void {
    this.#other?.add(bytes);
    if (this.#parts === undefined) return;
    this.#size += bytes.length;
    if (this.#size > this.#sizeMax) this.#parts = undefined;
    else this.#parts.push(bytes.slice());
  }

  /** A statement has ended. Two in one text have no one answer. */
  onCommand(): void {
    this.#other?.onCommand();
    this.#commands += 1;
    if (this.#commands > 1) this.#parts = undefined;
  }

  /** The query has ended well. */
  finish(): void {
    this.#other?.finish();
    const parts = this.#parts;
    this.#parts = undefined;
    if (parts !== undefined && this.#commands === 1) this.#onDone(concat(...parts));
  }

  /** It is not to be stored: it failed, was cut short, or is no result. */
  drop(): void {
    this.#other?.drop();
    this.#parts = undefined;
  }
}
