import { deepEqual, equal, notEqual } from "node:assert/strict";
import { HOOK } from "../../src/hooks/hooks.ts";
import { FORWARD } from "../../src/hooks/verdict.ts";
import { PluginMetrics } from "../../src/plugin_host/metric_cells.ts";
import { PluginCounters } from "../../src/plugin_host/plugin_counters.ts";
import { PluginMemory } from "../../src/plugins/plugin_memory.ts";

/** A version of the plugin "hello". */
function version(generation: number) {
  return { name: "hello", generation };
}

/** The names of metrics that are shown. */
function shown(memory: PluginMemory): string[] {
  return memory.series.read().map(({ name }) => name);
}

/** Has a version in a worker make a counter. */
function makeCounter(memory: PluginMemory, worker: number, generation: number, name: string): void {
  const { metrics } = memory.buffersFor(worker, version(generation));
  const tell = new PluginMetrics(
    metrics,
    (series) => memory.onSeries(worker, "hello", generation, series),
  );
  tell.define("counter", name);
}

Deno.test("PluginMemory counts on when a plugin is replaced, or a worker", () => {
  const memory = new PluginMemory(() => {});
  const count = (worker: number, generation: number) =>
    new PluginCounters(memory.buffersFor(worker, version(generation)).counters)
      .countCall(HOOK.onTick, FORWARD);
  count(0, 1);
  count(1, 1);
  memory.use(0, [version(1)]);
  count(0, 2);
  memory.closeWorker(0);
  count(0, 2);
  equal(memory.countsOf("hello").calls.get("onTick"), 4);
  memory.closePlugin("hello");
  deepEqual([...memory.countsOf("hello").calls], []);
});

Deno.test("PluginMemory gives each version and each new worker metrics of its own", () => {
  const memory = new PluginMemory(() => {});
  const first = memory.buffersFor(0, version(1)).metrics;
  equal(memory.buffersFor(0, version(1)).metrics, first);
  notEqual(memory.buffersFor(0, version(2)).metrics, first);
  notEqual(memory.buffersFor(1, version(1)).metrics, first);
  memory.closeWorker(0);
  notEqual(memory.buffersFor(0, version(1)).metrics, first);
});

Deno.test("PluginMemory shows metrics of the versions that are used, and no others", () => {
  const memory = new PluginMemory(() => {});
  makeCounter(memory, 0, 1, "a_total");
  deepEqual(shown(memory), [], "it is not used yet");
  memory.use(0, [version(1)]);
  deepEqual(shown(memory), ["plugin_a_total"]);
  makeCounter(memory, 0, 2, "b_total");
  memory.drop(0, version(2));
  memory.use(0, [version(2)]);
  deepEqual(shown(memory), ["plugin_a_total"], "it was dropped");
  memory.closePlugin("hello");
  deepEqual(shown(memory), []);
  memory.onSeries(0, "hello", 1, {
    kind: "counter",
    name: "late_total",
    labels: [],
    slot: 0,
  });
  deepEqual(shown(memory), [], "of a version that is gone");
});
