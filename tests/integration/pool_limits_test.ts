/**
 * What happens when there are more clients than server connections.
 *
 * @module
 */

import assert from "node:assert/strict";
import { startupPacket } from "../../src/postgres/wire/startup_packet.ts";
import { HeldClient, refusal } from "../support/clients.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { interruptPsql } from "../support/psql.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";
import { eventually, PATIENCE_MS, within } from "../support/wait.ts";

const WAITERS = 'sluice_pool_waiters{pool="default"}';

function start({ server }: ServerScene, settings: Settings): Promise<Gateway> {
  return startGateway({ config: configFor(`${server.host}:${server.port}`, settings) });
}

async function untilWaiting(gateway: Gateway, count: number): Promise<void> {
  await eventually(`${count} clients wait`, async () => await gateway.metric(WAITERS) === count);
}

/** Says who it is and waits, as a client does that may leave at any time. */
async function joinQueue(gateway: Gateway): Promise<Deno.TcpConn> {
  const { host: hostname, port } = gateway.target;
  const conn = await Deno.connect({ hostname, port });
  await conn.write(startupPacket(0, [["user", "postgres"]]));
  return conn;
}

await testOnServers("a full pool", { newestOnly: true }, {
  "clients wait in the order they came, in whichever worker they are": async (scene) => {
    for (const workers of [1, 4]) {
      await using gateway = await start(scene, { workers, pool: { size: 2 } });
      const target = targetAt(gateway.target);
      const holders = [await HeldClient.connect(target), await HeldClient.connect(target)];
      const order: number[] = [];
      const waiting: Promise<HeldClient>[] = [];
      for (let i = 0; i < 6; i++) {
        waiting.push(
          HeldClient.connect(target).then((client) => {
            order.push(i);
            return client;
          }),
        );
        await untilWaiting(gateway, i + 1);
      }
      for (let i = 0; i < 6; i++) {
        await holders.shift()!.end();
        holders.push(await within(PATIENCE_MS, `client ${i} has its turn`, waiting[i]!));
        assert.equal(order.length, i + 1, "one place lets one client in");
      }
      assert.deepEqual(order, [0, 1, 2, 3, 4, 5]);
      for (const client of holders) await client.end();
      await gateway.untilIdle();
    }
  },

  "300 clients at once are all served, ten at a time": async (scene) => {
    await using gateway = await start(scene, { workers: 4, pool: { size: 10 } });
    const target = targetAt(gateway.target);
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => queryOnce(target, "select $1::int as n", [i])),
    );
    assert.deepEqual(answers, Array.from({ length: 300 }, (_, n) => [{ n }]));
    await gateway.untilIdle();
  },

  "a client that waits too long gets 53300, and the pool's name": async (scene) => {
    await using gateway = await start(scene, { pool: { size: 1, acquireTimeout: "2s" } });
    const target = targetAt(gateway.target);
    await using _holder = await HeldClient.connect(target);
    const { code, severity, message } = await refusal(target);
    assert.equal(code, "53300");
    assert.equal(severity, "FATAL");
    assert.match(message, /all 1 of pool "default" are in use, and none came free within 2s/);
    assert.equal(await gateway.metric('sluice_pool_wait_timeouts_total{pool="default"}'), 1);
  },

  "more waiters than waitersMax get 53300 at once": async (scene) => {
    await using gateway = await start(scene, { workers: 2, pool: { size: 1, waitersMax: 1 } });
    const target = targetAt(gateway.target);
    const holder = await HeldClient.connect(target);
    const waiting = HeldClient.connect(target);
    await untilWaiting(gateway, 1);
    const { code, message } = await refusal(target);
    assert.equal(code, "53300");
    assert.match(message, /at most 1 clients may wait/);
    await holder.end();
    await (await waiting).end();
    assert.equal(await gateway.metric('sluice_pool_waits_refused_total{pool="default"}'), 1);
    await gateway.untilIdle();
  },

  "a waiter that leaves takes no place with it": async (scene) => {
    await using gateway = await start(scene, { workers: 2, pool: { size: 1 } });
    const target = targetAt(gateway.target);
    const holder = await HeldClient.connect(target);
    const leavers = [];
    for (let i = 0; i < 5; i++) leavers.push(await joinQueue(gateway));
    await untilWaiting(gateway, 5);
    const last = HeldClient.connect(target);
    await untilWaiting(gateway, 6);
    for (const conn of leavers) conn.close();
    await untilWaiting(gateway, 1);
    await holder.end();
    assert.deepEqual(await (await last).query("select 1 as n"), [{ n: 1 }]);
    await (await last).end();
    await gateway.untilIdle();
  },

  "the server never has more sessions than the pool's size": async (scene) => {
    await using gateway = await start(scene, { workers: 4, pool: { size: 3 } });
    const target = targetAt(gateway.target);
    const counts = await Promise.all(Array.from({ length: 60 }, async () => {
      const [row] = await queryOnce(
        target,
        "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend'",
      );
      return Number(row!["n"]);
    }));
    assert.equal(counts.length, 60);
    assert.ok(Math.max(...counts) <= 3, `at most 3, but there were ${Math.max(...counts)}`);
    assert.ok(Math.max(...counts) > 1, "some ran at the same time");
    await gateway.untilIdle();
  },

  "clients above clientsMax get 53300 until one leaves": async (scene) => {
    await using gateway = await start(scene, { workers: 4, server: { clientsMax: 2 } });
    const target = targetAt(gateway.target);
    const first = await HeldClient.connect(target);
    await using _second = await HeldClient.connect(target);
    const { code, message } = await refusal(target);
    assert.equal(code, "53300");
    assert.match(message, /too many clients: listener "default" serves at most 2/);
    await first.end();
    await eventually(
      "a place is free",
      () => HeldClient.connect(target).then((client) => client.end().then(() => true), () => false),
    );
  },

  "a query can be cancelled when the listener is full": async (scene) => {
    await using gateway = await start(scene, { workers: 4, server: { clientsMax: 1 } });
    const { stderr } = await interruptPsql(targetAt(gateway.target), scene.direct);
    assert.match(stderr, /57014: canceling statement due to user request/);
  },
});
