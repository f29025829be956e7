/**
 * What a fact looks like in the log: its level, its message, its fields. `docs/logging.md` tells
 * operators the same.
 *
 * @module
 */

import type { Fact } from "./facts.ts";
import type { LogLevel, LogRecord } from "./log_record.ts";

/** What is known of a client, and goes with everything that is logged about it. */
export interface SessionContext {
  readonly peer: string;
  /**
   * Undefined until the session is ready: names that nobody has authenticated mean little. Raw
   * sessions have none.
   */
  readonly login: { readonly user?: string; readonly database?: string } | undefined;
}

/** The message of each kind of fact; "" for kinds that are only counted. */
const MESSAGES: Readonly<Record<Fact["kind"], string>> = {
  "client_connected": "client connected",
  "client_refused": "client refused",
  "client_state": "",
  "session_ready": "session ready",
  "session_connected": "session connected to server",
  "client_disconnected": "client disconnected",
  "server_state": "",
  "server_dial_failed": "cannot connect to server",
  "server_lost": "server connection lost",
  "wait_started": "",
  "wait_ended": "wait for server connection ended",
  "login_timeout": "login timed out",
  "error_reported": "error reported to client",
  "cancel": "cancel request",
  "authentication_failed": "authentication failed",
  "tls_accepted": "TLS established",
  "tls_failed": "cannot establish TLS with client",
  "server_secured": "TLS established with server",
  "server_login_failed": "cannot log in to server",
  "server_opened": "",
  "server_closed": "server connection closed",
  "session_pinned": "session pinned to its server",
  "session_timeout": "session timed out",
  "abandoned_query": "cannot cancel query of a client that is gone",
  "verdict_ignored": "verdict of a plugin ignored",
  "plugin_failed": "plugin failed",
  "plugin_switched_off": "plugin switched off",
  "plugin_said": "plugin says",
  "mirror_dropped": "copy of a session ended",
  "mirror_differed": "mirror has answered otherwise",
  "internal_error": "internal error",
  "accept_failed": "cannot accept clients",
  "rule_failed": "balancing rule cannot be evaluated",
};

/** The level that `fact` is logged at, or undefined when it is only counted. */
export function levelOf(fact: Fact, context: SessionContext | undefined): LogLevel | undefined {
  switch (fact.kind) {
    case "client_state":
    case "server_state":
    case "server_opened":
    case "wait_started":
      return undefined;
    case "client_connected":
      return "debug";
    case "client_disconnected":
      // A port check of a load balancer connects and goes away, every second, for ever.
      return context?.login === undefined ? "debug" : "info";
    case "session_ready":
    case "session_connected":
    case "login_timeout":
    case "session_timeout":
      return "info";
    case "tls_failed":
      // Anybody can begin a handshake and leave; who has the wrong certificate asks for help.
      return "info";
    case "tls_accepted":
    case "server_secured":
    case "session_pinned":
      return "debug";
    case "server_closed":
      return fact.reason === "lost" || fact.reason === "unclean" ? "warn" : "debug";
    case "wait_ended":
      // A wait that failed is told to the client, and logged as that error.
      return fact.outcome === "acquired" ? "trace" : "debug";
    case "error_reported":
      // The server has a log of its own for its errors, and most of them are the application's.
      return fact.source === "gateway" ? "warn" : "debug";
    case "cancel":
      return fact.outcome === "failed" || fact.outcome === "refused" ? "warn" : "debug";
    case "server_login_failed":
      // Who asks for a database that is not there is told so, and nobody else need do anything.
      return fact.cause === "request" ? "info" : "warn";
    case "plugin_said":
      return fact.level;
    case "plugin_failed":
    case "abandoned_query":
    case "authentication_failed":
    case "client_refused":
    case "server_dial_failed":
    case "server_lost":
    case "verdict_ignored":
    case "rule_failed":
    case "mirror_dropped":
    case "mirror_differed":
      return "warn";
    case "internal_error":
    case "plugin_switched_off":
    case "accept_failed":
      return "error";
    default:
      return fact satisfies never;
  }
}

/** The record of `fact`: its own fields, and what is known of the client it is about. */
export function recordOf(
  fact: Fact,
  context: SessionContext | undefined,
  level: LogLevel,
  timeMs: number,
): LogRecord {
  const fields: Record<string, string | number | boolean> = {};
  if (context !== undefined) Object.assign(fields, { peer: context.peer }, context.login);
  for (const [name, value] of Object.entries(fact)) {
    // The level is the record's.
    if (name === "kind" || name === "level" || value === undefined) continue;
    // "message" is what many log stores call the text of the record itself.
    fields[name === "message" ? "error" : name] = value;
  }
  return { level, message: MESSAGES[fact.kind], fields, timeMs };
}
