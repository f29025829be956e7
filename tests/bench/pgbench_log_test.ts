import assert from "node:assert/strict";
import { cpuInWindow } from "../../bench/cpu_window.ts";
import { intervalsOf, latenciesOf, transactionsIn } from "../../bench/pgbench_log.ts";
import { percentile } from "../../bench/statistics.ts";

/** Two clients in one thread, as pgbench 15 logs them. */
const LOG = `0 1 1500 0 1700000000 2000
1 1 900 0 1700000000 2500
0 2 1200 0 1700000000 999000
0 3 800 0 1700000001 4000
1 2 700 0 1700000001 2500
`;

Deno.test("latenciesOf are pgbench's own", () => {
  assert.deepEqual(latenciesOf(transactionsIn(LOG)), [1500, 900, 1200, 800, 700]);
  assert.deepEqual(transactionsIn(""), []);
});

Deno.test("intervalsOf are from end to end of the same client's, over the seconds", () => {
  assert.deepEqual(intervalsOf(transactionsIn(LOG)), [997_000, 5_000, 1_000_000]);
});

Deno.test("transactionsIn refuses what did not succeed, and lines that were cut", () => {
  for (const line of ["0 1 failed 0 1700000000 2000", "0 1 skipped 0 1700000000 2000", "0 1 15"]) {
    assert.throws(() => transactionsIn(`${LOG}${line}\n`), /Cannot take a latency/, line);
  }
});

Deno.test("percentile of a thousand has a p999 of its own", () => {
  const times = Float64Array.from({ length: 1000 }, (_, i) => i + 1);
  assert.deepEqual([0.5, 0.99, 0.999].map((quantile) => percentile(times, quantile)), [
    500,
    990,
    999,
  ]);
});

Deno.test("cpuInWindow divides by the transactions that ended in the window", () => {
  const ends = Float64Array.from(transactionsIn(LOG), ({ end }) => end);
  const window = { fromMs: 1_700_000_000_002, toMs: 1_700_000_001_003, cpuSeconds: 0.000_3 };
  // The first ended at the window's begin, and the fourth behind its end.
  assert.equal(cpuInWindow(window, ends)?.toFixed(3), "100.000");
  assert.equal(cpuInWindow({ ...window, toMs: window.fromMs }, ends), undefined);
});
