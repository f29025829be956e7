/**
 * What a client is told while a server is looked for, and when there is none.
 *
 * @module
 */

import { formatDuration } from "../../base/duration.ts";
import type { Refusal } from "../../pool/server_pool_types.ts";
import * as reply from "../error_reply.ts";
import type { UpstreamOwner } from "../upstream.ts";
import { noticeResponse } from "../wire/messages.ts";
import type { OpenFailure } from "./backend_opener.ts";
import type { PooledRoute } from "./pooled_context.ts";
import { openFailureReply } from "./refusals.ts";

/** There is no server connection to be had. */
export function refuse(
  owner: UpstreamOwner,
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

/** It takes longer than clients expect. @returns A NoticeResponse. */
export function waitNotice(pool: string, waitedMs: number): Uint8Array {
  const waited = `pool "${pool}" for ${formatDuration(Math.round(waitedMs))}`;
  const hint = "All of them are in use; the query starts as soon as one is free.";
  return noticeResponse(`waiting for a server connection of ${waited}`, hint);
}
