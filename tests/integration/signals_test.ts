/**
 * Signals: how a gateway stops, and how its log is rotated.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HeldClient, refusal } from "../support/clients.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { untilSessions, untilSleeping } from "../support/observe.ts";
import { queryOnce } from "../support/postgres.ts";
import { pooledSettings } from "../support/pooled_gateway.ts";
import { clientProgram, connectionEnv, psqlArgs } from "../support/psql.ts";
import { spawnProgram } from "../support/programs.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

function start({ server }: ServerScene, settings: Settings): Promise<Gateway> {
  return startGateway({ config: configFor(`${server.host}:${server.port}`, settings) });
}

/** Waits until nobody can connect: the listeners are closed, in every worker. */
async function untilRefused(gateway: Gateway): Promise<void> {
  const { host: hostname, port } = gateway.target;
  await eventually("connections are refused", async () => {
    try {
      (await Deno.connect({ hostname, port })).close();
      return false;
    } catch (error) {
      assert.ok(error instanceof Deno.errors.ConnectionRefused);
      return true;
    }
  });
}

await testOnServers("a gateway that is told to stop", { newestOnly: true }, {
  "SIGTERM and SIGINT without sessions: exit code 0": async (scene) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await using gateway = await start(scene, { workers: 4 });
      gateway.signal(signal);
      assert.equal(await gateway.exitCode(), 0);
      assert.match(gateway.logText, /"stopped"/);
    }
  },

  "nobody new is let in; sessions finish in their own time; exit code 0": async (scene) => {
    for (const workers of [1, 4]) {
      await using gateway = await start(scene, { workers, shutdownTimeout: "1h" });
      const target = targetAt(gateway.target);
      await using holder = await HeldClient.connect(scene.direct);
      await holder.query("select pg_advisory_lock(1)");
      const idle = await HeldClient.connect(target);
      const busy = await HeldClient.connect(target);
      const working = busy.query("select pg_advisory_lock(1)");
      gateway.signal("SIGTERM");
      await gateway.untilLogged("shutting down");
      await untilRefused(gateway);
      await holder.query("select pg_advisory_unlock(1)");
      await working;
      await busy.query("create table if not exists finished (i int)");
      await idle.query("select 1");
      await busy.end();
      await idle.end();
      assert.equal(await gateway.exitCode(), 0);
      await holder.end();
      await untilSessions(scene.direct, 0);
    }
  },

  "after shutdownTimeout idle and busy clients get 57P01; exit code 0": async (scene) => {
    for (const workers of [1, 4]) {
      await using gateway = await start(scene, { workers, shutdownTimeout: "300ms" });
      const target = targetAt(gateway.target);
      const idle = await HeldClient.connect(target);
      const busy = await HeldClient.connect(target);
      const sleeping = assert.rejects(busy.query("select pg_sleep(300)"), { code: "57P01" });
      await untilSleeping(scene.direct);
      gateway.signal("SIGTERM");
      await sleeping;
      const { code, message } = await idle.lost;
      assert.equal(code, "57P01");
      assert.match(message, /the gateway is shutting down/);
      assert.equal(await gateway.exitCode(), 0);
      await idle.end();
      await busy.end();
      // The query that nobody waits for any more was cancelled.
      await untilSessions(scene.direct, 0);
    }
  },

  "what shutdownTimeout ends in a pool is cancelled and rolled back, not finished later": async (
    { server, direct },
  ) => {
    await queryOnce(direct, "create table if not exists ended (i int)");
    for (const mode of ["session", "transaction"] as const) {
      const settings = {
        ...pooledSettings({ mode, size: 1 }),
        workers: 2,
        shutdownTimeout: "300ms",
      };
      const config = configFor(`${server.host}:${server.port}`, settings);
      await using gateway = await startGateway({ config });
      const client = await HeldClient.connect(targetAt(gateway.target));
      const query = client.query("insert into ended select 1 from pg_sleep(3)");
      const refused = assert.rejects(query, { code: "57P01" });
      await untilSleeping(direct);
      gateway.signal("SIGTERM");
      await refused;
      assert.equal(await gateway.exitCode(), 0);
      await client.end();
      await untilSessions(direct, 0);
      assert.deepEqual(await queryOnce(direct, "select count(*) from ended"), [{ count: "0" }]);
    }
  },

  "clients that read nothing, or have said nothing, do not hold up the end": async (scene) => {
    for (const workers of [1, 4]) {
      await using gateway = await start(scene, { workers, shutdownTimeout: "100ms" });
      const { host: hostname, port } = gateway.target;
      const target = targetAt(gateway.target);
      const psqlArguments = psqlArgs(target, ["-c", "select repeat('x', 300000000)"]);
      const env = connectionEnv(target);
      // Stopped while it reads its result, so that the rest of it stays in the gateway's hands.
      const reader = spawnProgram(await clientProgram("psql"), psqlArguments, { env });
      const relayed = 'sluice_relayed_bytes_total{direction="server_to_client",pool="default"}';
      await eventually("it reads", async () => await gateway.metric(relayed) > 1_000_000);
      reader.kill("SIGSTOP");
      using _silent = await Deno.connect({ hostname, port });
      gateway.signal("SIGTERM");
      assert.equal(await gateway.exitCode(), 0);
      await untilSessions(scene.direct, 0);
      reader.kill("SIGKILL");
      await reader.output();
    }
  },

  "a client that waits for a place gets 57P03": async (scene) => {
    await using gateway = await start(scene, { pool: { size: 1 }, shutdownTimeout: "1h" });
    const target = targetAt(gateway.target);
    const holder = await HeldClient.connect(target);
    const waiting = refusal(target);
    await eventually(
      "one waits",
      async () => await gateway.metric('sluice_pool_waiters{pool="default"}') === 1,
    );
    gateway.signal("SIGTERM");
    assert.equal((await waiting).code, "57P03");
    await holder.end();
    assert.equal(await gateway.exitCode(), 0);
  },

  "a second signal stops at once: exit code 130": async (scene) => {
    for (const workers of [1, 4]) {
      await using gateway = await start(scene, { workers, shutdownTimeout: "1h" });
      const client = await HeldClient.connect(targetAt(gateway.target));
      gateway.signal("SIGTERM");
      await gateway.untilLogged("shutting down");
      gateway.signal("SIGINT");
      assert.equal(await gateway.exitCode(), 130);
      await client.lost;
      await client.end();
      await untilSessions(scene.direct, 0);
    }
  },

  "killed with SIGKILL: the server's sessions end, and the port is free": async (scene) => {
    await using gateway = await start(scene, { workers: 4 });
    const { host, port } = gateway.target;
    const client = await HeldClient.connect(targetAt({ host, port }));
    await gateway.kill();
    await client.lost;
    await client.end();
    await untilSessions(scene.direct, 0);
    await using next = await start(scene, { workers: 4, server: { address: `${host}:${port}` } });
    await queryOnce(targetAt(next.target), "select 1");
  },

  "SIGHUP without a log file changes nothing": async (scene) => {
    await using gateway = await start(scene, { workers: 2 });
    const client = await HeldClient.connect(targetAt(gateway.target));
    gateway.signal("SIGHUP");
    gateway.signal("SIGHUP");
    assert.deepEqual(await client.query("select 1 as n"), [{ n: 1 }]);
    await client.end();
    gateway.signal("SIGTERM");
    assert.equal(await gateway.exitCode(), 0);
  },

  "SIGHUP opens the log file anew": async (scene) => {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/sluice.log`;
      const { server } = scene;
      const config = {
        ...configFor(`${server.host}:${server.port}`, { workers: 2 }),
        loggers: {
          default: { level: "debug", format: "json" },
          file: { level: "info", format: "json", output: "file", file },
        },
      };
      await using gateway = await startGateway({ config });
      const target = { ...targetAt(gateway.target) };
      await queryOnce(target, "select 1");
      await eventually("the session is in the file", () => hasLine(file, "session ready"));
      await Deno.rename(file, `${file}.1`);
      await queryOnce(target, "select 2");
      await eventually(
        "the renamed file is still written",
        () => countLines(`${file}.1`, "session ready").then((count) => count === 2),
      );
      gateway.signal("SIGHUP");
      await eventually("there is a new file", () => Deno.stat(file).then(() => true, () => false));
      await queryOnce(target, "select 3");
      await eventually("the new file is written", () => hasLine(file, "session ready"));
      assert.equal(await countLines(`${file}.1`, "session ready"), 2);
      assert.equal(await countLines(file, "session ready"), 1);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function countLines(file: string, word: string): Promise<number> {
  return (await Deno.readTextFile(file)).split("\n").filter((line) => line.includes(word)).length;
}

async function hasLine(file: string, word: string): Promise<boolean> {
  return await countLines(file, word) > 0;
}
