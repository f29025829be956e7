/**
 * The driver on Linux's own system calls, in workers that wait in the kernel: what comes from other
 * threads still gets there, and what clients get is what they get on the other driver. The rest of
 * these tests runs on it with SLUICE_TEST_DRIVER=epoll.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isSupported } from "../../src/net/native/libc.ts";
import { HeldClient } from "../support/clients.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { pooledSettings } from "../support/pooled_gateway.ts";
import { interruptPsql, psql } from "../support/psql.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";

const WORKERS = 4;

async function start(
  { server }: ServerScene,
  driver: "epoll" | "auto",
  settings: Settings = {},
): Promise<Gateway> {
  const config = configFor(`${server.host}:${server.port}`, settings);
  const gateway = await startGateway({
    config: { ...config, runtime: { workers: WORKERS, driver } },
  });
  assert.match(gateway.logText, /"driver":"epoll".*"msg":"driver chosen"/);
  return gateway;
}

if (isSupported()) {
  await testOnServers("the epoll driver", { newestOnly: true, programs: ["psql"] }, {
    "serves clients of all workers, and cancels whichever worker hears of it": async (scene) => {
      await using gateway = await start(scene, "auto");
      const via = targetAt(gateway.target);
      for (let i = 0; i < 8; i++) {
        const { stderr } = await interruptPsql(via, scene.direct);
        assert.match(stderr, /57014: canceling statement due to user request/);
      }
    },

    "hands servers of a small pool from worker to worker": async (scene) => {
      await using gateway = await start(
        scene,
        "epoll",
        pooledSettings({ mode: "transaction", size: 2 }),
      );
      const via = targetAt(gateway.target);
      const counts = await Promise.all(Array.from({ length: 20 }, async () => {
        await using client = await HeldClient.connect(via);
        let sum = 0;
        for (let i = 0; i < 50; i++) {
          await client.query("begin");
          await client.query("select 1");
          await client.query("commit");
          sum += 1;
        }
        return sum;
      }));
      assert.deepEqual(counts, Array(20).fill(50));
    },

    "passes results larger than any buffer, to readers that take their time": async (scene) => {
      await using gateway = await start(scene, "epoll");
      const script = "select repeat('x', 3000000) || i from generate_series(1, 20) i";
      const { stdout } = await psql(targetAt(gateway.target), script);
      const lines = stdout.trim().split("\n");
      assert.deepEqual(lines.map((line) => line.length), lines.map((_, i) => 3_000_001 + +(i > 8)));
      assert.equal(lines.length, 20);
    },

    "stops when it is told, with clients and without": async (scene) => {
      for (const isBusy of [false, true]) {
        await using gateway = await start(scene, "epoll");
        const via = targetAt(gateway.target);
        if (isBusy) await queryOnce(via, "select 1");
        gateway.signal("SIGTERM");
        assert.equal(await gateway.exitCode(), 0);
      }
    },
  });
}
