/**
 * What a client is told when no server connection could be opened for it.
 *
 * @module
 */

import * as reply from "../error_reply.ts";
import { errorResponse, errorResponseOf } from "../wire/messages.ts";
import type { OpenFailure } from "./backend_opener.ts";

/** @param servers The configuration's names of those tried. @returns An ErrorResponse, encoded. */
export function openFailureReply(failure: OpenFailure, servers: readonly string[]): Uint8Array {
  switch (failure.kind) {
    case "unreachable":
    case "silent":
      return errorResponse(reply.unreachable(servers));
    case "login":
      return errorResponse(reply.serverLoginFailed());
    case "refused":
      return errorResponseOf(refusalFields(failure.fields));
  }
}

/**
 * The server's own words, but for what is the operator's business: which user the gateway logs in
 * as, and why that failed.
 */
function refusalFields(fields: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const sqlState = fields.get("C") ?? "08004"; // sqlserver_rejected_establishment_of_sqlconnection
  const isCredentials = sqlState.startsWith("28");
  const message = isCredentials
    ? "the server refused the gateway's login; the gateway's log says why"
    : fields.get("M") ?? "the server refused the connection";
  const kept = new Map([["S", "FATAL"], ["V", "FATAL"], ["C", sqlState], ["M", message]]);
  if (isCredentials) return kept;
  for (const code of ["D", "H"]) {
    const text = fields.get(code);
    if (text !== undefined) kept.set(code, text);
  }
  return kept;
}
