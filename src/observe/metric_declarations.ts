/**
 * Every metric, declared once: name, type, labels, help and where its numbers are. The scrape
 * (`metrics.ts`) and the reference page (`docs/metrics.md`) both come from here.
 *
 * Labels are names from the configuration, states, or SQLSTATEs from a limited table: a client
 * cannot make a new series.
 *
 * @module
 */

import { CLOSE_REASONS, type Histogram, LISTENER_CELL, POOL_CELL } from "./counters.ts";
import type { Readings } from "./metric_readings.ts";
import {
  processCpuSeconds,
  processMaxFds,
  processOpenFds,
  processResidentBytes,
  processStartSeconds,
} from "./process_metrics.ts";
import { CLIENT_STATE_CELL, SERVER_STATE_CELL } from "./state_cells.ts";

/** Label names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** One series as read now. */
export interface Sample<T> {
  readonly labels: Labels;
  readonly value: T;
}

interface Declared {
  readonly name: string;
  readonly labels: readonly string[];
  /** What is counted, with its unit. */
  readonly help: string;
}

/** A metric with one number a series. */
export interface NumberMetric extends Declared {
  readonly type: "counter" | "gauge";
  readonly read: (readings: Readings) => readonly Sample<number>[];
}

/** A metric with one histogram a series. */
export interface HistogramMetric extends Declared {
  readonly type: "histogram";
  readonly read: (readings: Readings) => readonly Sample<Histogram>[];
}

/** Any metric. */
export type MetricDeclaration = NumberMetric | HistogramMetric;

/** Every metric there is, in the order of the page. */
export const METRICS: readonly MetricDeclaration[] = [
  {
    name: "sluice_client_connections",
    type: "gauge",
    labels: ["listener", "state"],
    help: "Clients connected now, by how far they have come.",
    read: (readings) =>
      readings.options.layout.listeners.flatMap((listener) => {
        const cells = readings.listener(listener);
        return Object.entries(CLIENT_STATE_CELL)
          .map(([state, cell]) => ({ labels: { listener, state }, value: cells.sum(cell) }));
      }),
  },
  listenerCounter(
    "sluice_client_connections_total",
    "Clients accepted since the start.",
    LISTENER_CELL.clientsAccepted,
  ),
  listenerCounter(
    "sluice_client_connections_refused_total",
    "Clients turned away before they had a session, for example because too many were there.",
    LISTENER_CELL.clientsRefused,
  ),
  listenerCounter(
    "sluice_login_timeouts_total",
    "Clients that did not log in within the listener's loginTimeout.",
    LISTENER_CELL.loginTimeouts,
  ),
  listenerCounter(
    "sluice_authentication_failures_total",
    "Clients that did not show who they are, or were refused by a rule or for too many failures.",
    LISTENER_CELL.authenticationFailures,
  ),
  listenerCounter(
    "sluice_tls_connections_total",
    "Clients that agreed on TLS.",
    LISTENER_CELL.tlsAccepted,
  ),
  {
    name: "sluice_cancel_requests_total",
    type: "counter",
    labels: ["listener", "outcome"],
    help: "Cancel requests from clients, by what became of them.",
    read: (readings) =>
      readings.options.layout.listeners.flatMap((listener) => {
        const cells = readings.listener(listener);
        return [
          { outcome: "forwarded", cell: LISTENER_CELL.cancelsForwarded },
          { outcome: "idle", cell: LISTENER_CELL.cancelsIdle },
          { outcome: "unknown", cell: LISTENER_CELL.cancelsUnknown },
          { outcome: "failed", cell: LISTENER_CELL.cancelsFailed },
          { outcome: "refused", cell: LISTENER_CELL.cancelsRefused },
        ].map(({ outcome, cell }) => ({ labels: { listener, outcome }, value: cells.sum(cell) }));
      }),
  },
  {
    name: "sluice_server_connections",
    type: "gauge",
    labels: ["pool", "state"],
    help: "Server connections that hold a place in the pool now, by how far they have come.",
    read: (readings) =>
      readings.options.layout.pools.flatMap((pool) => {
        const cells = readings.pool(pool);
        return Object.entries(SERVER_STATE_CELL)
          .map(([state, cell]) => ({ labels: { pool, state }, value: cells.sum(cell) }));
      }),
  },
  poolCounter(
    "sluice_server_connections_total",
    "Server connections opened since the start.",
    POOL_CELL.serversOpened,
  ),
  poolCounter(
    "sluice_server_connections_lost_total",
    "Server connections in use that ended without the session asking for it.",
    POOL_CELL.serversLost,
  ),
  poolCounter(
    "sluice_server_dial_failures_total",
    "Attempts to open a server connection that failed; each attempt of a retry counts.",
    POOL_CELL.serverDialFailures,
  ),
  {
    name: "sluice_pool_size",
    type: "gauge",
    labels: ["pool"],
    help: "Server connections that the pool may hold at once, over all workers: its limit.",
    read: (readings) =>
      readings.options.layout.pools.flatMap((pool) => {
        const size = readings.options.pools.get(pool)?.size;
        return size === undefined ? [] : [{ labels: { pool }, value: size }];
      }),
  },
  {
    name: "sluice_pool_waiters",
    type: "gauge",
    labels: ["pool"],
    help: "Clients that wait for a server connection now.",
    read: (readings) => poolSamples(readings, POOL_CELL.waiters, {}),
  },
  poolCounter(
    "sluice_pool_waits_total",
    "Waits for a server connection that began, also those refused at once.",
    POOL_CELL.waits,
  ),
  poolCounter(
    "sluice_pool_wait_timeouts_total",
    "Waits for a server connection given up after the pool's acquireTimeout.",
    POOL_CELL.waitTimeouts,
  ),
  poolCounter(
    "sluice_pool_waits_refused_total",
    "Waits for a server connection refused, because the pool's waitersMax were waiting.",
    POOL_CELL.waitsRefused,
  ),
  poolHistogram(
    "sluice_pool_wait_seconds",
    "How long clients waited for a server connection, in seconds; without waits refused.",
    POOL_CELL.waitSeconds,
  ),
  {
    name: "sluice_relayed_bytes_total",
    type: "counter",
    labels: ["pool", "direction"],
    help: "Bytes relayed between clients and servers, by direction.",
    read: (readings) => [
      ...poolSamples(readings, POOL_CELL.bytesFromClients, { direction: "client_to_server" }),
      ...poolSamples(readings, POOL_CELL.bytesFromServers, { direction: "server_to_client" }),
    ],
  },
  {
    name: "sluice_server_connections_closed_total",
    type: "counter",
    labels: ["pool", "reason"],
    help: "Pooled server connections that were closed, by reason; lost: not by the gateway.",
    read: (readings) =>
      CLOSE_REASONS.flatMap((reason, i) =>
        poolSamples(readings, POOL_CELL.serversClosed + i, { reason })
      ),
  },
  poolCounter(
    "sluice_server_login_failures_total",
    "Logins to servers that failed although the server was reached.",
    POOL_CELL.serverLoginFailures,
  ),
  poolCounter(
    "sluice_sessions_pinned_total",
    "Times that a session came to hold what only its server has.",
    POOL_CELL.pins,
  ),
  {
    name: "sluice_session_timeouts_total",
    type: "counter",
    labels: ["pool", "timeout"],
    help: "Sessions or queries that a limit of their time has ended.",
    read: (readings) => [
      ...poolSamples(readings, POOL_CELL.queryTimeouts, { timeout: "query" }),
      ...poolSamples(readings, POOL_CELL.transactionTimeouts, { timeout: "transaction" }),
      ...poolSamples(readings, POOL_CELL.idleTransactionTimeouts, { timeout: "idle_transaction" }),
      ...poolSamples(readings, POOL_CELL.clientIdleTimeouts, { timeout: "client_idle" }),
    ],
  },
  poolCounter("sluice_queries_total", "Queries that servers answered.", POOL_CELL.queries),
  poolCounter("sluice_transactions_total", "Transactions that ended.", POOL_CELL.transactions),
  poolHistogram(
    "sluice_query_duration_seconds",
    "Time from a query's arrival to the end of its answer, in seconds.",
    POOL_CELL.querySeconds,
  ),
  {
    name: "sluice_errors_total",
    type: "counter",
    labels: ["source", "sqlstate"],
    help: "Errors that clients were told of, by who raised them and their SQLSTATE.",
    read: (readings) =>
      readings.errors().map(({ source, sqlState, count }) => ({
        labels: { source, sqlstate: sqlState },
        value: count,
      })),
  },
  {
    name: "sluice_build_info",
    type: "gauge",
    labels: ["version", "deno"],
    help: "The versions of Sluice and of Deno that run; the value is always 1.",
    read: ({ options }) => [
      { labels: { version: options.version, deno: Deno.version.deno }, value: 1 },
    ],
  },
  gauge(
    "sluice_workers",
    "Workers that run now.",
    ({ options }) => options.workersRunning?.() ?? options.workers().length,
  ),
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    labels: [],
    help: "CPU time that the process used, user and system, in seconds.",
    read: () => one(processCpuSeconds()),
  },
  gauge(
    "process_resident_memory_bytes",
    "Memory of the process that is in RAM, in bytes.",
    () => processResidentBytes(),
  ),
  gauge("process_open_fds", "File descriptors that the process has open.", () => processOpenFds()),
  gauge(
    "process_max_fds",
    "File descriptors that the process may have open.",
    () => processMaxFds(),
  ),
  gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since 1970.",
    () => processStartSeconds(),
  ),
];

function listenerCounter(name: string, help: string, cell: number): NumberMetric {
  const read = (readings: Readings) =>
    readings.options.layout.listeners.map((listener) => ({
      labels: { listener },
      value: readings.listener(listener).sum(cell),
    }));
  return { name, type: "counter", labels: ["listener"], help, read };
}

function poolCounter(name: string, help: string, cell: number): NumberMetric {
  const read = (readings: Readings) => poolSamples(readings, cell, {});
  return { name, type: "counter", labels: ["pool"], help, read };
}

function poolHistogram(name: string, help: string, cell: number): HistogramMetric {
  const read = (readings: Readings) =>
    readings.options.layout.pools.map((pool) => ({
      labels: { pool },
      value: readings.pool(pool).histogram(cell),
    }));
  return { name, type: "histogram", labels: ["pool"], help, read };
}

function gauge(
  name: string,
  help: string,
  value: (readings: Readings) => number | undefined,
): NumberMetric {
  return { name, type: "gauge", labels: [], help, read: (readings) => one(value(readings)) };
}

function poolSamples(readings: Readings, cell: number, more: Labels): readonly Sample<number>[] {
  return readings.options.layout.pools.map((pool) => ({
    labels: { pool, ...more },
    value: readings.pool(pool).sum(cell),
  }));
}

function one(value: number | undefined): readonly Sample<number>[] {
  return value === undefined ? [] : [{ labels: {}, value }];
}
