import { deepEqual, equal, match, throws } from "node:assert/strict";
import { GatewayMetrics, metricReference } from "../../src/observe/metrics.ts";
import { metricBuffer, PluginMetrics, SERIES_MAX } from "../../src/plugin_host/metric_cells.ts";
import type { MetricKind } from "../../src/plugin_host/metric_names.ts";
import { PluginSeries } from "../../src/plugin_host/plugin_series.ts";
import { parseExposition } from "../observe/exposition.ts";

interface Fixture {
  readonly all: PluginSeries;
  readonly problems: string[];
  /** A plugin in a worker, from now on. */
  started(worker: number, plugin: string): PluginMetrics;
  /** Every number of plugins, by name and labels; checked to be a valid exposition. */
  scrape(): Promise<Record<string, number>>;
  /** The declared metrics as well. */
  text(): Promise<string>;
}

function fixture(): Fixture {
  const all = new PluginSeries();
  const problems: string[] = [];
  const options = { layout: { listeners: [], pools: [] }, workers: () => [], pools: new Map() };
  const metrics = new GatewayMetrics({ ...options, version: "1" }, all);
  return {
    all,
    problems,
    started: (worker, plugin) => {
      const buffer = metricBuffer();
      all.open(worker, plugin, buffer);
      return new PluginMetrics(buffer, (series) => {
        const problem = all.add(worker, plugin, structuredClone(series));
        if (problem !== undefined) problems.push(problem);
      });
    },
    text: () => metrics.text(),
    scrape: async () => {
      const series = [...parseExposition(await metrics.text()).values()]
        .flatMap(({ series }) => series)
        .filter(({ name }) => name.startsWith("plugin_"));
      return Object.fromEntries(series.map(({ name, labels, value }) => {
        const inBraces = [...labels].map(([label, text]) => `${label}=${text}`).join(",");
        return [`${name}{${inBraces}}`, value];
      }));
    },
  };
}

function record(metrics: PluginMetrics, kind: MetricKind, text: string, value: number): void {
  metrics.record(metrics.define(kind, text), value);
}

Deno.test("PluginSeries sums over workers by name and labels, whatever the order they came in", async () => {
  const { started, scrape } = fixture();
  const [a, b] = [started(0, "cache"), started(1, "cache")];
  record(a, "counter", 'hits_total{table="users",kind="select"}', 2);
  record(a, "gauge", "size", 10);
  record(b, "gauge", "size", 5);
  record(b, "counter", 'hits_total{kind="select",table="users"}', 3);
  record(b, "counter", 'hits_total{kind="insert"}', 1);
  deepEqual(await scrape(), {
    "plugin_hits_total{plugin=cache,kind=select,table=users}": 5,
    "plugin_hits_total{plugin=cache,kind=insert}": 1,
    "plugin_size{plugin=cache}": 15,
  });
});

Deno.test("PluginSeries shows one name of two plugins as one metric", async () => {
  const { started, scrape, text } = fixture();
  record(started(0, "cache"), "counter", "calls_total", 2);
  record(started(0, 'odd "name"\\'), "counter", "calls_total", 3);
  deepEqual(await scrape(), {
    "plugin_calls_total{plugin=cache}": 2,
    'plugin_calls_total{plugin=odd "name"\\}': 3,
  });
  equal((await text()).match(/# TYPE plugin_calls_total counter/g)!.length, 1);
});

Deno.test("PluginSeries escapes what labels hold", async () => {
  const { started, scrape, text } = fixture();
  record(started(0, "p"), "gauge", String.raw`g{text="a\"b\\c\nd",sign="ü,}= "}`, 1);
  deepEqual(await scrape(), { 'plugin_g{plugin=p,sign=ü,}= ,text=a"b\\c\nd}': 1 });
  match(await text(), /plugin_g\{plugin="p",sign="ü,\}= ",text="a\\"b\\\\c\\nd"\} 1/);
});

Deno.test("PluginSeries shows histograms cumulative, with sum and count", async () => {
  const { started, scrape } = fixture();
  const [a, b] = [started(0, "p"), started(1, "p")];
  for (const value of [0.0001, 0.002, 100]) record(a, "histogram", 'seconds{a="1"}', value);
  record(b, "histogram", 'seconds{a="1"}', 0.002);
  const all = await scrape();
  const bucket = (le: string) => all[`plugin_seconds_bucket{plugin=p,a=1,le=${le}}`];
  deepEqual(["0.0001", "0.001", "0.0025", "60", "+Inf"].map(bucket), [1, 1, 3, 3, 4]);
  equal(all["plugin_seconds_count{plugin=p,a=1}"], 4);
  equal(all["plugin_seconds_sum{plugin=p,a=1}"], 100.0041);
});

Deno.test("PluginSeries shows the first kind of a name, and says why not the other", async () => {
  const { started, scrape, problems } = fixture();
  const [first, second] = [started(0, "first"), started(0, "second")];
  record(first, "gauge", "x", 1);
  record(first, "histogram", "h", 1);
  record(second, "histogram", "x", 2);
  record(second, "gauge", "h_count", 3);
  record(second, "gauge", "y", 4);
  deepEqual(problems, [
    '"x" is a gauge already, not a histogram',
    '"h_count" is a part of the histogram "h" already',
  ]);
  const shown = Object.entries(await scrape()).filter(([name]) => !name.startsWith("plugin_h_"));
  deepEqual(shown, [["plugin_x{plugin=first}", 1], ["plugin_y{plugin=second}", 4]]);
});

Deno.test("PluginSeries keeps what a worker counted that is gone, and forgets its gauges", async () => {
  const { all, started, scrape } = fixture();
  const [a, b] = [started(0, "p"), started(1, "p")];
  for (const metrics of [a, b]) {
    record(metrics, "counter", "c_total", 1);
    record(metrics, "gauge", "g", 10);
    record(metrics, "histogram", "h", 100);
  }
  record(a, "gauge", "only_there", 1);
  all.closeWorker(0);
  record(a, "counter", "c_total", 1_000);
  const again = started(0, "p");
  record(again, "gauge", "first_now", 5); // it has the slot that the counter had
  record(again, "counter", "c_total", 1);
  const { "plugin_h_count{plugin=p}": observed, ...others } = await scrape();
  equal(observed, 2);
  deepEqual(Object.entries(others).filter(([name]) => !name.startsWith("plugin_h_")), [
    ["plugin_c_total{plugin=p}", 3],
    ["plugin_g{plugin=p}", 10],
    ["plugin_first_now{plugin=p}", 5],
  ]);
});

Deno.test("PluginSeries keeps what a plugin counted that starts anew in a worker", async () => {
  const { started, scrape } = fixture();
  for (const value of [1, 2, 4]) record(started(0, "p"), "counter", "c_total", value);
  deepEqual(await scrape(), { "plugin_c_total{plugin=p}": 7 });
});

Deno.test("PluginSeries counts what a version does until its worker has heard of the next", async () => {
  const { all, started, scrape } = fixture();
  const count = (metrics: PluginMetrics) => metrics.record(metrics.define("counter", "a_total"), 1);
  const key = "plugin_a_total{plugin=p}";
  const first = started(0, "p");
  count(first);
  const second = started(0, "p");
  count(first);
  count(second);
  equal((await scrape())[key], 3);
  const third = started(0, "p");
  count(second);
  count(third);
  equal((await scrape())[key], 5);
  all.closeWorker(0);
  equal((await scrape())[key], 5);
});

Deno.test("PluginSeries frees names when a plugin or the last worker with a gauge is gone", async () => {
  const { all, started, scrape, problems } = fixture();
  record(started(0, "old"), "counter", "n", 1);
  all.closePlugin("old");
  deepEqual(await scrape(), {});
  record(started(0, "new"), "gauge", "n", 2);
  deepEqual(await scrape(), { "plugin_n{plugin=new}": 2 });
  const other = started(1, "other");
  all.closeWorker(0);
  record(other, "histogram", "n", 2);
  deepEqual(problems, []);
});

Deno.test("PluginSeries has 256 series of a plugin, whatever its workers make up", async () => {
  const { started, scrape, problems } = fixture();
  for (const worker of [0, 1, 2]) {
    const metrics = started(worker, "p");
    for (let i = 0; i < 1_000; i++) record(metrics, "gauge", `g${worker}_${i}`, 1);
  }
  equal(Object.keys(await scrape()).length, SERIES_MAX);
  equal(problems.length, 2 * SERIES_MAX);
  equal(new Set(problems).size, 1);
  equal(problems[0], "the plugin has 256 series already");
});

Deno.test("PluginSeries refuses series of workers that do not run the plugin", () => {
  const { all, started } = fixture();
  started(0, "p");
  const series = { name: "a", labels: [], kind: "gauge", slot: 0 } as const;
  throws(() => all.add(1, "p", series), /Cannot read metrics of "p": worker 1 does not run it/);
  throws(() => all.add(0, "q", series), RangeError);
});

Deno.test("GatewayMetrics.text() has its own metrics before those of plugins, none mixed", async () => {
  const { started, text } = fixture();
  const names = (families: ReadonlyMap<string, unknown>) => [...families.keys()];
  const own = metricReference().map(({ name }) => name);
  deepEqual(names(parseExposition(await text())), own);
  equal((await text()).endsWith("\n\n"), false);
  record(started(0, "p"), "gauge", "g", 1);
  deepEqual(names(parseExposition(await text())), [...own, "plugin_g"]);
  equal(own.some((name) => name.startsWith("plugin_")), false);
});
