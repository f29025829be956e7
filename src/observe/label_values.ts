/**
 * The values that labels may have where a fact says which one: each list is complete, each value
 * has a cell of its own at its place in the list, and what is not in a list counts as its "other".
 * So nobody but this file can make a new series.
 *
 * @module
 */

import type {
  AuthenticationFailure,
  MirrorDrop,
  MirrorResult,
  ServerCloseReason,
  ServerLoginFailure,
} from "./facts.ts";

/** Stands for every value that a list does not have. */
export const OTHER = "other";

/** Why pooled server connections are closed. */
export const CLOSE_REASONS: readonly ServerCloseReason[] = [
  "lost",
  "idle_timeout",
  "max_lifetime",
  "validation",
  "surplus",
  "moved",
  "drain",
  "reconnect",
  "close_idle",
  "unclean",
];

/**
 * Why clients are not let in. A wrong password and an unknown user are one value: the page with the
 * metrics asks nobody who he is, and would tell anybody who reaches it which users exist. The log
 * has the difference.
 */
export const AUTHENTICATION_FAILURES: readonly AuthenticationFailure[] = [
  "password",
  "certificate",
  "rule",
  "throttled",
  "lookup",
  "protocol",
];

/** Why servers do not let the gateway in. */
export const SERVER_LOGIN_FAILURES: readonly ServerLoginFailure[] = [
  "credentials",
  "request",
  "capacity",
  "unavailable",
  "timeout",
  "other",
];

/** What TLS was agreed on, in OpenSSL's words: the versions that the gateway speaks. */
export const TLS_VERSIONS: readonly string[] = ["TLSv1.3", "TLSv1.2", OTHER];

/**
 * Why a session stays with its server, in the words of the fact; as a label, a space is "_".
 * "parameter": it set one whose name the text does not show. "too many parameters": it set more
 * than are kept for a session. "statement": it prepared one by Parse that is too long to be kept,
 * or more than are kept.
 */
export const PIN_REASONS: readonly string[] = [
  "listen",
  "advisory lock",
  "temporary object",
  "holdable cursor",
  "load",
  "prepare",
  "parameter",
  "too many parameters",
  "statement",
  OTHER,
];

/** Why the copy of a session ends before the session. */
export const MIRROR_DROPS: readonly MirrorDrop[] = [
  "behind",
  "pool_exhausted",
  "unreachable",
  "lost",
  "refused",
  "unfinished",
  "internal",
];

/** What comes of comparing a request's two answers. */
export const MIRROR_RESULTS: readonly MirrorResult[] = [
  "same",
  "other_error",
  "other_rows",
  "skipped",
];

/** The place of `value` in a list that ends with "other". */
export function indexIn(values: readonly string[], value: string | undefined): number {
  const index = value === undefined ? -1 : values.indexOf(value);
  return index < 0 ? values.length - 1 : index;
}
