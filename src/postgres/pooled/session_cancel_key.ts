/**
 * The cancel key of one pooled session: made once, and good for whichever server the session has.
 *
 * @module
 */

import type {
  CancelKey,
  CancelKeys,
  CancelResult,
  CancelSubject,
  CancelTarget,
} from "../cancel.ts";
import type { Backend } from "./backend.ts";

/** Whose key it is. */
interface KeyOwner {
  /** The server that the session has, if any. */
  readonly backend: Backend | undefined;
}

/** One session's. */
export class SessionCancelKey implements CancelSubject {
  readonly #keys: CancelKeys;
  readonly #owner: KeyOwner;
  #processId: number | undefined;

  constructor(keys: CancelKeys, owner: KeyOwner) {
    this.#keys = keys;
    this.#owner = owner;
  }

  /** Makes it. */
  issue(minorVersion: number): CancelKey {
    const key = this.#keys.issue(this, minorVersion);
    this.#processId = key.processId;
    return key;
  }

  target(): CancelTarget | undefined {
    return this.#owner.backend?.cancelTarget;
  }

  hold(): (result: CancelResult) => void {
    return this.#owner.backend?.holdForCancel() ?? (() => {});
  }

  /** Nobody can cancel by it any more. */
  revoke(): void {
    if (this.#processId !== undefined) this.#keys.revoke(this.#processId);
  }
}
