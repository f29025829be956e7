import assert from "node:assert/strict";
import { CELL_KINDS, cellsOf } from "../../bench/cells.ts";
import { BenchError } from "../../bench/command.ts";
import { optionsOf, USAGE } from "../../bench/options.ts";
import { SUBJECT_NAMES } from "../../bench/peers/peers.ts";

Deno.test("optionsOf measures everything through everybody by default", () => {
  const options = optionsOf([]);
  assert.deepEqual(options.kinds, CELL_KINDS);
  assert.deepEqual(options.modes, ["session", "transaction"]);
  assert.deepEqual([options.rounds, options.seconds, options.poolSize], [3, 2, 10]);
  assert.deepEqual([options.idleClients, options.subjects, options.clients], [
    5000,
    undefined,
    undefined,
  ]);
  assert.equal(options.workersMax, navigator.hardwareConcurrency);
});

Deno.test("optionsOf takes what it is told, in the order in which cells are measured", () => {
  const options = optionsOf([
    ...["--cells", "idle,simple", "--mode", "session", "--clients", "4,2"],
    ...["--subjects", "haproxy,sluice-epoll", "--idle", "100", "--workers", "3", "--write"],
  ]);
  assert.deepEqual(options.kinds, ["simple", "idle"]);
  assert.deepEqual([options.modes, options.clients], [["session"], [4, 2]]);
  assert.deepEqual(options.subjects, ["haproxy", "sluice-epoll"]);
  assert.deepEqual([options.idleClients, options.workersMax, options.isWriting], [100, 3, true]);
});

Deno.test("optionsOf takes less when it is to be quick", () => {
  const { clients, idleClients, rounds, seconds } = optionsOf(["--quick", "--rounds", "4"]);
  assert.deepEqual([clients, idleClients, rounds, seconds], [[8, 100], 500, 4, 2]);
});

Deno.test("optionsOf refuses what it cannot measure", () => {
  const wrong: readonly (readonly string[])[] = [
    ["--mode", "statement"],
    ["--cells", "simple,binary"],
    ["--clients", "0"],
    ["--clients", "5000"],
    ["--pool", "ten"],
    ["--subjects", "pgbouncer,pgcat"],
    ["--idle", "10000"],
  ];
  for (const args of wrong) assert.throws(() => optionsOf(args), BenchError, args.join(" "));
});

Deno.test("USAGE names every option, kind of cell and subject", () => {
  const options = ["mode", "clients", "full", "pool", "workers", "rounds", "seconds", "source"];
  for (const name of [...options, "quick", "write", "subjects", "cells", "idle"]) {
    assert.ok(USAGE.includes(`\n  --${name} `), name);
  }
  for (const name of [...CELL_KINDS, ...SUBJECT_NAMES]) assert.ok(USAGE.includes(name), name);
});

Deno.test("cellsOf has every number of clients for the simple protocol, and all with --full", () => {
  const counts = (args: readonly string[]) => {
    const cells = cellsOf(optionsOf(["--workers", "2", ...args]));
    return (kind: string, mode: string) =>
      cells.filter((cell) => cell.kind === kind && cell.mode === mode)
        .map(({ clients }) => clients);
  };
  const some = counts([]);
  assert.deepEqual(some("simple", "session"), [1, 8, 32, 100, 1000]);
  assert.deepEqual(some("prepared", "session"), [8]);
  assert.deepEqual(some("prepared", "transaction"), [8, 100, 1000]);
  assert.deepEqual(some("extended", "transaction"), [8, 100]);
  assert.deepEqual([some("connect", "transaction"), some("tls", "session")], [[8], [8]]);
  assert.deepEqual(some("idle", "session"), []);
  const all = counts(["--full"]);
  assert.deepEqual(all("extended", "session"), [1, 8, 32, 100, 1000]);
  assert.deepEqual([all("connect", "session"), all("tls", "transaction")], [[8, 32], [8, 100]]);
  assert.deepEqual(counts(["--clients", "3"])("tls", "session"), [3]);
});

Deno.test("cellsOf sends queries in the cell's protocol, and compares workers where there are several", () => {
  const cells = cellsOf(optionsOf(["--workers", "2"]));
  const find = (kind: string) => cells.find((cell) => cell.kind === kind)!;
  assert.deepEqual(["extended", "prepared", "tls"].map((kind) => find(kind).protocol), [
    "extended",
    "prepared",
    "simple",
  ]);
  assert.deepEqual([find("workers").workers, find("simple").workers], [[1, 2], [1]]);
  assert.deepEqual(cellsOf(optionsOf(["--workers", "1", "--cells", "workers"]))[0]!.workers, [1]);
  assert.deepEqual(
    cells.filter(({ kind }) => kind === "large").map(({ mode, transfer }) =>
      `${mode} ${transfer!.megabytes}`
    ),
    ["session 200", "session 100", "transaction 200", "transaction 100"],
  );
});
