/**
 * Reads the counters of all workers as one. Looks up each group's cells once, not at every scrape:
 * with a thousand pools and many workers that would be most of the work.
 *
 * @module
 */

import type { ActCells } from "./act_cells.ts";
import { CertificateExpiry, type ShownCertificate } from "./certificate_expiry.ts";
import {
  type Cells,
  type CounterLayout,
  type Histogram,
  histogramOf,
  type WorkerCounters,
} from "./counters.ts";
import { oldestWaitMs } from "./oldest_waits.ts";
import type { PluginReading } from "./plugin_metrics.ts";
import type { PluginLife } from "./plugin_life_metrics.ts";
import type { ServerReadings } from "./server_metrics.ts";
import { type ErrorSource, OTHER_SQLSTATE } from "./sqlstate_cells.ts";

/** Where the numbers come from. */
export interface MetricsOptions {
  readonly layout: CounterLayout;
  /**
   * Every region that a worker ever wrote to. May grow, never shrinks: what a worker counted stays
   * counted when the worker is gone (see `clearGauges` for what does not).
   */
  readonly workers: () => readonly WorkerCounters[];
  /** Workers that run now; when left out, one for each region. */
  readonly workersRunning?: () => number;
  /** The limits of each pool in `layout`, by name. `size` is in server connections. */
  readonly pools: ReadonlyMap<string, { readonly size: number }>;
  /** Sluice's own version. */
  readonly version: string;
  /** How workers use sockets (`runtime.driver` as it was chosen); not shown if left out. */
  readonly driver?: string;
  /** Certificates that are shown now; may change from one scrape to the next. None if left out. */
  readonly certificates?: () => readonly ShownCertificate[];
  /** What was counted of each plugin that is loaded now; none if left out. */
  readonly plugins?: () => readonly PluginReading[];
  /** Policies in the order of their cells, and the cells of each worker; none if left out. */
  readonly act?: {
    readonly policies: readonly { readonly policy: string; readonly action: string }[];
    readonly workers: () => readonly ActCells[];
  };
  /** Which plugins there are now; none if left out. */
  readonly pluginLife?: () => PluginLife;
  /** Servers as they are known now; none if left out. */
  readonly servers?: () => ServerReadings;
  /** Milliseconds since 1970; `Date.now` when left out. */
  readonly nowMs?: () => number;
}

/** One cell of a group, or one histogram of it, over all workers. */
export interface GroupReading {
  sum(cell: number): number;
  /** The greatest of what `read` makes of each worker's cells; at least 0. */
  greatest(read: (cells: Cells) => number): number;
  histogram(cell: number): Histogram;
}

/** Errors counted under one source and SQLSTATE. */
export interface ErrorCount {
  readonly source: ErrorSource;
  readonly sqlState: string;
  readonly count: number;
}

/**
 * One worker's table holds 256; several workers may each hold others. PostgreSQL 18 defines 262
 * codes (errcodes.txt), so only a server that makes codes up gets here.
 */
const ERROR_SERIES_MAX = 512;

/** Everything that metrics are made from. */
export class Readings {
  readonly options: MetricsOptions;
  readonly #listeners = new Map<string, Cells[]>();
  readonly #pools = new Map<string, Cells[]>();
  readonly #mirrors = new Map<string, Cells[]>();
  readonly #errorSeries = new Set<string>();
  readonly #expiry = new CertificateExpiry();

  constructor(options: MetricsOptions) {
    this.options = options;
  }

  /** @throws {RangeError} If the layout has no such listener. */
  listener(name: string): GroupReading {
    return this.#group(this.#listeners, name, (worker) => worker.listener(name));
  }

  /** @throws {RangeError} If the layout has no such pool. */
  pool(name: string): GroupReading {
    return this.#group(this.#pools, name, (worker) => worker.pool(name));
  }

  /** @throws {RangeError} If the layout has no such proxy with a mirror. */
  mirror(proxy: string): GroupReading {
    return this.#group(this.#mirrors, proxy, (worker) => worker.mirror(proxy));
  }

  /** How long the client that waits for the pool has waited, of several the longest; 0: nobody. */
  longestWaitMs(pool: string): number {
    const { nowMs = Date.now } = this.options;
    return this.pool(pool).greatest((cells) => oldestWaitMs(cells, nowMs()));
  }

  /**
   * Errors summed over the workers, at most {@linkcode ERROR_SERIES_MAX} and the "other" of each
   * source. A code is shown on its own from the first time or never, so no series goes backwards.
   */
  errors(): readonly ErrorCount[] {
    const sums = new Map<string, ErrorCount>();
    for (const worker of this.options.workers()) {
      for (const { source, sqlState, count } of worker.sqlStates.entries()) {
        const shown = this.#isErrorShown(source, sqlState) ? sqlState : OTHER_SQLSTATE;
        const key = `${source} ${shown}`;
        const before = sums.get(key)?.count ?? 0;
        sums.set(key, { source, sqlState: shown, count: before + count });
      }
    }
    return [...sums.values()];
  }

  /** The certificates that can be read, and when they end, in milliseconds since 1970. */
  certificateEnds(): readonly (ShownCertificate & { readonly endMs: number })[] {
    return (this.options.certificates?.() ?? []).flatMap((certificate) => {
      const endMs = this.#expiry.endMs(certificate);
      return endMs === undefined ? [] : [{ ...certificate, endMs }];
    });
  }

  #isErrorShown(source: ErrorSource, sqlState: string): boolean {
    const key = `${source} ${sqlState}`;
    if (this.#errorSeries.has(key)) return true;
    if (this.#errorSeries.size >= ERROR_SERIES_MAX) return false;
    this.#errorSeries.add(key);
    return true;
  }

  #group(
    groups: Map<string, Cells[]>,
    name: string,
    cellsOf: (worker: WorkerCounters) => Cells,
  ): GroupReading {
    const cells = groups.get(name) ?? [];
    groups.set(name, cells);
    for (const worker of this.options.workers().slice(cells.length)) cells.push(cellsOf(worker));
    return {
      sum: (cell) => cells.reduce((sum, one) => sum + one.get(cell), 0),
      greatest: (read) => Math.max(0, ...cells.map(read)),
      histogram: (cell) => histogramOf(cells, cell),
    };
  }
}
