/**
 * What the plugin `cache` answers is what the server would: writes through the gateway end what
 * they change.
 *
 * @module
 */

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { CacheScene } from "../support/cache_scene.ts";
import { pause } from "../support/wait.ts";

const ALL = "select * from users order by id";

const PREPARED = "prepare p as update users set name = 'p' where id = 2";

const TWO_WORKERS = { workers: 2 } as const;

CacheScene.test("cache forgets what others write", TWO_WORKERS, async (cache, t) => {
  const reader = await cache.client();
  const writer = await cache.client();
  await writer.query("create table notes (id int)");
  const notes = "select count(*) from notes";
  const known = async () => {
    for (const query of [ALL, notes]) {
      await reader.query(query);
      await cache.expect(reader, query, "hit");
      await cache.expect(writer, query, "hit");
    }
  };
  const writes = [
    "update users set name = name",
    { text: "update users set name = $1 where id = 1", values: ["anna"] },
    { name: "w", text: "update public.users set name = $1 where id = 1", values: ["ann"] },
    "insert into users (id, name) values (3, lower('C'))",
    "delete from users where id = 3",
    "with gone as (delete from users where id = 9 returning id) select count(*) from gone",
    "explain analyze update users set name = name",
    "update notes set id = 1; update users set name = name",
    "begin; update users set name = name; commit",
  ];
  for (const write of writes) {
    await t.step(`after ${typeof write === "string" ? write : write.text}`, async () => {
      await known();
      await writer.query(write);
      await cache.expect(reader, ALL, "miss", "hit");
      const isOfBoth = typeof write === "string" && write.startsWith("update notes");
      await cache.expect(reader, notes, isOfBoth ? "miss" : "hit");
    });
  }
  const unknown = [
    "alter table users add column age int",
    "truncate notes",
    "merge into users u using users v on u.id = v.id when matched then update set name = v.name",
    "execute p",
    "do $$ begin update users set name = 'd' where id = 2; end $$",
    "grant select on users to public",
  ];
  for (const write of unknown) {
    await t.step(`everything after ${write}`, async () => {
      await known();
      const other = await cache.client();
      await other.query(PREPARED);
      await other.query(write);
      await cache.expect(reader, ALL, "miss", "hit");
      await cache.expect(reader, notes, "miss", "hit");
    });
  }
  deepEqual((await reader.query("select name from users where id = 2")).rows, [{ name: "d" }]);
});

CacheScene.test(
  "cache knows nothing of transactions but their ends",
  TWO_WORKERS,
  async (cache) => {
    const [a, b] = [await cache.client(), await cache.client()];
    await cache.expect(a, ALL, "miss", "hit");
    await a.query("begin");
    await cache.expect(a, ALL, "bypass");
    await a.query("update users set name = 'new' where id = 1");
    deepEqual((await a.query(ALL)).rows[0], { id: 1, name: "new" });
    await cache.expect(b, ALL, "hit");
    deepEqual((await b.query(ALL)).rows[0], { id: 1, name: "ann" });
    await a.query("rollback");
    await cache.expect(b, ALL, "hit");
    for (const end of ["commit", "commit and chain"]) {
      await a.query("begin");
      await a.query("savepoint s");
      await a.query("update users set name = name || '!' where id = 1");
      await a.query("savepoint t");
      await a.query("rollback to t");
      await a.query(end);
      await cache.expect(b, ALL, "miss", "hit");
    }
    await a.query("rollback");
    deepEqual((await b.query(ALL)).rows[0], { id: 1, name: "ann!!" });
  },
);

CacheScene.test("cache forgets when nobody knows how a write ended", {}, async (cache) => {
  const reader = await cache.client();
  await cache.expect(reader, ALL, "miss", "hit");
  const failing = await cache.client();
  await rejects(failing.query("update users set name = 1 / (id - id)"), { code: "22012" });
  await cache.expect(reader, ALL, "miss", "hit");
  const leaving = await cache.client();
  await leaving.query("begin");
  await leaving.query("update users set name = 'gone'");
  await leaving.end();
  await pause(100);
  await cache.expect(reader, ALL, "miss", "hit");
  const killed = await cache.client();
  const sleeping = killed.query("update users set name = (select 'x' from pg_sleep(60))");
  const ended = rejects(sleeping);
  await pause(100);
  await cache.scene.server.kill();
  await ended;
  await cache.scene.server.restart();
  const again = await cache.client();
  await again.query("select 1");
  await cache.expect(again, ALL, "miss", "hit");
  deepEqual((await again.query(ALL)).rows[0], { id: 1, name: "ann" });
});

CacheScene.test("cache knows what belongs together if it is told", {
  config: { related: [["users", "names", "pets"]] },
}, async (cache) => {
  const client = await cache.client();
  await client.query("create view names as select name from users");
  await client.query("create table pets (owner int)");
  await cache.expect(client, "select * from names", "miss", "hit");
  await client.query("insert into users values (3, 'cat')");
  await cache.expect(client, "select * from names", "miss", "hit");
  await client.query("insert into pets values (3)");
  await cache.expect(client, "select * from names", "miss", "hit");
});

CacheScene.test("cache never goes back behind a write that was acknowledged", {
  workers: 2,
  pool: { size: 8 },
}, async (cache) => {
  const setup = await cache.client();
  await setup.query("create table counted (n int)");
  await setup.query("insert into counted values (0)");
  let acknowledged = 0;
  let isOver = false;
  const write = async () => {
    const writer = await cache.client();
    for (let i = 0; i < 150; i++) {
      const { rows } = await writer.query("update counted set n = n + 1 returning n");
      acknowledged = Math.max(acknowledged, rows[0].n);
      if (i % 3 === 0) await pause(5);
    }
  };
  const read = async (isPrepared: boolean) => {
    const reader = await cache.client();
    let [reads, seen] = [0, 0];
    while (!isOver) {
      const least = Math.max(acknowledged, seen);
      const text = isPrepared ? "select n from counted where n >= $1" : "select n from counted";
      const { rows } = await reader.query(isPrepared ? { text, values: [0] } : text);
      ok(rows[0].n >= least, `read ${rows[0].n} after ${least} was acknowledged or seen`);
      seen = rows[0].n;
      reads += 1;
    }
    return reads;
  };
  const readers = Promise.all([read(false), read(true), read(true), read(false)]);
  await Promise.all([write(), write()]);
  isOver = true;
  const reads = (await readers).reduce((sum, count) => sum + count, 0);
  equal(acknowledged, 300);
  const hits = await cache.count("hits");
  ok(reads > 300 && hits > 0, `${reads} reads, ${hits} hits`);
});
