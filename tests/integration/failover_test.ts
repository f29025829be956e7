/**
 * A group of real servers behind a gateway while they fail: who is served, who is held, and that
 * nothing acknowledged is lost.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import type { Gateway } from "../support/gateway.ts";
import { NOTHING_LOST, prepareLoad, rowsKept, startLoad } from "../support/load.ts";
import { queryOnce, TEST_PASSWORD } from "../support/postgres.ts";
import { type Cluster, startClusterGateway, testOnCluster } from "../support/replication.ts";
import { targetAt } from "../support/stories.ts";

const CLIENTS = 6;

/** Which server it is. */
const PORT = "select current_setting('port')";

/** A gateway whose one listener leads to all servers of the cluster. */
function startOn({ gatewayAddresses }: Cluster, listener: object, pool = {}): Promise<Gateway> {
  return startClusterGateway(JSON.stringify({
    servers: {
      default: { address: "127.0.0.1:0", auth: { method: "trust" }, ...listener },
    },
    clients: {
      default: {
        address: gatewayAddresses,
        user: "postgres",
        password: TEST_PASSWORD,
        dialTimeout: "1s",
        health: { interval: "200ms", timeout: "1s", fall: 2, rise: 1 },
      },
    },
    pools: { default: { mode: "transaction", size: 10, ...pool } },
  }));
}

async function valueOf(gateway: Gateway, text: string): Promise<string> {
  const [row] = await queryOnce(targetAt(gateway.target), text);
  return String(Object.values(row!)[0]);
}

await testOnCluster("writes find the new primary", { replicas: 2, synchronous: true }, async (
  cluster,
  test,
) => {
  await using gateway = await startOn(cluster, { targetSessionAttrs: "primary" });
  const a = cluster.member("a");
  await prepareLoad(a.target, CLIENTS);
  await cluster.waitForReplication();

  await test.step("after kill -9, with all clients held until it is there", async () => {
    await using load = startLoad({ target: targetAt(gateway.target), clients: CLIENTS });
    await load.untilServed();
    await a.kill();
    const promoted = await cluster.failOver();
    await load.untilServed();
    const report = await load.stop();
    deepEqual(report.violations, []);
    deepEqual(await rowsKept(promoted.target, report), NOTHING_LOST);
    equal(await valueOf(gateway, "select pg_is_in_recovery()"), "false");
  });
});

await testOnCluster("reads go to replicas", { replicas: 2 }, async (cluster, test) => {
  await using gateway = await startOn(cluster, {
    readWriteSplit: true,
    loadBalancer: { strategy: "ROUND_ROBIN" },
  });
  const a = cluster.member("a");
  await prepareLoad(a.target, CLIENTS);
  await cluster.waitForReplication();

  await test.step("and writes to the primary", async () => {
    const portOf = (text: string) => valueOf(gateway, text);
    const replicas = ["b", "c"].map((name) => String(cluster.member(name).port));
    const asked = [await portOf(PORT), await portOf(PORT), await portOf(PORT)];
    equal(asked.every((port) => replicas.includes(port)), true, asked.join());
    deepEqual(new Set(asked), new Set(replicas), "in turns");
    equal(await portOf(`/* sluice: role=primary */ ${PORT}`), String(a.port));
    const lock = "with x as (insert into load_rows values (-1) returning 1)";
    equal(await portOf(`${lock} ${PORT} from x`), String(a.port));
    await a.query("delete from load_rows");
  });

  await test.step("and nobody reads what is older than what they have written", async () => {
    await using load = startLoad({ target: targetAt(gateway.target), clients: CLIENTS });
    await load.untilServed();
    const [b] = await cluster.replicas();
    await b!.pauseReplay();
    await load.untilServed();
    await b!.resumeReplay();
    const report = await load.stop();
    equal(report.staleReads, 0);
    deepEqual(report.violations, []);
  });
});
