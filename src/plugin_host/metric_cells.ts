/**
 * Metrics that one plugin makes in one worker: numbers in shared memory that the worker writes and
 * the control plane reads, as the gateway's own are (see `observe/counters.ts`). Every series has
 * cells enough for a histogram, and their number is fixed: a plugin that makes up names cannot
 * fill anybody's memory.
 *
 * @module
 */

import { Cells, HISTOGRAM_CELLS } from "../observe/counters.ts";
import { type MetricKind, MetricNames } from "./metric_names.ts";
import { parseSeriesName, seriesKey, type SeriesName } from "./series_text.ts";

/** Series that a plugin may have. */
export const SERIES_MAX = 256;

/** Why a series was not defined. */
export const DEFINE_ERROR = {
  /** There are {@linkcode SERIES_MAX}. */
  tooMany: -1,
  /** Its name or labels are wrong: `parseSeriesName` says in words how. */
  badName: -2,
  /** The name is one of another kind, or one that a histogram's series have. */
  otherKind: -3,
} as const;

/** A series that a worker has defined. */
export interface DefinedSeries extends SeriesName {
  /** Which of the cells are its: 0 to below {@linkcode SERIES_MAX}. */
  readonly slot: number;
  readonly kind: MetricKind;
}

/** Memory for the metrics of one plugin in one worker. */
export function metricBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(SERIES_MAX * HISTOGRAM_CELLS * 8);
}

/**
 * The cells of a series. A counter and a gauge use the first one.
 *
 * @param buffer Made by {@linkcode metricBuffer}.
 */
export function seriesCells(buffer: SharedArrayBuffer, slot: number): Cells {
  return new Cells(new Float64Array(buffer, slot * HISTOGRAM_CELLS * 8, HISTOGRAM_CELLS));
}

/** One plugin's metrics in one worker: the only writer of its cells. */
export class PluginMetrics {
  readonly #buffer: SharedArrayBuffer;
  readonly #onSeries: (series: DefinedSeries) => void;
  readonly #names = new MetricNames();
  /** By `seriesKey`. */
  readonly #ids = new Map<string, number>();
  readonly #series: { readonly kind: MetricKind; readonly cells: Cells }[] = [];

  /**
   * @param buffer Made by {@linkcode metricBuffer}, and used by nobody before.
   * @param onSeries Is told of each series once, before anything is recorded in it.
   */
  constructor(buffer: SharedArrayBuffer, onSeries: (series: DefinedSeries) => void) {
    this.#buffer = buffer;
    this.#onSeries = onSeries;
  }

  /**
   * Makes a series, or finds the one of this name, these labels and this kind.
   *
   * @param text As `parseSeriesName` takes it.
   * @returns Its id, from 0; or one of {@linkcode DEFINE_ERROR}, which are negative.
   */
  define(kind: MetricKind, text: string): number {
    const name = parseSeriesName(text);
    if (typeof name === "string") return DEFINE_ERROR.badName;
    const key = seriesKey(name);
    const known = this.#ids.get(key);
    if (known !== undefined) {
      return this.#series[known]!.kind === kind ? known : DEFINE_ERROR.otherKind;
    }
    if (this.#series.length === SERIES_MAX) return DEFINE_ERROR.tooMany;
    if (this.#names.claim(name.name, kind) !== undefined) return DEFINE_ERROR.otherKind;
    const slot = this.#series.length;
    this.#series.push({ kind, cells: seriesCells(this.#buffer, slot) });
    this.#ids.set(key, slot);
    this.#onSeries({ ...name, slot, kind });
    return slot;
  }

  /**
   * Adds to a counter, sets a gauge, or counts a value in a histogram, whose bounds are those of
   * the gateway's own: 0.0001 to 60, for seconds.
   *
   * @param id As {@linkcode PluginMetrics.define} gave it.
   * @param value Finite; from 0, but for gauges.
   * @returns False if nothing is recorded, as there is no such series or the value is none.
   */
  record(id: number, value: number): boolean {
    const series = this.#series[id];
    if (series === undefined || !Number.isFinite(value)) return false;
    const { kind, cells } = series;
    if (kind !== "gauge" && value < 0) return false;
    if (kind === "counter") cells.add(0, value);
    else if (kind === "gauge") cells.set(0, value);
    else cells.observe(0, value);
    return true;
  }
}
