/**
 * The plugin audit: what a session leaves in its records, and what must never be in them.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  audited,
  DROPPED,
  queries,
  RECORDS,
  recordsOf,
  withClient,
} from "../support/audit_records.ts";
import { refusal } from "../support/clients.ts";
import { runProgram } from "../support/programs.ts";
import { clientProgram, psql } from "../support/psql.ts";
import { testShippedPlugin } from "../support/shipped_plugins.ts";
import { targetAt } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const SECRET = "hunter2";

/** Statements with something in them that nobody may learn. */
const SECRETIVE = [
  `create role r_secret password '${SECRET}'`,
  `alter role r_secret with encrypted password '${SECRET}' valid until '2040-01-01'`,
  `select '${SECRET}' /* ${SECRET} */ as a -- ${SECRET}`,
  `select $a$${SECRET}$a$, E'\\'${SECRET}', U&'${SECRET}'`,
  `do $$ begin perform '${SECRET}'; end $$`,
  `set my.password = '${SECRET}'`,
  `set session my.password to ${SECRET}`,
  `select '${SECRET}'::int`,
  `select '${SECRET}`,
  `selec '${SECRET}'`,
  `select 1; alter role r_secret password '${SECRET}'; select '${SECRET}'`,
  `create function f_secret() returns text language sql as $$ select '${SECRET}' $$`,
  `prepare p_secret as select '${SECRET}' || $1`,
  `execute p_secret('${SECRET}')`,
  `/* ${SECRET} */`,
  `explain select '${SECRET}'`,
  `comment on role r_secret is '${SECRET}'`,
  `drop role r_secret`,
];

await testShippedPlugin("audit", ["psql", "pgbench"], {
  "a session of psql is told from its login to its end": async (scene) => {
    await using gateway = await audited(scene);
    const script = [
      "create temp table t (a int, b text);",
      "insert into t select i, 'x' from generate_series(1, 3) i;",
      "select * from t where a > 1;",
      "copy t from stdin;\n7\tseven\n8\teight\n\\.",
      "select 1/0;",
      "begin;",
      "delete from t;",
      "rollback;",
      "select 'a' as first\\; select 2 as second\\; select nowhere;",
    ].join("\n");
    await psql(targetAt(gateway.target), script, { env: { PGAPPNAME: "by hand" } });
    const found = await queries(gateway, 11, ["statement", "kind", "rows", "sqlstate", "query"]);
    const text = "select $1 as first; select $2 as second; select nowhere;";
    assert.deepEqual(found, [
      [1, "CREATE TABLE", 0, undefined, "create temp table t (a int, b text);"],
      [
        1,
        "INSERT",
        3,
        undefined,
        "insert into t select i, $1 from generate_series($2, $3) i;",
      ],
      [1, "SELECT", 2, undefined, "select * from t where a > $1;"],
      [1, "COPY", 2, undefined, "copy t from stdin;"],
      [1, "SELECT", 0, "22012", "select $1/$2;"],
      [1, "BEGIN", 0, undefined, "begin;"],
      [1, "DELETE", 5, undefined, "delete from t;"],
      [1, "ROLLBACK", 0, undefined, "rollback;"],
      [1, "SELECT", 1, undefined, text],
      [2, "SELECT", 1, undefined, text],
      [3, "SELECT", 0, "42703", text],
    ]);
  },

  "a record says who, from where, what, how long and what came of it": async (scene) => {
    await using gateway = await audited(scene);
    await withClient(gateway, async (client) => {
      await client.query("select 1");
    });
    const closed = await eventually("the session is over", () => {
      const all = recordsOf(gateway);
      return all.some(({ audit }) => audit === "session_closed") ? all : undefined;
    });
    assert.deepEqual(closed.map(({ audit }) => audit), [
      "session_opened",
      "query",
      "session_closed",
    ]);
    const [opened, query, end] = closed;
    const who = {
      session: opened!["session"],
      user: "postgres",
      database: "postgres",
      client: query!["client"],
      listener: "default",
      application: "shop",
      proxy: "default",
      server: `${scene.server.host}:${scene.server.port}`,
    };
    assert.ok(Number(who.session) > 0);
    assert.match(String(who.client), /^127\.0\.0\.1:\d+$/);
    const { time, duration_us: durationUs, fingerprint, ...what } = query!;
    assert.match(String(time), /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(String(fingerprint), /^[0-9a-f]{16}$/);
    assert.ok(Number(durationUs) > 0);
    assert.deepEqual(what, {
      audit: "query",
      ...who,
      request: 1,
      statement: 1,
      kind: "SELECT",
      tag: "SELECT 1",
      rows: 1,
      transaction: "idle",
      query: "select $1",
    });
    assert.deepEqual({ ...opened, time: 0 }, { audit: "session_opened", time: 0, ...who });
    // Its server has gone back to the others.
    const { proxy: _proxy, server: _server, ...client } = who;
    const { reason, duration_us: sessionUs, ...left } = end!;
    assert.ok(Number(sessionUs) >= Number(durationUs));
    assert.notEqual(reason, "");
    assert.deepEqual({ ...left, time: 0 }, { audit: "session_closed", time: 0, ...client });
    assert.equal(await gateway.metric(RECORDS("query")), 1);
    assert.equal(await gateway.metric(RECORDS("session")), 2);
  },

  "prepared statements are told each time they are executed": async (scene) => {
    await using gateway = await audited(scene);
    await withClient(gateway, async (client) => {
      const text = "select * from generate_series(1, $1::int) where 'x' <> $2";
      for (const count of [3, 4]) {
        await client.query({ name: "series", text, values: [count, SECRET] });
      }
      await client.query("begin");
      await assert.rejects(client.query("select $1::int", [SECRET]), { code: "22P02" });
      await assert.rejects(client.query("select 1", []), { code: "25P02" });
      await client.query("rollback");
      await assert.rejects(client.query("select nowhere", [1]), { code: "42703" });
    });
    const members = ["kind", "rows", "sqlstate", "transaction", "query"];
    const text = "select * from generate_series($3, $1::int) where $4 <> $2";
    assert.deepEqual(await queries(gateway, 7, members), [
      ["SELECT", 3, undefined, "idle", text],
      ["SELECT", 4, undefined, "idle", text],
      ["BEGIN", 0, undefined, "idle", "begin"],
      ["SELECT", 0, "22P02", "open", "select $1::int"],
      ["SELECT", 0, "25P02", "failed", "select $1"],
      ["ROLLBACK", 0, undefined, "failed", "rollback"],
      ["SELECT", 0, "42703", "idle", "select nowhere"],
    ]);
    assert.doesNotMatch(gateway.logText, new RegExp(SECRET));
  },

  "constants, passwords and comments are in no record unless somebody asks for them": async (
    scene,
  ) => {
    await using gateway = await audited(scene);
    await using telling = await audited(scene, { queryText: "full" });
    await using silent = await audited(scene, { queryText: "none" });
    const all = [gateway, telling, silent];
    for (const one of all) {
      await withClient(one, async (client) => {
        for (const text of SECRETIVE) await client.query(text).catch(() => {});
        await client.query("select 2 as last");
      });
      await eventually(
        "the last one is told",
        () => recordsOf(one).some(({ audit }) => audit === "session_closed"),
      );
    }
    assert.doesNotMatch(gateway.logText, new RegExp(SECRET));
    assert.match(telling.logText, new RegExp(SECRET));
    assert.doesNotMatch(silent.logText, new RegExp(SECRET));
    const [found, full, none] = all.map((one) =>
      recordsOf(one).filter(({ audit }) => audit === "query")
    );
    // Every text has ended at least once; three statements of one text have ended by themselves.
    assert.equal(found!.length, SECRETIVE.length + 3);
    assert.deepEqual([full!.length, none!.length], [found!.length, found!.length]);
    assert.ok(found!.every((one) => one["query"] !== undefined || one["query_omitted"]));
    const altered = found!.filter(({ kind }) => kind === "ALTER ROLE").map(({ query }) => query);
    assert.equal(altered[0], "alter role r_secret with encrypted password $1 valid until $2");
    assert.ok(none!.every((one) => !("query" in one) && !("fingerprint" in one)));
    assert.deepEqual(full!.map(({ query }) => query).slice(0, 2), SECRETIVE.slice(0, 2));
  },

  "a login that is refused is told with its user and its reason": async (scene) => {
    await using gateway = await audited(scene);
    const target = targetAt(gateway.target);
    const { code } = await refusal({ ...target, user: "mallory", password: "wrong" });
    assert.equal(code, "28P01");
    const record = await eventually(
      "it is told",
      () => recordsOf(gateway).find(({ audit }) => audit === "login_refused"),
    );
    assert.equal(record["user"], "mallory");
    assert.notEqual(record["reason"], undefined);
    assert.equal(recordsOf(gateway).some(({ audit }) => audit === "session_opened"), false);
  },

  "an error that answers no query has a record of its own": async (scene) => {
    await using gateway = await audited(scene, { errorMessages: true });
    await withClient(gateway, async (client) => {
      const { rows: [{ pid }] } = await client.query("select pg_backend_pid() as pid");
      await withClient(gateway, async (other) => {
        await other.query("select pg_terminate_backend($1)", [pid]);
      });
      const record = await eventually(
        "it is told",
        () => recordsOf(gateway).find(({ audit }) => audit === "error"),
      );
      assert.equal(record["sqlstate"], "57P01");
      assert.equal(record["message"], "terminating connection due to administrator command");
    }).catch(() => {});
    assert.equal(await gateway.metric(RECORDS("error")), 1);
  },

  "filters choose users, kinds and durations, and keep what fails": async (scene) => {
    const config = { kinds: ["insert", "SELECT"], minDurationMs: 50, sessions: false };
    await using slow = await audited(scene, config);
    await using sampled = await audited(scene, { sampleRate: 0, users: ["post*", "x"] });
    await using foreign = await audited(scene, { databases: ["other*"], users: ["postgres"] });
    for (const one of [slow, sampled, foreign]) {
      await withClient(one, async (client) => {
        await client.query("select 1");
        await client.query("do $$ begin perform pg_sleep(0.1); end $$");
        await client.query("select pg_sleep(0.1)");
        await client.query("select 1/0").catch(() => {});
      });
    }
    const members = ["query", "sqlstate"];
    assert.deepEqual(await queries(slow, 2, members), [
      ["select pg_sleep($1)", undefined],
      ["select $1/$2", "22012"],
    ]);
    assert.deepEqual(await queries(sampled, 1, members), [["select $1/$2", "22012"]]);
    assert.equal(recordsOf(slow).length, 2);
    await eventually(
      "the session is over",
      () => recordsOf(sampled).some(({ audit }) => audit === "session_closed"),
    );
    assert.deepEqual(recordsOf(foreign), []);
  },

  "texts that are too long are cut, and no record is cut": async (scene) => {
    await using gateway = await audited(scene, { queryText: "full", queryTextMax: 3000 });
    const texts = [
      `select '${"x".repeat(5_000_000)}' as long`,
      `select '${'\\\u0001"é'.repeat(3_000)}' as escaped`,
      `select 1 ${"as ä -- ä".repeat(1)}`,
    ];
    await withClient(gateway, async (client) => {
      for (const text of texts) await client.query(text);
    });
    const found = await queries(gateway, 3, ["query", "query_truncated"]);
    found.forEach(([query, isTruncated], i) => {
      assert.ok(texts[i]!.startsWith(String(query)));
      assert.equal(isTruncated, i === 2 ? undefined : true);
    });
    assert.equal(found[2]![0], texts[2]);
  },

  "what the log does not take is counted and told": async (scene) => {
    await using gateway = await audited(scene);
    await withClient(gateway, async (client) => {
      await Promise.all(Array.from({ length: 500 }, () => client.query("select 1")));
    });
    await eventually("what is missing is told", async () => {
      const records = recordsOf(gateway);
      const told = records.filter(({ audit }) => audit === "dropped")
        .reduce((sum, one) => sum + Number(one["records"]), 0);
      const dropped = await gateway.metric(DROPPED("log"));
      const written = records.filter(({ audit }) => audit !== "dropped").length;
      return told > 0 && told === dropped && written + dropped === 502;
    });
    assert.equal(await gateway.metric(RECORDS("query")), 500);
  },

  "pgbench leaves a record of each statement, counted or written": async (scene) => {
    await using gateway = await audited(scene, { sessions: false });
    const { user, password, database, host, port } = targetAt(gateway.target);
    const args = ["-n", "-M", "prepared", "-c", "4", "-t", "100", "-f", "-"];
    const result = await runProgram(
      await clientProgram("pgbench"),
      [...args, "-h", host, "-p", String(port), "-U", user, database],
      { stdin: "select :client_id + 1;\n", env: { PGPASSWORD: password } },
    );
    assert.equal(result.code, 0, result.stderr);
    await eventually("all are counted", async () => await gateway.metric(RECORDS("query")) === 400);
  },
});
