/**
 * What both ways of checking a server have in common.
 *
 * @module
 */

import type { Address } from "../../base/address.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { ConnectTimeoutError, type Driver, NobodyListensError } from "../../net/socket.ts";
import type { CheckResult } from "../../upstream/health/check.ts";

/** The server, and how long a check may take. */
export interface ProbeTarget {
  readonly address: Address;
  /** For the whole check, in milliseconds. */
  readonly timeoutMs: number;
}

/** What checks are made with. */
export interface ProbeParts {
  readonly driver: Driver;
  readonly clock: Clock;
}

/** What a check finds out from that there is no connection. */
export function connectFailure(error: unknown): CheckResult {
  const failure = error instanceof NobodyListensError
    ? "refused"
    : error instanceof ConnectTimeoutError
    ? "timeout"
    : "unreachable";
  return { kind: "failed", failure, message: messageOf(error) };
}
