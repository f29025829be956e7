/**
 * The variables of a policy's condition: declared here, where both who checks a configuration and
 * who evaluates it can see them.
 *
 * @module
 */

import type { Variables } from "./expression.ts";

/** What `when` and `key` of a policy may use. */
export const POLICY_VARIABLES = {
  /** Metadata of the signal. */
  signal: "map",
  signal_name: "string",
  plugin: "string",
  /** Name of the hook, such as onQuery. */
  hook: "string",
  user: "string",
  database: "string",
  application: "string",
  /** Without the port; unix for a Unix socket. */
  client_address: "string",
  listener: "string",
  /** idle, transaction, failed or unknown. */
  transaction_status: "string",
  /** Metadata of the policy. */
  policy: "map",
} as const satisfies Variables;
