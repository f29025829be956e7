/**
 * The plugin `cache` while a commit is under way: who reads what it changes asks the server, from
 * when the server may have committed until nobody finds what was before.
 *
 * @module
 */

import { deepEqual, equal, rejects } from "node:assert/strict";
import type pg from "pg";
import { CacheScene } from "../support/cache_scene.ts";
import { bind, execute, parseNamed } from "../support/extended_messages.ts";
import { FLUSH, query, SYNC } from "../support/messages.ts";
import { ProtocolClient, rowsOf, tagsOf } from "../support/protocol_client.ts";
import { eventually } from "../support/wait.ts";

const USERS = "select * from users order by id";
const NOTES = "select count(*) from notes";
const PETS = "select count(*) from pets";

/** What a COMMIT waits for, where a test says so. */
const HOLD = "select pg_advisory_lock(7)";
const RELEASE = "select pg_advisory_unlock(7)";

/** Has a COMMIT of new notes wait for whoever holds the lock, or fail if there is a note 0. */
const WAITING_COMMIT = `
  create function wait() returns trigger language plpgsql as $$ begin
    perform pg_advisory_xact_lock(7);
    if new.id = 0 then raise exception 'no'; end if;
    return null;
  end $$;
  create constraint trigger wait after insert on notes deferrable initially deferred
    for each row execute function wait()`;

/** A reader and a writer of the gateway, and one who holds the server up behind its back. */
interface Cast {
  readonly cache: CacheScene;
  readonly reader: pg.Client;
  readonly writer: pg.Client;
  readonly holder: pg.Client;
}

function testCommits(
  name: string,
  body: (cast: Cast, t: Deno.TestContext) => Promise<void>,
): void {
  CacheScene.test(name, { workers: 2, pool: { size: 8 } }, async (cache, t) => {
    const holder = await cache.scene.direct();
    await holder.query("create table notes (id int); create table pets (id int)");
    await holder.query(WAITING_COMMIT);
    const [reader, writer] = [await cache.client(), await cache.client()];
    await body({ cache, reader, writer, holder }, t);
  });
}

/** Resolves when a session of the server waits for a lock. */
async function untilHeld(holder: pg.Client): Promise<void> {
  const text = "select 1 from pg_stat_activity where wait_event_type = 'Lock'";
  await eventually("somebody waits", async () => (await holder.query(text)).rowCount === 1);
}

function logIn(cache: CacheScene): Promise<ProtocolClient> {
  const who = { user: "postgres", password: "", database: "postgres" };
  return ProtocolClient.logIn({ ...cache.scene.gateway.targetOf("default"), ...who });
}

/** Resolves when the server is asked no more because of a commit. */
async function untilOver(cache: CacheScene, reader: pg.Client, text: string): Promise<void> {
  const isOver = async () => await cache.treatment(() => reader.query(text)) !== "bypass";
  await eventually("nobody commits any more", isOver);
}

testCommits("cache is passed by while a statement commits by itself", async (cast, t) => {
  const { cache, reader, writer, holder } = cast;
  const write = { text: "update users set name = $1 where id = 1", values: ["eve"] };
  for (const statement of [write.text.replace("$1", "'eva'"), write]) {
    await t.step(typeof statement === "string" ? "simple" : "extended", async () => {
      await cache.expect(reader, USERS, "miss", "hit");
      await cache.expect(reader, NOTES, statement === write ? "hit" : "miss");
      await holder.query("begin; select * from users for update");
      const writing = writer.query(statement);
      await untilHeld(holder);
      await cache.expect(reader, USERS, "bypass", "bypass");
      await cache.expect(reader, NOTES, "hit");
      await holder.query("rollback");
      await writing;
      await cache.expect(reader, USERS, "miss", "hit");
    });
    await holder.query("update users set name = 'ann' where id = 1");
    await writer.query("update users set name = name");
  }
  equal(await cache.scene.sum("plugin_cache_bypassed_total", 'reason="writing"'), 4);
});

testCommits("cache is passed by for all tables if nobody knows which", async (cast) => {
  const { cache, reader, writer, holder } = cast;
  await cache.expect(reader, USERS, "miss", "hit");
  await holder.query("begin; lock table notes");
  const writing = writer.query("truncate notes");
  await untilHeld(holder);
  await cache.expect(reader, USERS, "bypass");
  await holder.query("rollback");
  await writing;
  await cache.expect(reader, USERS, "miss", "hit");
});

testCommits("cache is passed by for each table of a COMMIT", async (cast) => {
  const { cache, reader, writer, holder } = cast;
  for (const text of [USERS, NOTES, PETS]) await cache.expect(reader, text, "miss", "hit");
  await writer.query("begin");
  await writer.query("insert into notes values (1)");
  await writer.query("update users set name = 'eve' where id = 1");
  for (const text of [USERS, NOTES, PETS]) await cache.expect(reader, text, "hit");
  await holder.query(HOLD);
  const committing = writer.query("end");
  await untilHeld(holder);
  for (const text of [USERS, NOTES]) await cache.expect(reader, text, "bypass");
  await cache.expect(reader, PETS, "hit");
  await holder.query(RELEASE);
  await committing;
  for (const text of [USERS, NOTES]) await cache.expect(reader, text, "miss", "hit");
  await cache.expect(reader, PETS, "hit");
});

testCommits("cache is asked again behind what was not committed", async (cast, t) => {
  const { cache, reader, writer, holder } = cast;
  await cache.expect(reader, NOTES, "miss", "hit");
  await t.step("a ROLLBACK", async () => {
    await writer.query("begin");
    await writer.query("insert into notes values (1)");
    await writer.query("rollback");
    await cache.expect(reader, NOTES, "hit");
  });
  await t.step("a COMMIT that fails", async () => {
    await writer.query("begin");
    await writer.query("insert into notes values (0)");
    await rejects(writer.query("commit"), { code: "P0001" });
    await cache.expect(reader, NOTES, "miss", "hit");
  });
  await t.step("a COMMIT of what has failed", async () => {
    await writer.query("begin");
    await writer.query("insert into notes values (1)");
    await rejects(writer.query("select 1 / 0 from notes"));
    await writer.query("commit");
    await untilOver(cache, reader, NOTES);
    await cache.expect(reader, NOTES, "hit");
  });
  await t.step("a statement that is cancelled", async () => {
    await holder.query("begin; lock table notes");
    const writing = rejects(writer.query("insert into notes values (1)"), { code: "57014" });
    await untilHeld(holder);
    await holder.query(
      "select pg_cancel_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'",
    );
    await writing;
    await holder.query("rollback");
    await cache.expect(reader, NOTES, "miss", "hit");
  });
  await t.step("a transaction that is still open", async () => {
    await writer.query("begin; insert into notes values (1)");
    await cache.expect(reader, NOTES, "hit");
    await writer.query("commit and chain");
    await cache.expect(reader, NOTES, "miss", "hit");
    await writer.query("rollback");
  });
});

testCommits("cache is asked again when who commits has gone", async ({ cache, reader, holder }) => {
  await cache.expect(reader, NOTES, "miss", "hit");
  await holder.query(HOLD);
  using leaving = await logIn(cache);
  leaving.send(query("insert into notes values (1)"));
  await untilHeld(holder);
  await cache.expect(reader, NOTES, "bypass");
  leaving.close();
  await untilOver(cache, reader, NOTES);
  await cache.expect(reader, NOTES, "hit");
  await holder.query(RELEASE);
});

testCommits("cache is passed by for what is pipelined", async ({ cache, holder, reader }, t) => {
  using writer = await logIn(cache);
  const run = (text: string) => [parseNamed("", text), bind(), execute(), SYNC];
  const write = "insert into notes values (1)";
  const pipelines = {
    "a transaction": [...run("begin"), ...run(write), ...run("commit")],
    "several writes up to one Sync": [
      ...run("update users set name = name").slice(0, 3),
      ...run("insert into pets values (1)").slice(0, 3),
      ...run(write),
    ],
    "several writes": [...run("update users set name = name"), ...run(write)],
    "a write behind a transaction that was open": ["commit", write].map(query),
    "several texts": ["begin", write, "commit; begin", "rollback"].map(query),
  };
  for (const [name, messages] of Object.entries(pipelines)) {
    await t.step(name, async () => {
      if (name.endsWith("that was open")) await writer.query("begin");
      await reader.query(NOTES);
      await cache.expect(reader, NOTES, "hit");
      await holder.query(HOLD);
      writer.send(...messages);
      await untilHeld(holder);
      await cache.expect(reader, NOTES, "bypass");
      await holder.query(RELEASE);
      const isReady = ({ tag }: { tag: string }) => tag === "Z";
      const ends = messages.filter((message) => "QS".includes(String.fromCharCode(message[0]!)));
      const answers = await writer.untilReady(ends.length);
      equal(answers.filter(isReady).length, ends.length, tagsOf(answers));
      equal(writer.status, "I");
      await cache.expect(reader, NOTES, "miss", "hit");
    });
  }
  await t.step("but not for a transaction that is still open", async () => {
    writer.send(...run("begin"), ...run(write));
    await writer.untilReady(2);
    await cache.expect(reader, NOTES, "hit");
    await writer.query("rollback");
    await cache.expect(reader, NOTES, "hit");
  });
});

testCommits("cache shows nobody what was before a commit that the server shows", async (cast) => {
  const { cache, reader, writer, holder } = cast;
  await cache.expect(reader, "select name from users", "miss", "hit");
  await holder.query("begin; lock table pets");
  const writing = writer.query("update users set name = 'eve'; commit; select * from pets");
  await untilHeld(holder);
  const isShown = await holder.query("select 1 from users where name = 'eve'");
  equal(isShown.rowCount, 2); // committed, and the writer does not know yet
  for (const client of [reader, await cache.client()]) {
    const { rows } = await client.query("select name from users");
    deepEqual(rows, [{ name: "eve" }, { name: "eve" }]);
  }
  await holder.query("rollback");
  await writing;
  await cache.expect(reader, "select name from users", "miss", "hit");
});

testCommits(
  "cache keeps nothing that was bound before a write",
  async ({ cache, reader, writer }) => {
    using early = await logIn(cache);
    early.send(parseNamed("", NOTES), bind(), FLUSH);
    await early.until(({ tag }) => tag === "2"); // BindComplete: it sees what is there now
    await writer.query("insert into notes values (1)");
    early.send(execute(), SYNC);
    const messages = await early.untilReady();
    equal(rowsOf(messages).length, 1, tagsOf(messages));
    for (let i = 0; i < 2; i++) {
      using late = await logIn(cache);
      late.send(parseNamed("", NOTES), bind(), execute(), SYNC);
      equal(rowsOf(await late.untilReady())[0]![0], "1");
    }
    equal((await reader.query(NOTES)).rows[0].count, "1");
  },
);
