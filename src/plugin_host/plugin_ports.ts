/**
 * What the rest of the gateway does for a plugin: each of these is a small door, so that a plugin
 * can be run and tested on its own.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { FailureReason } from "./plugin_failure.ts";

/** Levels of the log, in the order of their numbers in `wit/sluice.wit`. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Kinds of metrics, in the order of their numbers in `wit/sluice.wit`. */
export const METRIC_KINDS = ["counter", "gauge", "histogram"] as const;

/** One of {@linkcode METRIC_KINDS}. */
export type MetricKind = typeof METRIC_KINDS[number];

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
}

/** Values by key; shared by all workers. Keys have 1 to 1,024 bytes. */
export interface PluginStore {
  /** Bytes of the largest value. */
  readonly valueSizeMax: number;
  /** @returns A copy of the value. */
  get(key: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
  /** Copies as much of the value as fits. @returns The size of all of it, or -1. */
  getInto(key: Uint8Array, target: Uint8Array): number;
  /** @param ttlMs 0: for as long as there is room. @returns False if it is too large. */
  set(key: Uint8Array, value: Uint8Array, ttlMs: number): boolean;
  /** @returns Whether there was one. */
  delete(key: Uint8Array): boolean;
  /** @throws {RangeError} If what is there is no number. */
  increment(key: Uint8Array, by: bigint, ttlMs: number): bigint;
}

/** The metrics of a plugin, in one worker. */
export interface MetricRecorder {
  /** @returns Its number; undefined if it cannot be made: why is `reason`. */
  define(kind: MetricKind, name: string): number | { readonly reason: "invalid" | "over-limit" };
  /** @returns False if there is no such metric, or it does not take the value. */
  record(metric: number, value: number): boolean;
}

/** Something that a plugin tells the operator's policies. */
export interface PluginSignal {
  readonly plugin: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, unknown>>;
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
  readonly openStore: (buffer: SharedArrayBuffer) => PluginStore;
  readonly openMetrics: (buffer: SharedArrayBuffer) => MetricRecorder;
  /** As the global `fetch`. */
  readonly fetch: typeof fetch;
  /** Calls have failed; told at most once a second for each plugin. */
  readonly onFailure: (failure: PluginFailure) => void;
  /** The plugin was switched off, for `reason`; told once. */
  readonly onStateChange: (plugin: string, state: "off", reason: string) => void;
}
