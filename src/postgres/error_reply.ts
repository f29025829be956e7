/**
 * Everything the gateway itself tells a client of what went wrong, in one place: the SQLSTATE, a
 * message that names the limit or the part at fault, and a hint that says what to do. Nothing
 * internal leaves here: no addresses of servers, no stack, no secret.
 *
 * SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
 *
 * @module
 */

import { formatDuration } from "../base/duration.ts";
import type { Pool } from "../pool/pool.ts";
import type { ProtocolError } from "./wire/errors.ts";
import type { ErrorFields } from "./wire/messages.ts";

/** The listener serves as many clients as it may. */
export function tooManyClients(listener: string, clientsMax: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "53300", // too_many_connections
    message: `too many clients: listener "${listener}" serves at most ${clientsMax}`,
    hint: `Raise servers.${listener}.clientsMax, or close connections that are not used.`,
  };
}

/** No server connection came free in time, or as many clients wait for one as may. */
export function poolExhausted(reason: "refused" | "timeout", pool: Pool): ErrorFields {
  const { name, acquireTimeoutMs, waitersMax } = pool.options;
  const key = reason === "timeout" ? "acquireTimeout" : "waitersMax";
  const limit = reason === "timeout"
    ? `none came free within ${formatDuration(acquireTimeoutMs)}`
    : `at most ${waitersMax} clients may wait`;
  return {
    severity: "FATAL",
    sqlState: "53300",
    message: `cannot acquire a server connection: all ${pool.size} of pool "${name}" are in use, ` +
      `and ${limit}`,
    hint: `Raise pools.${name}.size or pools.${name}.${key}, or close idle sessions.`,
  };
}

/** The listener wants TLS, and the client did not ask for it. */
export function tlsRequired(listener: string): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "28000", // invalid_authorization_specification, as PostgreSQL answers by pg_hba.conf
    message: `connections to listener "${listener}" must use TLS`,
    hint: "Connect with sslmode=require or stricter.",
  };
}

/** No rule lets the client in. */
export function notAdmitted(message: string): ErrorFields {
  return { severity: "FATAL", sqlState: "28000", message };
}

/** The address of the client has failed to log in too often. */
export function tooManyFailures(retryAfterMs: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "28000", // invalid_authorization_specification
    message: "too many authentication failures from your address",
    hint: `Try again in ${Math.ceil(retryAfterMs / 1000)} s.`,
  };
}

/** The query that looks up secrets failed: nobody can be told from anybody else now. */
export function secretNotFound(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "08006", // connection_failure
    message: "cannot look up the secret of this user; the gateway's log says why",
  };
}

/** A user has as many clients as it may. */
export function tooManyClientsOfUser(user: string, connectionsMax: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "53300", // too_many_connections
    message: `too many connections for user "${user}": at most ${connectionsMax}`,
    hint: `The limit is users.${user}.connectionsMax.`,
  };
}

/** The limits file disables the database. */
export function databaseDisabled(database: string): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "57P03", // cannot_connect_now
    message: `database "${database}" is disabled at the gateway`,
  };
}

/** The gateway keeps account of a limited number of databases and users. */
export function tooManyPools(why: string): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "53300", // too_many_connections
    message: `cannot make a pool for this database and user: ${why}`,
  };
}

/** No server connection of a shared pool came free, or too many wait for one. */
export function noServerFree(
  refusal: { readonly kind: "timeout" | "queue_full"; readonly full?: string | undefined },
  pool: {
    readonly pool: string;
    readonly size: number;
    /** What the size comes from: the key to raise. */
    readonly sizeKey: string;
    readonly acquireTimeoutMs: number;
    readonly waitersMax: number;
  },
): ErrorFields {
  const key = refusal.kind === "timeout" ? "acquireTimeout" : "waitersMax";
  const limit = refusal.kind === "timeout"
    ? `none came free within ${formatDuration(pool.acquireTimeoutMs)}`
    : `at most ${pool.waitersMax} clients may wait`;
  const cap = refusal.full === "pool" ? undefined : refusal.full;
  const what = cap === undefined
    ? `all ${pool.size} of pool "${pool.pool}" are in use`
    : `the limit of ${cap} is reached`;
  const limiting = cap === undefined ? pool.sizeKey : "that limit";
  return {
    severity: "FATAL",
    sqlState: "53300", // too_many_connections
    message: `cannot acquire a server connection: ${what}, and ${limit}`,
    hint: `Raise ${limiting} or pools.${pool.pool}.${key}, or use connections shorter.`,
  };
}

/** The server does not let the gateway in. */
export function serverLoginFailed(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "08004", // sqlserver_rejected_establishment_of_sqlconnection
    message: "cannot log in to the database server",
    hint: "The gateway's log says why.",
  };
}

/** A startup parameter, or one that a session has set, is refused by a server. */
export function parameterRefused(fields: ReadonlyMap<string, string>): ErrorFields {
  const hint = fields.get("H");
  const detail = fields.get("D");
  return {
    severity: "FATAL",
    sqlState: fields.get("C") ?? "22023", // invalid_parameter_value
    message: fields.get("M") ?? "the server refused a parameter",
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** SQLSTATE for a StartupMessage with more parameters than the gateway follows. */
export const TOO_MANY_PARAMETERS = "54000"; // program_limit_exceeded

/** A transaction block where each statement may run on another server. */
export function transactionInStatementMode(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "0A000", // feature_not_supported
    message: "transaction blocks are not allowed in statement mode",
    hint: "Use a pool in transaction mode.",
  };
}

/** What PostgreSQL's idle_session_timeout says. */
export function clientIdleTimedOut(timeoutMs: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "57P05", // idle_session_timeout
    message: "terminating connection due to idle-session timeout",
    detail: `The limit is ${formatDuration(timeoutMs)}.`,
  };
}

/** What PostgreSQL's idle_in_transaction_session_timeout says. */
export function idleTransactionTimedOut(timeoutMs: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "25P03", // idle_in_transaction_session_timeout
    message: "terminating connection due to idle-in-transaction timeout",
    detail: `The limit is ${formatDuration(timeoutMs)}.`,
  };
}

/** What PostgreSQL's transaction_timeout says. */
export function transactionTimedOut(timeoutMs: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "25P04", // transaction_timeout
    message: "terminating connection due to transaction timeout",
    detail: `The limit is ${formatDuration(timeoutMs)}.`,
  };
}

/** A query that did not end although it was cancelled. */
export function queryTimedOut(timeoutMs: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "57014", // query_canceled
    message: "canceling statement due to statement timeout",
    detail: `The limit is ${formatDuration(timeoutMs)}; the server did not end the query in time.`,
  };
}

/** No server answered. `clients` are the configuration's names of those tried. */
export function unreachable(clients: readonly string[]): ErrorFields {
  const names = clients.map((name) => `"${name}"`).join(", ");
  return {
    severity: "FATAL",
    sqlState: "08001", // sqlclient_unable_to_establish_sqlconnection
    message: `cannot connect to the database server: ${names} did not answer`,
    hint: "Check that the database is running; the gateway's log names the cause of each attempt.",
  };
}

/** No server of a group is what the session needs, and it has been held for as long as it may. */
export function noServerOfRole(role: string, heldMs: number): ErrorFields {
  const what = role === "primary" || role === "replica" ? `${role} server` : "server";
  return {
    severity: "FATAL",
    sqlState: "57P03", // cannot_connect_now
    message: `no ${what} is available`,
    detail: `The client was held for ${formatDuration(Math.round(heldMs))}.`,
    hint: "Nothing was sent to a server: it is safe to try again. The gateway's log and its " +
      "metrics sluice_server_* say what is known of each server.",
  };
}

/** Of a server that is lost while a request is under way, or a transaction. */
const UNKNOWN_OUTCOME = "What became of a transaction that was running is not known.";

/** The server is a replica now, and the session has to have a primary, or the other way round. */
export function serverDemoted(isIdle: boolean): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "57P01", // admin_shutdown
    message: "the server has another role now",
    ...isIdle ? {} : { detail: UNKNOWN_OUTCOME },
    hint: "Connect again: the gateway then chooses a server that has the right one.",
  };
}

/** The server's connection broke while the session needed it. */
export function serverLost(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "08006", // connection_failure
    message: "the server closed the connection unexpectedly",
    detail: UNKNOWN_OUTCOME,
  };
}

/** The server sent what cannot be a message. */
export function serverBrokeProtocol(error: ProtocolError): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "08P01", // protocol_violation
    message: `the server broke the protocol: ${error.message}`,
  };
}

/** The client sent what cannot be a message. */
export function clientBrokeProtocol(error: ProtocolError): ErrorFields {
  return { severity: "FATAL", sqlState: error.sqlState, message: error.message };
}

/** The client, or the server on its behalf, did not finish the login in time. */
export function loginTimedOut(listener: string, timeoutMs: number): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "57014", // query_canceled: what PostgreSQL sends when authentication_timeout ends
    message: `canceling authentication: it took longer than ${formatDuration(timeoutMs)}`,
    hint: `The limit is servers.${listener}.loginTimeout.`,
  };
}

/** The gateway is stopping and takes nobody new. */
export function shuttingDown(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "57P03", // cannot_connect_now
    message: "the gateway is shutting down",
  };
}

/** The gateway is stopping and does not wait for this session any longer. */
export function terminated(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "57P01", // admin_shutdown
    message: "terminating connection due to administrator command: the gateway is shutting down",
  };
}

/** A plugin cannot be followed, and must not be passed by. */
export function pluginFailed(why: string): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "58000", // system_error
    message: `terminating connection because of a plugin: ${why}`,
  };
}

/** A defect of the gateway; what it was is in the log. */
export function internalError(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "XX000", // internal_error
    message: "internal error of the gateway; its log says more",
  };
}
