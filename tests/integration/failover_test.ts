/**
 * A group of real servers behind a gateway while the primary fails, is replaced and comes back: who
 * is served, who is held, who is told what, and that nothing acknowledged is lost.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { AskingClients, askOnce, PORT } from "../support/asking_clients.ts";
import type { ClusterMember } from "../support/cluster_member.ts";
import {
  checkFailures,
  CLIENTS,
  HEALTH,
  LOST,
  rowsFrom,
  startOn,
  targetOf,
  underLoad,
  untilFlag,
  untilUp,
} from "../support/cluster_scene.ts";
import type { Gateway } from "../support/gateway.ts";
import { TEST_PASSWORD } from "../support/postgres.ts";
import { type Cluster, testOnCluster } from "../support/replication.ts";
import { eventually } from "../support/wait.ts";

/** Clients that have nothing under way while something happens. */
const IDLE = 3;

const WRITERS = { targetSessionAttrs: "primary" } as const;

function start(cluster: Cluster): Promise<Gateway> {
  return startOn(cluster, {
    servers: {
      default: WRITERS,
      sessions: { ...WRITERS, proxies: ["sessions"] },
      relayed: { ...WRITERS, proxies: ["relayed"], auth: { method: "relay" } },
      patient: { ...WRITERS, proxies: ["patient"] },
      hurried: { ...WRITERS, proxies: ["hurried"] },
      reads: {
        targetSessionAttrs: "standby",
        proxies: ["default"],
        loadBalancer: { strategy: "ROUND_ROBIN" },
      },
    },
    proxies: {
      sessions: { client: "default", pool: "sessions" },
      relayed: { client: "relayed", pool: "relayed" },
    },
    clients: {
      patient: { failoverTimeout: "1s" },
      hurried: { failoverTimeout: "0" },
      relayed: {
        user: "",
        password: "",
        health: { ...HEALTH, user: "postgres", password: TEST_PASSWORD },
      },
    },
    pools: { sessions: { mode: "session" }, relayed: { mode: "session" } },
  });
}

/** Whoever has nothing under way is held until there is a primary again, and told nothing. */
async function askMeanwhile(
  gateway: Gateway,
  old: ClusterMember,
  clients: AskingClients,
  happen: () => Promise<ClusterMember>,
): Promise<ClusterMember> {
  await untilUp(gateway, old, 0);
  const asked = clients.ask(PORT);
  const primary = await happen();
  deepEqual(await asked, Array(IDLE).fill(String(primary.port)));
  deepEqual(clients.told, Array(IDLE).fill([]));
  return primary;
}

/** An old primary that does not know it is tells nobody, and so it is not asked. */
async function checkFenced(gateway: Gateway, old: ClusterMember, primary: ClusterMember) {
  await untilFlag(gateway, old, "fenced", 1);
  equal(await old.role(), "primary", "it would take writes");
  await using clients = await AskingClients.connect(targetOf(gateway), IDLE);
  deepEqual(await clients.ask(PORT), Array(IDLE).fill(String(primary.port)));
}

await testOnCluster("writes find the primary", { replicas: 2, synchronous: true }, async (
  cluster,
  test,
) => {
  await using gateway = await start(cluster);
  let isSound = true;
  // A cluster that a step has left somewhere else says nothing of the next one.
  const step = async (name: string, body: () => Promise<void>) => {
    isSound &&= await test.step(name, body);
  };
  const portBy = (listener: string) => askOnce(targetOf(gateway, listener), PORT);

  await step("after kill -9, and only those inside a request are told", async () => {
    const a = cluster.member("a");
    await using idle = await AskingClients.connect(targetOf(gateway), IDLE);
    deepEqual(await idle.ask(PORT), Array(IDLE).fill(String(a.port)));
    const report = await underLoad(cluster, gateway, async () => {
      await a.kill();
      return await askMeanwhile(gateway, a, idle, () => cluster.failOver());
    });
    checkFailures(report, LOST, CLIENTS);
  });

  await step("while the old one is back, which is fenced until it is a replica", async () => {
    const [a, primary] = [cluster.member("a"), await cluster.primary()];
    const report = await underLoad(cluster, gateway, async (load) => {
      await a.start();
      const before = await rowsFrom(a, 0);
      await checkFenced(gateway, a, primary);
      await load.untilServed();
      equal(await rowsFrom(a, 0), before);
      return primary;
    });
    checkFailures(report, [], 0);
    await a.stop("immediate");
    await a.rejoin(primary);
    await untilFlag(gateway, a, "fenced", 0);
    await eventually("a serves reads", async () => await portBy("reads") === String(a.port));
  });

  await step("that takes over as planned, and only those inside a request know", async () => {
    const old = await cluster.primary();
    await using idle = await AskingClients.connect(targetOf(gateway), IDLE);
    await idle.ask(PORT);
    const report = await underLoad(cluster, gateway, async () => {
      await old.stop("fast");
      return await askMeanwhile(gateway, old, idle, () => cluster.failOver());
    });
    // The server ends its sessions one after another: who is told, and asks again at once, may get
    // one whose end is on its way.
    checkFailures(report, LOST, 2 * CLIENTS);
    await old.follow(await cluster.primary());
    await old.start();
  });

  await step("in sessions, too: those on the old one are told to connect again", async () => {
    const old = await cluster.primary();
    const listeners = ["sessions", "relayed"];
    for (const listener of listeners) equal(await portBy(listener), String(old.port));
    await using clients = new AsyncDisposableStack();
    const connect = async (listener: string, text: string) => {
      const client = clients.use(await AskingClients.connect(targetOf(gateway, listener), 1));
      equal((await client.ask(text)).length, 1);
      return client;
    };
    const leaving = await Promise.all([
      ...listeners.map((listener) => connect(listener, PORT)),
      // What these would commit there would be acknowledged, and lost.
      ...["default", ...listeners].map((listener) => connect(listener, "begin")),
    ]);
    const primary = await cluster.failOver();
    await untilFlag(gateway, old, "fenced", 1);
    const told = () => leaving.map((client) => client.told[0]!);
    await eventually("all are told", () => told().every((codes) => codes.length > 0))
      .catch(() => {});
    deepEqual(told(), leaving.map(() => ["57P01"]));
    for (const listener of listeners) equal(await portBy(listener), String(primary.port));
    await old.stop("immediate");
    await old.rejoin(primary);
  });

  await step("when it hangs, and has others' writes no more when it goes on", async () => {
    const old = await cluster.primary();
    await using idle = await AskingClients.connect(targetOf(gateway), IDLE);
    await idle.ask(PORT);
    const report = await underLoad(cluster, gateway, async (load) => {
      await old.pause();
      const promoted = await askMeanwhile(gateway, old, idle, () => cluster.failOver());
      await load.untilServed();
      const { numbersEnd } = load.report;
      await old.resume();
      await checkFenced(gateway, old, promoted);
      await load.untilServed();
      equal(await rowsFrom(old, numbersEnd), 0);
      return promoted;
    });
    checkFailures(report, LOST, CLIENTS);
    await old.stop("immediate");
    await old.rejoin(await cluster.primary());
  });

  await step("that was cut off for a while, and is still the same", async () => {
    const primary = await cluster.primary();
    await using idle = await AskingClients.connect(targetOf(gateway), IDLE);
    await idle.ask(PORT);
    const report = await underLoad(cluster, gateway, async () => {
      await primary.cut("silent");
      return await askMeanwhile(gateway, primary, idle, async () => {
        await primary.heal();
        return primary;
      });
    });
    checkFailures(report, LOST, CLIENTS);
  });

  await step("or say that there is none, when they have waited as long as they may", async () => {
    const primary = await cluster.primary();
    await primary.stop("immediate");
    for (const client of ["patient", "hurried"]) await untilUp(gateway, primary, 0, client);
    const answered: string[] = [];
    const asked = ["default", "patient", "hurried"].map(async (listener) => {
      const answer = await AskingClients.connect(targetOf(gateway, listener), 1).then(
        async (client) => {
          await using asking = client;
          return (await asking.ask(PORT))[0];
        },
        ({ code, message }) => `${code}: ${message}`,
      );
      answered.push(listener);
      return answer;
    });
    await eventually("two are answered", () => answered.length === 2);
    deepEqual(answered, ["hurried", "patient"], "one of them did not wait, and one waits still");
    await primary.start();
    const none = "57P03: no primary server is available";
    deepEqual(await Promise.all(asked), [String(primary.port), none, none]);
  });
});
