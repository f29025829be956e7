import assert from "node:assert/strict";
import { BenchError } from "../../bench/command.ts";
import { pluginOptionsOf } from "../../bench/plugin_options.ts";

Deno.test("pluginOptionsOf measures everything by default", () => {
  const { parts, modes, workloads, poolSize, rounds } = pluginOptionsOf([]);
  assert.deepEqual(parts, ["pgbench", "memory", "grpc"]);
  assert.deepEqual(modes, ["session", "transaction"]);
  assert.deepEqual(workloads.map(({ clients, protocol }) => `${clients} ${protocol}`), [
    "8 simple",
    "8 extended",
    "8 prepared",
    "32 simple",
    "32 extended",
    "32 prepared",
  ]);
  assert.deepEqual([poolSize, rounds], [8, 5]);
});

Deno.test("pluginOptionsOf takes less when it is to be quick", () => {
  const { workloads, rounds } = pluginOptionsOf(["--quick", "--mode", "session", "--rounds", "3"]);
  assert.ok(workloads.every(({ clients, seconds }) => clients === 8 && seconds === 2));
  assert.equal(rounds, 3);
});

Deno.test("pluginOptionsOf refuses what it cannot measure", () => {
  const wrong: readonly (readonly string[])[] = [
    ["--parts", "pgbench,other"],
    ["--parts", "memory", "--write"],
    ["--mode", "statement"],
    ["--clients", "240"],
    ["--pool", "0"],
  ];
  for (const args of wrong) {
    assert.throws(() => pluginOptionsOf(args), BenchError, args.join(" "));
  }
});
