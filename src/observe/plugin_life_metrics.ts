/**
 * Which plugins there are, and what came of loading them. What is counted of their calls is in
 * another file, and what they count themselves is theirs.
 *
 * @module
 */

import type { Labels, NumberMetric, Sample } from "./metric_types.ts";

/** One plugin that workers have. */
export interface LoadedPluginInfo {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly priority: number;
}

/** Plugins as they are now. */
export interface PluginLife {
  readonly loaded: readonly LoadedPluginInfo[];
  /** How many are in each state; a refused one may have an older version that runs. */
  readonly states: Readonly<Record<"running" | "off" | "refused", number>>;
  /** By what came of loading them. */
  readonly loads: ReadonlyMap<string, number>;
}

/** Metrics of plugins' lives, in the order of the page. */
export const PLUGIN_LIFE_METRICS: readonly NumberMetric[] = [
  {
    name: "sluice_plugins",
    type: "gauge",
    labels: ["state"],
    help: "Plugins by state.",
    read: ({ options }) =>
      samples(Object.entries(options.pluginLife?.().states ?? {}), (state) => ({ state })),
  },
  {
    name: "sluice_plugin_info",
    type: "gauge",
    labels: ["plugin", "version", "sha256", "priority"],
    help: "What runs under a plugin's name; the value is always 1.",
    read: ({ options }) =>
      (options.pluginLife?.().loaded ?? []).map(({ name, version, sha256, priority }) => ({
        labels: { plugin: name, version, sha256, priority: String(priority) },
        value: 1,
      })),
  },
  {
    name: "sluice_plugin_loads_total",
    type: "counter",
    labels: ["result"],
    help: "Plugins that were loaded, or were not, by result.",
    read: ({ options }) => samples(options.pluginLife?.().loads ?? [], (result) => ({ result })),
  },
];

function samples(
  entries: Iterable<readonly [value: string, count: number]>,
  labels: (value: string) => Labels,
): Sample<number>[] {
  return [...entries].map(([value, count]) => ({ labels: labels(value), value: count }));
}
