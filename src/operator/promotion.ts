/**
 * How a group is given another primary: by Patroni, or by a program of the operator.
 *
 * @module
 */

import type { Member } from "../upstream/members.ts";

/** A planned change of a group's primary. Nothing is in use while it is carried out. */
export interface PrimaryChange {
  readonly from: Member;
  readonly to: Member;
  /** How long it may take. */
  readonly timeoutMs: number;
}

/**
 * Stops or demotes the one and promotes the other.
 *
 * @throws {Error} If that failed, or nobody knows; the message says why.
 */
export type Promote = (change: PrimaryChange) => Promise<void>;
