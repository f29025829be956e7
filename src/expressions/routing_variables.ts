/**
 * The variables of a balancing rule's condition, which is asked once, when a client has logged in.
 *
 * @module
 */

import type { Variables } from "./expression.ts";

/** What `condition` of a balancing rule may use. */
export const ROUTING_VARIABLES = {
  user: "string",
  database: "string",
  application: "string",
  /** Without the port; unix for a Unix socket. */
  client_address: "string",
  listener: "string",
  /** What the client called the gateway in its TLS handshake; "" without TLS, or without a name. */
  tls_server_name: "string",
  /** Parameters of the StartupMessage, by name. */
  parameters: "map",
} as const satisfies Variables;
