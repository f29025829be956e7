/**
 * Metrics in Prometheus' text format. A scrape reads shared memory only: no worker is asked and
 * none notices.
 *
 * @module
 */

import { Counter, Gauge, type Histogram as PromHistogram, Registry } from "prom-client";
import { type Histogram, LATENCY_BOUNDS_SECONDS } from "./counters.ts";
import { METRICS } from "./metric_declarations.ts";
import { type MetricsOptions, Readings } from "./metric_readings.ts";
import type {
  FoundMetric,
  HistogramMetric,
  MetricSource,
  NumberMetric,
  Sample,
} from "./metric_types.ts";

/** One line of the reference page. */
export interface MetricReference {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
}

/** Everything that the gateway measures about itself, and what its plugins measure. */
export class GatewayMetrics {
  readonly #registry = new Registry();
  readonly #source: MetricSource | undefined;

  /** @param source Metrics that are not declared; none if left out. */
  constructor(options: MetricsOptions, source?: MetricSource) {
    this.#source = source;
    const readings = new Readings(options);
    for (const metric of METRICS) {
      if (metric.type === "histogram") registerHistogram(this.#registry, metric, readings);
      else registerNumber(this.#registry, metric, readings);
    }
  }

  /** What to send as Content-Type with {@linkcode GatewayMetrics.text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics as they are now. */
  async text(): Promise<string> {
    const declared = await this.#registry.metrics();
    const found = this.#source?.read() ?? [];
    if (found.length === 0) return declared;
    // They may be others at every scrape: a registry of their own forgets those that are gone.
    const registry = new Registry();
    for (const metric of found) registerFound(registry, metric);
    return `${declared}\n${await registry.metrics()}`;
  }
}

/** Every metric, as `docs/metrics.md` lists it. */
export function metricReference(): readonly MetricReference[] {
  return METRICS.map(({ name, type, labels, help }) => ({ name, type, labels, help }));
}

function registerNumber(registry: Registry, metric: NumberMetric, readings: Readings): void {
  const collect = function (this: Counter | Gauge): void {
    this.reset();
    // Without labels, a reset leaves a 0 behind, which is a lie when nothing can be read.
    if (metric.labels.length === 0) this.remove();
    for (const { labels, value } of metric.read(readings)) this.inc(labels, value);
  };
  const { name, help, labels } = metric;
  const configuration = { name, help, labelNames: [...labels], registers: [registry], collect };
  if (metric.type === "counter") new Counter(configuration);
  else new Gauge(configuration);
}

function registerHistogram(registry: Registry, metric: HistogramMetric, readings: Readings): void {
  const { name, help, type } = metric;
  register(registry, name, help, type, () => histogramSeries(name, metric.read(readings)));
}

function registerFound(registry: Registry, metric: FoundMetric): void {
  const { name, help, type, samples } = metric;
  register(
    registry,
    name,
    help,
    type,
    () => type === "histogram" ? histogramSeries(name, samples) : samples,
  );
}

/**
 * prom-client's Histogram takes single observations only, and ours were made elsewhere. A registry
 * asks of a metric no more than `name` and `get()` (prom-client 15, lib/registry.js
 * `getMetricsAsString`), so it is given just those; its type asks for a whole Histogram.
 */
function register(
  registry: Registry,
  name: string,
  help: string,
  type: MetricReference["type"],
  read: () => readonly Sample<number>[],
): void {
  const get = () => Promise.resolve({ name, help, type, values: read(), aggregator: "sum" });
  registry.registerMetric({ name, help, type, get } as unknown as PromHistogram);
}

/** One line of the text; the metric's own name is its name where it has none. */
interface SeriesSample extends Sample<number> {
  readonly metricName: string;
}

function histogramSeries(name: string, samples: readonly Sample<Histogram>[]): SeriesSample[] {
  return samples.flatMap(({ labels, value }) => {
    const bounds = value.boundsSeconds ?? LATENCY_BOUNDS_SECONDS;
    let count = 0;
    const buckets = value.buckets.map((inBucket, index) => {
      count += inBucket;
      const le = String(bounds[index] ?? "+Inf");
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: value.sumSeconds },
      // From the same reading as the buckets: +Inf and the count must be equal.
      { metricName: `${name}_count`, labels, value: count },
    ];
  });
}
