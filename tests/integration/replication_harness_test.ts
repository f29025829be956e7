/**
 * The cluster that tests of failover stand on does what they count on.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { childrenOf, isRunning } from "../../src/cli/demo/process_tree.ts";
import type { ClusterMember } from "../support/cluster_member.ts";
import { queryOnce } from "../support/postgres.ts";
import { type Cluster, startCluster, testOnCluster } from "../support/replication.ts";
import { targetAt } from "../support/stories.ts";
import { eventually, PATIENCE_MS, pause, within } from "../support/wait.ts";

/** Long enough for an answer to come that must not. */
const SILENCE_MS = 200;

async function rowsOf(member: ClusterMember): Promise<number> {
  const [row] = await member.query("select count(*)::int as n from things");
  return Number(row!["n"]);
}

function names(members: readonly ClusterMember[]): string {
  return members.map(({ name }) => name).join();
}

/** To a member, by the way that the gateway takes. */
function queryThrough(member: ClusterMember, text: string) {
  const [host, port] = member.gatewayAddress.split(":");
  return queryOnce(targetAt({ host: host!, port: Number(port) }), text);
}

async function opened(member: ClusterMember): Promise<Socket> {
  const socket = connect(Number(member.gatewayAddress.split(":")[1]), "127.0.0.1");
  await new Promise<void>((resolve, reject) =>
    socket.once("connect", resolve).once("error", reject)
  );
  return socket;
}

/**
 * Nobody listens there. While another test starts a process, that has this one's sockets for a
 * moment, and what connects to one of them is reset when they are closed there, too.
 */
function refusesAt(member: ClusterMember): Promise<void> {
  return assert.rejects(
    queryThrough(member, "select 1"),
    ({ code }: { code?: string }) => code === "ECONNREFUSED" || code === "ECONNRESET",
  );
}

/** SSLRequest, which every server answers with one byte. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

async function failsOver(cluster: Cluster): Promise<void> {
  const a = cluster.member("a");
  await a.kill();
  assert.equal(await a.role(), "down");
  await assert.rejects(cluster.primary(), /no primary/);
  const promoted = await cluster.failOver();
  assert.equal(await cluster.primary(), promoted);
  await promoted.query("insert into things values (2)");
  await cluster.waitForReplication();
  for (const replica of await cluster.replicas()) assert.equal(await rowsOf(replica), 2);

  await a.start();
  assert.equal((await cluster.primaries()).length, 2, "the old one does not know");
  await assert.rejects(cluster.primary(), /2 primaries/);
  await assert.rejects(a.follow(promoted), /is a primary/);
  await a.query("insert into things values (3), (4)");
  await a.rejoin(promoted);
  assert.equal(names(await cluster.replicas()).includes("a"), true);
  await cluster.waitForReplication();
  assert.equal(await rowsOf(a), 2, "what it wrote alone is gone");
}

await testOnCluster("a cluster replicates, lags, fails over", {}, async (cluster, test) => {
  const a = cluster.member("a");

  await test.step("replicas show what the primary writes, and refuse writes", async () => {
    assert.equal(await cluster.primary(), a);
    assert.equal(names(await cluster.replicas()), "b,c");
    await a.query("create table things (n int)");
    await a.query("insert into things values ($1)", { values: [1] });
    await cluster.waitForReplication();
    for (const replica of await cluster.replicas()) {
      assert.equal(await rowsOf(replica), 1);
      await assert.rejects(replica.query("insert into things values (0)"), { code: "25006" });
    }
  });

  await test.step("a replica whose replay is paused lags until it is resumed", async () => {
    const b = cluster.member("b");
    await b.pauseReplay();
    await a.query("create table later ()");
    await cluster.waitForReplication([cluster.member("c")]);
    await assert.rejects(b.query("table later"), { code: "42P01" });
    await b.resumeReplay();
    await cluster.waitForReplication();
    await b.query("table later");
  });

  await test.step("a replica stops following, misses a write, follows again", async () => {
    const b = cluster.member("b");
    await b.unfollow();
    await a.query("create table missed ()");
    await cluster.waitForReplication([cluster.member("c")]);
    assert.equal(await cluster.mostAdvanced(), cluster.member("c"));
    await b.follow(a);
    await cluster.waitForReplication();
    await b.query("table missed");
  });

  await test.step("the primary is killed, another one takes its place, it comes back", () =>
    failsOver(cluster));

  await test.step("a switchover: the primary is stopped and follows its replica", async () => {
    const old = await cluster.primary();
    await old.stop("fast");
    const promoted = await cluster.failOver();
    await old.follow(promoted);
    await old.start();
    await promoted.query("insert into things values (5)");
    await cluster.waitForReplication();
    assert.equal(await rowsOf(old), 3);
  });
});

await testOnCluster("the network of a member is cut", { replicas: 0 }, async (cluster, test) => {
  const a = cluster.member("a");

  await test.step("silent: no answer comes until it is healed, then all of it does", async () => {
    const socket = await opened(a);
    try {
      const answer = Promise.withResolvers<string>();
      let isAnswered = false;
      socket.once("data", (bytes) => {
        isAnswered = true;
        answer.resolve(bytes.toString());
      });
      await a.cut();
      socket.write(SSL_REQUEST);
      const another = queryThrough(a, "select 7 as n");
      await pause(SILENCE_MS);
      assert.equal(isAnswered, false);
      assert.deepEqual(await a.query("select 1 as n"), [{ n: 1 }], "its own address is not cut");
      await a.heal();
      assert.equal(await within(PATIENCE_MS, "the answer comes", answer.promise), "N");
      assert.deepEqual(await within(PATIENCE_MS, "a query is answered", another), [{ n: 7 }]);
    } finally {
      socket.destroy();
    }
  });

  await test.step("refusing: connections end, new ones are refused until healed", async () => {
    const socket = await opened(a);
    const closed = new Promise((resolve) => socket.once("close", resolve).on("error", () => {}));
    socket.resume();
    await a.cut("refusing");
    await within(PATIENCE_MS, "the connection ends", closed);
    await refusesAt(a);
    await a.heal();
    assert.deepEqual(await queryThrough(a, "select 1 as n"), [{ n: 1 }]);
  });

  await test.step("a server that does not run refuses also there", async () => {
    await a.kill();
    await refusesAt(a);
    await a.start();
    assert.deepEqual(await queryThrough(a, "select 1 as n"), [{ n: 1 }]);
  });

  await test.step("a paused server takes connections and says nothing", async () => {
    await a.pause();
    assert.equal(await a.role(), "down");
    await assert.rejects(a.query("select 1"), /is paused/);
    let isAnswered = false;
    const answer = queryThrough(a, "select 7 as n").finally(() => isAnswered = true);
    await pause(SILENCE_MS);
    assert.equal(isAnswered, false);
    await a.resume();
    assert.deepEqual(await within(PATIENCE_MS, "it is answered", answer), [{ n: 7 }]);
  });
});

await testOnCluster("a synchronous cluster acknowledges what a replica has", {
  replicas: 1,
  synchronous: true,
}, async (cluster) => {
  const [a, b] = cluster.members;
  await a!.query("create table things (n int)");
  await b!.unfollow();
  let isDone = false;
  const writing = a!.query("insert into things values (1)").then(() => isDone = true);
  await eventually("the commit waits", async () => {
    const text = "select from pg_stat_activity where wait_event = 'SyncRep'";
    return (await a!.query(text)).length === 1;
  });
  assert.equal(isDone, false);
  await b!.follow(a!);
  await within(PATIENCE_MS, "the commit is acknowledged", writing);
  assert.equal(await cluster.failOver(), b);
  assert.equal(await rowsOf(b!), 1);
});

await testOnCluster("a cluster leaves nothing behind", { replicas: 0 }, async ({ members }) => {
  const { binDir } = members[0]!;
  const cluster = await startCluster({ replicas: 3, binDir });
  const [a, b, c, d] = cluster.members;
  const processes = (await Promise.all(cluster.members.map(async ({ processId }) => [
    processId,
    ...await childrenOf(processId),
  ]))).flat();
  assert.ok(processes.length > cluster.members.length);
  await a!.cut();
  await b!.pause();
  await c!.kill();
  await d!.cut("refusing");
  await cluster[Symbol.asyncDispose]();
  for (const id of processes) assert.equal(await isRunning(id), false);
  for (const { dataDir } of cluster.members) {
    await assert.rejects(Deno.stat(dataDir.replace(/\/data$/, "")), Deno.errors.NotFound);
  }
});
