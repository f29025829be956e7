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

import {
  AUTHENTICATION_FAILURES,
  CLOSE_REASONS,
  MIRROR_DROPS,
  MIRROR_RESULTS,
  PIN_REASONS,
  SERVER_LOGIN_FAILURES,
  TLS_VERSIONS,
} from "./label_values.ts";
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
  30,
  60,
];

/** Cells of a histogram: buckets (with +Inf), then the sum in seconds. */
export const HISTOGRAM_CELLS = LATENCY_BOUNDS_SECONDS.length + 2;

/**
 * What is counted for a listener: offsets into its cells. Gauges count what is there now. A cell
 * that is said to be the first of several is followed by those of the other values of its list.
 */
export const LISTENER_CELL = layOut({
  clientsAccepted: 1,
  clientsRefused: 1,
  clientsStartup: 1,
  clientsWaiting: 1,
  clientsConnecting: 1,
  clientsLogin: 1,
  clientsActive: 1,
  clientsClosing: 1,
  cancelsForwarded: 1,
  cancelsIdle: 1,
  cancelsUnknown: 1,
  cancelsFailed: 1,
  cancelsRefused: 1,
  loginTimeouts: 1,
  /** The first of `AUTHENTICATION_FAILURES`. */
  authenticationFailures: AUTHENTICATION_FAILURES.length,
  /** The first of `TLS_VERSIONS`. */
  tlsAccepted: TLS_VERSIONS.length,
  tlsFailures: 1,
});

/** What is counted for a pool: offsets into its cells, as in {@linkcode LISTENER_CELL}. */
export const POOL_CELL = layOut({
  serversConnecting: 1,
  serversLogin: 1,
  serversIdle: 1,
  serversActive: 1,
  serversCleaning: 1,
  serversClosing: 1,
  serversOpened: 1,
  serverDialFailures: 1,
  /** Those of the failures whose limit of time was over. */
  serverDialTimeouts: 1,
  /** The first of `SERVER_LOGIN_FAILURES`. */
  serverLoginFailures: SERVER_LOGIN_FAILURES.length,
  serverLoginTimeouts: 1,
  /** The first of `TLS_VERSIONS`. */
  serversSecured: TLS_VERSIONS.length,
  serversLost: 1,
  /** The first of `CLOSE_REASONS`. */
  serversClosed: CLOSE_REASONS.length,
  /** Sessions that began. */
  logins: 1,
  waits: 1,
  waitTimeouts: 1,
  waitsRefused: 1,
  waiters: 1,
  /**
   * Since when the client waits that has waited longest, in milliseconds since 1970; 0 for nobody.
   * The recorder's, of sessions that are relayed.
   */
  relayedWaitSince: 1,
  /** The same of sessions that are pooled: see `OldestWaits`. */
  pooledWaitSince: 1,
  /** When that was seen to be so, in milliseconds since 1970. */
  pooledWaitSeen: 1,
  /** How often a session got a server connection. */
  assignments: 1,
  bytesFromClients: 1,
  bytesFromServers: 1,
  queries: 1,
  transactions: 1,
  /** Parse messages that clients of pooled sessions sent. */
  clientParses: 1,
  /** Parse messages that servers carried out for them: fewer, as what a server has is left out. */
  serverParses: 1,
  /** Bind messages of pooled sessions. */
  binds: 1,
  /** The first of `PIN_REASONS`. */
  pins: PIN_REASONS.length,
  /** Sessions that are pinned now. */
  sessionsPinned: 1,
  queryTimeouts: 1,
  transactionTimeouts: 1,
  idleTransactionTimeouts: 1,
  clientIdleTimeouts: 1,
  waitSeconds: HISTOGRAM_CELLS,
  querySeconds: HISTOGRAM_CELLS,
  transactionSeconds: HISTOGRAM_CELLS,
});

/** What is counted for a proxy that has a mirror, as in {@linkcode LISTENER_CELL}. */
export const MIRROR_CELL = layOut({
  /** Sessions all of whose copy was answered. */
  complete: 1,
  /** The first of `MIRROR_DROPS`: sessions whose copy ended before. */
  drops: MIRROR_DROPS.length,
  /** The first of `MIRROR_RESULTS`. */
  requests: MIRROR_RESULTS.length,
  /** Of requests that were compared: how long the real server took, and the mirror's. */
  realSeconds: HISTOGRAM_CELLS,
  mirrorSeconds: HISTOGRAM_CELLS,
});

/** The names that have cells of their own, in a fixed order. */
export interface CounterLayout {
  readonly listeners: readonly string[];
  readonly pools: readonly string[];
  /** Proxies that have a mirror; none if left out. */
  readonly mirrors?: readonly string[];
}

/** The cells of one listener, pool or mirror. */
export class Cells {
  readonly #cells: Float64Array;

  /** @param cells A view of the region, exactly this group's cells. */
  constructor(cells: Float64Array) {
    this.#cells = cells;
  }

  add(cell: number, amount: number): void {
    this.#cells[cell] = this.#cells[cell]! + amount;
  }

  /** For gauges that are known as a whole. */
  set(cell: number, value: number): void {
    this.#cells[cell] = value;
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
  /** Of the buckets; {@linkcode LATENCY_BOUNDS_SECONDS} if left out. */
  readonly boundsSeconds?: readonly number[];
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

  /** @throws {RangeError} If the layout has no such proxy with a mirror. */
  mirror(proxy: string): Cells {
    const { listeners, pools, mirrors = [] } = this.#layout;
    const index = indexOf(mirrors, proxy, "mirror of proxy");
    const start = listeners.length * LISTENER_CELL.size + pools.length * POOL_CELL.size;
    return this.#slice(start + index * MIRROR_CELL.size, MIRROR_CELL.size);
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

/** Puts cells side by side: each name's offset, and how many there are in all. */
function layOut<Name extends string>(
  sizes: Readonly<Record<Name, number>>,
): Readonly<Record<Name | "size", number>> {
  const offsets: Record<string, number> = {};
  let size = 0;
  for (const [name, cells] of Object.entries<number>(sizes)) {
    offsets[name] = size;
    size += cells;
  }
  return { ...offsets, size } as Readonly<Record<Name | "size", number>>;
}

function cellCount({ listeners, pools, mirrors = [] }: CounterLayout): number {
  return listeners.length * LISTENER_CELL.size + pools.length * POOL_CELL.size +
    mirrors.length * MIRROR_CELL.size;
}

function indexOf(names: readonly string[], name: string, what: string): number {
  const index = names.indexOf(name);
  if (index < 0) throw new RangeError(`Cannot count for ${what} "${name}": it has no cells`);
  return index;
}
