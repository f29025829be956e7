/**
 * A gateway that chooses among the servers of a cluster: reads go to replicas that are there and
 * have what was written, and rules say which proxies serve whom.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { AskingClients, askOnce, PORT } from "../support/asking_clients.ts";
import type { ClusterMember } from "../support/cluster_member.ts";
import {
  checkFailures,
  CLIENTS,
  LOST,
  startOn,
  targetOf,
  underLoad,
  untilFlag,
  untilUp,
} from "../support/cluster_scene.ts";
import type { Gateway } from "../support/gateway.ts";
import { type Cluster, testOnCluster } from "../support/replication.ts";
import { eventually } from "../support/wait.ts";

const IN_TURNS = { loadBalancer: { strategy: "ROUND_ROBIN" } } as const;

/** Two proxies, each with a server of its own. */
const SHARES = (b: number, c: number) => ({
  condition: "DEFAULT",
  distribution: [{ proxyName: "b", weight: b }, { proxyName: "c", weight: c }],
});

function start(cluster: Cluster): Promise<Gateway> {
  const addressOf = (name: string) => cluster.member(name).gatewayAddress;
  return startOn(cluster, {
    servers: {
      default: { readWriteSplit: true, ...IN_TURNS },
      users: { readWriteSplit: true, causality: "user", proxies: ["default"], ...IN_TURNS },
      strict: { targetSessionAttrs: "standby", proxies: ["strict"], ...IN_TURNS },
      ruled: {
        proxies: ["default", "replicas", "b", "c"],
        loadBalancer: {
          loadBalancingRules: [
            {
              condition: 'user == "reporting"',
              distribution: [{ proxyName: "replicas", weight: 1 }],
            },
            SHARES(70, 30),
          ],
        },
      },
      canary: {
        proxies: ["b", "c"],
        loadBalancer: {
          strategy: "CONSISTENT_HASH",
          key: "parameter:application_name",
          loadBalancingRules: [SHARES(50, 50)],
        },
      },
    },
    clients: {
      strict: { lagSizeMax: "100KiB" },
      replicas: { address: [addressOf("b"), addressOf("c")] },
      b: { address: addressOf("b") },
      c: { address: addressOf("c") },
    },
  });
}

await testOnCluster("reads find a replica", { replicas: 2 }, async (cluster, test) => {
  await using gateway = await start(cluster);
  const [a, b, c] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
  const ask = (text: string, listener = "default", application = "asking") =>
    askOnce(targetOf(gateway, listener), text, { application });
  /** Who serves so many questions. */
  const servedBy = async (count: number, listener?: string) => {
    const names = new Map(cluster.members.map(({ port, name }) => [String(port), name]));
    const served: string[] = [];
    for (let i = 0; i < count; i += 1) {
      const answer = await ask(PORT, listener);
      served.push(names.get(answer) ?? answer);
    }
    return served;
  };
  const kinds = async (count: number, listener?: string) =>
    [...new Set(await servedBy(count, listener))].sort();

  await test.step("and writes the primary", async () => {
    await a.query("create table numbers (n int)");
    await cluster.waitForReplication();
    deepEqual(await kinds(4), ["b", "c"]);
    equal(await ask(`/* sluice: role=primary */ ${PORT}`), String(a.port));
    const write = "with x as (insert into numbers values (0) returning 1)";
    equal(await ask(`${write} ${PORT} from x`), String(a.port));
  });

  await test.step("that is there, and the other one again once it is back", async () => {
    const report = await underLoad(cluster, gateway, async (load) => {
      await b.kill();
      await untilUp(gateway, b, 0);
      deepEqual(await kinds(4), ["c"]);
      await load.untilServed();
      await b.start();
      await eventually("b serves reads", async () => (await servedBy(1))[0] === "b");
      return a;
    });
    checkFailures(report, LOST, CLIENTS);
  });

  await test.step("that has what they have written", async () => {
    const report = await underLoad(cluster, gateway, async (load) => {
      await b.pauseReplay();
      await load.untilServed();
      return a;
    });
    checkFailures(report, [], 0);
    const seen: string[] = [];
    for (const n of [1, 2, 3, 4]) {
      equal(await ask(`insert into numbers values (${n})`, "users"), "");
      seen.push(await ask("select max(n) from numbers", "users"));
    }
    deepEqual(seen, ["1", "2", "3", "4"], "also on another connection of the same user");
  });

  await test.step("that is not too far behind", async () => {
    await a.query("insert into numbers select -1 from generate_series(1, 10000)");
    await untilFlag(gateway, b, "lagging", 1, "strict");
    deepEqual(await kinds(4, "strict"), ["c"]);
    await b.resumeReplay();
    await untilFlag(gateway, b, "lagging", 0, "strict");
    deepEqual(await kinds(4, "strict"), ["b", "c"]);
  });

  await test.step("or whatever rules give them", async () => {
    const reporting = { ...targetOf(gateway, "ruled"), user: "reporting" };
    const asked: string[] = [];
    for (let i = 0; i < 4; i += 1) asked.push(await askOnce(reporting, PORT));
    ok(asked.every((port) => [b, c].some((one) => String(one.port) === port)), asked.join());

    await using client = await AskingClients.connect(targetOf(gateway, "ruled"), 1);
    let ofB = 0;
    for (let i = 0; i < 100; i += 1) {
      const [port] = await client.ask(PORT);
      if (port === String(b.port)) ofB += 1;
      else equal(port, String(c.port));
    }
    ok(Math.abs(ofB - 70) <= 1, `${ofB} of 100, with weights 70 and 30`);
  });

  await test.step("and the same one for the same application", async () => {
    const applications = Array.from({ length: 20 }, (_, i) => `application ${i}`);
    const askAll = () => Promise.all(applications.map((name) => ask(PORT, "canary", name)));
    const first = await askAll();
    deepEqual(await askAll(), first);
    deepEqual(new Set(first), new Set([String(b.port), String(c.port)]));
  });
});
