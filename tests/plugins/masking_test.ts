/**
 * The plugin masking in a gateway, in front of a real server: what clients see.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import pg from "pg";
import postgres from "postgres";
import { bind, describe, execute, functionCall, parseNamed } from "../support/extended_messages.ts";
import type { Gateway } from "../support/gateway.ts";
import { errorFields, SYNC } from "../support/messages.ts";
import { pooledSettings } from "../support/pooled_gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { ProtocolClient } from "../support/protocol_client.ts";
import { psql } from "../support/psql.ts";
import { startWithPlugins, testShippedPlugin } from "../support/shipped_plugins.ts";
import { type ServerScene, targetAt } from "../support/stories.ts";

type Row = Readonly<Record<string, unknown>>;

const SALT = "a salt of a test";

type Config = Readonly<Record<string, unknown>>;

function start({ server }: ServerScene, config: Config): Promise<Gateway> {
  return startWithPlugins(server, {
    plugins: { masking: { config, fuelPerCall: 100_000_000 } },
    keys: { tickInterval: "100ms" },
    settings: pooledSettings({ mode: "transaction", size: 2 }),
  });
}

const RULES: Config = {
  salt: SALT,
  rules: [
    { columns: ["email"], method: "last", keep: 4 },
    { columns: ["*_name"], method: "fixed", text: "(hidden)" },
    { columns: ["token"], method: "hash" },
    { columns: ["salary", "born"], method: "last" },
    { types: [3802], method: "null" },
  ],
};

const PEOPLE = `create table people (id int, email text, last_name varchar, token text,
    salary numeric, born date, data jsonb);
  insert into people values (1, 'bob@example.com', 'Müller', 't0ken', 12.5, '2000-01-01', '{}'),
    (2, 'ab', null, '', null, null, null), (3, 'äöü€🙂x', '', null, 1, null, '1')`;

const hashed = (value: string) => createHash("sha256").update(SALT + value).digest("hex");

const MASKED = [
  {
    id: 1,
    email: "***********.com",
    last_name: "(hidden)",
    token: hashed("t0ken"),
    salary: null,
    born: null,
    data: null,
  },
  {
    id: 2,
    email: "**",
    last_name: null,
    token: hashed(""),
    salary: null,
    born: null,
    data: null,
  },
  {
    id: 3,
    email: "**ü€🙂x",
    last_name: "(hidden)",
    token: null,
    salary: null,
    born: null,
    data: null,
  },
];

/** Bytes that the gateway may have more than before, whatever passes. */
const MEMORY_MAX = 150 * 1024 * 1024;

const STORIES = {
  "values are masked for every driver, in text and in binary": async (scene: ServerScene) => {
    await queryOnce(scene.direct, PEOPLE);
    await using gateway = await start(scene, RULES);
    const all = "select * from people order by id";
    assert.deepEqual(await queryOnce(targetAt(gateway.target), all), MASKED);
    const client = new pg.Client({ ...targetAt(gateway.target), ssl: false });
    await client.connect();
    const prepared = { name: "all", text: `${all} limit $1`, values: [9] };
    const binary = { ...prepared, name: "binary", binary: true };
    for (const config of [prepared, prepared, binary, binary]) {
      const { rows } = await client.query(config);
      assert.deepEqual(rows.map((row: Row) => row["email"]), MASKED.map(({ email }) => email));
      assert.deepEqual(rows.map((row: Row) => row["salary"]), [null, null, null]);
    }
    await client.end();
    const sql = postgres({ ...targetAt(gateway.target), max: 1, ssl: false, fetch_types: false });
    const rows = [...await sql`select * from people where id < ${9} order by id`];
    assert.deepEqual(rows.map((row) => ({ ...row })), MASKED);
    await sql.end();
    const { stdout } = await psql(
      targetAt(gateway.target),
      "begin; declare c cursor for select email " +
        "from people where id = 1;\nfetch 1 from c;",
    );
    assert.match(stdout, /^\*{11}\.com$/m);
  },

  "a table's number finds what was renamed, and strict what has none": async (
    scene: ServerScene,
  ) => {
    const [found] = await queryOnce(scene.direct, "select 'people'::regclass::oid::int as oid");
    const rules = [{ tables: [{ oid: found!["oid"], column: 2 }], method: "fixed" }];
    const text = "select id, email as x, upper(email) as y from people where id = 1";
    {
      await using gateway = await start(scene, { rules });
      const seen = [{ id: 1, x: "***", y: "BOB@EXAMPLE.COM" }];
      assert.deepEqual(await queryOnce(targetAt(gateway.target), text), seen);
      const deleted = "update people set id = 1 where id = 1 returning email as z";
      assert.deepEqual(await queryOnce(targetAt(gateway.target), deleted), [{ z: "***" }]);
    }
    await using gateway = await start(scene, { rules, strict: true });
    assert.deepEqual(await queryOnce(targetAt(gateway.target), text), [{
      id: 1,
      x: "***",
      y: null,
    }]);
  },

  "who may see everything does": async (scene: ServerScene) => {
    await using gateway = await start(scene, { ...RULES, clearUsers: ["postgres"] });
    const [row] = await queryOnce(
      targetAt(gateway.target),
      "select email from people where id = 1",
    );
    assert.equal(row!["email"], "bob@example.com");
    const { stdout } = await psql(targetAt(gateway.target), "copy people (email) to stdout");
    assert.match(stdout, /bob@example/);
  },

  "ways around the description of columns are closed": async (scene: ServerScene) => {
    await using gateway = await start(scene, RULES);
    for (
      const text of ["copy people to stdout", "copy (select email from people) to stdout"]
    ) {
      const { stdout, stderr } = await psql(targetAt(gateway.target), text);
      assert.equal(stdout, "");
      assert.match(stderr, /COPY TO is not possible/);
    }
    const copy = "copy (delete from people where id = 3 returning email) to stdout";
    assert.equal((await psql(targetAt(gateway.target), copy)).stdout, "", "the session was ended");
    await queryOnce(targetAt(gateway.target), "select 1");
    using client = await ProtocolClient.logIn(targetAt(gateway.target));
    client.send(functionCall(2026, []));
    const [error] = await client.untilReady();
    assert.equal(errorFields(error!.bytes).get("C"), "42501");
    client.send(parseNamed("", "select email from people"), bind(), execute(), SYNC);
    const seen = (await client.untilEnd()).map(({ tag }) => tag);
    assert.ok(!seen.includes("D"), "without a Describe, no row passes");
    using other = await ProtocolClient.logIn(targetAt(gateway.target));
    const ordered = "select email from people order by id";
    other.send(parseNamed("", ordered), bind(), describe("P"), execute(), SYNC);
    const rows = (await other.untilReady()).filter(({ tag }) => tag === "D");
    assert.equal(rows.length, 2);
    assert.match(new TextDecoder().decode(rows[0]!.bytes), /\*{11}\.com$/);
  },

  "a million rows are masked in constant memory": async (scene: ServerScene) => {
    await using gateway = await start(scene, RULES);
    const text = "select i as id, 'user' || i || '@example.com' as email " +
      "from generate_series(1, 1000000) i";
    using client = await ProtocolClient.logIn(targetAt(gateway.target));
    await client.query("select 'warm' as email");
    const before = gateway.residentBytes();
    gateway.resetPeak();
    let count = 0;
    let clear = 0;
    client.send(parseNamed("", text), bind(), describe("P"), execute(), SYNC);
    for (;;) {
      const got = await client.next();
      if (got === undefined || got.tag === "Z") break;
      if (got.tag !== "D") continue;
      count += 1;
      if (new TextDecoder().decode(got.bytes).includes("@")) clear += 1;
    }
    assert.deepEqual([count, clear], [1_000_000, 0]);
    assert.ok(gateway.peakResidentBytes() - before < MEMORY_MAX);
    assert.equal(await gateway.metric('plugin_masking_rows_total{plugin="masking"}'), 1_000_001);
  },
};

await testShippedPlugin("masking", ["psql"], STORIES);
