/**
 * What a plugin writes in one call: bytes, a result that it builds, an error. All of it together
 * has a limit, and what is kept of one call is gone at the next.
 *
 * @module
 */

import type { Rejection, ResultColumn } from "../hooks/verdict.ts";

/** PostgreSQL's MaxTupleAttributeNumber (src/include/access/htup_details.h). */
const COLUMNS_MAX = 1664;

/** What a value, a column or a row costs beside its bytes: objects of the host are not free. */
const ITEM_SIZE = 32;

const EMPTY = new Uint8Array();

type Value = Uint8Array | undefined;

/** The output of one call at a time. What has been taken out of it is the taker's own. */
export class CallOutput {
  /** Bytes of one call. */
  readonly sizeMax: number;
  /** Whether something was not taken because it did not fit: what is there is not whole. */
  isCut = false;
  rejection: Rejection | undefined;
  #sizeUsed = 0;
  /** What was written, when that was all at once. */
  #piece: Uint8Array | undefined;
  /** What was written in several pieces, and how much of this is in use. */
  #joined: Uint8Array<ArrayBuffer> | undefined;
  #joinedSize = 0;
  #columns: ResultColumn[] = [];
  #rows: Value[][] = [];
  #row: Value[] = [];
  #tag: string | undefined;

  constructor(sizeMax: number) {
    this.sizeMax = sizeMax;
  }

  /** Forgets all. */
  clear(): void {
    if (this.#sizeUsed === 0 && !this.isCut) return;
    this.isCut = false;
    this.rejection = undefined;
    this.#sizeUsed = 0;
    this.#piece = undefined;
    this.#joined = undefined;
    this.#joinedSize = 0;
    this.#columns = [];
    this.#rows = [];
    this.#row = [];
    this.#tag = undefined;
  }

  /** Bytes that were written so far. */
  get size(): number {
    return this.#piece?.length ?? this.#joinedSize;
  }

  /** @returns False if they do not fit. They are copied: `bytes` may be a view. */
  append(bytes: Uint8Array): boolean {
    if (!this.reserve(bytes.length)) return false;
    if (this.size === 0) {
      // Quicker than `slice`, which asks for the class of what it copies.
      this.#piece = new Uint8Array(bytes.length);
      this.#piece.set(bytes);
    } else this.#join(bytes);
    return true;
  }

  /** As {@linkcode append}, but the bytes become the output's own, which saves a copy. */
  adopt(bytes: Uint8Array): boolean {
    if (!this.reserve(bytes.length)) return false;
    if (this.size === 0) this.#piece = bytes;
    else this.#join(bytes);
    return true;
  }

  /** All that was written. */
  get bytes(): Uint8Array {
    return this.#piece ?? this.#joined?.slice(0, this.#joinedSize) ?? EMPTY;
  }

  /** Counts bytes as used, if there is room for them and for an item. */
  reserve(size: number, items = 0): boolean {
    const used = this.#sizeUsed + size + items * ITEM_SIZE;
    if (used > this.sizeMax) {
      this.isCut = true;
      return false;
    }
    this.#sizeUsed = used;
    return true;
  }

  /** Whether a result was begun. */
  get hasResult(): boolean {
    return this.#columns.length > 0 || this.#tag !== undefined;
  }

  get columns(): readonly ResultColumn[] {
    return this.#columns;
  }

  get rows(): readonly (readonly Value[])[] {
    return this.#rows;
  }

  get tag(): string | undefined {
    return this.#tag;
  }

  /** Whether the last row has fewer values than there are columns. */
  get isRowOpen(): boolean {
    return this.#row.length > 0;
  }

  /** @returns How many columns there are; undefined if there is no room, or rows have begun. */
  addColumn(column: ResultColumn): number | undefined {
    const isLate = this.#rows.length > 0 || this.#row.length > 0;
    if (isLate || this.#columns.length >= COLUMNS_MAX) return undefined;
    return this.#columns.push(column);
  }

  /** @returns How many rows are done; undefined if there are no columns. */
  addValue(value: Value): number | undefined {
    if (this.#columns.length === 0) return undefined;
    this.#row.push(value);
    if (this.#row.length === this.#columns.length) {
      this.#rows.push(this.#row);
      this.#row = [];
    }
    return this.#rows.length;
  }

  setTag(tag: string): void {
    this.#tag = tag;
  }

  /** Adds to what is there; capacity doubles, so that many small pieces cost no more than few. */
  #join(bytes: Uint8Array): void {
    const size = this.size + bytes.length;
    let joined = this.#joined;
    if (joined === undefined || joined.length < size) {
      joined = new Uint8Array(Math.min(this.sizeMax, 2 * size));
      joined.set(this.#piece ?? this.#joined!.subarray(0, this.#joinedSize));
    }
    joined.set(bytes, size - bytes.length);
    this.#piece = undefined;
    this.#joined = joined;
    this.#joinedSize = size;
  }
}
