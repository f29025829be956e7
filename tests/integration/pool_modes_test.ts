/**
 * What the pool modes promise: for how long a client has a server, who waits for it, what is
 * refused, and what becomes of clients whose server or database ends.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bind, execute, parseNamed } from "../support/extended_messages.ts";
import type { Gateway } from "../support/gateway.ts";
import { query, SYNC } from "../support/messages.ts";
import { untilSessions, untilSleeping } from "../support/observe.ts";
import { modesToTest, type PoolMode, startPooledGateway } from "../support/pooled_gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import {
  lastError,
  ProtocolClient,
  rowsOf,
  sqlStatesOf,
  valueOf,
} from "../support/protocol_client.ts";
import { type ServerScene, type Stories, targetAt, testOnServers } from "../support/stories.ts";
import { eventually, pause } from "../support/wait.ts";

const PROCESS_ID = "select pg_backend_pid()";

function logIn(gateway: Gateway): Promise<ProtocolClient> {
  return ProtocolClient.logIn(targetAt(gateway.target));
}

const TRANSACTION: Stories<ServerScene> = {
  "transaction: 100 clients that stay share 2 servers": async ({ server, direct }) => {
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 2 });
    const clients = await Promise.all(Array.from({ length: 100 }, () => logIn(gateway)));
    const used = new Set<string | null>();
    for (let round = 0; round < 3; round++) {
      const answers = clients.map(async (client, i) => {
        const [row] = rowsOf(await client.query(`select ${i}, pg_backend_pid()`));
        assert.equal(row![0], String(i));
        used.add(row![1]!);
      });
      await Promise.all(answers);
    }
    assert.ok(used.size <= 2, `${used.size} servers`);
    await untilSessions(direct, used.size);
    for (const client of clients) client.close();
  },

  "transaction: a server stays until the transaction ends, and comes to who waited longest": async (
    { server },
  ) => {
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 1 });
    using holder = await logIn(gateway);
    await holder.query("begin");
    const waiting = await Promise.all(Array.from({ length: 5 }, () => logIn(gateway)));
    const order: number[] = [];
    const answers: Promise<unknown>[] = [];
    for (const [i, client] of waiting.entries()) {
      answers.push(client.query("select 1").then(() => order.push(i)));
      await eventually(
        `${i + 1} wait`,
        async () => await gateway.metric('sluice_pool_waiters{pool="default"}') === i + 1,
      );
    }
    assert.deepEqual(rowsOf(await holder.query("select 'still mine'")), [["still mine"]]);
    assert.deepEqual(order, []);
    await holder.query("commit");
    await Promise.all(answers);
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
    for (const client of waiting) client.close();
  },

  "transaction: a client that leaves inside a transaction has it rolled back": async (
    { server, direct },
  ) => {
    await queryOnce(direct, "create table if not exists left_rows (i int)");
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 1 });
    for (const isPolite of [true, false]) {
      const client = await logIn(gateway);
      await client.query("begin; insert into left_rows values (1)");
      if (isPolite) await client.end();
      else client.close();
      using next = await logIn(gateway);
      assert.equal(await valueOf(next, "select count(*) from left_rows"), "0");
      assert.equal(next.status, "I");
    }
  },

  "transaction: a client that leaves in a query has it cancelled": async ({ server, direct }) => {
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 1 });
    const client = await logIn(gateway);
    client.send(query("select pg_sleep(600)"));
    await untilSleeping(direct);
    client.close();
    await untilSleeping(direct, 0);
    using next = await logIn(gateway);
    assert.equal(await valueOf(next, "select 'served'"), "served");
  },

  "transaction: idle clients do not notice that servers end; others are told 57P01": async (
    { server, direct },
  ) => {
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 3 });
    using idle = await logIn(gateway);
    using busy = await logIn(gateway);
    await idle.query("set timezone = 'Asia/Tokyo'");
    idle.send(parseNamed("s", "select 'prepared'"), SYNC);
    await idle.untilReady();
    await busy.query("begin");
    await queryOnce(
      direct,
      "select pg_terminate_backend(pid) from pg_stat_activity " +
        "where backend_type = 'client backend' and pid <> pg_backend_pid()",
    );
    const error = await lastError(busy);
    assert.equal(error.get("C"), "57P01");
    assert.equal(error.get("S"), "FATAL");
    await untilSessions(direct, 0);
    idle.send(bind({ statement: "s" }), execute(), SYNC);
    assert.deepEqual(rowsOf(await idle.untilReady()), [["prepared"]]);
    assert.equal(await valueOf(idle, "show timezone"), "Asia/Tokyo");
  },

  "transaction: idle clients outlive a restart of the database": async ({ server, direct }) => {
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 3 });
    const clients = await Promise.all(Array.from({ length: 20 }, () => logIn(gateway)));
    await Promise.all(clients.map((client) => client.query("select 1")));
    await server.restart();
    await queryOnce(direct, "select 1");
    for (const [i, client] of clients.entries()) {
      assert.equal(await valueOf(client, `select ${i}`), String(i));
      client.close();
    }
  },

  "transaction: few prepared statements on a server are enough for many": async ({ server }) => {
    const pool = { preparedStatementsMax: 3 };
    const options = { mode: "transaction", size: 1, pool } as const;
    await using gateway = await startPooledGateway(server, options);
    const clients = await Promise.all([1, 2].map(() => logIn(gateway)));
    for (const [c, client] of clients.entries()) {
      for (let i = 0; i < 10; i++) {
        client.send(parseNamed(`s${i}`, `select '${c}/${i}'`), SYNC);
        await client.untilReady();
      }
    }
    for (const [c, client] of clients.entries()) {
      // All in one pipeline: what it uses may not be thrown out before its end.
      const all = Array.from({ length: 10 }, (_, i) => [bind({ statement: `s${i}` }), execute()]);
      client.send(...all.flat(), SYNC);
      const expected = all.map((_, i) => [`${c}/${i}`]);
      assert.deepEqual(rowsOf(await client.untilReady()), expected);
    }
    const count = await valueOf(clients[0]!, "select count(*) from pg_prepared_statements");
    assert.ok(Number(count) <= 3, `${count} statements`);
    for (const client of clients) client.close();
  },

  "transaction: what needs a session of its own is refused with pin: false": async (
    { server },
  ) => {
    const options = { mode: "transaction", size: 2, pool: { pin: false } } as const;
    await using gateway = await startPooledGateway(server, options);
    using client = await logIn(gateway);
    for (
      const text of [
        "listen somewhere",
        "create temp table t (i int)",
        "select pg_advisory_lock(1)",
        "declare c cursor with hold for select 1",
      ]
    ) {
      const messages = await client.query(text);
      assert.deepEqual(sqlStatesOf(messages), ["0A000"], text);
      assert.equal(await valueOf(client, "select 'goes on'"), "goes on");
    }
  },

  "transaction: a pinned client keeps its server until what pins it is gone": async (
    { server },
  ) => {
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 2 });
    using pinned = await logIn(gateway);
    using other = await logIn(gateway);
    await pinned.query("create temp table t (i int)");
    const own = await valueOf(pinned, PROCESS_ID);
    for (let i = 0; i < 5; i++) {
      assert.notEqual(await valueOf(other, PROCESS_ID), own);
      assert.equal(await valueOf(pinned, PROCESS_ID), own);
    }
    await pinned.query("discard all");
    using third = await logIn(gateway);
    await other.query("begin");
    assert.notEqual(await valueOf(third, PROCESS_ID), null, "both servers are free again");
  },

  "transaction: a replication connection passes": async ({ server }) => {
    await using gateway = await startPooledGateway(server, { mode: "transaction", size: 2 });
    const parameters = { "replication": "database" };
    using client = await ProtocolClient.logIn(targetAt(gateway.target), { parameters });
    const [row] = rowsOf(await client.query("IDENTIFY_SYSTEM"));
    assert.equal(row!.length, 4);
  },
};

const STATEMENT: Stories<ServerScene> = {
  "statement: a transaction block is refused, and the client goes on": async ({ server }) => {
    await using gateway = await startPooledGateway(server, { mode: "statement", size: 1 });
    using client = await logIn(gateway);
    using other = await logIn(gateway);
    for (const text of ["begin", "start transaction", "select 1; begin", "/* a */ BEGIN"]) {
      const messages = await client.query(text);
      assert.deepEqual(sqlStatesOf(messages), ["0A000"], text);
      assert.equal(await valueOf(other, "select 'served'"), "served");
    }
    client.send(parseNamed("", "begin"), bind(), execute(), SYNC);
    assert.deepEqual(sqlStatesOf(await client.untilReady()), ["0A000"]);
    assert.equal(await valueOf(client, "select 'goes on'"), "goes on");
  },
};

const SESSION: Stories<ServerScene> = {
  "session: a client keeps its server until it leaves, and the next finds it like new": async (
    { server, direct },
  ) => {
    await using gateway = await startPooledGateway(server, { mode: "session", size: 1 });
    const client = await logIn(gateway);
    await client.query("create temp table t (i int); set work_mem = '123kB'; listen here");
    client.send(parseNamed("s", "select 1"), SYNC);
    await client.untilReady();
    const own = await valueOf(client, PROCESS_ID);
    const next = logIn(gateway).then(async (other) => {
      using waited = other;
      assert.equal(await valueOf(waited, PROCESS_ID), own, "the same server");
      assert.notEqual(await valueOf(waited, "show work_mem"), "123kB");
      assert.equal(await valueOf(waited, "select to_regclass('t')"), null);
      assert.equal(await valueOf(waited, "select count(*) from pg_prepared_statements"), "0");
    });
    await pause(50);
    assert.equal(await valueOf(client, "select count(*) from t"), "0");
    await client.end();
    await next;
    await untilSessions(direct, 1);
  },
};

const OWN: Readonly<Record<PoolMode, Stories<ServerScene>>> = {
  transaction: TRANSACTION,
  statement: STATEMENT,
  session: SESSION,
};

await testOnServers(
  "a pool",
  { newestOnly: true },
  Object.assign({}, ...modesToTest().map((mode) => OWN[mode])),
);
