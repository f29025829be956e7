/**
 * Queries that the gateway sends by itself on a pooled connection, and what came back.
 *
 * @module
 */

import type { Socket } from "../../net/socket.ts";
import { errorFieldsOf } from "../wire/messages.ts";
import { parameterStatusOf, type SessionParameters } from "./parameters.ts";

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
  readonly #reported = new Map<string, string>();

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

  /** The server reports a parameter: a client hears of it only if the next query leaves it so. */
  onParameter(name: string, value: string): void {
    this.#reported.set(name, value);
  }

  /** The last query has ended: the client is told what is not as it knows it. */
  tell(owner: { readonly parameters: SessionParameters; readonly client: Socket } | undefined) {
    for (const [name, value] of this.#reported) {
      const told = owner?.parameters.tell(name, value, false);
      if (told !== undefined) owner?.client.write(parameterStatusOf(name, told));
    }
    this.#reported.clear();
  }

  /** ReadyForQuery has come for the first one. */
  finish(): void {
    const result = { rows: this.#rows, error: this.#error };
    this.#rows = [];
    this.#error = undefined;
    this.#waiting.shift()?.(result);
  }
}
