/**
 * Clients that leave in the middle of anything, say nothing, talk nonsense or read nothing: each
 * costs itself, and nobody else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { HeldClient } from "../support/clients.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { cancelRequest, query, SSL_REQUEST, startup, TERMINATE } from "../support/messages.ts";
import { untilSessions } from "../support/observe.ts";
import { queryOnce } from "../support/postgres.ts";
import { Random } from "../support/random.ts";
import { type ServerScene, targetAt, testOnServers } from "../support/stories.ts";
import { PATIENCE_MS, pause, within } from "../support/wait.ts";

const CONNECTIONS = 200;
const MEGABYTE = 1_000_000;

/** Where the seeded choices begin; another number tells another story. */
const SEED = 20_260_221;

function start({ server }: ServerScene, settings: Settings): Promise<Gateway> {
  return startGateway({ config: configFor(`${server.host}:${server.port}`, settings) });
}

async function connect(gateway: Gateway): Promise<Deno.TcpConn> {
  const { host: hostname, port } = gateway.target;
  return await Deno.connect({ hostname, port });
}

const STARTUP = startup({ user: "postgres", database: "postgres" });

/** What a client might have said by the time it breaks off; what follows what is up to chance. */
const SCRIPTS: readonly Uint8Array[] = [
  STARTUP,
  concat(STARTUP, query("select pg_sleep(0.01)")),
  concat(STARTUP, query("select repeat('x', 3000000)"), query("select 2")),
  concat(STARTUP, query("begin"), query("create temp table t (i int)"), query("copy t from stdin")),
  concat(STARTUP, query("select 1"), TERMINATE),
  concat(SSL_REQUEST, STARTUP),
  cancelRequest(1234, new Uint8Array(4)),
  new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
  new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]),
  concat(STARTUP, new TextEncoder().encode("nonsense that is no message")),
  new Uint8Array(64).fill(0xff),
];

/** One client that breaks off somewhere: closed in good order, or reset with bytes unread. */
async function breakOff(gateway: Gateway, random: Random): Promise<void> {
  const script = random.pick(SCRIPTS);
  const said = script.subarray(0, 1 + random.below(script.length));
  const waits = random.oneIn(2);
  const reads = random.oneIn(2);
  const conn = await connect(gateway);
  try {
    await conn.write(said);
    // A moment, so that some break off before the server is there and some after.
    if (waits) await pause(random.below(40));
    if (reads) await Promise.race([conn.read(new Uint8Array(512)), pause(20)]);
  } catch {
    // The gateway was faster: that is one of the ends that are to be tried.
  }
  conn.close();
}

await testOnServers("a client that misbehaves", { newestOnly: true, postgres: { auth: "trust" } }, {
  [`${CONNECTIONS} clients that break off anywhere leave nothing behind`]: async (scene) => {
    for (const workers of [1, 4]) {
      await using gateway = await start(scene, { workers, pool: { size: 10 } });
      const random = new Random(SEED + workers);
      const target = targetAt(gateway.target);
      await using witness = await HeldClient.connect(target);
      for (let done = 0; done < CONNECTIONS; done += 20) {
        await Promise.all(Array.from({ length: 20 }, () => breakOff(gateway, random)));
        assert.deepEqual(await witness.query("select $1::int as n", [done]), [{ n: done }]);
      }
      await witness.end();
      await gateway.untilIdle();
      await untilSessions(scene.direct, 0);
      assert.deepEqual(await queryOnce(target, "select 1 as n"), [{ n: 1 }]);
    }
  },

  "silence, or half a startup packet, ends after loginTimeout with 57014": async (scene) => {
    await using gateway = await start(scene, { workers: 2, server: { loginTimeout: "300ms" } });
    for (const said of [new Uint8Array(), STARTUP.subarray(0, 9)]) {
      using conn = await connect(gateway);
      if (said.length > 0) await conn.write(said);
      const reader = new Response(conn.readable).text();
      const answer = await within(PATIENCE_MS, "the gateway closes", reader);
      assert.match(answer, /^E.*SFATAL\0VFATAL\0C57014\0M/s);
      assert.match(answer, /servers\.default\.loginTimeout/);
    }
    assert.equal(await gateway.metric('sluice_login_timeouts_total{listener="default"}'), 2);
    await gateway.untilIdle();
  },

  "without file descriptors new clients wait in the kernel, and come in when there are some":
    async (
      { server },
    ) => {
      const config = configFor(`${server.host}:${server.port}`, { client: { retries: 0 } });
      await using gateway = await startGateway({ config, descriptorsMax: 80 });
      const target = targetAt(gateway.target);
      await using witness = await HeldClient.connect(target);
      const conns: Deno.TcpConn[] = [];
      for (let i = 0; i < 100; i++) conns.push(await connect(gateway));
      await gateway.untilLogged("cannot accept clients");
      assert.deepEqual(await witness.query("select 1 as n"), [{ n: 1 }]);
      for (const conn of conns) conn.close();
      assert.deepEqual(await queryOnce(target, "select 2 as n"), [{ n: 2 }]);
      await witness.end();
      await gateway.untilIdle();
    },

  "what is not PostgreSQL is answered in words": async (scene) => {
    await using gateway = await start(scene, {});
    const words = {
      7: /not HTTP/,
      8: /does not speak TLS/,
      10: /invalid length of startup packet/,
    };
    for (const [index, pattern] of Object.entries(words)) {
      using conn = await connect(gateway);
      await conn.write(SCRIPTS[Number(index)]!);
      const answer = await within(
        PATIENCE_MS,
        "the gateway closes",
        new Response(conn.readable).text(),
      );
      assert.match(answer, /C08P01\0/);
      assert.match(answer, pattern);
    }
    await gateway.untilIdle();
  },

  "a client that reads nothing of a large result costs no memory, and nobody waits for it": async (
    scene,
  ) => {
    await using gateway = await start(scene, {});
    const target = targetAt(gateway.target);
    await using witness = await HeldClient.connect(target);
    for (let i = 0; i < 200; i++) await witness.query("select repeat('warm', 10000)");
    const slow: Deno.TcpConn[] = [];
    gateway.resetPeak();
    const before = gateway.residentBytes();
    for (let i = 0; i < 8; i++) {
      const conn = await connect(gateway);
      await conn.write(concat(STARTUP, query("select repeat('x', 200000000)")));
      slow.push(conn);
    }
    for (let i = 0; i < 200; i++) {
      assert.deepEqual(await witness.query("select $1::int as n", [i]), [{ n: i }]);
    }
    await pause(1_000);
    assert.deepEqual(await witness.query("select 'still served' as s"), [{ s: "still served" }]);
    const growth = gateway.peakResidentBytes() - before;
    assert.ok(growth < 50 * MEGABYTE, `memory grew by ${Math.round(growth / MEGABYTE)} MB`);
    // One of them begins to read after all, and gets everything.
    const [reader, ...others] = slow;
    let bytes = 0;
    const buffer = new Uint8Array(65_536);
    while (bytes < 200_000_000) bytes += await reader!.read(buffer) ?? Infinity;
    assert.ok(Number.isFinite(bytes));
    reader!.close();
    for (const conn of others) conn.close();
    await witness.end();
    await gateway.untilIdle();
    await untilSessions(scene.direct, 0);
  },

  "a client that says goodbye in the middle of a query has it cancelled": async (scene) => {
    await using gateway = await start(scene, { workers: 2 });
    const conn = await connect(gateway);
    await conn.write(concat(STARTUP, query("select pg_sleep(300)")));
    await untilSessions(scene.direct, 1);
    conn.close();
    await untilSessions(scene.direct, 0);
    await gateway.untilIdle();
  },
});
