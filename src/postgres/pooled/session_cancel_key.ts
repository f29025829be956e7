/**
 * The cancel key of one pooled session: made once, and good for whichever server the session has.
 *
 * @module
 */

import type { CancelKey, CancelKeys } from "../cancel.ts";
import type { Backend } from "./backend.ts";

/** One session's. */
export class SessionCancelKey {
  readonly #keys: CancelKeys;
  readonly #backend: () => Backend | undefined;
  #key: CancelKey | undefined;

  /** @param backend The server that the session has, if any. */
  constructor(keys: CancelKeys, backend: () => Backend | undefined) {
    this.#keys = keys;
    this.#backend = backend;
  }

  /** Makes it. */
  issue(minorVersion: number): CancelKey {
    this.#key = this.#keys.issue({
      target: () => this.#backend()?.cancelTarget,
      hold: () => this.#backend()?.holdForCancel() ?? (() => {}),
    }, minorVersion);
    return this.#key;
  }

  /** Nobody can cancel by it any more. */
  revoke(): void {
    if (this.#key !== undefined) this.#keys.revoke(this.#key.processId);
  }
}
