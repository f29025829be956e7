/**
 * Gateways with the plugin audit, and the records that it leaves in their logs.
 *
 * @module
 */

import pg from "pg";
import type { Gateway } from "./gateway.ts";
import { startWithPlugins } from "./shipped_plugins.ts";
import { type ServerScene, targetAt } from "./stories.ts";
import { eventually } from "./wait.ts";

/** A line of the plugin's. */
export type AuditRecord = Readonly<Record<string, string | number | boolean | undefined>>;

/** The series that counts records of a kind. */
export const RECORDS = (record: string) =>
  `plugin_audit_records_total{plugin="audit",record="${record}"}`;
/** The series that counts what was lost. */
export const DROPPED = (reason: string) =>
  `plugin_audit_dropped_total{plugin="audit",reason="${reason}"}`;
/** The series that counts batches. */
export const BATCHES = (result: string) =>
  `plugin_audit_batches_total{plugin="audit",result="${result}"}`;

/** Every record in the gateway's log, oldest first. */
export function recordsOf(gateway: Gateway): AuditRecord[] {
  return gateway.logs.filter(({ msg, plugin }) => msg === "plugin says" && plugin === "audit")
    .map(({ said }) => JSON.parse(String(said)));
}

/** The records of queries, once so many have come; only members that are named. */
export async function queries(
  gateway: Gateway,
  count: number,
  members: readonly string[],
): Promise<unknown[][]> {
  const found = await eventually(`there are ${count} records of queries`, () => {
    const all = recordsOf(gateway).filter(({ audit }) => audit === "query");
    return all.length >= count ? all : undefined;
  });
  return found.map((record) => members.map((member) => record[member]));
}

/** A gateway with the plugin, which is configured so. */
export function audited(
  { server }: ServerScene,
  config: Readonly<Record<string, unknown>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Promise<Gateway> {
  const plugins = { audit: { config, ...more } };
  return startWithPlugins(server, { plugins, keys: { tickInterval: "50ms" } });
}

/** Lends a client that calls itself shop. */
export async function withClient(
  gateway: Gateway,
  body: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const target = targetAt(gateway.target);
  const client = new pg.Client({ ...target, ssl: false, application_name: "shop" });
  client.on("error", () => {});
  await client.connect();
  try {
    await body(client);
  } finally {
    await client.end();
  }
}
