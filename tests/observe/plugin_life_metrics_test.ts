import { deepEqual, equal } from "node:assert/strict";
import { GatewayMetrics } from "../../src/observe/metrics.ts";
import type { PluginLife } from "../../src/observe/plugin_life_metrics.ts";
import { LOAD_RESULTS } from "../../src/plugins/plugin_loader.ts";

const LIFE: PluginLife = {
  loaded: [{ name: "hello", version: "1.0.0", sha256: "ab", priority: 7 }],
  states: { running: 0, off: 1, refused: 2 },
  loads: new Map([["loaded", 3], ["checksum", 1]]),
};

async function lines(pluginLife?: () => PluginLife): Promise<readonly string[]> {
  const metrics = new GatewayMetrics({
    layout: { listeners: [], pools: [] },
    workers: () => [],
    pools: new Map(),
    version: "0",
    ...(pluginLife === undefined ? {} : { pluginLife }),
  });
  return (await metrics.text()).split("\n").filter((line) => line.startsWith("sluice_plugin"));
}

Deno.test("PLUGIN_LIFE_METRICS show which plugins there are", async () => {
  deepEqual(await lines(() => LIFE), [
    'sluice_plugins{state="running"} 0',
    'sluice_plugins{state="off"} 1',
    'sluice_plugins{state="refused"} 2',
    'sluice_plugin_info{plugin="hello",version="1.0.0",sha256="ab",priority="7"} 1',
    'sluice_plugin_loads_total{result="loaded"} 3',
    'sluice_plugin_loads_total{result="checksum"} 1',
  ]);
});

Deno.test("PLUGIN_LIFE_METRICS say nothing where there are no plugins", async () => {
  deepEqual(await lines(), []);
});

Deno.test("docs/metrics.md explains the results of loads", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/metrics.md", import.meta.url));
  for (const result of LOAD_RESULTS) equal(text.includes(`\`${result}\``), true, result);
});
