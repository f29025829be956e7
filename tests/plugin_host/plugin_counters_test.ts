/**
 * What the gateway counts of plugins, and shows at /metrics.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, ok } from "node:assert/strict";
import { FORWARD } from "../../src/hooks/verdict.ts";
import { HOOK } from "../../src/hooks/hooks.ts";
import { counterBuffer, WorkerCounters } from "../../src/observe/counters.ts";
import { GatewayMetrics } from "../../src/observe/metrics.ts";
import {
  CALL_BOUNDS_SECONDS,
  pluginCounterBuffer,
  PluginCounters,
  readPluginCounters,
} from "../../src/plugin_host/plugin_counters.ts";
import { moduleOf, startPlugin } from "../support/plugins.ts";

Deno.test("PluginCounters are summed over workers, each cell for itself", () => {
  const buffers = [pluginCounterBuffer(), pluginCounterBuffer()];
  const [first, second] = buffers.map((buffer) => new PluginCounters(buffer));
  first!.countCall(HOOK.onQuery, FORWARD);
  second!.countCall(HOOK.onQuery, { kind: "close", plugin: "a" });
  second!.countCall(HOOK.onTransactionEnd, FORWARD);
  first!.countCost(1e-7, 10, 1);
  first!.countCost(5, 20, 16);
  second!.countCost(3e-6, 1, 2);
  second!.countFailure("init");
  first!.countDroppedLog();
  first!.setOff(true);
  second!.setOff(true);
  second!.setOff(false);
  const counts = readPluginCounters(buffers);
  assertEquals([...counts.calls], [["onQuery", 2], ["onTransactionEnd", 1]]);
  assertEquals([counts.verdicts.forward, counts.verdicts.close, counts.verdicts.route], [2, 1, 0]);
  assertEquals([counts.failures.init, counts.failures.trap], [1, 0]);
  const { buckets } = counts.seconds;
  equal(buckets[0], 1);
  equal(buckets[CALL_BOUNDS_SECONDS.indexOf(5e-6)], 2);
  equal(buckets.at(-1), 16);
  ok(Math.abs(counts.seconds.sumSeconds - 80.0000061) < 1e-9);
  equal(counts.fuel, 332);
  assertEquals([counts.droppedLogs, counts.workersOff], [1, 1]);
});

Deno.test("One call of 16 is measured, and later one of 64, and counts for all", async () => {
  const { query, counts } = await startPlugin(moduleOf("(i32.const 0)"));
  const measured = () => counts().seconds.buckets.reduce((a, b) => a + b);
  for (let i = 0; i < 33; i++) query("a");
  equal(measured(), 33);
  equal(counts().fuel % 33, 0);
  for (let i = 33; i < 1025 + 63; i++) query("a");
  equal(measured(), 1025);
  query("a");
  equal(measured(), 1025 + 64);
  ok(counts().fuel > 0);
});

Deno.test("/metrics shows what was counted of plugins", async () => {
  const world = await startPlugin(moduleOf("(unreachable)"));
  world.query("a");
  const layout = { listeners: [], pools: [] };
  const counters = new WorkerCounters(layout, counterBuffer(layout));
  const metrics = new GatewayMetrics({
    layout,
    workers: () => [counters],
    pools: new Map(),
    version: "1",
    plugins: () => [{ plugin: "tested", ...world.counts() }],
  });
  const text = await metrics.text();
  for (
    const line of [
      'sluice_plugin_calls_total{plugin="tested",hook="onQuery"} 1',
      'sluice_plugin_failures_total{plugin="tested",reason="trap"} 1',
      'sluice_plugin_failures_total{plugin="tested",reason="fuel"} 0',
      'sluice_plugin_verdicts_total{plugin="tested",verdict="forward"} 1',
      'sluice_plugin_call_seconds_bucket{plugin="tested",le="0.1"} 1',
      'sluice_plugin_call_seconds_count{plugin="tested"} 1',
      'sluice_plugin_off{plugin="tested"} 0',
      'sluice_plugin_dropped_logs_total{plugin="tested"} 0',
    ]
  ) ok(text.split("\n").includes(line), `${line}\n${text}`);
  ok(text.includes('sluice_plugin_call_seconds_bucket{plugin="tested",le="1e-7"}'));
});
