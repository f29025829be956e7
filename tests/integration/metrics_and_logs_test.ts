/**
 * What the gateway says of itself after traffic that is known: exact numbers, and no secrets.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HeldClient, refusal } from "../support/clients.ts";
import { TEST_PASSWORD } from "../support/postgres.ts";
import { psql } from "../support/psql.ts";
import { testThroughGateway } from "../support/stories.ts";

const POOL = '{pool="default"}';

await testThroughGateway("metrics after known traffic", { workers: [1, 4] }, {
  "queries, transactions, connections, bytes and errors are counted exactly": async (
    { gateway, via },
  ) => {
    const before = await gateway.metrics();
    const first = await HeldClient.connect(via);
    const second = await HeldClient.connect(via);
    for (let i = 0; i < 10; i++) await first.query("select 1"); // 10 queries, 10 transactions
    // An error is known before its ReadyForQuery has come, so that others follow.
    for (let i = 0; i < 3; i++) {
      await assert.rejects(second.query("select 1/0"), { code: "22012" }); // 3 and 3
    }
    for (let i = 0; i < 5; i++) await second.query("select $1::int", [i]); // 5 and 5
    await first.query("begin"); // 1 and 0
    await first.query("select 2"); // 1 and 0
    await first.query("commit"); // 1 and 1
    await first.query("select 3; select 4"); // one Query message: 1 and 1
    const during = await gateway.metrics();
    const change = (name: string) => during.get(name)! - (before.get(name) ?? 0);
    assert.equal(change(`sluice_queries_total${POOL}`), 22);
    assert.equal(change(`sluice_transactions_total${POOL}`), 20);
    assert.equal(change(`sluice_query_duration_seconds_count${POOL}`), 22);
    assert.equal(change(`sluice_server_connections_total${POOL}`), 2);
    assert.equal(change('sluice_client_connections_total{listener="default"}'), 2);
    assert.equal(change('sluice_errors_total{source="server",sqlstate="22012"}'), 3);
    assert.equal(during.get('sluice_client_connections{listener="default",state="active"}'), 2);
    assert.equal(during.get('sluice_server_connections{pool="default",state="active"}'), 2);
    const fromClients = 'sluice_relayed_bytes_total{direction="client_to_server",pool="default"}';
    const down = change('sluice_relayed_bytes_total{direction="server_to_client",pool="default"}');
    assert.ok(change(fromClients) > 22 * 10 && change(fromClients) < 10_000);
    assert.ok(down > 22 * 20 && down < 20_000);
    await first.end();
    await second.end();
    await gateway.untilIdle();
  },

  "relayed bytes are exactly those of the messages": async ({ gateway, via }) => {
    await using client = await HeldClient.connect(via);
    const before = await gateway.metrics();
    // Query: tag, length, text, NUL. Answer: RowDescription (tag, length, count, name with NUL, 18
    // bytes of field), DataRow (tag, length, count, length, value), CommandComplete, ReadyForQuery.
    const text = "select repeat('x', 1000000)::text as long";
    await client.query(text);
    const after = await gateway.metrics();
    const change = (direction: string) => {
      const name = `sluice_relayed_bytes_total{direction="${direction}",pool="default"}`;
      return after.get(name)! - before.get(name)!;
    };
    assert.equal(change("client_to_server"), 1 + 4 + text.length + 1);
    const rowDescription = 1 + 4 + 2 + "long".length + 1 + 18;
    const dataRow = 1 + 4 + 2 + 4 + 1_000_000;
    const commandComplete = 1 + 4 + "SELECT 1".length + 1;
    assert.equal(change("server_to_client"), rowDescription + dataRow + commandComplete + 6);
  },

  "the gauges return to zero": ({ gateway }) => gateway.untilIdle(),

  "the workers and the pool's size are told": async ({ gateway, workers }) => {
    const metrics = await gateway.metrics();
    assert.equal(metrics.get("sluice_workers"), workers);
    assert.equal(metrics.get(`sluice_pool_size${POOL}`), 50);
  },

  "the process is measured": async ({ gateway }) => {
    const metrics = await gateway.metrics();
    if (Deno.build.os === "linux") {
      const [open, max] = ["open", "max"].map((what) => metrics.get(`process_${what}_fds`)!);
      assert.ok(open! > 10 && open! < max!, `${open} file descriptors of ${max} are open`);
    }
    assert.ok(metrics.get("process_resident_memory_bytes")! > 20_000_000);
    assert.ok(metrics.get("process_cpu_seconds_total")! > 0);
    const startSeconds = metrics.get("process_start_time_seconds")!;
    assert.ok(Math.abs(Date.now() / 1000 - startSeconds) < 3_600);
  },

  "another path than the metrics' is not found": async ({ gateway }) => {
    const response = await fetch(new URL("/other", gateway.metricsUrl));
    await response.body?.cancel();
    assert.equal(response.status, 404);
  },
});

for (const auth of ["password", "md5", "scram-sha-256"] as const) {
  const options = {
    workers: [2],
    newestOnly: true,
    postgres: { auth, settings: auth === "md5" ? { "password_encryption": "md5" } : {} },
    gateway: { logger: { level: "trace" } },
  };
  await testThroughGateway(`the log with authentication ${auth}`, options, {
    "no password, no query and no parameter is in it": async ({ gateway, via }) => {
      const client = await HeldClient.connect(via);
      await client.query("create role somebody login password 'SECRET-of-somebody'");
      await client.query("select $1::text", ["SECRET-parameter"]);
      await assert.rejects(client.query("select 'SECRET-literal'::int"), { code: "22P02" });
      await assert.rejects(client.query('select "SECRET-column"'), { code: "42703" });
      await client.end();
      assert.equal((await refusal({ ...via, password: "SECRET-guess" })).code, "28P01");
      await psql({ ...via, user: "somebody", password: "SECRET-of-somebody" }, "select 1");
      await psql(via, "copy (select 'SECRET-row') to stdout");
      await gateway.untilIdle();
      assert.ok(gateway.logs.length > 10, "the log says something");
      assert.ok(!gateway.logText.includes("SECRET"), "no secret is in the log");
      assert.ok(!gateway.logText.includes(TEST_PASSWORD), "no password is in the log");
      assert.ok(!/SCRAM|SECRET|\bmd5[0-9a-f]{32}/.test(gateway.logText));
    },

    "who came, and how each session ended, is": ({ gateway }) => {
      const ready = gateway.logs.filter(({ msg }) => msg === "session ready");
      assert.ok(ready.some((line) => line["user"] === "somebody"));
      const gone = gateway.logs.filter(({ msg }) => msg === "client disconnected");
      assert.ok(gone.length >= ready.length);
      assert.ok(gone.every((line) => typeof line["durationMs"] === "number"));
      const errors = gateway.logs.filter(({ msg }) => msg === "error reported to client");
      assert.ok(errors.some((line) => line["sqlState"] === "28P01"));
      return Promise.resolve();
    },
  });
}
