/**
 * A real server and its mirror: what is written to the one is in the other afterwards, and whatever
 * becomes of the mirror, clients notice nothing.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { EmbeddedPostgres } from "../../src/cli/demo/embedded_postgres.ts";
import { FrozenProcesses } from "../support/frozen_processes.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { queryOnce, startTestPostgres, TEST_PASSWORD } from "../support/postgres.ts";
import { runProgram } from "../support/programs.ts";
import { clientProgram, connectionArgs, connectionEnv } from "../support/psql.ts";
import { targetAt, testOnServers } from "../support/stories.ts";
import { eventually, pause } from "../support/wait.ts";

const ACCOUNTS = 100_000;

/** How a gateway with a mirror differs from another one. */
interface MirrorOptions {
  readonly workers?: number;
  readonly driver?: string;
  readonly bufferMax?: string;
}

/** A gateway in front of a server whose sessions are all copied to a mirror, and compared. */
async function startMirrored(
  server: EmbeddedPostgres,
  mirror: EmbeddedPostgres,
  { workers = 1, driver = "auto", bufferMax = "256MiB" }: MirrorOptions = {},
): Promise<Gateway> {
  const login = { user: "postgres", password: TEST_PASSWORD };
  const pool = { mode: "transaction", size: 20 };
  return await startGateway({
    config: {
      servers: {
        default: { address: "127.0.0.1:0", auth: { method: "trust" }, proxies: ["real"] },
      },
      clients: {
        real: { address: `${server.host}:${server.port}`, ...login },
        mirror: { address: `${mirror.host}:${mirror.port}`, ...login, retries: 0 },
      },
      pools: { real: pool, mirror: pool },
      proxies: {
        real: { mirror: { proxy: "mirror", compare: true, bufferMax } },
        mirror: {},
      },
      loggers: { default: { level: "debug", format: "json" } },
      metrics: { address: "127.0.0.1:0" },
      runtime: { workers, driver },
    },
  });
}

/** Runs pgbench through the gateway, and fails unless every transaction it began was done. */
async function pgbench(gateway: Gateway, ...args: readonly string[]): Promise<void> {
  const target = targetAt(gateway.target);
  const all = [...connectionArgs(target), ...args, target.database];
  const env = connectionEnv(target);
  const { code, stdout, stderr } = await runProgram(await clientProgram("pgbench"), all, { env });
  assert.equal(code, 0, stderr);
  assert.ok(!/ERROR|FATAL|abort/.test(stderr), stderr);
  if (!args.includes("-i")) assert.match(stdout, /number of failed transactions: 0 /);
}

/** What pgbench leaves behind, but for times. */
const CONTENTS = `
  select (select count(*) from pgbench_history)::int as history,
         (select sum(abalance) from pgbench_accounts)::text as sum,
         (select sum(hashtext(a::text)) from pgbench_accounts a)::text as accounts,
         (select sum(hashtext(b::text)) from pgbench_branches b)::text as branches,
         (select sum(hashtext(t::text)) from pgbench_tellers t)::text as tellers`;

async function contents(server: EmbeddedPostgres) {
  const [row] = await queryOnce(server, CONTENTS);
  return row!;
}

/** A metric of the mirror. */
async function counted(gateway: Gateway, name: string, labels: string): Promise<number> {
  return await gateway.metric(`sluice_mirror_${name}{proxy="real",${labels}}`);
}

async function differences(gateway: Gateway): Promise<number[]> {
  const results = ["other_error", "other_rows"].map((result) =>
    counted(gateway, "requests_total", `result="${result}"`)
  );
  return await Promise.all(results);
}

/** The two have the same rows after COPY, and after transactions in every protocol. */
async function staysEqual(server: EmbeddedPostgres, options: MirrorOptions): Promise<void> {
  await using mirror = await startTestPostgres();
  await using gateway = await startMirrored(server, mirror, options);
  await pgbench(gateway, "-i", "-q", "-s", "1");
  await eventually("the mirror has got the COPY and the primary keys", async () => {
    const [row] = await queryOnce(
      mirror,
      "select count(*)::int as n from pg_constraint where contype = 'p' and conname ~ '^pgbench'",
    );
    return row!["n"] === 3;
  });
  const accounts = "select count(*)::int as n from pgbench_accounts";
  assert.deepEqual(await queryOnce(mirror, accounts), [{ n: ACCOUNTS }]);
  for (const protocol of ["simple", "extended", "prepared"]) {
    await pgbench(gateway, "-n", "-M", protocol, "-c", "4", "-j", "2", "-t", "50");
  }
  const expected = await contents(server);
  assert.equal(expected["history"], 600);
  await eventually("the mirror has all transactions", async () => {
    const found = await contents(mirror);
    return found["history"] === 600;
  });
  assert.deepEqual(await contents(mirror), expected);
  assert.deepEqual(await differences(gateway), [0, 0]);
  assert.equal(await counted(gateway, "sessions_total", 'result="dropped"'), 0);
  assert.ok(await counted(gateway, "requests_total", 'result="same"') > 600);
  assert.ok(await counted(gateway, "seconds_count", 'side="mirror"') > 600);
}

async function hasToldNoErrors(gateway: Gateway): Promise<void> {
  const errors = [...await gateway.metrics()].filter(([name]) => name.startsWith("sluice_errors"));
  assert.deepEqual(errors, []);
}

await testOnServers("a mirror", { newestOnly: true, programs: ["pgbench"] }, {
  "has what the real server has, with the default driver": ({ server }) =>
    staysEqual(server, { workers: 2 }),

  "has what the real server has, with Deno's driver": ({ server }) =>
    staysEqual(server, { driver: "deno" }),

  "is killed, is down, and comes back: clients notice nothing": async ({ server }) => {
    await using mirror = await startTestPostgres();
    await using gateway = await startMirrored(server, mirror, { workers: 2 });
    await pgbench(gateway, "-i", "-q", "-s", "1");
    const running = pgbench(gateway, "-n", "-M", "prepared", "-c", "4", "-T", "5");
    await pause(1_500);
    await mirror.kill();
    await pgbench(gateway, "-n", "-C", "-S", "-c", "2", "-t", "10"); // with new sessions
    await running;
    const [row] = await queryOnce(server, "select count(*)::int as n from pgbench_history");
    assert.ok(Number(row!["n"]) > 0);
    // Each of the four ends, in the middle of a transaction or between two, and each new one does.
    const reasons = ["lost", "refused", "unreachable"];
    const counts = reasons.map((reason) => counted(gateway, "dropped_total", `reason="${reason}"`));
    const dropped = await Promise.all(counts);
    assert.ok(dropped.reduce((sum, count) => sum + count) >= 4 + 20, dropped.join());
    assert.ok(dropped.at(-1)! >= 20, "those that began while it was down");
    await gateway.untilLogged("copy of a session ended");
    await hasToldNoErrors(gateway);
    await mirror.restart();
    await queryOnce(gateway.target, "create table back (i int)");
    await eventually("the mirror gets copies again", async () => {
      const [there] = await queryOnce(mirror, "select to_regclass('back') is not null as there");
      return there!["there"] === true;
    });
  },

  "stands still: copies end, and clients go on": async ({ server }) => {
    await using mirror = await startTestPostgres();
    await using gateway = await startMirrored(server, mirror, { bufferMax: "64KiB" });
    await pgbench(gateway, "-i", "-q", "-s", "1");
    await queryOnce(gateway.target, "select 1");
    const frozen = await FrozenProcesses.freeze(mirror.processId);
    try {
      const text = `/* ${"x".repeat(100_000)} */`;
      for (let i = 0; i < 20; i++) await queryOnce(gateway.target, `select ${i} ${text}`);
      await pgbench(gateway, "-n", "-M", "prepared", "-c", "4", "-t", "500");
      await eventually(
        "copies have ended",
        async () => await counted(gateway, "sessions_total", 'result="dropped"') >= 20,
      );
      assert.ok(await counted(gateway, "dropped_total", 'reason="behind"') > 0);
    } finally {
      await frozen.thaw();
    }
    await hasToldNoErrors(gateway);
  },
});
