/**
 * What the plugin `cache` answers itself, and what it leaves to the server.
 *
 * @module
 */

import { deepEqual, equal, rejects } from "node:assert/strict";
import { CacheScene } from "../support/cache_scene.ts";
import { bind, describe, execute, parseNamed, TYPE_OIDS } from "../support/extended_messages.ts";
import { SYNC } from "../support/messages.ts";
import { ProtocolClient } from "../support/protocol_client.ts";
import { pause } from "../support/wait.ts";

const BY_ID = { text: "select id, name from users where id = $1", values: [1] };

CacheScene.test("cache answers what it knows without a server", {}, async (cache) => {
  const client = await cache.client();
  const simple = "select * from users order by id";
  const named = { name: "by_id", ...BY_ID };
  await cache.expect(client, simple, "miss", "hit");
  await cache.expect(client, BY_ID, "miss", "hit");
  // Its Parse is the server's; what it executes is known.
  await cache.expect(client, named, "hit", "hit");
  const { rows: before } = await client.query(simple);
  await cache.scene.server.kill();
  deepEqual((await client.query(simple)).rows, before);
  deepEqual((await client.query(BY_ID)).rows, [{ id: 1, name: "ann" }]);
  deepEqual((await client.query(named)).rows, [{ id: 1, name: "ann" }]);
  const other = await cache.client().catch(() => undefined);
  if (other !== undefined) equal((await other.query(simple)).rowCount, 2);
  await rejects(client.query("select * from users where id = 2"));
});

CacheScene.test("cache tells queries apart", {}, async (cache, t) => {
  const client = await cache.client();
  await t.step("by text and by values", async () => {
    await cache.expect(client, "select name from users", "miss", "hit");
    await cache.expect(client, "select  name from users", "miss", "hit");
    for (const id of [1, 2, null]) {
      await cache.expect(client, { ...BY_ID, values: [id] }, "miss", "hit");
    }
    const { rows } = await client.query({ ...BY_ID, values: [2] });
    deepEqual(rows, [{ id: 2, name: "bob" }]);
  });
  await t.step("by the formats of their results", async () => {
    const binary = { ...BY_ID, binary: true };
    await cache.expect(client, BY_ID, "hit");
    await cache.expect(client, binary, "miss", "hit");
    deepEqual((await client.query(binary)).rows, [{ id: 1, name: "ann" }]);
    deepEqual((await client.query(BY_ID)).rows, [{ id: 1, name: "ann" }]);
  });
  await t.step("by the types of their values", async () => {
    const { host, port } = cache.scene.gateway.targetOf("default");
    const who = { user: "postgres", password: "", database: "postgres" };
    using raw = await ProtocolClient.logIn({ host, port, ...who });
    const text = "select $1 as value from users where id = 1";
    for (const type of [TYPE_OIDS.int4, TYPE_OIDS.text, TYPE_OIDS.int8]) {
      const values = bind({ values: ["12"], resultFormats: [1] });
      for (let i = 0; i < 2; i++) {
        raw.send(parseNamed("", text, [type]), values, describe("P"), execute(), SYNC);
        const messages = await raw.untilReady();
        const row = messages.find(({ tag }) => tag === "D")!.bytes;
        const size = type === TYPE_OIDS.text ? 2 : type === TYPE_OIDS.int4 ? 4 : 8;
        equal(row.length, 5 + 2 + 4 + size, `type ${type}`);
      }
    }
  });
});

CacheScene.test("cache leaves to the server what may be another next time", {}, async (cache) => {
  const client = await cache.client();
  const texts = [
    "select 1",
    "select now() from users",
    "select current_date from users",
    "select random() from users",
    "select 'today'::date from users",
    "select U&'\\006eow'::timestamp from users",
    "select e'\\x6eow'::timestamp from users",
    "select $x$now$x$::timestamp from users",
    "select pg_backend_pid() from users",
    "select * from users tablesample bernoulli (50)",
    "select * from users for update",
    "select * from users; select * from users",
    "select relname from pg_class limit 1",
    "select * from information_schema.tables limit 1",
    "select id /* lower(name) */, clock_timestamp() from users",
    "show work_mem",
    "explain select * from users",
  ];
  for (const text of texts) await cache.expect(client, text, "bypass", "bypass");
  const byTime = { text: "select id from users where now() < $1::timestamp", values: ["tomorrow"] };
  await cache.expect(client, byTime, "bypass", "bypass");
  const asText = { text: "select id from users where $1::timestamp is null", values: ["Now"] };
  await cache.expect(client, asText, "bypass", "bypass");
  const pure = [
    "select upper(name), count(*) from users where id in (1, 2) group by name having count(*) > 0",
    "select name from users where name = 'snow' -- now()",
    "with few as (select id from users) select max(id)::numeric(10, 2) from few",
    "select coalesce(name, 'now?x') as \"now()\" from public.users u (a, name)",
  ];
  for (const text of pure.slice(0, 3)) await cache.expect(client, text, "miss", "hit");
  await cache.expect(client, pure[3]!, "bypass"); // u (a, name) may be a function
});

CacheScene.test("cache stores no error, nothing large, nothing for ever", {
  config: { ttlSeconds: 1, resultSizeMax: 1_000, exceptTables: ["secrets"] },
}, async (cache) => {
  const client = await cache.client();
  const wrong = "select 1 / (id - id) from users";
  const misses = await cache.count("misses");
  for (let i = 0; i < 2; i++) await rejects(client.query(wrong), { code: "22012" });
  equal(await cache.count("misses"), misses + 2);
  await cache.expect(client, "select repeat(name, 1000) from users", "miss", "miss");
  await client.query("create table secrets (a int)");
  await cache.expect(client, "select a from secrets", "bypass");
  await cache.expect(client, "select name from users", "miss", "hit");
  await pause(1_100);
  await cache.expect(client, "select name from users", "miss", "hit");
  equal(await cache.count("stores"), 2);
});
