/**
 * The load that tests of failover put on a gateway counts what happens, and notices what is lost.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ClusterMember } from "../support/cluster_member.ts";
import { type Load, NOTHING_LOST, prepareLoad, rowsKept, startLoad } from "../support/load.ts";
import type { LoadAction } from "../support/load_client.ts";
import type { LoadReport } from "../support/load_tally.ts";
import { TEST_PASSWORD } from "../support/postgres.ts";
import { type Cluster, startClusterGateway, testOnCluster } from "../support/replication.ts";
import { type Target, targetAt } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const CLIENTS = 4;

/** A member by the way that the gateway takes. */
function reachable(member: ClusterMember): Target {
  const port = Number(member.gatewayAddress.split(":")[1]);
  return targetAt({ host: "127.0.0.1", port });
}

async function loadOf(
  member: ClusterMember,
  actions: readonly LoadAction[],
  disturb: (load: Load) => Promise<void> = () => Promise.resolve(),
): Promise<LoadReport> {
  await using load = startLoad({ target: reachable(member), clients: CLIENTS, actions });
  await load.untilServed();
  await disturb(load);
  await load.untilServed();
  return await load.stop();
}

function failuresOf({ outcomes }: LoadReport): string[] {
  return [...outcomes.keys()].filter((kind) => kind !== "ok");
}

function assertNoViolation(report: LoadReport): void {
  const { staleReads, staleReadsAfterReconnect, lostIncrements, violations } = report;
  assert.deepEqual(violations, []);
  assert.equal(staleReads + staleReadsAfterReconnect + lostIncrements, 0);
}

await testOnCluster("a load on one server", { replicas: 0 }, async (cluster, test) => {
  const a = cluster.member("a");

  await test.step("where nothing fails all is acknowledged and kept", async () => {
    await prepareLoad(a.target, CLIENTS);
    const report = await loadOf(a, ["insert", "transaction", "counter"]);
    assert.deepEqual(failuresOf(report), []);
    assertNoViolation(report);
    assert.ok(report.acknowledged.length >= CLIENTS);
    assert.deepEqual(await rowsKept(a.target, report), NOTHING_LOST);
    assert.ok(report.longestGapMs.writes > 0);
  });

  await test.step("rows that are lost, repeated or nobody's are noticed", async () => {
    await prepareLoad(a.target, CLIENTS);
    const report = await loadOf(a, ["insert"]);
    const [first, second] = report.acknowledged;
    await a.query("delete from load_rows where n = $1", { values: [first] });
    await a.query("insert into load_rows values ($1), ($2)", { values: [second, -5] });
    assert.deepEqual(await rowsKept(a.target, report), {
      lost: [first],
      duplicated: [second],
      unknown: [-5],
    });
  });

  await test.step("a counter that goes back is noticed", async () => {
    await prepareLoad(a.target, CLIENTS);
    const report = await loadOf(a, ["counter"], async () => {
      await a.query("update load_counters set value = -1");
    });
    assert.ok(report.lostIncrements + report.staleReads >= CLIENTS);
    assert.match(report.violations[0]!, /client \d (read|incremented to) (-1|0) after \d+/);
  });

  await test.step("a read that is behind its session's write is noticed", async () => {
    await prepareLoad(a.target, CLIENTS);
    await a.query("alter table load_counters rename to counters");
    await a.query("create view load_counters as select client, value - 1 as value from counters");
    await a.query(`create rule write as on update to load_counters do instead
      update counters set value = value + 1 where client = old.client returning client, value`);
    const report = await loadOf(a, ["counter"]);
    await a.query("drop view load_counters; drop table counters");
    assert.ok(report.staleReads >= CLIENTS);
    assert.equal(report.lostIncrements + report.staleReadsAfterReconnect, 0);
    assert.deepEqual(failuresOf(report), []);
  });

  await test.step("errors are counted by SQLSTATE, and the clients go on", async () => {
    await prepareLoad(a.target, CLIENTS);
    const report = await loadOf(a, ["transaction"], async (load) => {
      await a.query("alter table load_rows add constraint refuse check (n < 0) not valid");
      await eventually("writes are refused", () => failuresOf(load.report).length > 0);
      await a.query("alter table load_rows drop constraint refuse");
    });
    assert.deepEqual(failuresOf(report), ["23514"]);
    assert.match(report.messages.get("23514")!, /violates check constraint/);
    assert.deepEqual(await rowsKept(a.target, report), NOTHING_LOST);
  });
});

await testOnCluster("a load while its server fails", { replicas: 0 }, async (cluster, test) => {
  const a = cluster.member("a");

  await test.step("through a gateway, killed and started: nothing is lost", async () => {
    await using gateway = await startClusterGateway(`
      servers: { default: { address: "127.0.0.1:0", auth: { method: trust } } }
      clients:
        default: { address: "${a.gatewayAddress}", user: postgres, password: "${TEST_PASSWORD}" }
      pools: { default: { mode: transaction, size: 2 } }
    `);
    await prepareLoad(a.target, CLIENTS);
    const target = targetAt(gateway.target);
    await using load = startLoad({ target, clients: CLIENTS, isPrepared: true });
    await load.untilServed();
    await a.kill();
    await eventually("clients notice", () => failuresOf(load.report).length > 0);
    await a.start();
    await load.untilServed();
    const report = await load.stop();
    assertNoViolation(report);
    assert.deepEqual(await rowsKept(a.target, report), NOTHING_LOST);
  });

  await test.step("a silent network is a timeout, and no client stays with it", async () => {
    await prepareLoad(a.target, CLIENTS);
    const options = { target: reachable(a), clients: CLIENTS, timeoutMs: 300 };
    await using load = startLoad(options);
    await load.untilServed();
    await a.cut();
    await eventually("each waits in vain", () => load.report.outcomes.get("timeout")! >= CLIENTS);
    await a.heal();
    await load.untilServed();
    const report = await load.stop();
    assertNoViolation(report);
    assert.deepEqual(await rowsKept(a.target, report), NOTHING_LOST);
  });

  await test.step("it ends at once where nobody answers, when it is disposed of", async () => {
    await prepareLoad(a.target, CLIENTS);
    {
      await using load = startLoad({ target: reachable(a), clients: CLIENTS });
      await load.untilServed();
      await a.pause();
      // Its clients wait for answers, and for longer than a test may take.
    }
    await a.resume();
  });
});

/** Kills the primary under a load; gives what the replica that takes its place does not have. */
async function lostByFailover(cluster: Cluster): Promise<readonly number[]> {
  const a = cluster.member("a");
  await using load = startLoad({ target: reachable(a), clients: CLIENTS });
  await load.untilServed();
  await a.kill();
  await eventually("clients notice", () => load.report.outcomes.has("ECONNREFUSED"));
  const report = await load.stop();
  const promoted = await cluster.failOver();
  const { lost, duplicated, unknown } = await rowsKept(promoted.target, report);
  assert.deepEqual([duplicated, unknown], [[], []]);
  return lost;
}

await testOnCluster("a failover under load loses nothing where replicas are synchronous", {
  synchronous: true,
}, async (cluster) => {
  await prepareLoad(cluster.member("a").target, CLIENTS);
  assert.deepEqual(await lostByFailover(cluster), []);
});

await testOnCluster("a failover to a replica that lacks something is noticed", {
  replicas: 1,
}, async (cluster) => {
  await prepareLoad(cluster.member("a").target, CLIENTS);
  await cluster.waitForReplication();
  await cluster.member("b").unfollow();
  assert.ok((await lostByFailover(cluster)).length > 0);
});
