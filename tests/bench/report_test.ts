import assert from "node:assert/strict";
import { performancePage } from "../../bench/performance_page.ts";
import {
  asMarkdown,
  asText,
  type Cell,
  type Measurement,
  transactionTable,
  transferTable,
} from "../../bench/report.ts";
import { percentile, spreadOf, spreadOfRatios } from "../../bench/statistics.ts";

Deno.test("spreadOf takes the middle value, or the mean of the two in the middle", () => {
  assert.deepEqual(spreadOf([9, 1, 5]), { median: 5, min: 1, max: 9 });
  assert.deepEqual(spreadOf([10, 9, 1, 2]), { median: 5.5, min: 1, max: 10 });
  assert.deepEqual(spreadOf([7]), { median: 7, min: 7, max: 7 });
});

Deno.test("spreadOfRatios compares round by round, not median by median", () => {
  // The machine was ten times slower in the first round: the ratios do not show it.
  assert.deepEqual(spreadOfRatios([1, 20, 30], [2, 40, 60]), { median: 0.5, min: 0.5, max: 0.5 });
});

Deno.test("percentile is the nearest rank", () => {
  const values = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  assert.equal(percentile(values, 0.5), 50);
  assert.equal(percentile(values, 0.99), 99);
  assert.equal(percentile([3], 0.99), 3);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

Deno.test("transactionTable compares with PgBouncer, and shows no CPU of the server", () => {
  const { rows } = transactionTable([cell()]);
  assert.deepEqual(rows[0]!.slice(0, 6), [
    "8 clients",
    "direct",
    "400 (300..500)",
    "2.00 (1.50..2.50)",
    "-",
    "-",
  ]);
  assert.deepEqual(rows[1]!.slice(0, 6), [
    "8 clients",
    "pgbouncer",
    "200 (200..200)",
    "-",
    "20.0 (20.0..20.0)",
    "-",
  ]);
  assert.deepEqual(rows[2]!.slice(2, 6), [
    "150 (100..200)",
    "0.75 (0.50..1.00)",
    "30.0 (30.0..30.0)",
    "1.50 (1.50..1.50)",
  ]);
  assert.deepEqual(rows[2]!.slice(6), ["1.00", "2.00", "90"]);
});

Deno.test("transferTable compares rates", () => {
  const rounds = new Map([["pgbouncer", [100, 200]], ["sluice", [110, 180]]] as const);
  const { rows } = transferTable([{ transfer: "COPY", rounds }]);
  assert.deepEqual(rows[1], ["COPY", "sluice", "145 (110..180)", "1.00 (0.90..1.10)"]);
});

Deno.test("asText aligns words left and numbers right", () => {
  const table = { header: ["a", "b", "c"], rows: [["long", "x", "10"], ["s", "yy", "9"]] };
  assert.equal(asText(table), "a     b    c\nlong  x   10\ns     yy   9\n");
});

Deno.test("asMarkdown makes a table", () => {
  const table = { header: ["a", "b", "c"], rows: [["1", "2", "3"]] };
  assert.equal(asMarkdown(table), "| a | b | c |\n| --- | --- | ---: |\n| 1 | 2 | 3 |\n");
});

Deno.test("performancePage explains rows that reconnect only if there are any", () => {
  const page = (hasReconnects: boolean) =>
    performancePage(
      {
        date: "2026-01-31",
        cpu: "a CPU",
        cores: 2,
        kernel: "Linux 6.1",
        programs: ["PostgreSQL 18.0"],
        loadAverage: 0.25,
        rounds: 5,
        seconds: 6,
        scale: 10,
        hasReconnects,
      },
      transactionTable([cell()]),
      { header: [], rows: [] },
    );
  assert.ok(page(true).includes("Rows with `-C`"));
  assert.ok(!page(false).includes("`-C`"));
  assert.ok(page(false).includes("on 1000000 accounts (scale 10), 5 rounds of 6 s"));
});

function cell(): Cell {
  const run = (tps: number, cpu: number | undefined): Measurement => ({
    transactions: tps * 6,
    transactionsPerSecond: tps,
    p50Ms: 1,
    p99Ms: 2,
    cpuMicrosecondsPerTransaction: cpu,
    residentMiB: cpu === undefined ? undefined : 90,
  });
  const rounds = new Map(
    [
      ["direct", [run(300, undefined), run(500, undefined)]],
      ["pgbouncer", [run(200, 20), run(200, 20)]],
      ["sluice", [run(100, 30), run(200, 30)]],
    ] as const,
  );
  return { workload: "8 clients", rounds };
}

Deno.test("performancePage has a table of transaction mode only if it was measured", () => {
  const facts = {
    date: "2026-01-31",
    cpu: "a CPU",
    cores: 2,
    kernel: "Linux 6.1",
    programs: [],
    loadAverage: 0.25,
    rounds: 5,
    seconds: 6,
    scale: 10,
    hasReconnects: false,
  };
  const table = transactionTable([cell()]);
  const without = performancePage(facts, table, { header: [], rows: [] });
  assert.ok(!without.includes("on few server connections"));
  const cells = [{ ...cell(), workload: "1000 clients, 10 servers, simple" }];
  const sharing = transactionTable(cells);
  const page = performancePage(facts, table, { header: [], rows: [] }, sharing);
  assert.ok(page.includes("| 1000 clients, 10 servers, simple | sluice |"));
});

Deno.test("transactionTable compares with nobody where PgBouncer cannot take part", () => {
  const rounds = new Map([["sluice", cell().rounds.get("sluice")!]] as const);
  const [row] = transactionTable([{ workload: "prepared", rounds }]).rows;
  assert.deepEqual(row!.slice(2, 6), ["150 (100..200)", "-", "30.0 (30.0..30.0)", "-"]);
});
