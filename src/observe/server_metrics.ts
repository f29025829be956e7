/**
 * Metrics of servers that are watched: whether they are up, what they are, how far behind.
 *
 * @module
 */

import type { Labels, NumberMetric, Sample } from "./metric_types.ts";
import type { Readings } from "./metric_readings.ts";

/** One server as it is known now. */
export interface ServerReading {
  /** Name in `clients` of the configuration. */
  readonly client: string;
  /** Address in it. */
  readonly server: string;
  readonly health: "unknown" | "up" | "down";
  readonly role: "unknown" | "primary" | "replica";
  /** Bytes of WAL that it is behind. */
  readonly lagSize: number;
  readonly lagMs: number;
  /** Why it is not used although it may be up. */
  readonly flags: Readonly<Record<"disabled" | "draining" | "fenced" | "lagging", boolean>>;
  /** Checks since the start, by what came of them. */
  readonly checks: ReadonlyMap<string, number>;
  /** How long the last one took; undefined before the first one. */
  readonly checkMs: number | undefined;
}

/** Every server of the configuration, and what happened to groups of them. */
export interface ServerReadings {
  readonly servers: readonly ServerReading[];
  /** How often each client's primary has changed since the start. */
  readonly primaryChanges: ReadonlyMap<string, number>;
}

/** Metrics of servers, in the order of the page. */
export const SERVER_METRICS: readonly NumberMetric[] = [
  serverNumber(
    "sluice_server_up",
    "Whether a server answers its checks: 1 or 0; not shown while it is not known.",
    ({ health }) => health === "unknown" ? [] : [[{}, health === "up" ? 1 : 0]],
  ),
  serverNumber(
    "sluice_server_role",
    "What a server is; the value is always 1.",
    ({ role }) => [[{ role }, 1]],
    ["role"],
  ),
  serverNumber(
    "sluice_server_lag_bytes",
    "WAL that a replica has not replayed yet, in bytes.",
    ({ role, lagSize }) => role === "replica" ? [[{}, lagSize]] : [],
  ),
  serverNumber(
    "sluice_server_lag_seconds",
    "How far a replica is behind its primary, in seconds.",
    ({ role, lagMs }) => role === "replica" ? [[{}, lagMs / 1000]] : [],
  ),
  serverNumber(
    "sluice_server_flag",
    "Whether there is a reason not to use a server beside its health: 1 or 0.",
    ({ flags }) => Object.entries(flags).map(([flag, isSet]) => [{ flag }, isSet ? 1 : 0]),
    ["flag"],
  ),
  {
    ...serverNumber(
      "sluice_server_checks_total",
      "Checks of a server, by result.",
      ({ checks }) => [...checks].map(([result, count]) => [{ result }, count]),
      ["result"],
    ),
    type: "counter",
  },
  serverNumber(
    "sluice_server_check_seconds",
    "How long the last check of a server took, in seconds.",
    ({ checkMs }) => checkMs === undefined ? [] : [[{}, checkMs / 1000]],
  ),
  {
    name: "sluice_primary_changes_total",
    type: "counter",
    labels: ["client"],
    help: "Times that another server became the primary.",
    read: (readings) =>
      [...readingsOf(readings)?.primaryChanges ?? []].map(([client, value]) => ({
        labels: { client },
        value,
      })),
  },
];

/** Series of one server: what is to be added to its labels, and the value. */
type ServerSeries = readonly (readonly [labels: Labels, value: number])[];

function serverNumber(
  name: string,
  help: string,
  seriesOf: (server: ServerReading) => ServerSeries,
  labels: readonly string[] = [],
): NumberMetric {
  const read = (readings: Readings): Sample<number>[] =>
    (readingsOf(readings)?.servers ?? []).flatMap((one) =>
      seriesOf(one).map(([own, value]) => ({
        labels: { client: one.client, server: one.server, ...own },
        value,
      }))
    );
  return { name, type: "gauge", labels: ["client", "server", ...labels], help, read };
}

function readingsOf({ options }: Readings): ServerReadings | undefined {
  return options.servers?.();
}
