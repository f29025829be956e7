/**
 * Errors that servers send to one pooled session: counted, and put as the client would have them
 * from a server of its own.
 *
 * @module
 */

import type { Observer } from "../../observe/facts.ts";
import { ERROR_FIELD, errorField, errorFieldsOf, errorResponseOf } from "../wire/messages.ts";

/** Changes fields of an error. */
export type Translate = (fields: Map<string, string>) => Map<string, string>;

/** One session's. */
export class SessionErrors {
  readonly #observer: Observer;
  readonly #session: number;
  readonly #translate: Translate;

  /** @param session Its number. */
  constructor(observer: Observer, session: number, translate: Translate) {
    this.#observer = observer;
    this.#session = session;
    this.#translate = translate;
  }

  /** Counts an ErrorResponse. */
  report(bytes: Uint8Array): void {
    const sqlState = errorField(bytes, ERROR_FIELD.sqlState);
    const fact = { kind: "error_reported", source: "server", sqlState } as const;
    this.#observer.emit({ ...fact, session: this.#session, message: undefined });
  }

  /** @returns What the client gets in its place; undefined if it is right as it is. */
  translate(bytes: Uint8Array): Uint8Array | undefined {
    const fields = errorFieldsOf(bytes);
    const before = fields.get("M") ?? "";
    const translated = this.#translate(fields);
    return translated.get("M") === before ? undefined : errorResponseOf(translated);
  }
}
