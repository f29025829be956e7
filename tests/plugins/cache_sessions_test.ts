/**
 * The plugin `cache` and what makes one session's result unlike another's.
 *
 * @module
 */

import { deepEqual, equal, rejects } from "node:assert/strict";
import { CacheScene } from "../support/cache_scene.ts";

const ALL = "select * from users order by id";

CacheScene.test("cache gives nobody what is another user's", {}, async (cache) => {
  const owner = await cache.client();
  await owner.query("create role ann login; create role bob login");
  await owner.query("grant select on users to ann, bob");
  await owner.query("alter table users enable row level security");
  await owner.query("create policy own on users using (name = current_user)");
  await owner.query("create database other");
  for (const user of ["ann", "bob"]) {
    const client = await cache.client({ user });
    await cache.expect(client, ALL, "miss", "hit");
    deepEqual((await client.query(ALL)).rows, [{ id: user === "ann" ? 1 : 2, name: user }]);
  }
  const other = await cache.client({ database: "other" });
  await other.query("create table users (id int)");
  equal((await other.query(ALL)).rowCount, 0);
  await cache.expect(other, ALL, "hit");
  await owner.query("revoke select on users from bob");
  const bob = await cache.client({ user: "bob" });
  await rejects(bob.query(ALL), { code: "42501" });
});

CacheScene.test("cache follows settings that servers report", {}, async (cache) => {
  const client = await cache.client();
  await client.query("create table days (day timestamptz)");
  await client.query("insert into days values ('2026-02-01 12:00+00')");
  const asText = "select day::text as day from days";
  const day = async () => (await client.query(asText)).rows[0].day;
  await client.query("set time zone 'UTC'");
  equal(await day(), "2026-02-01 12:00:00+00");
  await client.query("set timezone to 'Africa/Cairo'");
  equal(await day(), "2026-02-01 14:00:00+02");
  await client.query("set session datestyle = 'German'");
  equal(await day(), "01.02.2026 14:00:00 EET");
  await cache.expect(client, asText, "hit");
  await client.query("reset datestyle");
  await cache.expect(client, asText, "hit");
  equal(await day(), "2026-02-01 14:00:00+02");
  const other = await cache.client({ options: "-c timezone=UTC" });
  deepEqual((await other.query(asText)).rows, [{ day: "2026-02-01 12:00:00+00" }]);
});

CacheScene.test("cache leaves alone who has changed what nobody reports", {}, async (cache, t) => {
  const owner = await cache.client();
  await owner.query("create schema apart");
  await owner.query("create table apart.users (id int, name text)");
  await owner.query("create function do_it() returns int language sql as 'select 1'");
  const changes = [
    "set work_mem = '8MB'",
    "set search_path = apart",
    "set role postgres",
    "set my.tenant = '1'",
    "select set_config('search_path', 'apart', false)",
    "create temp table users (id int, name text)",
    "select 1 as id into temporary users",
    "do $$ begin end $$",
    "select do_it()",
    "reset all",
  ];
  for (const change of changes) {
    await t.step(change, async () => {
      const client = await cache.client();
      await client.query(ALL);
      await client.query(change);
      const isReported = change.includes("search_path") &&
        cache.scene.server.version.startsWith("18");
      await cache.expect(client, ALL, isReported && change.startsWith("set") ? "miss" : "bypass");
      await client.query("discard all");
      await client.query(ALL);
      await cache.expect(client, ALL, "hit");
      await client.end();
    });
  }
  await t.step("but not for what ends with a transaction", async () => {
    await owner.query("begin");
    await owner.query("set local search_path = apart");
    equal((await owner.query(ALL)).rowCount, 0);
    await owner.query("commit");
    equal((await owner.query(ALL)).rowCount, 2);
  });
});

CacheScene.test("cache takes functions for what the configuration says they are", {
  config: { pureFunctions: ["Shown"], harmlessFunctions: ["looked"] },
}, async (cache) => {
  const client = await cache.client();
  for (const name of ["shown", "looked", "other"]) {
    const body = "language sql as 'select $1'";
    await client.query(`create function ${name}(text) returns text ${body}`);
  }
  await cache.expect(client, "select shown(name) from users", "miss", "hit");
  await cache.expect(client, "select looked(name) from users", "bypass", "bypass");
  await cache.expect(client, "select shown(name) from users", "hit");
  await cache.expect(client, "select other(name) from users", "bypass");
  await cache.expect(client, "select shown(name) from users", "bypass");
});
