import assert from "node:assert/strict";
import { REFERENCE } from "../../bench/measured_plugins.ts";
import {
  callTable,
  memoryTable,
  type PluginMeasurement,
  pluginSummary,
  pluginTable,
} from "../../bench/plugin_report.ts";
import { pluginsSection } from "../../bench/plugins_section.ts";
import { middleHalfOf } from "../../bench/statistics.ts";

const CELL = {
  workload: "8 clients",
  rounds: new Map([
    [REFERENCE, [run(100, 20, 0), run(200, 30, 0)]],
    ["plugin", [run(90, 24, 2), run(100, 38, 2)]],
  ]),
};

Deno.test("middleHalfOf leaves out what is far out", () => {
  assert.deepEqual(middleHalfOf([900, 1, 2, 3, 4, 5, 6, -80]), { median: 3.5, min: 1, max: 5 });
});

Deno.test("pluginTable compares with plugins disabled, round by round", () => {
  const { rows } = pluginTable([CELL]);
  assert.deepEqual(rows[0]!.slice(1), [
    REFERENCE,
    "150 (100..200)",
    "-",
    "25.0",
    "-",
    "0.0",
    "-",
    "2.00",
  ]);
  assert.deepEqual(rows[1]!.slice(1), [
    "plugin",
    "95 (90..100)",
    "0.70 (0.50..0.90)",
    "31.0",
    "6.0 (4.0..8.0)",
    "2.0",
    "3.0",
    "2.00",
  ]);
});

Deno.test("pluginSummary takes all rounds of all workloads together", () => {
  const { rows } = pluginSummary([CELL, CELL]);
  assert.deepEqual(rows[0], [REFERENCE, "4", "-", "-", "-"]);
  assert.deepEqual(rows[1], [
    "plugin",
    "4",
    "0.700 (0.500..0.900)",
    "6.00 (4.00..8.00)",
    "3.00 (2.00..4.00)",
  ]);
});

Deno.test("memoryTable says what a query costs more", () => {
  const { rows } = memoryTable(new Map([[REFERENCE, [1, 2]], ["plugin", [2, 4]]]));
  assert.deepEqual(rows[0], [REFERENCE, "1.50 (1.00..2.00)", "-"]);
  assert.deepEqual(rows[1], ["plugin", "3.00 (2.00..4.00)", "1.50 (1.00..2.00)"]);
});

Deno.test("callTable compares with the fastest, and sums the calls of a query", () => {
  const cost = (p50: number) => ({ p50, p99: 2 * p50, cpu: 1 });
  const rounds = new Map([["reads", [cost(1), cost(2)]], ["gRPC", [cost(100), cost(200)]]]);
  const { rows } = callTable([{ payloadSize: 64, rounds }], "reads");
  assert.deepEqual(rows[1], [
    "64 B",
    "gRPC",
    "150.00 (100.00..200.00)",
    "300.00",
    "1.00",
    "100",
    "600.0",
  ]);
  assert.equal(rows[0]![5], "-");
});

Deno.test("pluginsSection says on which machine, and what was left out", () => {
  const table = { header: ["a", "b"], rows: [["1", "2"]] };
  const section = pluginsSection(
    {
      date: "2026-01-31",
      cpu: "a CPU",
      cores: 2,
      kernel: "Linux 6.1",
      runtime: "Deno 2.9.6",
      programs: ["PostgreSQL 18.0"],
      omissions: ["gRPC: go is not on PATH"],
      loadBefore: 1.25,
      loadAfter: 4,
      rounds: 5,
      seconds: 6,
      scale: 1,
      poolSize: 8,
      warmUpSeconds: 60,
    },
    { summary: table, pgbench: table, memory: table, calls: table },
  );
  assert.match(section, /^## What plugins cost\n/);
  assert.match(section, /\n- Left out: gRPC: go is not on PATH\n/);
  assert.match(section, /a CPU, 2 cores, Linux 6\.1\. It is shared/);
  assert.match(section, /Load average when it began: 1\.3, at the end:\n {2}4\.0/);
});

function run(tps: number, cpu: number, callsPerTransaction: number): PluginMeasurement {
  return {
    transactions: tps * 6,
    transactionsPerSecond: tps,
    p50Ms: 1,
    p999Ms: 3,
    p99Ms: 2,
    cpuMicrosecondsPerTransaction: cpu,
    callsPerTransaction,
    connectingSeconds: 0,
    memoryMiB: 90,
  };
}
