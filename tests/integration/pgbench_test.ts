/**
 * pgbench as an examiner: thousands of transactions in every protocol, and afterwards the books
 * must balance. How fast it is, is another matter.
 *
 * @module
 */

import assert from "node:assert/strict";
import { queryOnce } from "../support/postgres.ts";
import { clientProgram, connectionArgs, connectionEnv } from "../support/psql.ts";
import { runProgram } from "../support/programs.ts";
import { type Target, testThroughGateway } from "../support/stories.ts";

/** Runs pgbench, and fails unless every transaction it began was done. */
async function pgbench(target: Target, args: readonly string[]): Promise<number> {
  const all = [...connectionArgs(target), ...args, target.database];
  const env = connectionEnv(target);
  const { code, stdout, stderr } = await runProgram(await clientProgram("pgbench"), all, { env });
  assert.equal(code, 0, stderr);
  assert.ok(!/ERROR|FATAL|abort/.test(stderr), stderr);
  const done = /number of transactions actually processed: (\d+)\/(\d+)/.exec(stdout);
  if (done === null) return 0;
  assert.equal(done[1], done[2]);
  assert.match(stdout, /number of failed transactions: 0 /);
  return Number(done[1]);
}

/** Writers: TPC-B, one row of history for each transaction. */
const WRITERS: readonly (readonly string[])[] = [
  ["-M", "simple", "-c", "8", "-j", "2", "-t", "60"],
  ["-M", "extended", "-c", "16", "-j", "2", "-t", "30"],
  ["-M", "prepared", "-c", "32", "-j", "2", "-t", "15"],
  ["-M", "prepared", "-C", "-c", "8", "-j", "2", "-t", "3"],
];

/** Readers: `-C` connects for each transaction. */
const READERS: readonly (readonly string[])[] = [
  ["-S", "-M", "simple", "-c", "8", "-t", "300"],
  ["-S", "-M", "extended", "-c", "8", "-t", "300"],
  ["-S", "-M", "prepared", "-c", "8", "-t", "300"],
  ["-S", "-C", "-c", "8", "-t", "10"],
];

await testThroughGateway("pgbench through the gateway", {
  workers: [1, 4],
  programs: ["pgbench"],
  postgres: { auth: "trust" },
  gateway: { pool: { size: 40 } },
}, {
  "initialisation makes its tables": async ({ via }) => {
    await pgbench(via, ["-i", "-q", "-s", "2"]);
    const [row] = await queryOnce(via, "select count(*)::int as n from pgbench_accounts");
    assert.deepEqual(row, { n: 200_000 });
  },

  ...Object.fromEntries(READERS.map((args) => [
    `${args.join(" ")}: every transaction is done`,
    async ({ via }) => {
      assert.ok(await pgbench(via, ["-n", ...args]) > 0);
    },
  ])),

  "TPC-B in every protocol: every transaction is done, once": async ({ via, direct, gateway }) => {
    const before = await gateway.metric('sluice_transactions_total{pool="default"}');
    let transactions = 0;
    for (const args of WRITERS) transactions += await pgbench(via, ["-n", ...args]);
    const [sums] = await queryOnce(
      direct,
      `select (select sum(abalance) from pgbench_accounts)::text as accounts,
              (select sum(bbalance) from pgbench_branches)::text as branches,
              (select sum(tbalance) from pgbench_tellers)::text as tellers,
              (select sum(delta) from pgbench_history)::text as history,
              (select count(*) from pgbench_history)::int as rows`,
    );
    assert.equal(sums!["rows"], transactions);
    assert.equal(sums!["branches"], sums!["history"]);
    assert.equal(sums!["tellers"], sums!["history"]);
    assert.equal(sums!["accounts"], sums!["history"]);
    const counted = await gateway.metric('sluice_transactions_total{pool="default"}') - before;
    assert.ok(counted >= transactions);
  },

  "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
});
