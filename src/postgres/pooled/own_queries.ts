/**
 * Queries that the gateway sends by itself on a pooled connection, and what came back.
 *
 * @module
 */

import { errorFieldsOf } from "../wire/messages.ts";

/** Rows that are kept of one answer: the gateway asks for one row at a time. */
const ROWS_MAX = 16;

/** The answer to one query. */
export interface OwnResult {
  /** At most 16 rows; undefined is NULL. */
  readonly rows: readonly (readonly (Uint8Array | undefined)[])[];
  /** The ErrorResponse's fields by their codes, if there was one. */
  readonly error: ReadonlyMap<string, string> | undefined;
}

/** The queries on their way, in order. */
export class OwnQueries {
  readonly #waiting: ((result: OwnResult) => void)[] = [];
  #rows: (Uint8Array | undefined)[][] = [];
  #error: Map<string, string> | undefined;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  push(onResult: (result: OwnResult) => void): void {
    this.#waiting.push(onResult);
  }

  onRow(row: (Uint8Array | undefined)[]): void {
    if (this.#rows.length < ROWS_MAX) this.#rows.push(row);
  }

  /** @param bytes The whole ErrorResponse. */
  onError(bytes: Uint8Array): void {
    this.#error = errorFieldsOf(bytes);
  }

  /** ReadyForQuery has come for the first one. */
  finish(): void {
    const result = { rows: this.#rows, error: this.#error };
    this.#rows = [];
    this.#error = undefined;
    this.#waiting.shift()?.(result);
  }
}
