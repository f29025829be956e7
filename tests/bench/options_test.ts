import assert from "node:assert/strict";
import { BenchError } from "../../bench/command.ts";
import { optionsOf } from "../../bench/options.ts";

Deno.test("optionsOf measures session mode by default, with simple queries", () => {
  const { workloads, sharing, rounds, seconds } = optionsOf([]);
  assert.deepEqual(workloads.map(({ clients, protocol }) => [clients, protocol]), [
    [1, "simple"],
    [8, "simple"],
    [32, "simple"],
  ]);
  assert.deepEqual(sharing, []);
  assert.deepEqual([rounds, seconds], [5, 6]);
});

Deno.test("optionsOf measures transaction mode with each pool, number of clients and protocol", () => {
  const { workloads, sharing } = optionsOf(["--mode", "transaction", "--quick"]);
  assert.deepEqual(workloads, []);
  assert.deepEqual(sharing.map(({ poolSize }) => poolSize), [10, 20]);
  const [{ workloads: shared }] = sharing as [(typeof sharing)[0]];
  assert.deepEqual(shared.map(({ clients, protocol }) => `${clients} ${protocol}`), [
    "100 simple",
    "100 extended",
    "100 prepared",
    "1000 simple",
    "1000 extended",
    "1000 prepared",
  ]);
  assert.ok(shared.every(({ seconds, reconnects }) => seconds === 2 && !reconnects));
});

Deno.test("optionsOf refuses what it cannot measure", () => {
  const wrong: readonly (readonly string[])[] = [
    ["--mode", "statement"],
    ["--protocol", "simple,binary"],
    ["--clients", "0"],
    ["--clients", "240"],
    ["--mode", "transaction", "--clients", "1900"],
    ["--mode", "transaction", "--pool", "ten"],
    ["--mode", "transaction", "--write"],
  ];
  for (const args of wrong) assert.throws(() => optionsOf(args), BenchError, args.join(" "));
});
