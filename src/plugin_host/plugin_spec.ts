/**
 * What a worker is given to run a plugin: made and checked by the control plane, the same for all
 * workers but for the memory that each one counts in. It survives a structured clone.
 *
 * @module
 */

import type { Permission } from "../base/permissions.ts";

export { type Permission, PERMISSIONS } from "../base/permissions.ts";

/** What becomes of traffic when the plugin fails: goes on without it, or is refused. */
export type FailurePolicy = "open" | "closed";

/** One plugin, ready to be run. */
export interface PluginSpec {
  readonly name: string;
  /** Of the manifest; "" without one. */
  readonly version: string;
  /** SHA-256 of the file, in hexadecimal. */
  readonly sha256: string;
  /** Grows with each file that is loaded under this name: tells one version from another. */
  readonly generation: number;
  /** Lower is earlier. */
  readonly priority: number;
  /** The module, metered. */
  readonly module: Uint8Array;
  readonly abi: "direct" | "extism";
  /** Numbers of the hooks that it is called for. */
  readonly hooks: readonly number[];
  /** 256 bytes for each side: types of messages that it wants at the hooks of messages. */
  readonly clientMessageTypes: Uint8Array;
  readonly serverMessageTypes: Uint8Array;
  readonly permissions: readonly Permission[];
  /** Whom `http_send` may ask: as in a URL, with the port if it is not the usual one. */
  readonly hosts: readonly string[];
  /** JSON, with every default of the manifest's schema filled in. May hold secrets. */
  readonly configuration: string;
  readonly onFailure: FailurePolicy;
  /** Units that a call may use: about one instruction each. */
  readonly fuelPerCall: number;
  /** Of its memory, in bytes: a multiple of 65,536. */
  readonly memoryMax: number;
  /** Bytes that one call may write. */
  readonly outputMax: number;
  /** Failures within `failureWindowMs` in one worker after which it is switched off; 0: never. */
  readonly failuresMax: number;
  readonly failureWindowMs: number;
  /** Its key-value store, shared by all workers; undefined without the permission. */
  readonly store: SharedArrayBuffer | undefined;
}

/** What is counted for a plugin in one worker, in shared memory: one region a worker. */
export interface PluginBuffers {
  /** Metrics that the plugin makes: see `metric_cells.ts`. */
  readonly metrics: SharedArrayBuffer;
  /** What the gateway counts of it: see `plugin_counters.ts`. */
  readonly counters: SharedArrayBuffer;
}
