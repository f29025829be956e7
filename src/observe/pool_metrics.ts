/**
 * Metrics of pools: server connections, who waits for them, and what is done with them.
 *
 * @module
 */

import { POOL_CELL } from "./counters.ts";
import { CLOSE_REASONS, PIN_REASONS, SERVER_LOGIN_FAILURES, TLS_VERSIONS } from "./label_values.ts";
import {
  labelled,
  listed,
  type MetricDeclaration,
  poolHistogram,
  poolNumber,
} from "./metric_types.ts";
import { SERVER_STATE_CELL } from "./state_cells.ts";

const CONNECTIONS: readonly MetricDeclaration[] = [
  poolNumber(
    "gauge",
    "sluice_server_connections",
    "Server connections that hold a place in the pool now, by how far they have come.",
    labelled("state", SERVER_STATE_CELL),
  ),
  poolNumber(
    "counter",
    "sluice_server_connections_total",
    "Server connections opened since the start, whether or not the login succeeded.",
    POOL_CELL.serversOpened,
  ),
  poolNumber(
    "counter",
    "sluice_server_connections_closed_total",
    "Pooled server connections that ended, by why; relayed sessions take theirs with them.",
    listed("reason", CLOSE_REASONS, POOL_CELL.serversClosed),
  ),
  poolNumber(
    "counter",
    "sluice_server_connections_lost_total",
    "Server connections that the server or the network ended, in use or idle.",
    POOL_CELL.serversLost,
  ),
  poolNumber(
    "counter",
    "sluice_server_dial_failures_total",
    "Attempts to open a server connection that failed; each attempt of a retry counts.",
    POOL_CELL.serverDialFailures,
  ),
  poolNumber(
    "counter",
    "sluice_server_login_failures_total",
    "Logins to servers that failed although the server was reached, by why.",
    listed("reason", SERVER_LOGIN_FAILURES, POOL_CELL.serverLoginFailures),
  ),
  poolNumber(
    "counter",
    "sluice_server_connect_timeouts_total",
    "Those of the dial and login failures that took longer than the client's dialTimeout.",
    labelled("phase", {
      dial: POOL_CELL.serverDialTimeouts,
      login: POOL_CELL.serverLoginTimeouts,
    }),
  ),
  poolNumber(
    "counter",
    "sluice_server_tls_connections_total",
    "Server connections that agreed on TLS, by its version.",
    listed("version", TLS_VERSIONS, POOL_CELL.serversSecured),
  ),
];

const WAITS: readonly MetricDeclaration[] = [
  {
    name: "sluice_pool_size",
    type: "gauge",
    labels: ["pool"],
    help:
      "The pool's size: for all relayed sessions, and for each database and user that is pooled.",
    read: (readings) =>
      readings.options.layout.pools.flatMap((pool) => {
        const size = readings.options.pools.get(pool)?.size;
        return size === undefined ? [] : [{ labels: { pool }, value: size }];
      }),
  },
  poolNumber(
    "gauge",
    "sluice_pool_waiters",
    "Clients that wait for a server connection now.",
    POOL_CELL.waiters,
  ),
  {
    name: "sluice_pool_max_wait_seconds",
    type: "gauge",
    labels: ["pool"],
    help:
      "Longest time that a client that waits has waited, in seconds; of pooled ones, a second ago.",
    read: (readings) =>
      readings.options.layout.pools.map((pool) => ({
        labels: { pool },
        value: readings.longestWaitMs(pool) / 1000,
      })),
  },
  poolNumber(
    "counter",
    "sluice_pool_waits_total",
    "Waits for a server connection, also those refused at once; not who gets one at once.",
    POOL_CELL.waits,
  ),
  poolNumber(
    "counter",
    "sluice_pool_wait_timeouts_total",
    "Waits for a server connection given up after the pool's acquireTimeout.",
    POOL_CELL.waitTimeouts,
  ),
  poolNumber(
    "counter",
    "sluice_pool_waits_refused_total",
    "Waits for a server connection refused, because the pool's waitersMax were waiting.",
    POOL_CELL.waitsRefused,
  ),
  poolHistogram(
    "sluice_pool_wait_seconds",
    "How long clients waited for a server connection, in seconds; without waits refused.",
    POOL_CELL.waitSeconds,
  ),
];

const SESSIONS: readonly MetricDeclaration[] = [
  poolNumber(
    "counter",
    "sluice_client_logins_total",
    "Clients that logged in, to the gateway or through it: sessions that began.",
    POOL_CELL.logins,
  ),
  poolNumber(
    "counter",
    "sluice_server_assignments_total",
    "Times that a session was given a server connection.",
    POOL_CELL.assignments,
  ),
  poolNumber(
    "gauge",
    "sluice_pinned_sessions",
    "Sessions that hold what only their server has, and stay with it, now.",
    POOL_CELL.sessionsPinned,
  ),
  poolNumber(
    "counter",
    "sluice_session_pins_total",
    "Times that a session came to hold what only its server has, by what that is.",
    listed("reason", PIN_REASONS, POOL_CELL.pins),
  ),
  poolNumber(
    "counter",
    "sluice_session_timeouts_total",
    "Queries and sessions of pools that a limit of their time has ended, by the limit.",
    labelled("timeout", {
      query: POOL_CELL.queryTimeouts,
      transaction: POOL_CELL.transactionTimeouts,
      idle_transaction: POOL_CELL.idleTransactionTimeouts,
      client_idle: POOL_CELL.clientIdleTimeouts,
    }),
  ),
];

const TRAFFIC: readonly MetricDeclaration[] = [
  poolNumber(
    "counter",
    "sluice_relayed_bytes_total",
    "Bytes relayed between clients and servers, by direction.",
    labelled("direction", {
      client_to_server: POOL_CELL.bytesFromClients,
      server_to_client: POOL_CELL.bytesFromServers,
    }),
  ),
  poolNumber(
    "counter",
    "sluice_queries_total",
    "Queries that servers answered: ReadyForQuery messages.",
    POOL_CELL.queries,
  ),
  poolHistogram(
    "sluice_query_duration_seconds",
    "Time from a query's arrival to the end of its answer, in seconds.",
    POOL_CELL.querySeconds,
  ),
  poolNumber(
    "counter",
    "sluice_transactions_total",
    "Transactions that ended.",
    POOL_CELL.transactions,
  ),
  poolHistogram(
    "sluice_transaction_duration_seconds",
    "Time from a transaction's first query to its end, in seconds, the client's pauses included.",
    POOL_CELL.transactionSeconds,
  ),
  poolNumber(
    "counter",
    "sluice_client_parses_total",
    "Parse messages that clients of pooled sessions sent.",
    POOL_CELL.clientParses,
  ),
  poolNumber(
    "counter",
    "sluice_server_parses_total",
    "Parse messages that servers carried out for pooled sessions; what they have is left out.",
    POOL_CELL.serverParses,
  ),
  poolNumber(
    "counter",
    "sluice_binds_total",
    "Bind messages that clients of pooled sessions sent.",
    POOL_CELL.binds,
  ),
];

/** In the order of the page. */
export const POOL_METRICS: readonly MetricDeclaration[] = [
  ...CONNECTIONS,
  ...WAITS,
  ...SESSIONS,
  ...TRAFFIC,
];
