/**
 * Numbers that a worker writes and the control plane reads at any time, without a message and
 * without either waiting: cells of 64 bits in shared memory, one region a worker, one writer a
 * region. Reading sums the regions. An aligned 64-bit store is one piece on every CPU Deno runs on,
 * so a reader sees an old number or a new one, never half of each.
 *
 * What exists is fixed when the gateway starts, by the names in the configuration: labels are
 * bounded by construction.
 *
 * @module
 */

import type { ServerCloseReason } from "./facts.ts";
import { SqlStateCells, sqlStateTableSize } from "./sqlstate_cells.ts";

/** Upper bounds of the latency histogram's buckets, in seconds; the last one, +Inf, is implied. */
export const LATENCY_BOUNDS_SECONDS: readonly number[] = [
  0.0001,
  0.00025,
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
];

/** Buckets (with +Inf), then the sum in seconds. */
const HISTOGRAM_CELLS = LATENCY_BOUNDS_SECONDS.length + 2;

/** What is counted for a listener: offsets into its cells. Gauges count what is there now. */
export const LISTENER_CELL = {
  clientsAccepted: 0,
  clientsRefused: 1,
  clientsStartup: 2,
  clientsWaiting: 3,
  clientsConnecting: 4,
  clientsLogin: 5,
  clientsActive: 6,
  clientsClosing: 7,
  cancelsForwarded: 8,
  cancelsUnknown: 9,
  cancelsFailed: 10,
  cancelsRefused: 11,
  loginTimeouts: 12,
  authenticationFailures: 13,
  tlsAccepted: 14,
  cancelsIdle: 15,
  size: 16,
} as const;

/** What is counted for a pool: offsets into its cells. */
export const POOL_CELL = {
  serversConnecting: 0,
  serversLogin: 1,
  serversIdle: 2,
  serversActive: 3,
  serversCleaning: 4,
  serversClosing: 5,
  serversOpened: 6,
  serverDialFailures: 7,
  serverLoginFailures: 8,
  serversLost: 9,
  waits: 10,
  waitTimeouts: 11,
  waitsRefused: 12,
  waiters: 13,
  bytesFromClients: 14,
  bytesFromServers: 15,
  queries: 16,
  transactions: 17,
  pins: 18,
  queryTimeouts: 19,
  transactionTimeouts: 20,
  idleTransactionTimeouts: 21,
  clientIdleTimeouts: 22,
  /** One for each reason, in the order of `CLOSE_REASONS`. */
  serversClosed: 23,
  waitSeconds: 33,
  querySeconds: 33 + HISTOGRAM_CELLS,
  size: 33 + 2 * HISTOGRAM_CELLS,
} as const;

/** Reasons for which a pooled server connection is closed, in the order of their cells. */
export const CLOSE_REASONS: readonly ServerCloseReason[] = [
  "lost",
  "idle_timeout",
  "max_lifetime",
  "validation",
  "surplus",
  "moved",
  "drain",
  "reconnect",
  "close_idle",
  "unclean",
];

/** The names that have cells of their own, in a fixed order. */
export interface CounterLayout {
  readonly listeners: readonly string[];
  readonly pools: readonly string[];
}

/** The cells of one listener or pool. */
export class Cells {
  readonly #cells: Float64Array;

  /** @param cells A view of the region, exactly this group's cells. */
  constructor(cells: Float64Array) {
    this.#cells = cells;
  }

  add(cell: number, amount: number): void {
    this.#cells[cell] = this.#cells[cell]! + amount;
  }

  get(cell: number): number {
    return this.#cells[cell]!;
  }

  /** Counts `seconds` in the histogram that begins at `cell`. */
  observe(cell: number, seconds: number): void {
    let bucket = 0;
    while (bucket < LATENCY_BOUNDS_SECONDS.length && seconds > LATENCY_BOUNDS_SECONDS[bucket]!) {
      bucket += 1;
    }
    this.add(cell + bucket, 1);
    this.add(cell + HISTOGRAM_CELLS - 1, seconds);
  }
}

/** A histogram as read: counts by bucket (not cumulative), the last one is +Inf. */
export interface Histogram {
  readonly buckets: readonly number[];
  readonly sumSeconds: number;
}

/** One worker's region. */
export class WorkerCounters {
  readonly #layout: CounterLayout;
  readonly #cells: Float64Array;
  readonly sqlStates: SqlStateCells;

  /** @param buffer Made by {@linkcode counterBuffer} for the same layout; zeroed when new. */
  constructor(layout: CounterLayout, buffer: SharedArrayBuffer) {
    this.#layout = layout;
    this.#cells = new Float64Array(buffer, 0, cellCount(layout));
    this.sqlStates = new SqlStateCells(buffer, this.#cells.byteLength);
  }

  /** @throws {RangeError} If the layout has no such listener. */
  listener(name: string): Cells {
    const index = indexOf(this.#layout.listeners, name, "listener");
    return this.#slice(index * LISTENER_CELL.size, LISTENER_CELL.size);
  }

  /** @throws {RangeError} If the layout has no such pool. */
  pool(name: string): Cells {
    const index = indexOf(this.#layout.pools, name, "pool");
    const start = this.#layout.listeners.length * LISTENER_CELL.size + index * POOL_CELL.size;
    return this.#slice(start, POOL_CELL.size);
  }

  #slice(start: number, size: number): Cells {
    return new Cells(this.#cells.subarray(start, start + size));
  }
}

/** Reads the histogram that begins at `cell`, summed over the same group's cells of all workers. */
export function histogramOf(workers: readonly Cells[], cell: number): Histogram {
  const sum = (offset: number) => workers.reduce((n, cells) => n + cells.get(cell + offset), 0);
  const buckets = Array.from({ length: HISTOGRAM_CELLS - 1 }, (_, bucket) => sum(bucket));
  return { buckets, sumSeconds: sum(HISTOGRAM_CELLS - 1) };
}

/** Memory for one worker's counters. */
export function counterBuffer(layout: CounterLayout): SharedArrayBuffer {
  return new SharedArrayBuffer(cellCount(layout) * 8 + sqlStateTableSize());
}

function cellCount(layout: CounterLayout): number {
  return layout.listeners.length * LISTENER_CELL.size + layout.pools.length * POOL_CELL.size;
}

function indexOf(names: readonly string[], name: string, what: string): number {
  const index = names.indexOf(name);
  if (index < 0) throw new RangeError(`Cannot count for ${what} "${name}": it has no cells`);
  return index;
}
