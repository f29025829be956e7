/**
 * The settings of pools that log clients in themselves: how long who waits and what then, which
 * server connections are kept, and what is different for single users and databases.
 *
 * @module
 */

import assert from "node:assert/strict";
import { configFor, type Gateway, startGateway } from "../support/gateway.ts";
import { query, startup } from "../support/messages.ts";
import { untilSessions } from "../support/observe.ts";
import { modesToTest, type PoolMode, startPooledGateway } from "../support/pooled_gateway.ts";
import { inTemporaryFolder, queryOnce, TEST_PASSWORD } from "../support/postgres.ts";
import {
  ConnectionEnd,
  lastError,
  type Message,
  ProtocolClient,
  sqlStatesOf,
  valueOf,
} from "../support/protocol_client.ts";
import { type ServerScene, type Stories, targetAt, testOnServers } from "../support/stories.ts";
import { pause } from "../support/wait.ts";

const PROCESS_ID = "select pg_backend_pid()";

function logIn(gateway: Gateway, user = "postgres"): Promise<ProtocolClient> {
  return ProtocolClient.logIn({ ...targetAt(gateway.target), user });
}

/** Stories of every mode alike. */
function inEveryMode(mode: PoolMode): Stories<ServerScene> {
  return {
    [`${mode}: clients wait for acquireTimeout, are told so, and get 53300`]: async (
      { server },
    ) => {
      const pool = { acquireTimeout: "600ms", waitNotice: "100ms" };
      await using gateway = await startPooledGateway(server, { mode, size: 1, pool });
      using holder = await logIn(gateway);
      holder.send(query("select pg_sleep(2)"));
      using waiter = await ProtocolClient.open(gateway.target);
      const messages = await startAndAsk(waiter);
      assert.deepEqual(sqlStatesOf(messages), ["53300"]);
      assert.ok(messages.some(({ tag }) => tag === "N"), "a NOTICE says that it waits");
      assert.equal(await gateway.metric('sluice_pool_wait_timeouts_total{pool="default"}'), 1);
    },

    [`${mode}: queryTimeout ends a query with 57014, and the client goes on`]: async (
      { server },
    ) => {
      const pool = { queryTimeout: "200ms" };
      await using gateway = await startPooledGateway(server, { mode, size: 1, pool });
      using client = await logIn(gateway);
      assert.deepEqual(sqlStatesOf(await client.query("select pg_sleep(600)")), ["57014"]);
      assert.equal(await valueOf(client, "select 'goes on'"), "goes on");
    },

    [`${mode}: clientIdleTimeout ends an idle client with 57P05`]: async ({ server }) => {
      const settings = { server: { clientIdleTimeout: "200ms" } };
      await using gateway = await startPooledGateway(server, { mode, size: 1, ...settings });
      using client = await logIn(gateway);
      await client.query("select 1");
      assert.equal((await lastError(client)).get("C"), "57P05");
    },

    ...mode === "statement" ? {} : {
      [`${mode}: transactionTimeout is 25P04, idleTransactionTimeout 25P03`]: async (
        { server },
      ) => {
        for (
          const [name, code] of [["transactionTimeout", "25P04"], [
            "idleTransactionTimeout",
            "25P03",
          ]]
        ) {
          const pool = { [name!]: "200ms" };
          await using gateway = await startPooledGateway(server, { mode, size: 1, pool });
          using client = await logIn(gateway);
          await client.query("begin");
          assert.equal((await lastError(client)).get("C"), code);
          using next = await logIn(gateway);
          assert.equal(await valueOf(next, "select 'the place is free'"), "the place is free");
        }
      },
    },
  };
}

/** Which server connections are kept. */
function keptInEveryMode(mode: PoolMode): Stories<ServerScene> {
  return {
    [`${mode}: minSize servers are kept, others go after idleTimeout`]: async (
      { server, direct },
    ) => {
      const pool = { minSize: 2, idleTimeout: "300ms" };
      await using gateway = await startPooledGateway(server, { mode, size: 5, pool });
      const clients = await Promise.all(Array.from({ length: 5 }, () => logIn(gateway)));
      await Promise.all(clients.map((client) => client.query("select pg_sleep(0.2)")));
      for (const client of clients) await client.end();
      await untilSessions(direct, 2);
      await pause(500);
      await untilSessions(direct, 2);
    },

    [`${mode}: a server that ended unnoticed is not given out with validation: foreground`]: async (
      { server, direct },
    ) => {
      const pool = { validation: "foreground", validationInterval: "100ms" };
      await using gateway = await startPooledGateway(server, { mode, size: 2, pool });
      const first = await logIn(gateway);
      await first.query("select 1");
      await first.end();
      await pause(150);
      await queryOnce(
        direct,
        "select pg_terminate_backend(pid) from pg_stat_activity " +
          "where backend_type = 'client backend' and pid <> pg_backend_pid()",
      );
      using next = await logIn(gateway);
      assert.equal(await valueOf(next, "select 'alive'"), "alive");
    },
  };
}

/** Logs in and asks, wherever it is that the client has to wait; everything up to the error. */
async function startAndAsk(client: ProtocolClient): Promise<Message[]> {
  client.send(startup({ user: "postgres", database: "postgres" }), query("select 1"));
  try {
    return await client.until(({ tag }) => tag === "E");
  } catch (error) {
    if (error instanceof ConnectionEnd) return [...error.messages];
    throw error;
  }
}

const MIXED: Stories<ServerScene> = {
  "users have modes and sizes of their own": async ({ server, direct }) => {
    await queryOnce(direct, `create role reporter login superuser password '${TEST_PASSWORD}'`);
    await inTemporaryFolder(async (folder) => {
      const usersFile = `${folder}/users.txt`;
      const names = ["postgres", "reporter"];
      const lines = names.map((name) => `"${name}" "${TEST_PASSWORD}"\n`);
      await Deno.writeTextFile(usersFile, lines.join(""), { mode: 0o600 });
      const settings = {
        // A password that came in the clear is one that the server can be given.
        server: { auth: { method: "password", usersFile } },
        pool: { mode: "transaction", size: 3 },
      };
      const config = {
        ...configFor(`${server.host}:${server.port}`, settings),
        users: { reporter: { mode: "session", poolSize: 1 } },
      };
      await using gateway = await startGateway({ config });
      using one = await logIn(gateway, "reporter");
      assert.equal(await valueOf(one, "select session_user"), "reporter");
      await one.query("set work_mem = '123kB'");
      assert.equal(await valueOf(one, "show work_mem"), "123kB");
      const second = logIn(gateway, "reporter").then(async (client) => {
        using waited = client;
        return await valueOf(waited, "show work_mem");
      });
      using other = await logIn(gateway);
      assert.equal(await valueOf(other, "select session_user"), "postgres");
      await one.end();
      assert.notEqual(await second, "123kB");
    });
  },

  "a limits file gives sizes and aliases, and disables a database": async ({ server, direct }) => {
    await queryOnce(direct, "create database closed");
    await inTemporaryFolder(async (folder) => {
      const limitsFile = `${folder}/limits.conf`;
      const lines = "postgres=alias,other postgres 1\nclosed all 5 disabled\n";
      await Deno.writeTextFile(limitsFile, lines);
      const pool = { limitsFile };
      const options = { mode: "transaction", size: 5, pool } as const;
      await using gateway = await startPooledGateway(server, options);
      const target = targetAt(gateway.target);
      using alias = await ProtocolClient.logIn({ ...target, database: "alias" });
      using own = await logIn(gateway);
      const both = await Promise.all([alias, own].map((client) => valueOf(client, PROCESS_ID)));
      assert.equal(both[0], both[1], "one server for both");
      await assert.rejects(ProtocolClient.logIn({ ...target, database: "closed" }));
    });
  },

  "the client's own SCRAM proof logs in to the server": async ({ server, direct }) => {
    const [row] = await queryOnce(direct, "select rolpassword as p from pg_authid where oid = 10");
    await inTemporaryFolder(async (folder) => {
      const usersFile = `${folder}/users.txt`;
      await Deno.writeTextFile(usersFile, `"postgres" "${row!["p"]}"\n`, { mode: 0o600 });
      const settings = {
        server: { auth: { method: "scram-sha-256", usersFile } },
        pool: { mode: "transaction", size: 1 },
      };
      const config = configFor(`${server.host}:${server.port}`, settings);
      await using gateway = await startGateway({ config });
      using client = await ProtocolClient.logIn({
        ...targetAt(gateway.target),
        password: TEST_PASSWORD,
      });
      assert.equal(await valueOf(client, "select session_user"), "postgres");
    });
  },
};

await testOnServers(
  "a pool's settings",
  { newestOnly: true },
  Object.assign(
    {},
    ...modesToTest().flatMap((mode) => [inEveryMode(mode), keptInEveryMode(mode)]),
    modesToTest().includes("transaction") ? MIXED : {},
  ),
);
