import { deepEqual, equal } from "node:assert/strict";
import { histogramOf, LATENCY_BOUNDS_SECONDS } from "../../src/observe/counters.ts";
import {
  DEFINE_ERROR,
  type DefinedSeries,
  metricBuffer,
  PluginMetrics,
  SERIES_MAX,
  seriesCells,
} from "../../src/plugin_host/metric_cells.ts";

function fixture() {
  const buffer = metricBuffer();
  const defined: DefinedSeries[] = [];
  const metrics = new PluginMetrics(buffer, (series) => defined.push(series));
  return { buffer, defined, metrics, number: (id: number) => seriesCells(buffer, id).get(0) };
}

Deno.test("PluginMetrics.define() gives the same id again, and tells of a series once", () => {
  const { metrics, defined } = fixture();
  const id = metrics.define("counter", 'requests_total{a="1",b="2"}');
  equal(id, 0);
  equal(metrics.define("counter", 'requests_total{b="2",a="1"}'), id);
  equal(metrics.define("counter", 'requests_total{a="1"}'), 1);
  equal(metrics.define("gauge", "size"), 2);
  deepEqual(defined, [
    { slot: 0, kind: "counter", name: "requests_total", labels: [["a", "1"], ["b", "2"]] },
    { slot: 1, kind: "counter", name: "requests_total", labels: [["a", "1"]] },
    { slot: 2, kind: "gauge", name: "size", labels: [] },
  ]);
});

Deno.test("PluginMetrics.define() refuses names that are wrong, and those of another kind", () => {
  const { metrics, defined } = fixture();
  equal(metrics.define("counter", "9"), DEFINE_ERROR.badName);
  metrics.define("counter", "a");
  metrics.define("histogram", "h");
  metrics.define("gauge", "g_sum");
  equal(metrics.define("gauge", "a"), DEFINE_ERROR.otherKind);
  equal(metrics.define("gauge", 'a{b="1"}'), DEFINE_ERROR.otherKind);
  for (const suffix of ["_bucket", "_sum", "_count"]) {
    equal(metrics.define("counter", `h${suffix}`), DEFINE_ERROR.otherKind);
  }
  equal(metrics.define("histogram", "g"), DEFINE_ERROR.otherKind);
  equal(metrics.define("counter", "h_total"), 3);
  equal(metrics.define("histogram", 'h{b="1"}'), 4);
  equal(defined.length, 5);
});

Deno.test("PluginMetrics.record() adds to counters, sets gauges and counts in histograms", () => {
  const { metrics, buffer, number } = fixture();
  const counter = metrics.define("counter", "c");
  const gauge = metrics.define("gauge", "g");
  const histogram = metrics.define("histogram", "h");
  for (const value of [1, 2.5, 0]) equal(metrics.record(counter, value), true);
  for (const value of [7, -3]) equal(metrics.record(gauge, value), true);
  for (const value of [0, 0.0001, 0.0002, 1_000]) equal(metrics.record(histogram, value), true);
  equal(number(counter), 3.5);
  equal(number(gauge), -3);
  const { buckets, sumSeconds } = histogramOf([seriesCells(buffer, histogram)], 0);
  equal(buckets.length, LATENCY_BOUNDS_SECONDS.length + 1);
  deepEqual([buckets[0], buckets[1], buckets.at(-1)], [2, 1, 1]);
  equal(sumSeconds, 1_000.0003);
});

Deno.test("PluginMetrics.record() refuses values that are none, and series that are not there", () => {
  const { metrics, buffer } = fixture();
  const ids = (["counter", "gauge", "histogram"] as const).map((kind, i) =>
    metrics.define(kind, `m${i}`)
  );
  for (const id of ids) {
    for (const value of [NaN, Infinity, -Infinity]) equal(metrics.record(id, value), false);
  }
  equal(metrics.record(ids[0]!, -1), false);
  equal(metrics.record(ids[2]!, -1), false);
  for (const id of [-1, 3, SERIES_MAX, 0.5, NaN]) equal(metrics.record(id, 1), false);
  equal(new Float64Array(buffer).every((cell) => cell === 0), true);
});

Deno.test("PluginMetrics has 256 series, whatever a plugin makes up", () => {
  const { metrics, defined, number, buffer } = fixture();
  for (let i = 0; i < 100_000; i++) {
    const id = metrics.define("counter", `made_up_${i}`);
    equal(id, i < SERIES_MAX ? i : DEFINE_ERROR.tooMany);
    equal(metrics.record(id, 1), i < SERIES_MAX);
  }
  equal(defined.length, SERIES_MAX);
  equal(metrics.define("counter", "made_up_255"), 255);
  equal(metrics.define("gauge", "made_up_255"), DEFINE_ERROR.otherKind);
  equal(number(255), 1);
  equal(buffer.byteLength, 256 * 160);
});
