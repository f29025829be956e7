/**
 * Errors that servers send to one pooled session: counted, and put as the client would have them
 * from a server of its own.
 *
 * @module
 */

import type { Observer } from "../../observe/facts.ts";
import { ERROR_FIELD, errorField, errorFieldsOf, errorResponseOf } from "../wire/messages.ts";

/** Knows what names of the client's stand for on its server. */
export interface NameTranslator {
  /** An error's fields, as the client would have them from a server of its own. */
  translate(fields: Map<string, string>): Map<string, string>;
}

/** Knows which errors are of the gateway's own making. */
export interface MessageTranslator {
  /** An error's message, as the client is to have it. */
  translate(message: string): string;
}

/** One session's. */
export class SessionErrors {
  readonly #observer: Observer;
  readonly #session: number;
  readonly #names: NameTranslator;
  readonly #messages: MessageTranslator;

  /** @param session Its number. */
  constructor(
    observer: Observer,
    session: number,
    names: NameTranslator,
    messages: MessageTranslator,
  ) {
    this.#observer = observer;
    this.#session = session;
    this.#names = names;
    this.#messages = messages;
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
    const translated = this.#names.translate(fields);
    const after = this.#messages.translate(translated.get("M") ?? "");
    return after === before ? undefined : errorResponseOf(translated.set("M", after));
  }
}
