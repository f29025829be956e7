/**
 * The entries of a {@linkcode ReplyQueue}: a ring of small numbers, so that nothing is allocated
 * for a message, and beside them what few entries have.
 *
 * @module
 */

import { REPLY } from "./reply_kinds.ts";

/**
 * What undoes an entry's effect on names, for messages that the server skips. `hasFailed`: it is
 * the one that failed.
 */
export type Undo = (hasFailed: boolean) => void;

/** Takes a RowDescription or NoData, or undefined if it was too long to be read at once. */
export type ColumnsListener = (bytes: Uint8Array | undefined) => void;

/** What all entries together are. */
export const SHAPE = {
  other: 0,
  /** One Query. */
  query: 1,
  /** Bind, maybe Describe, Execute, and Sync, and nobody listens. */
  batch: 2,
  /** The same behind a Parse. */
  batchWithParse: 3,
} as const;

/** Entries of the largest batch. */
const BATCH_LENGTH_MAX = 5;

const SIZE_MIN = 16;

/** Entries in their order, the first one at 0. Places are not checked. */
export class ReplyRing {
  #kinds = new Uint8Array(SIZE_MIN);
  #numbers = new Float64Array(SIZE_MIN);
  #undos: (Undo | undefined)[] = new Array(SIZE_MIN).fill(undefined);
  #listeners: (ColumnsListener | undefined)[] = new Array(SIZE_MIN).fill(undefined);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  kindAt(place: number): number {
    return this.#kinds[this.#slot(place)]!;
  }

  /** What was given to {@linkcode ReplyRing.push}. */
  numberAt(place: number): number {
    return this.#numbers[this.#slot(place)]!;
  }

  undoAt(place: number): Undo | undefined {
    return this.#undos[this.#slot(place)];
  }

  listenerAt(place: number): ColumnsListener | undefined {
    return this.#listeners[this.#slot(place)];
  }

  push(kind: number, number: number, undo?: Undo, listener?: ColumnsListener): void {
    if (this.#length === this.#kinds.length) this.#grow();
    const slot = this.#slot(this.#length);
    this.#kinds[slot] = kind;
    this.#numbers[slot] = number;
    this.#undos[slot] = undo;
    this.#listeners[slot] = listener;
    this.#length += 1;
  }

  /** One of {@linkcode SHAPE}. */
  get shape(): number {
    const length = this.#length;
    const first = this.kindAt(0);
    if (length === 1) return first === REPLY.query ? SHAPE.query : SHAPE.other;
    if (length > BATCH_LENGTH_MAX) return SHAPE.other;
    let place = first === REPLY.parse ? 1 : 0;
    if (this.kindAt(place) !== REPLY.bind) return SHAPE.other;
    place += 1;
    if (this.kindAt(place) === REPLY.describe && this.listenerAt(place) === undefined) place += 1;
    const isBatch = length === place + 2 && this.kindAt(place) === REPLY.execute &&
      this.kindAt(place + 1) === REPLY.sync;
    if (!isBatch) return SHAPE.other;
    return first === REPLY.parse ? SHAPE.batchWithParse : SHAPE.batch;
  }

  /** Takes off the first one. */
  shift(): void {
    this.#undos[this.#head] = undefined;
    this.#listeners[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#kinds.length - 1);
    this.#length -= 1;
  }

  /** Puts one in another's place. */
  move(from: number, to: number): void {
    const [source, target] = [this.#slot(from), this.#slot(to)];
    this.#kinds[target] = this.#kinds[source]!;
    this.#numbers[target] = this.#numbers[source]!;
    this.#undos[target] = this.#undos[source];
    this.#listeners[target] = this.#listeners[source];
  }

  /** Keeps this many, from the first on. */
  truncate(length: number): void {
    this.#length = length;
  }

  #grow(): void {
    const { length } = this.#kinds;
    const slots = Array.from({ length }, (_, place) => this.#slot(place));
    const kinds = new Uint8Array(2 * length);
    const numbers = new Float64Array(2 * length);
    const unused: undefined[] = new Array(length).fill(undefined);
    slots.forEach((slot, place) => {
      kinds[place] = this.#kinds[slot]!;
      numbers[place] = this.#numbers[slot]!;
    });
    this.#undos = [...slots.map((slot) => this.#undos[slot]), ...unused];
    this.#listeners = [...slots.map((slot) => this.#listeners[slot]), ...unused];
    this.#kinds = kinds;
    this.#numbers = numbers;
    this.#head = 0;
  }

  #slot(place: number): number {
    return (this.#head + place) & (this.#kinds.length - 1);
  }
}
