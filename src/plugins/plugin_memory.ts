/**
 * Memory that plugins of all workers count in, and what a scrape reads of it.
 *
 * @module
 */

import { type DefinedSeries, metricBuffer } from "../plugin_host/metric_cells.ts";
import {
  pluginCounterBuffer,
  type PluginCounts,
  readPluginCounters,
} from "../plugin_host/plugin_counters.ts";
import { PluginSeries } from "../plugin_host/plugin_series.ts";
import type { PluginBuffers, PluginSpec } from "../plugin_host/plugin_spec.ts";

/** Which plugin it is, and which version of it. */
type Version = Pick<PluginSpec, "name" | "generation">;

/** What one worker writes of one version of a plugin. */
interface Region {
  readonly generation: number;
  readonly metrics: SharedArrayBuffer;
  /** Series that are to be shown when the version is used. */
  readonly series: DefinedSeries[];
  isUsed: boolean;
}

/** Regions of one gateway. A worker's number is its index, or that of the control plane. */
export class PluginMemory {
  /** Metrics that plugins make. */
  readonly series = new PluginSeries();
  readonly #onProblem: (plugin: string, problem: string) => void;
  /** By worker and plugin: the versions that it may use. */
  readonly #regions = new Map<string, Region[]>();
  /** By plugin and worker. They stay when a version is replaced: counters never go backwards. */
  readonly #counters = new Map<string, Map<number, SharedArrayBuffer>>();

  /** @param onProblem Is told why a metric of a plugin is not shown. */
  constructor(onProblem: (plugin: string, problem: string) => void) {
    this.#onProblem = onProblem;
  }

  /** Where a worker writes what it counts of a version. */
  buffersFor(worker: number, { name, generation }: Version): PluginBuffers {
    const byWorker = this.#counters.get(name) ?? new Map<number, SharedArrayBuffer>();
    this.#counters.set(name, byWorker);
    const counters = byWorker.get(worker) ?? pluginCounterBuffer();
    byWorker.set(worker, counters);
    const regions = this.#regionsOf(worker, name);
    let region = regions.find((one) => one.generation === generation);
    if (region === undefined) {
      region = { generation, metrics: metricBuffer(), series: [], isUsed: false };
      regions.push(region);
    }
    return { counters, metrics: region.metrics };
  }

  /** A plugin in a worker has made a metric. */
  onSeries(worker: number, plugin: string, generation: number, series: DefinedSeries): void {
    const regions = this.#regionsOf(worker, plugin);
    const region = regions.find((one) => one.generation === generation);
    if (region === undefined) return; // of a version that is gone
    if (region.isUsed) this.#show(worker, plugin, series);
    else region.series.push(series);
  }

  /** A worker uses these versions from now on, and no others. */
  use(worker: number, plugins: readonly Version[]): void {
    for (const { name, generation } of plugins) {
      const regions = this.#regionsOf(worker, name);
      const region = regions.find((one) => one.generation === generation);
      if (region === undefined || region.isUsed) continue;
      this.#regions.set(keyOf(worker, name), [region]);
      region.isUsed = true;
      this.series.open(worker, name, region.metrics);
      for (const series of region.series.splice(0)) this.#show(worker, name, series);
    }
  }

  /** A worker does not use this version after all. */
  drop(worker: number, { name, generation }: Version): void {
    const regions = this.#regionsOf(worker, name);
    const left = regions.filter((one) => one.isUsed || one.generation !== generation);
    this.#regions.set(keyOf(worker, name), left);
  }

  /** A worker is gone; one that takes its place begins with memory that nobody has used. */
  closeWorker(worker: number): void {
    this.series.closeWorker(worker);
    for (const key of [...this.#regions.keys()]) {
      if (key.startsWith(`${worker} `)) this.#regions.delete(key);
    }
  }

  /** A plugin is gone, and its metrics with it. */
  closePlugin(name: string): void {
    this.series.closePlugin(name);
    this.#counters.delete(name);
    for (const key of [...this.#regions.keys()]) {
      if (key.endsWith(` ${name}`)) this.#regions.delete(key);
    }
  }

  /** What the gateway has counted of a plugin, over all workers. */
  countsOf(name: string): PluginCounts {
    return readPluginCounters([...this.#counters.get(name)?.values() ?? []]);
  }

  #show(worker: number, plugin: string, series: DefinedSeries): void {
    const problem = this.series.add(worker, plugin, series);
    if (problem !== undefined) this.#onProblem(plugin, problem);
  }

  #regionsOf(worker: number, name: string): Region[] {
    const key = keyOf(worker, name);
    const regions = this.#regions.get(key) ?? [];
    this.#regions.set(key, regions);
    return regions;
  }
}

function keyOf(worker: number, name: string): string {
  return `${worker} ${name}`;
}
