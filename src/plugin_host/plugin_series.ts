/**
 * The control plane's side of plugins' metrics: who defined what, and the sums over the workers.
 * Of a plugin `cache` that defines `hits_total` is shown `plugin_hits_total{plugin="cache"}`.
 *
 * @module
 */

import { Cells, HISTOGRAM_CELLS, histogramOf } from "../observe/counters.ts";
import type { FoundMetric, Labels, MetricSource, Sample } from "../observe/metric_types.ts";
import { type DefinedSeries, SERIES_MAX, seriesCells } from "./metric_cells.ts";
import { type MetricKind, MetricNames } from "./metric_names.ts";
import { seriesKey, type SeriesName } from "./series_text.ts";

/** What plugins' metrics are called before their own names: none of the gateway's begins so. */
const PREFIX = "plugin_";

const HELP: Readonly<Record<MetricKind, string>> = {
  counter: "Counted by plugins.",
  gauge: "Set by plugins; the sum over the workers.",
  histogram: "Observed by plugins.",
};

/** One series of one plugin, in all workers. */
interface SummedSeries extends SeriesName {
  readonly kind: MetricKind;
  /** Where each worker counts. */
  readonly workers: Map<number, Cells>;
  /** Where each worker counted before, which it may still do until it has heard of the change. */
  readonly before: Map<number, Cells>;
  /** What workers counted that are gone. */
  readonly kept: Cells;
}

/** What one plugin has. */
interface PluginState {
  readonly buffers: Map<number, SharedArrayBuffer>;
  /** By `seriesKey`. */
  readonly series: Map<string, SummedSeries>;
}

/** The metrics of all plugins. */
export class PluginSeries implements MetricSource {
  readonly #plugins = new Map<string, PluginState>();
  readonly #names = new MetricNames();

  /**
   * A worker runs a plugin, or is about to, and writes its metrics there. Where it wrote before,
   * for this plugin, is read until it is opened another time, or closed: see
   * {@linkcode PluginSeries.closeWorker}.
   */
  open(worker: number, plugin: string, buffer: SharedArrayBuffer): void {
    const state = this.#plugins.get(plugin) ?? { buffers: new Map(), series: new Map() };
    this.#plugins.set(plugin, state);
    leave(state, worker);
    state.buffers.set(worker, buffer);
    this.#claimAgain();
  }

  /**
   * A worker has defined a series. It is shown from now on, if it can be: of plugins that use one
   * name for metrics of different kinds, the first one is shown.
   *
   * @returns Words that say why it is not shown.
   * @throws {RangeError} If that worker does not run that plugin.
   */
  add(worker: number, plugin: string, series: DefinedSeries): string | undefined {
    const state = this.#plugins.get(plugin);
    const buffer = state?.buffers.get(worker);
    if (state === undefined || buffer === undefined) {
      throw new RangeError(`Cannot read metrics of "${plugin}": worker ${worker} does not run it`);
    }
    const { name, kind, labels, slot } = series;
    const key = seriesKey(series);
    let summed = state.series.get(key);
    if (summed === undefined && state.series.size === SERIES_MAX) {
      return `the plugin has ${SERIES_MAX} series already`;
    }
    const problem = this.#names.claim(name, kind);
    if (problem !== undefined) return problem;
    summed ??= { name, labels, kind, workers: new Map(), before: new Map(), kept: keptCells() };
    summed.workers.set(worker, seriesCells(buffer, slot));
    state.series.set(key, summed);
    return undefined;
  }

  /** A worker is gone: what it counted stays counted, its gauges are forgotten. */
  closeWorker(worker: number): void {
    for (const state of this.#plugins.values()) close(state, worker);
    this.#claimAgain();
  }

  /** A plugin is gone, with all that it counted. */
  closePlugin(plugin: string): void {
    this.#plugins.delete(plugin);
    this.#claimAgain();
  }

  /** All metrics of all plugins as they are now; gauges are summed, too. */
  read(): readonly FoundMetric[] {
    const all = [...this.#plugins].flatMap(([plugin, { series }]) =>
      [...series.values()].map((one): readonly [Labels, SummedSeries] => [
        { plugin, ...Object.fromEntries(one.labels) },
        one,
      ])
    );
    return [...Map.groupBy(all, ([, { name }]) => name)].map(([name, series]) =>
      found(PREFIX + name, series)
    );
  }

  /** Names that nobody has any more are free for others. */
  #claimAgain(): void {
    this.#names.clear();
    for (const { series } of this.#plugins.values()) {
      for (const { name, kind } of series.values()) this.#names.claim(name, kind);
    }
  }
}

function keptCells(): Cells {
  return new Cells(new Float64Array(HISTOGRAM_CELLS));
}

/** What a worker counts from now on is elsewhere. */
function leave({ buffers, series }: PluginState, worker: number): void {
  buffers.delete(worker);
  for (const [key, { kind, kept, before, workers }] of series) {
    keep(kept, before.get(worker));
    before.delete(worker);
    const cells = workers.get(worker);
    if (cells === undefined) continue;
    workers.delete(worker);
    if (kind !== "gauge") before.set(worker, cells);
    else if (workers.size === 0) series.delete(key);
  }
}

/** A worker counts no more. */
function close(state: PluginState, worker: number): void {
  leave(state, worker);
  for (const { kept, before } of state.series.values()) {
    keep(kept, before.get(worker));
    before.delete(worker);
  }
}

function keep(kept: Cells, cells: Cells | undefined): void {
  if (cells === undefined) return;
  for (let cell = 0; cell < HISTOGRAM_CELLS; cell++) kept.add(cell, cells.get(cell));
}

/** @param series All of one name, at least one: they are of one kind. */
function found(name: string, series: readonly (readonly [Labels, SummedSeries])[]): FoundMetric {
  const type = series[0]![1].kind;
  const help = HELP[type];
  const samples = <T>(read: (cells: readonly Cells[]) => T): Sample<T>[] =>
    series.map(([labels, { kept, before, workers }]) => ({
      labels,
      value: read([kept, ...before.values(), ...workers.values()]),
    }));
  if (type === "histogram") {
    return { name, type, help, samples: samples((cells) => histogramOf(cells, 0)) };
  }
  return {
    name,
    type,
    help,
    samples: samples((cells) => cells.reduce((sum, one) => sum + one.get(0), 0)),
  };
}
