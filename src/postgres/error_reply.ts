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

/** No server accepted a connection. `clients` are the configuration's names of those tried. */
export function unreachable(clients: readonly string[]): ErrorFields {
  const names = clients.map((name) => `"${name}"`).join(", ");
  return {
    severity: "FATAL",
    sqlState: "08001", // sqlclient_unable_to_establish_sqlconnection
    message: `cannot connect to the database server: ${names} did not accept a connection`,
    hint: "Check that the database is running; the gateway's log names the cause of each attempt.",
  };
}

/** The server's connection broke while the session needed it. */
export function serverLost(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "08006", // connection_failure
    message: "the server closed the connection unexpectedly",
    detail: "What became of a transaction that was running is not known.",
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

/** A defect of the gateway; what it was is in the log. */
export function internalError(): ErrorFields {
  return {
    severity: "FATAL",
    sqlState: "XX000", // internal_error
    message: "internal error of the gateway; its log says more",
  };
}
