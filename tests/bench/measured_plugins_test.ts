import assert from "node:assert/strict";
import { join } from "node:path";
import {
  BODY,
  installPlugins,
  moduleFor,
  pluginCallsIn,
  REFERENCE,
  setupsWith,
} from "../../bench/measured_plugins.ts";
import { seriesCells } from "../../src/plugin_host/metric_cells.ts";
import { startPlugin } from "../support/plugins.ts";

Deno.test("the plugin that reads each query counts queries and spaces", async () => {
  const { query, series, metrics, counts } = await startPlugin(moduleFor("onQuery", BODY.count));
  assert.equal(query("select 1 + 2").kind, "forward");
  assert.equal(query("begin").kind, "forward");
  const values = series.map(({ name, slot }) => [name, seriesCells(metrics, slot).get(0)]);
  assert.deepEqual(values, [["queries_total", 2], ["spaces_total", 3]]);
  assert.equal(counts().failures.trap, 0);
});

Deno.test("the plugin that replaces gives back what it was shown", async () => {
  const { query } = await startPlugin(moduleFor("onQuery", BODY.replace));
  const text = "x".repeat(16_384);
  const verdict = query(text);
  assert.equal(verdict.kind, "replace");
  assert.equal(new TextDecoder().decode(verdict.bytes), text);
});

Deno.test("setupsWith compares two gateways of one configuration with all others", async () => {
  const hello = { name: "hello", module: new Uint8Array(), permissions: "[log]" };
  const setups = setupsWith(hello);
  assert.equal(setups[0]!.name, REFERENCE);
  const folder = await Deno.makeTempDir();
  try {
    const sections = [];
    for (const [index, setup] of setups.entries()) {
      sections.push(await installPlugins(setup, join(folder, String(index))));
    }
    assert.equal(sections[0], "{ enabled: false }");
    assert.equal(sections[1], sections[0]);
    assert.equal(sections[2], `{ directory: "${join(folder, "2")}" }`);
    assert.equal(
      sections.at(-1),
      `{ directory: "${join(folder, "6")}", hello: { permissions: [log] } }`,
    );
    const files = Array.from(Deno.readDirSync(join(folder, "6")), ({ name }) => name).sort();
    assert.deepEqual(files, ["count.wasm", "hello.wasm", "other.wasm"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("setupsWith leaves out what cannot be built", () => {
  const names = setupsWith(undefined).map(({ name }) => name);
  assert.ok(!names.some((name) => name.includes("AssemblyScript") || name.includes("three")));
});

Deno.test("pluginCallsIn sums the calls of all plugins and hooks", () => {
  const metrics = `# TYPE sluice_plugin_calls_total counter
sluice_plugin_calls_total{plugin="a",hook="onQuery"} 12
sluice_plugin_calls_total{plugin="b",hook="onRow"} 3
sluice_plugin_failures_total{plugin="a",reason="trap"} 100
`;
  assert.equal(pluginCallsIn(metrics), 15);
  assert.equal(pluginCallsIn(""), 0);
});
