/**
 * What travels between the control plane and the workers, and between workers. All of it survives
 * a structured clone; what is shared is shared memory.
 *
 * @module
 */

import type { Address } from "./base/address.ts";
import type { ActConfig } from "./config/act_settings.ts";
import type {
  ClientConfig,
  PoolConfig,
  ProxyConfig,
  ServerConfig,
  UserConfig,
} from "./config/config.ts";
import type { CounterLayout } from "./observe/counters.ts";
import type { LogLevel, LogRecord } from "./observe/log_record.ts";
import type { DefinedSeries } from "./plugin_host/metric_cells.ts";
import type { PluginBuffers, PluginSpec } from "./plugin_host/plugin_spec.ts";
import type { ThreadMemory } from "./net/native/thread_memory.ts";
import type { DriverKind } from "./net/net_thread.ts";
import type { PlaceMessage } from "./pool/server_pool_types.ts";
import type { CancelResult } from "./postgres/cancel.ts";

/** Everything that a worker needs to know, fixed for its life. */
export interface DataPlaneSnapshot {
  /** This worker's index, 0 to `workers - 1`. */
  readonly worker: number;
  readonly workers: number;
  readonly driver: DriverKind;
  /** What this worker shares with the others and the control plane: descriptors, and wake-ups. */
  readonly threads: ThreadMemory;
  /** How often a worker of this index was started before this one. */
  readonly generation: number;
  /** The listeners that this worker is to start. */
  readonly servers: ReadonlyMap<string, ServerConfig>;
  readonly clients: ReadonlyMap<string, ClientConfig>;
  readonly proxies: ReadonlyMap<string, ProxyConfig>;
  readonly pools: ReadonlyMap<string, { config: PoolConfig; budget: SharedArrayBuffer }>;
  /** What is different for some users of PostgreSQL, by name. */
  readonly users: ReadonlyMap<string, UserConfig>;
  /** One budget for each of them that may have so many clients only. */
  readonly userBudgets: ReadonlyMap<string, SharedArrayBuffer>;
  /** What is known of servers: see upstream/server_table.ts. */
  readonly serverTable: SharedArrayBuffer;
  /** Since when users and tables have been written to: see upstream/write_marks.ts. */
  readonly writeMarks: SharedArrayBuffer;
  /** Places for the connections of pools, over all workers: see pool/shared_places.ts. */
  readonly places: SharedArrayBuffer;
  /** Connections of all pools; 0 is without limit. */
  readonly serverConnectionsMax: number;
  /** One 32-bit word that grows when a statement changes a schema. */
  readonly schemaGeneration: SharedArrayBuffer;
  /** 32 bytes that made-up secrets of unknown users are derived from. Secret. */
  readonly mockKey: Uint8Array;
  /** One budget a listener: how many clients it serves over all workers. */
  readonly clientBudgets: ReadonlyMap<string, SharedArrayBuffer>;
  readonly layout: CounterLayout;
  /** This worker's own region. */
  readonly counters: SharedArrayBuffer;
  readonly logLevel: LogLevel | "off";
  readonly logRecordsPerSecondMax: number;
  /** What runs from the start. */
  readonly plugins: readonly WorkerPlugin[];
  /** How often onTick is called. */
  readonly tickIntervalMs: number;
  /** False where there are no plugins and never will be. */
  readonly arePluginsEnabled: boolean;
  /** What is done about signals. Holds secrets. */
  readonly act: ActConfig;
  /** Where this worker's policies count: see observe/act_cells.ts. */
  readonly actCells: SharedArrayBuffer;
}

/** A plugin as one worker is given it. */
export interface WorkerPlugin {
  readonly spec: PluginSpec;
  /** This worker's own. */
  readonly buffers: PluginBuffers;
}

/** From the control plane to a worker. */
export type WorkerCommand =
  | { readonly kind: "start"; readonly snapshot: DataPlaneSnapshot }
  | { readonly kind: "peer"; readonly worker: number; readonly port: MessagePort }
  | { readonly kind: "turn"; readonly pool: string; readonly ticket: number }
  /** Files that the configuration names have changed; nothing else has. */
  | {
    readonly kind: "refresh";
    /** Grows with each change; the answer names it. */
    readonly round: number;
    readonly servers: ReadonlyMap<string, ServerConfig>;
    readonly clients: ReadonlyMap<string, ClientConfig>;
    readonly pools: ReadonlyMap<string, PoolConfig>;
  }
  /** Get ready for these plugins and no others, and go on as before until it is said. */
  | {
    readonly kind: "plugins";
    readonly round: number;
    readonly plugins: readonly WorkerPlugin[];
  }
  /** What was got ready for in this round is used now, or not at all. */
  | { readonly kind: "use_plugins"; readonly round: number }
  | { readonly kind: "drop_plugins"; readonly round: number }
  | { readonly kind: "drain" }
  | { readonly kind: "terminate" };

/** From a worker to the control plane. */
export type WorkerReport =
  | { readonly kind: "listening"; readonly addresses: ReadonlyMap<string, Address> }
  | { readonly kind: "cannot_listen"; readonly message: string }
  | { readonly kind: "log"; readonly record: LogRecord }
  /** What changed files say is used; or, with a problem, all is as it was before. */
  | {
    readonly kind: "refreshed";
    readonly round: number;
    readonly problem: string | undefined;
  }
  /** All plugins of the round could be used; or, with a problem, not all. */
  | {
    readonly kind: "plugins_ready";
    readonly round: number;
    readonly problem: string | undefined;
  }
  /** What was got ready for in the round is called from now on, and nothing else. */
  | { readonly kind: "plugins_used"; readonly round: number }
  /** A plugin has made a metric in this worker's memory. */
  | {
    readonly kind: "plugin_series";
    readonly plugin: string;
    readonly generation: number;
    readonly series: DefinedSeries;
  }
  /** A server could not be used, or is not what it was taken for. */
  | { readonly kind: "server_doubted"; readonly member: number }
  | { readonly kind: "drained" };

/** From a worker to another worker. */
export type PeerMessage =
  /** A place in a pool has become free, and yours is the turn. */
  | { readonly kind: "turn"; readonly pool: string; readonly ticket: number }
  /** A CancelRequest came to me with a key that you gave out. */
  | {
    readonly kind: "cancel";
    readonly request: number;
    readonly processId: number;
    readonly key: Uint8Array;
  }
  | { readonly kind: "cancelled"; readonly request: number; readonly result: CancelResult }
  /** A place for a pooled connection may be free, or is wanted. */
  | { readonly kind: "places"; readonly message: PlaceMessage };
