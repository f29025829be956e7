/**
 * What a check of one server is, and what it can find out. How servers are asked is the protocol's.
 *
 * @module
 */

/** What a server says of itself. */
export interface ServerState {
  readonly isInRecovery: boolean;
  /** 0 if it is not known. */
  readonly timeline: number;
  /**
   * Bytes of WAL since the beginning: written by a primary, replayed by a replica. Undefined if it
   * is not known.
   */
  readonly position: number | undefined;
  /** The same, received by a replica. */
  readonly received: number | undefined;
  /** How long ago the last transaction was committed that a replica has replayed. */
  readonly replayAgeMs: number | undefined;
}

/**
 * Why a check failed. `refused`: nobody listens there. `starting`: the server says that it starts
 * or stops. `timeout`: no answer in time. `unreachable`: no connection for another reason. `login`:
 * it did not let the user in. `query`: it did not answer the question.
 */
export const CHECK_FAILURES = [
  "refused",
  "starting",
  "timeout",
  "unreachable",
  "login",
  "query",
] as const;

/** One of {@linkcode CHECK_FAILURES}. */
export type CheckFailure = typeof CHECK_FAILURES[number];

/** What came of one check. */
export type CheckResult =
  /** It answers; `state` is undefined if it was not asked for it, or could not tell. */
  | { readonly kind: "alive"; readonly state: ServerState | undefined }
  /** `message` holds no secret. */
  | { readonly kind: "failed"; readonly failure: CheckFailure; readonly message: string };

/** A way to check one server. */
export interface Probe {
  /**
   * Checks once. Not to be called while a check is under way.
   *
   * @param onResult Called once, within the probe's own time limit, unless it is closed before.
   */
  check(onResult: (result: CheckResult) => void): void;
  /** Gives up what is under way, without a word, and closes what is open. */
  close(): void;
}

/** Whether a failure leaves no doubt that the server serves nobody now. */
export function isCertain(failure: CheckFailure): boolean {
  return failure === "refused" || failure === "starting";
}
