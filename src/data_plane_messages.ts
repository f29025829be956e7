/**
 * What travels between the control plane and the workers, and between workers. All of it survives
 * a structured clone; what is shared is shared memory.
 *
 * @module
 */

import type { Address } from "./base/address.ts";
import type { ClientConfig, PoolConfig, ProxyConfig, ServerConfig } from "./config/config.ts";

import type { CounterLayout } from "./observe/counters.ts";
import type { LogLevel, LogRecord } from "./observe/log_record.ts";
import type { CancelResult } from "./postgres/cancel.ts";

/** Everything that a worker needs to know, fixed for its life. */
export interface DataPlaneSnapshot {
  /** This worker's index, 0 to `workers - 1`. */
  readonly worker: number;
  readonly workers: number;
  /** How often a worker of this index was started before this one. */
  readonly generation: number;
  /** The listeners that this worker is to start. */
  readonly servers: ReadonlyMap<string, ServerConfig>;
  readonly clients: ReadonlyMap<string, ClientConfig>;
  readonly proxies: ReadonlyMap<string, ProxyConfig>;
  readonly pools: ReadonlyMap<string, { config: PoolConfig; budget: SharedArrayBuffer }>;
  /** One budget a listener: how many clients it serves over all workers. */
  readonly clientBudgets: ReadonlyMap<string, SharedArrayBuffer>;
  readonly layout: CounterLayout;
  /** This worker's own region. */
  readonly counters: SharedArrayBuffer;
  readonly logLevel: LogLevel | "off";
  readonly logRecordsPerSecondMax: number;
}

/** From the control plane to a worker. */
export type WorkerCommand =
  | { readonly kind: "start"; readonly snapshot: DataPlaneSnapshot }
  | { readonly kind: "peer"; readonly worker: number; readonly port: MessagePort }
  | { readonly kind: "turn"; readonly pool: string; readonly ticket: number }
  | { readonly kind: "drain" }
  | { readonly kind: "terminate" };

/** From a worker to the control plane. */
export type WorkerReport =
  | { readonly kind: "listening"; readonly addresses: ReadonlyMap<string, Address> }
  | { readonly kind: "cannot_listen"; readonly message: string }
  | { readonly kind: "log"; readonly record: LogRecord }
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
  | { readonly kind: "cancelled"; readonly request: number; readonly result: CancelResult };
