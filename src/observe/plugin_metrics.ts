/**
 * What the gateway counts of plugins. The cells are the plugin host's: see `plugin_counters.ts`
 * there. Labels are names from the configuration and values of fixed lists.
 *
 * @module
 */

import type { Histogram } from "./counters.ts";
import type { MetricDeclaration, NumberMetric } from "./metric_types.ts";

/** What was counted of one plugin, in all workers. */
export interface PluginReading {
  /** Name of the plugin. */
  readonly plugin: string;
  /** By the hook's name. */
  readonly calls: ReadonlyMap<string, number>;
  readonly failures: Readonly<Record<string, number>>;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly seconds: Histogram;
  readonly fuel: number;
  readonly droppedLogs: number;
  /** How many workers have switched it off. */
  readonly workersOff: number;
}

/** Metrics of plugins, in the order of the page. */
export const PLUGIN_METRICS: readonly MetricDeclaration[] = [
  labelled(
    "sluice_plugin_calls_total",
    "hook",
    "Calls of plugins, by hook, whatever they came to.",
    ({ calls }) => [...calls],
  ),
  labelled(
    "sluice_plugin_failures_total",
    "reason",
    "Calls of plugins that failed or were left out (`rest`), and instances that failed (`init`).",
    ({ failures }) => Object.entries(failures),
  ),
  labelled(
    "sluice_plugin_verdicts_total",
    "verdict",
    "Verdicts of plugins; of calls that failed, what the failure policy made of them.",
    ({ verdicts }) => Object.entries(verdicts),
  ),
  {
    name: "sluice_plugin_call_seconds",
    type: "histogram",
    labels: ["plugin"],
    help: "Time that calls of plugins took, in seconds: 1 of 16, later 1 of 64, is measured, and " +
      "counts for all.",
    read: ({ options }) =>
      (options.plugins?.() ?? []).map(({ plugin, seconds }) => ({
        labels: { plugin },
        value: seconds,
      })),
  },
  single(
    "counter",
    "sluice_plugin_fuel_total",
    "Units of fuel that calls of plugins used, about an instruction each; measured as the time is.",
    ({ fuel }) => fuel,
  ),
  single(
    "counter",
    "sluice_plugin_dropped_logs_total",
    "Records that plugins wrote to the log beyond what they may, which are not there.",
    ({ droppedLogs }) => droppedLogs,
  ),
  single(
    "gauge",
    "sluice_plugin_off",
    "Workers in which the plugin is switched off, as it failed too often.",
    ({ workersOff }) => workersOff,
  ),
];

function labelled(
  name: string,
  label: string,
  help: string,
  read: (plugin: PluginReading) => readonly (readonly [value: string, count: number])[],
): NumberMetric {
  return {
    name,
    type: "counter",
    labels: ["plugin", label],
    help,
    read: ({ options }) =>
      (options.plugins?.() ?? []).flatMap((one) =>
        read(one).map(([value, count]) => ({
          labels: { plugin: one.plugin, [label]: value },
          value: count,
        }))
      ),
  };
}

function single(
  type: NumberMetric["type"],
  name: string,
  help: string,
  read: (plugin: PluginReading) => number,
): NumberMetric {
  return {
    name,
    type,
    labels: ["plugin"],
    help,
    read: ({ options }) =>
      (options.plugins?.() ?? []).map((one) => ({
        labels: { plugin: one.plugin },
        value: read(one),
      })),
  };
}
