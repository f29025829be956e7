/**
 * psql through the gateway: what people type, and what they get.
 *
 * @module
 */

import assert from "node:assert/strict";
import { psql } from "../support/psql.ts";
import { type Target, testThroughGateway } from "../support/stories.ts";

async function lines(target: Target, script: string): Promise<string[]> {
  const { code, stdout, stderr } = await psql(target, script);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return stdout.trimEnd().split("\n");
}

await testThroughGateway("psql through the gateway", { workers: [1, 4] }, {
  "a query gives its rows": async ({ via }) => {
    assert.deepEqual(await lines(via, "select 1, null, 'ä'; select 2"), ["1||ä", "2"]);
  },

  "an error has the server's SQLSTATE, message and position, and the session goes on": async (
    { via },
  ) => {
    const { code, stdout, stderr } = await psql(via, "select nowhere;\nselect 7;\n");
    assert.match(
      stderr,
      /ERROR: {2}42703: column "nowhere" does not exist\nLINE 1: select nowhere/,
    );
    assert.equal(stdout, "7\n");
    assert.equal(code, 0);
  },

  "a failed transaction stays failed until it is rolled back": async ({ via }) => {
    const script = "begin; select 1/0; select 1; rollback; select 8;";
    const { stdout, stderr } = await psql(via, script.replaceAll("; ", ";\n"));
    assert.match(stderr, /22012: division by zero/);
    assert.match(stderr, /25P02: current transaction is aborted/);
    assert.equal(stdout, "8\n");
  },

  "a large result arrives whole": async ({ via }) => {
    const sql = "select i, md5(i::text) from generate_series(1, 300000) i;";
    const { stdout, code } = await psql(via, sql);
    assert.equal(code, 0);
    const rows = stdout.trimEnd().split("\n");
    assert.equal(rows.length, 300_000);
    const numbers = rows.map((row) => Number(/^(\d+)\|[0-9a-f]{32}$/.exec(row)?.[1]));
    assert.ok(numbers.every((number, i) => number === i + 1));
  },

  "\\copy carries rows in and out": async ({ via, workers }) => {
    const table = `copied_${workers}`;
    const file = await Deno.makeTempFile();
    try {
      const data = Array.from({ length: 50_000 }, (_, i) => `${i}\trow ${i} \\\\ ä\n`).join("");
      await Deno.writeTextFile(file, data);
      const create = `create table ${table} (i int, t text);\n\\copy ${table} from '${file}'\n`;
      const [sums] = await lines(via, `${create}select count(*), sum(i) from ${table};\n`);
      assert.equal(sums, `50000|${50_000 * 49_999 / 2}`);
      await lines(via, `\\copy (select * from ${table} order by i) to '${file}'\n`);
      assert.equal(await Deno.readTextFile(file), data);
    } finally {
      await Deno.remove(file);
    }
  },

  "a COPY that fails reports it, and the session goes on": async ({ via }) => {
    const { stdout, stderr } = await psql(
      via,
      "create temp table t (i int);\ncopy t from stdin;\n1\nnot a number\n3\n\\.\n" +
        "select count(*) from t;\n",
    );
    assert.match(stderr, /22P02: invalid input syntax for type integer: "not a number"/);
    assert.equal(stdout, "0\n");
  },

  "a notification arrives with its payload": async ({ via }) => {
    const script = "listen news;\nnotify news, 'hello';\nselect 1;\n";
    const { stdout } = await psql(via, script);
    assert.match(stdout, /Asynchronous notification "news" with payload "hello" received/);
  },

  "notices, settings and session state are the session's own": async ({ via }) => {
    const { stdout, stderr } = await psql(
      via,
      "set application_name = 'mine';\nshow application_name;\n" +
        "do $$ begin raise notice 'seen'; end $$;\n" +
        "create temp table mine (i int);\ninsert into mine values (4);\ntable mine;\n",
      { env: { "PGAPPNAME": "other", "PGOPTIONS": "-c statement_timeout=4321" } },
    );
    assert.match(stderr, /NOTICE: {2}00000: seen/);
    assert.equal(stdout, "mine\n4\n");
    const next = await psql(via, "select to_regclass('mine');\nshow statement_timeout;\n", {
      env: { "PGOPTIONS": "-c statement_timeout=4321" },
    });
    assert.equal(next.stdout, "\n4321ms\n");
  },

  "sslmode=require is refused in psql's words": async ({ via }) => {
    const { code, stderr } = await psql(via, "select 1", { env: { "PGSSLMODE": "require" } });
    assert.equal(code, 2);
    assert.match(stderr, /server does not support SSL, but SSL was required/);
  },

  "a session ends with its client, and nothing is left": async ({ gateway }) => {
    await gateway.untilIdle();
  },
});
