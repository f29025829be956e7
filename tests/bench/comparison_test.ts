import assert from "node:assert/strict";
import type { Cell } from "../../bench/cells.ts";
import { comparisonTable } from "../../bench/comparison_tables.ts";
import { explained } from "../../bench/explanations.ts";
import { performancePage } from "../../bench/performance_page.ts";
import type { CellResult, Outcome, Run } from "../../bench/results.ts";
import { explanationsOf, summaryTable } from "../../bench/summary.ts";
import { lossesOf, lossesText } from "../../bench/verdicts.ts";

const CELL: Cell = {
  kind: "simple",
  mode: "session",
  clients: 8,
  protocol: "simple",
  workers: [1],
};

/** Three rounds of throughput, with p99 and CPU time that do not change. */
function measured(tps: readonly number[], p99Ms: number, cpuMicroseconds?: number): Outcome {
  const runs = tps.map((value): Run => ({
    tps: value,
    p50Ms: 1,
    p99Ms,
    p999Ms: 5,
    ...cpuMicroseconds === undefined ? {} : { cpuMicroseconds, memoryMiB: 90 },
  }));
  return { kind: "measured", runs };
}

function result(outcomes: Record<string, Outcome>, cell: Partial<Cell> = {}): CellResult {
  return { cell: { ...CELL, ...cell }, outcomes: new Map(Object.entries(outcomes)) };
}

const PGBOUNCER = measured([100, 200, 400], 2, 20);

/** Half of everything that is more, in the same round each. */
const SLOW = measured([50, 100, 200], 4, 40);
const FAST = measured([150, 300, 600], 1, 10);

Deno.test("lossesOf is empty where Sluice is ahead of every peer, whatever the server does", () => {
  const direct = measured([900, 900, 900], 0.1);
  const cell = result({ direct, pgbouncer: PGBOUNCER, "sluice-epoll": FAST });
  assert.deepEqual(lossesOf(cell, "sluice-epoll"), []);
});

Deno.test("lossesOf names the metric and the peer, and a goal that is missed though ahead", () => {
  const ahead = measured([150, 300, 600], 1, 15);
  const haproxy = measured([100, 200, 400], 0.5, 1);
  const cell = result({ pgbouncer: PGBOUNCER, haproxy, "sluice-epoll": ahead });
  const losses = lossesOf(cell, "sluice-epoll");
  assert.equal(lossesText(losses), "p99 2.00 of haproxy; CPU 0.75 of pgbouncer");
  // As much as the goal is not too much, as fast as a peer is not ahead of it.
  const goal = measured([100, 200, 400], 1, 13);
  const even = result({ pgbouncer: PGBOUNCER, "sluice-epoll": goal });
  assert.equal(lossesText(lossesOf(even, "sluice-epoll")), "throughput 1.00 of pgbouncer");
});

Deno.test("lossesOf knows when the rounds do not agree", () => {
  const mixed = measured([90, 190, 500], 1, 10);
  const [loss] = lossesOf(result({ pgbouncer: PGBOUNCER, "sluice-deno": mixed }), "sluice-deno");
  assert.equal(loss?.isWithinSpread, true);
  const slow = result({ pgbouncer: PGBOUNCER, "sluice-deno": SLOW });
  assert.ok(lossesOf(slow, "sluice-deno").every(({ isWithinSpread }) => !isWithinSpread));
});

Deno.test("comparisonTable has the ratio to PgBouncer round by round, and marks what is lost", () => {
  const cell = result({
    direct: measured([300, 400, 500], 1),
    pgbouncer: PGBOUNCER,
    "sluice-deno": SLOW,
    "sluice-epoll": FAST,
  });
  const { header, rows } = comparisonTable([cell]);
  assert.deepEqual(header.slice(0, 6), [
    "work",
    "through",
    "tps",
    "of PgBouncer",
    "CPU µs/tx",
    "of PgBouncer",
  ]);
  assert.deepEqual(rows[0]!.slice(0, 6), [
    "8 clients",
    "direct",
    "400 (300..500)",
    "2.00 (1.25..3.00)",
    "-",
    "-",
  ]);
  assert.deepEqual(rows[1]!.slice(2, 4), ["200 (100..400)", "-"]);
  assert.deepEqual(rows[2]!.slice(2, 6), [
    "100 (50..200)",
    "0.50 (0.50..0.50)",
    "40.0 (40.0..40.0)",
    "2.00 (2.00..2.00)",
  ]);
  assert.deepEqual(rows.map((row) => row.at(-1)), [
    "",
    "",
    "**lost**: throughput 0.50 of pgbouncer; p99 2.00 of pgbouncer; CPU 2.00 of pgbouncer",
    "won",
  ]);
});

Deno.test("comparisonTable says in its cell what failed, and who cannot take part", () => {
  const cell = result({
    pgbouncer: { kind: "left out", why: "it loses statements" },
    haproxy: { kind: "failed", why: "a | b\nc" },
    "sluice-epoll": FAST,
  });
  const { rows } = comparisonTable([cell]);
  assert.deepEqual(rows.map((row) => row.at(-1)), [
    "left out: it loses statements",
    "failed: a / b c",
    "nobody to compare with",
  ]);
  assert.ok(rows[1]!.slice(2, -1).every((text) => text === "-"));
});

Deno.test("comparisonTable compares several workers with one", () => {
  const outcomes = { "sluice-epoll": PGBOUNCER, "sluice-epoll, 2 workers": FAST };
  const { rows } = comparisonTable([result(outcomes, { kind: "workers", workers: [1, 2] })]);
  assert.deepEqual(rows.map((row) => row[3]), ["-", "1.50 (1.50..1.50)"]);
});

Deno.test("explained gives reasons only for what is lost, and says what is not explained", () => {
  const slow = result({ pgbouncer: PGBOUNCER, "sluice-deno": SLOW, "sluice-epoll": SLOW });
  const near = measured([90, 180, 360], 3, 25);
  const usual = result({ pgbouncer: PGBOUNCER, "sluice-deno": near });
  const reasons = (losses: ReturnType<typeof lossesOf>) =>
    [...explained(losses)].map(([text, its]) => `${text.slice(0, 22)} ${its.length}`);
  assert.deepEqual(reasons([]), []);
  assert.deepEqual(reasons(lossesOf(slow, "sluice-epoll")), ["Not explained yet. 3"]);
  assert.deepEqual(reasons(lossesOf(usual, "sluice-deno")), ["The driver `deno` read 3"]);
  const thrifty = { pgbouncer: PGBOUNCER, "sluice-io_uring": measured([150, 300, 600], 1, 15) };
  const ofRing = (cell: Partial<Cell>) =>
    reasons(lossesOf(result(thrifty, cell), "sluice-io_uring"));
  assert.deepEqual(ofRing({ clients: 100 }), ["Four fifths of the CPU 1"]);
  const nearly = result({ pgbouncer: PGBOUNCER, "sluice-epoll": near });
  assert.deepEqual(reasons(lossesOf(nearly, "sluice-epoll")), [
    "Beside the kernel's pa 1",
    "Clients, gateway and s 2",
  ]);
});

Deno.test("explained knows of idle clients that no message is moved for them", () => {
  const run = (bytesPerClient: number): Outcome => ({
    kind: "measured",
    runs: [{ bytesPerClient, memoryMiB: 10 }],
  });
  const idle = result({ pgbouncer: run(500), "sluice-deno": run(900) }, { kind: "idle" });
  const losses = lossesOf(idle, "sluice-deno");
  assert.equal(lossesText(losses), "memory for each client 1.80 of pgbouncer");
  assert.match([...explained(losses).keys()].join(), /^A client that waits is a struct/);
});

Deno.test("summaryTable counts cells with a peer in them, and a failure of Sluice's is no win", () => {
  const failed: Outcome = { kind: "failed", why: "no" };
  const results = [
    result({ pgbouncer: PGBOUNCER, "sluice-deno": SLOW, "sluice-epoll": FAST }),
    result({ pgbouncer: PGBOUNCER, "sluice-deno": FAST, "sluice-epoll": failed }),
    result({ "sluice-deno": FAST, "sluice-epoll": FAST }),
    result({ pgbouncer: PGBOUNCER, "sluice-epoll": FAST }, { kind: "workers" }),
  ];
  assert.deepEqual(summaryTable(results).rows, [[
    "Simple protocol",
    "session",
    "1 of 2",
    "1 of 2",
  ]]);
  assert.match(explanationsOf(results), /Sluice failed[^]*8 clients.*sluice-epoll: no/);
});

const FACTS = {
  date: "2026-01-31",
  cpu: "a CPU",
  cores: 2,
  kernel: "Linux 6.1",
  programs: ["PostgreSQL 18.0"],
  missing: ["Odyssey: not in Debian 12"],
  loadBefore: 0.25,
  loadAfter: 1.5,
  rounds: 5,
  seconds: 6,
  scale: 10,
  poolSize: 20,
  subjects: undefined,
};

Deno.test("performancePage has a section for each kind that was measured, and says what was not", () => {
  const outcomes = { pgbouncer: PGBOUNCER, "sluice-epoll": FAST };
  const results = [result(outcomes), result(outcomes, { mode: "transaction", clients: 1 })];
  const page = performancePage(FACTS, results);
  assert.match(page, /\n## Simple protocol\n\n### Session mode\n\n\| work/);
  assert.match(page, /\n### Transaction mode, 20 server connections\n/);
  assert.match(page, /\n\| 1 client \| sluice-epoll \| 300 /);
  assert.match(page, /\n- Did not take part: Odyssey: not in Debian 12\n/);
  assert.match(page, /\n- Not measured in this run: extended protocol, .*idle clients\n/);
  assert.match(page, /on 1000000 accounts \(scale 10\), 5 rounds of 6 s/);
  assert.ok(!page.includes("## TLS from the client"));
  assert.ok(!page.includes("## What is not won"));
  assert.ok(!page.includes("Only these took part"));
});

Deno.test("performancePage says why a cell is not won, and who was left away", () => {
  const results = [result({ pgbouncer: PGBOUNCER, "sluice-epoll": SLOW })];
  const page = performancePage({ ...FACTS, subjects: ["pgbouncer", "sluice-epoll"] }, results);
  assert.match(page, /## What is not won, and why\n[^]*\*\*Not explained yet\.\*\*\n\n- 8 clients/);
  assert.match(page, /\n- Only these took part: pgbouncer, sluice-epoll\n/);
});
