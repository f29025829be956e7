/**
 * Every metric, declared once: name, type, labels, help and where its numbers are. The scrape
 * (`metrics.ts`) and the reference page (`docs/metrics.md`) both come from here.
 *
 * Labels are names from the configuration, states, values of fixed lists, or SQLSTATEs from a
 * limited table: a client cannot make a new series.
 *
 * @module
 */

import { ACT_METRICS } from "./act_metrics.ts";
import { LISTENER_METRICS } from "./listener_metrics.ts";
import { MIRROR_METRICS } from "./mirror_metrics.ts";
import { type MetricDeclaration, oneNumber } from "./metric_types.ts";
import { PLUGIN_METRICS } from "./plugin_metrics.ts";
import { PLUGIN_LIFE_METRICS } from "./plugin_life_metrics.ts";
import { POOL_METRICS } from "./pool_metrics.ts";
import { SERVER_METRICS } from "./server_metrics.ts";
import {
  processCpuSeconds,
  processMaxFds,
  processOpenFds,
  processResidentBytes,
  processStartSeconds,
} from "./process_metrics.ts";

/** Every metric there is, in the order of the page. */
export const METRICS: readonly MetricDeclaration[] = [
  ...LISTENER_METRICS,
  ...POOL_METRICS,
  ...SERVER_METRICS,
  ...MIRROR_METRICS,
  ...PLUGIN_METRICS,
  ...ACT_METRICS,
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
    name: "sluice_certificate_not_after_seconds",
    type: "gauge",
    labels: ["side", "name"],
    help: "When a certificate that is shown, or its issuer's, ends, in seconds since 1970.",
    read: (readings) =>
      readings.certificateEnds().map(({ side, name, endMs }) => ({
        labels: { side, name },
        value: endMs / 1000,
      })),
  },
  ...PLUGIN_LIFE_METRICS,
  {
    name: "sluice_build_info",
    type: "gauge",
    labels: ["version", "deno"],
    help: "The versions of Sluice and of Deno that run; the value is always 1.",
    read: ({ options }) => [
      { labels: { version: options.version, deno: Deno.version.deno }, value: 1 },
    ],
  },
  {
    name: "sluice_driver_info",
    type: "gauge",
    labels: ["driver"],
    help: "How workers use sockets, as it was chosen at the start; the value is always 1.",
    read: ({ options: { driver } }) =>
      driver === undefined ? [] : [{ labels: { driver }, value: 1 }],
  },
  oneNumber(
    "gauge",
    "sluice_workers",
    "Workers that run now.",
    ({ options }) => options.workersRunning?.() ?? options.workers().length,
  ),
  oneNumber(
    "counter",
    "process_cpu_seconds_total",
    "CPU time that the process used, user and system, in seconds.",
    () => processCpuSeconds(),
  ),
  oneNumber(
    "gauge",
    "process_resident_memory_bytes",
    "Memory of the process that is in RAM, in bytes.",
    () => processResidentBytes(),
  ),
  oneNumber(
    "gauge",
    "process_open_fds",
    "File descriptors that the process has open.",
    () => processOpenFds(),
  ),
  oneNumber(
    "gauge",
    "process_max_fds",
    "File descriptors that the process may have open.",
    () => processMaxFds(),
  ),
  oneNumber(
    "gauge",
    "process_start_time_seconds",
    "When the process started, in seconds since 1970.",
    () => processStartSeconds(),
  ),
];
