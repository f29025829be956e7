/**
 * What the rest of the gateway does for a plugin: each of these is a small door, so that a plugin
 * can be run and tested on its own.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { HookEvent } from "../hooks/event.ts";
import type { Signal } from "../hooks/signal.ts";
import type { LogLevel } from "../observe/log_record.ts";
import type { DefinedSeries } from "./metric_cells.ts";
import type { FailureReason } from "./plugin_failure.ts";

/** What is known of a query's text. Each is made when it is first read, and may be expensive. */
export interface QueryAnalysis {
  /** The text, with its constants replaced by $1, $2 and so on. */
  readonly normalisedText: string;
  /** 16 hexadecimal digits. */
  readonly fingerprint: string;
  /** A line for each statement, as `wit/sluice.wit` says. */
  readonly statements: string;
  /** A line for each table. */
  readonly tables: string;
  /** A line for each sign of an injection. */
  readonly injectionSignals: string;
  /** A line for each function that is called by name. */
  readonly functions: string;
}

/** Something that a plugin tells the operator's policies. */
export interface PluginSignal extends Signal {
  readonly plugin: string;
}

/** Calls that failed. */
export interface PluginFailure {
  readonly plugin: string;
  /** Name of the hook of the last one. */
  readonly hook: string;
  readonly reason: FailureReason;
  /** What went wrong, in the last one. May hold what the plugin was given: for the log only. */
  readonly message: string;
  /** How many failed since the last report, this one included. */
  readonly count: number;
}

/** What a plugin is given beside its specification. */
export interface PluginPorts {
  /** Number of the worker, from 0; 4,294,967,295 is the control plane. */
  readonly worker: number;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly log: (plugin: string, level: LogLevel, message: string) => void;
  readonly signal: (signal: PluginSignal) => void;
  /** @returns Undefined while the parser is not loaded, or if there is none. */
  readonly analyse: (text: Uint8Array) => QueryAnalysis | undefined;
  /** A plugin has made a metric: see `metric_cells.ts`. */
  readonly onSeries: (plugin: string, series: DefinedSeries) => void;
  /** As the global `fetch`. */
  readonly fetch: typeof fetch;
  /** A request was answered: the plugin is to be called with this, by whoever calls it. */
  readonly onResponse: (event: HookEvent) => void;
  /** Calls have failed; told at most once a second for each plugin. */
  readonly onFailure: (failure: PluginFailure) => void;
  /** The plugin was switched off, for `reason`; told once. */
  readonly onStateChange: (plugin: string, state: "off", reason: string) => void;
}
