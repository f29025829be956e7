/**
 * The database goes away and comes back: killed, stopped, not there when a client comes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { HeldClient, refusal } from "../support/clients.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { startPooledGateway } from "../support/pooled_gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { clientProgram, connectionEnv, psqlArgs } from "../support/psql.ts";
import { spawnProgram } from "../support/programs.ts";
import { type ServerScene, type Target, targetAt, testOnServers } from "../support/stories.ts";
import { eventually, PATIENCE_MS, within } from "../support/wait.ts";

const DIAL_FAILURES = 'sluice_server_dial_failures_total{pool="default"}';

/** What the gateway says when the server did not. */
const LOST = ["08006", "the server closed the connection unexpectedly"];

function start({ server }: ServerScene, settings: Settings): Promise<Gateway> {
  return startGateway({ config: configFor(`${server.host}:${server.port}`, settings) });
}

async function untilServed(target: Target): Promise<void> {
  await eventually(
    "a client is served again",
    () => queryOnce(target, "select 1").then(() => true, () => false),
  );
}

/** Reads some of a result that would never end, then calls `interfere`; gives what psql says. */
async function duringResult(target: Target, interfere: () => Promise<void>): Promise<string> {
  // In the select list rows are made one by one; in FROM the server would make all of them first.
  const sql = "copy (select repeat('x', 1000), generate_series(1, 2000000000)) to stdout";
  const child = spawnProgram(
    await clientProgram("psql"),
    psqlArgs(target, ["-v", "VERBOSITY=verbose", "-c", sql]),
    { env: connectionEnv(target) },
  );
  const stderr = new Response(child.stderr as ReadableStream<Uint8Array<ArrayBuffer>>).text();
  let bytes = 0;
  let interfering: Promise<void> | undefined;
  for await (const chunk of child.stdout) {
    bytes += chunk.length;
    if (bytes > 10_000_000) interfering ??= interfere();
  }
  assert.ok(interfering !== undefined, "the result began");
  await interfering;
  const { code } = await within(PATIENCE_MS, "psql ends", child.status);
  assert.notEqual(code, 0);
  return await stderr;
}

/** Restarts it in archive recovery, which waits for the archive: until then it is "starting up". */
async function restartSlowly({ server }: ServerScene) {
  const [archive, settings] = ["archive.ready", "postgresql.auto.conf"]
    .map((name) => join(server.dataDir, name)) as [string, string];
  const command = `while [ ! -e archive.ready ]; do sleep 0.1; done; false`;
  await Deno.writeTextFile(settings, `restore_command = '${command}'\n`);
  await Deno.writeTextFile(join(server.dataDir, "recovery.signal"), "");
  return {
    restarted: server.restart(),
    letIn: () => Deno.writeTextFile(archive, ""),
  };
}

await testOnServers("a server that goes away", {}, {
  "killed while its sessions are idle: each client is told": async (scene) => {
    for (const workers of [1, 4]) {
      await using gateway = await start(scene, { workers });
      const target = targetAt(gateway.target);
      const clients = await Promise.all(
        Array.from({ length: 6 }, () => HeldClient.connect(target)),
      );
      await scene.server.kill();
      for (const client of clients) {
        const { code, message } = await client.lost;
        // A process of the server that sees its postmaster die has time for a last word, or none.
        if (code === "57P01") assert.match(message, /unexpected postmaster exit/);
        else assert.deepEqual([code, message], LOST);
        await client.end();
      }
      await gateway.untilIdle();
      assert.equal(await gateway.metric('sluice_server_connections_lost_total{pool="default"}'), 6);
      await scene.server.restart();
      await untilServed(target);
    }
  },

  "killed in the middle of a large result: the client's connection ends": async (scene) => {
    await using gateway = await start(scene, {});
    const stderr = await duringResult(targetAt(gateway.target), () => scene.server.kill());
    assert.match(stderr, /08006|server closed the connection unexpectedly|57P0[12]/);
    await gateway.untilIdle();
    await scene.server.restart();
    await untilServed(targetAt(gateway.target));
  },

  "a client that was refused while it was down comes through when it is back": async (scene) => {
    const client = { retries: 2, backoff: "10ms" };
    await using gateway = await start(scene, { workers: 4, client });
    const target = targetAt(gateway.target);
    await scene.server.kill();
    const { code, severity, message } = await refusal(target);
    assert.equal(code, "08001");
    assert.equal(severity, "FATAL");
    assert.match(message, /"default" did not answer/);
    assert.ok(!message.includes(String(scene.server.port)), "no address of the server is told");
    assert.equal(await gateway.metric(DIAL_FAILURES), 3, "one attempt and two retries");
    await gateway.untilIdle();
    await scene.server.restart();
    await untilServed(target);
  },

  "it comes back while a client is being connected: the client gets through": async (scene) => {
    const client = { retries: 100, backoff: "200ms", backoffMultiplier: 1 };
    await using gateway = await start(scene, { client });
    await scene.server.kill();
    const connecting = HeldClient.connect(targetAt(gateway.target));
    connecting.catch(() => {});
    await eventually("attempts fail", async () => await gateway.metric(DIAL_FAILURES) >= 2);
    await scene.server.restart();
    await using connected = await connecting;
    assert.deepEqual(await connected.query("select 7 as n"), [{ n: 7 }]);
  },

  "it says for a while that it is starting: who connects waits, and gets through": async (
    scene,
  ) => {
    await scene.server.kill();
    const { restarted, letIn } = await restartSlowly(scene);
    const client = { retries: 100, backoff: "50ms", backoffMultiplier: 1 };
    await using relaying = await start(scene, { client });
    await using pooling = await startPooledGateway(scene.server, {
      mode: "transaction",
      size: 1,
      client,
    });
    const gateways = [relaying, pooling];
    const connecting = gateways.map(({ target }) => HeldClient.connect(targetAt(target)));
    for (const gateway of gateways) {
      const error = "57P03: the database system is starting up";
      await gateway.untilLogged("cannot connect to server", { error });
    }
    await letIn();
    for (const one of connecting) {
      await using connected = await one;
      assert.deepEqual(await connected.query("select 7 as n"), [{ n: 7 }]);
    }
    await restarted;
  },

  "a fast shutdown passes as 57P01, to idle and to busy clients": async (scene) => {
    await using gateway = await start(scene, { workers: 2 });
    const target = targetAt(gateway.target);
    const idle = await HeldClient.connect(target);
    const busy = await HeldClient.connect(target);
    const sleeping = assert.rejects(busy.query("select pg_sleep(300)"), { code: "57P01" });
    const restarting = scene.server.restart();
    const { code, message } = await idle.lost;
    assert.equal(code, "57P01");
    assert.equal(message, "terminating connection due to administrator command");
    await sleeping;
    await restarting;
    await idle.end();
    await busy.end();
    await gateway.untilIdle();
    await untilServed(target);
  },

  "a session that the server terminates gets the server's own words": async (scene) => {
    await using gateway = await start(scene, {});
    await using client = await HeldClient.connect(targetAt(gateway.target));
    const [row] = await client.query("select pg_backend_pid() as pid");
    await queryOnce(scene.direct, "select pg_terminate_backend($1)", [row!["pid"]]);
    assert.equal((await client.lost).code, "57P01");
  },

  "a server that is full is heard: 53300 in its own words": async (scene) => {
    await using gateway = await start(scene, { workers: 2, pool: { size: 200 } });
    const target = targetAt(gateway.target);
    const [row] = await queryOnce(scene.direct, "show max_connections");
    const clients: HeldClient[] = [];
    let error: unknown;
    while (error === undefined && clients.length <= Number(row!["max_connections"])) {
      await HeldClient.connect(target).then((client) => clients.push(client), (e) => error = e);
    }
    assert.equal((error as { code: string }).code, "53300");
    assert.match(String(error), /sorry, too many clients already|remaining connection slots/);
    await Promise.all(clients.map((client) => client.end()));
    await gateway.untilIdle();
  },
});
