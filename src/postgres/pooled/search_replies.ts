/**
 * What a client is told while a server is looked for, and when there is none.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import type { Refusal } from "../../pool/server_pool_types.ts";
import * as reply from "../error_reply.ts";
import { type ErrorFields, noticeResponse } from "../wire/messages.ts";
import type { OpenFailure } from "./backend_opener.ts";
import type { Identity, PooledRoute } from "./pooled_context.ts";
import type { PooledEnd, PooledOwner } from "./pooled_end.ts";
import { openFailureReply } from "./refusals.ts";

/** There is no server connection to be had. */
export function refuse(
  owner: PooledOwner,
  refusal: Refusal<OpenFailure>,
  { settings }: PooledRoute,
  routes: readonly PooledRoute[],
): void {
  if (refusal.kind !== "failed") {
    return owner.fail(reply.noServerFree(refusal, settings), "pool exhausted");
  }
  const names = new Set(routes.map(({ server }) => server));
  owner.end(openFailureReply(refusal.failure, [...names]), "no server connection");
}

/** A session ends. @param fields What its client is told; undefined where it cannot be told. */
export function endFor(
  owner: PooledOwner,
  fields: ErrorFields | undefined,
  reason: PooledEnd,
): void {
  if (fields === undefined) owner.end(undefined, reason);
  else owner.fail(fields, reason);
}

/** A session can be served. */
export function readyFact({ session, user, database, startup }: Identity, route: PooledRoute) {
  return {
    kind: "session_ready",
    session,
    pool: route.settings.pool,
    user,
    database,
    application: startup.parameters.get("application_name") ?? "",
    server: route.address,
  } as const;
}

/** What a client is told whose requests may be served by one server or another. */
export function hotStandbyOf({ rules, router }: Identity): "on" | "off" | undefined {
  const { role } = router.need;
  if (rules?.isSplit === true || role === "primary") return "off";
  return role === "replica" ? "on" : undefined;
}

/** A hint says what nobody understands. @returns A NoticeResponse. */
export function hintNotice(problem: string): Uint8Array {
  const hint = "The comment is ignored; docs/routing/read_write_split.md says what it may say.";
  return noticeResponse(`routing hint: ${problem}`, hint);
}

/** It takes longer than clients expect. @returns A NoticeResponse. */
export function waitNotice(pool: string, waitedMs: number): Uint8Array {
  const waited = `pool "${pool}" for ${formatDuration(Math.round(waitedMs))}`;
  const hint = "All of them are in use; the query starts as soon as one is free.";
  return noticeResponse(`waiting for a server connection of ${waited}`, hint);
}
