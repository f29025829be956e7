/**
 * What the watching of servers finds out and somebody may want to hear of.
 *
 * @module
 */

import type { Member } from "../members.ts";
import type { CheckFailure } from "./check.ts";
import type { Lag } from "./position_history.ts";

/** One thing that was found out. Roles are values of `ROLE`. */
export type HealthFact =
  | { readonly kind: "up"; readonly member: Member }
  | {
    readonly kind: "down";
    readonly member: Member;
    readonly failure: CheckFailure;
    readonly message: string;
  }
  | {
    /** The first of several in a row that fail for one reason. */
    readonly kind: "check_failed";
    readonly member: Member;
    readonly failure: CheckFailure;
    readonly message: string;
  }
  | {
    readonly kind: "role_changed";
    readonly member: Member;
    readonly from: number;
    readonly to: number;
    readonly timeline: number;
  }
  | {
    /** Not told of the first one. */
    readonly kind: "primary_changed";
    readonly from: Member;
    readonly to: Member;
    readonly timeline: number;
  }
  | {
    readonly kind: "fenced";
    readonly member: Member;
    readonly timeline: number;
    /** Who is the primary instead; undefined if nobody is. */
    readonly primary: Member | undefined;
    /** Of the newest server of the group. */
    readonly newestTimeline: number;
  }
  | { readonly kind: "unfenced"; readonly member: Member }
  | {
    /** Both say that they are the primary, on one timeline. `other` is fenced. */
    readonly kind: "two_primaries";
    readonly member: Member;
    readonly other: Member;
    readonly timeline: number;
  }
  | { readonly kind: "lags"; readonly member: Member; readonly lag: Lag }
  | { readonly kind: "lags_no_more"; readonly member: Member; readonly lag: Lag };
