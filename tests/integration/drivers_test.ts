/**
 * All drivers: what comes from other threads gets to workers that wait in the kernel, and what
 * clients get is the same. The rest of these tests runs on what `auto` chooses, io_uring or epoll
 * where they work, or on what SLUICE_TEST_DRIVER says: `deno`, `epoll` or `io_uring`. In CI a third
 * of those on the executable runs on each of the three, as `.ci/run` says.
 *
 * @module
 */

import assert from "node:assert/strict";
import { chooseDriver } from "../../src/net/choose_driver.ts";
import { isSupported } from "../../src/net/native/libc.ts";
import type { DriverKind } from "../../src/net/net_thread.ts";
import { HeldClient } from "../support/clients.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { pooledSettings } from "../support/pooled_gateway.ts";
import { interruptPsql, psql } from "../support/psql.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";

const WORKERS = 4;

/** Those that work here, the one that is preferred first. */
const DRIVERS: readonly DriverKind[] = isSupported() ? ["io_uring", "epoll", "deno"] : ["deno"];

async function start(
  { server }: ServerScene,
  driver: DriverKind | "auto",
  settings: Settings = {},
): Promise<Gateway> {
  const config = configFor(`${server.host}:${server.port}`, settings);
  const gateway = await startGateway({
    config: { ...config, runtime: { workers: WORKERS, driver } },
  });
  const chosen = driver === "auto" ? (await chooseDriver("auto")).driver : driver;
  assert.match(gateway.logText, new RegExp(`"driver":"${chosen}".*"msg":"driver chosen"`));
  assert.equal((await gateway.metrics()).get(`sluice_driver_info{driver="${chosen}"}`), 1);
  return gateway;
}

for (const driver of DRIVERS) {
  await testOnServers(`the driver ${driver}`, { newestOnly: true, programs: ["psql"] }, {
    "serves clients of all workers, and cancels whichever worker hears of it": async (scene) => {
      await using gateway = await start(scene, driver === DRIVERS[0] ? "auto" : driver);
      const via = targetAt(gateway.target);
      for (let i = 0; i < 8; i++) {
        const { stderr } = await interruptPsql(via, scene.direct);
        assert.match(stderr, /57014: canceling statement due to user request/);
      }
    },

    "hands servers of a small pool from worker to worker": async (scene) => {
      await using gateway = await start(
        scene,
        driver,
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
      await using gateway = await start(scene, driver);
      const script = "select repeat('x', 3000000) || i from generate_series(1, 20) i";
      const { stdout } = await psql(targetAt(gateway.target), script);
      const lines = stdout.trim().split("\n");
      assert.deepEqual(lines.map((line) => line.length), lines.map((_, i) => 3_000_001 + +(i > 8)));
      assert.equal(lines.length, 20);
    },

    "stops when it is told, with clients and without": async (scene) => {
      for (const isBusy of [false, true]) {
        await using gateway = await start(scene, driver);
        const via = targetAt(gateway.target);
        if (isBusy) await queryOnce(via, "select 1");
        gateway.signal("SIGTERM");
        assert.equal(await gateway.exitCode(), 0);
      }
    },
  });
}
