/**
 * Metrics of listeners: who comes, who gets in and who does not.
 *
 * @module
 */

import { LISTENER_CELL } from "./counters.ts";
import { AUTHENTICATION_FAILURES, TLS_VERSIONS } from "./label_values.ts";
import { labelled, listed, listenerNumber, type MetricDeclaration } from "./metric_types.ts";
import { CLIENT_STATE_CELL } from "./state_cells.ts";

/** In the order of the page. */
export const LISTENER_METRICS: readonly MetricDeclaration[] = [
  listenerNumber(
    "gauge",
    "sluice_client_connections",
    "Clients connected now, by how far they have come.",
    labelled("state", CLIENT_STATE_CELL),
  ),
  listenerNumber(
    "counter",
    "sluice_client_connections_total",
    "Clients accepted since the start.",
    LISTENER_CELL.clientsAccepted,
  ),
  listenerNumber(
    "counter",
    "sluice_client_connections_refused_total",
    "Clients turned away before they had a session, for example because too many were there.",
    LISTENER_CELL.clientsRefused,
  ),
  listenerNumber(
    "counter",
    "sluice_login_timeouts_total",
    "Clients that did not log in within the listener's loginTimeout.",
    LISTENER_CELL.loginTimeouts,
  ),
  listenerNumber(
    "counter",
    "sluice_authentication_failures_total",
    "Clients that the gateway did not let in, by why; those that servers refuse are not in it.",
    listed("reason", AUTHENTICATION_FAILURES, LISTENER_CELL.authenticationFailures),
  ),
  listenerNumber(
    "counter",
    "sluice_client_tls_connections_total",
    "Clients that agreed on TLS, by its version.",
    listed("version", TLS_VERSIONS, LISTENER_CELL.tlsAccepted),
  ),
  listenerNumber(
    "counter",
    "sluice_client_tls_failures_total",
    "Clients that began TLS and did not agree on it, for example for want of a certificate.",
    LISTENER_CELL.tlsFailures,
  ),
  listenerNumber(
    "counter",
    "sluice_cancel_requests_total",
    "Cancel requests from clients, by what became of them.",
    labelled("outcome", {
      forwarded: LISTENER_CELL.cancelsForwarded,
      idle: LISTENER_CELL.cancelsIdle,
      unknown: LISTENER_CELL.cancelsUnknown,
      failed: LISTENER_CELL.cancelsFailed,
      refused: LISTENER_CELL.cancelsRefused,
    }),
  ),
];
