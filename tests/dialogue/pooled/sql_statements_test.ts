import { deepEqual, equal } from "node:assert/strict";
import { close, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  complete,
  COPY_DONE,
  copyData,
  error,
  EXECUTE,
  FLUSH,
  message,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import {
  admits,
  answersRead,
  exchanges,
  follows,
  joins,
  pooledPair,
} from "../../support/pooled_world.ts";

const GONE = error("ERROR", "26000", 'prepared statement "a" does not exist');

/** A client that has prepared "a" by SQL, and another one. */
async function prepared() {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await exchanges(client, server, "prepare a as select 1", "PREPARE");
  await exchanges(client, server, "execute a", "SELECT 1");
  return { world, client, server, other };
}

Deno.test("SqlState takes what PREPARE made to and from the server with its client", async () => {
  const { client, server, other } = await prepared();
  await other.says(query("select 2"));
  await follows(server, { 'DEALLOCATE "a"': [complete("DEALLOCATE")] }, query("select 2"));
  await server.says(complete("SELECT 2"), ready());
  await other.hears(complete("SELECT 2"), ready());
  await client.says(query("execute a"));
  await follows(server, { "prepare a as select 1": [complete("PREPARE")] }, query("execute a"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
});

Deno.test("SqlState forgets what was deallocated, by name or with everything", async () => {
  for (const text of ["deallocate a", 'deallocate prepare "a"', "deallocate all", "discard all"]) {
    const { client, server, other } = await prepared();
    await exchanges(client, server, text, text.toUpperCase());
    await exchanges(other, server, "select 2", "SELECT 2");
    await client.says(query("execute a"));
    await server.hears(query("execute a"));
    await server.says(GONE, ready());
    await client.hears(GONE, ready());
  }
});

Deno.test("SqlState does not count what failed", async () => {
  const { client, server, other } = await prepared();
  await client.says(query("deallocate a"));
  await server.hears(query("deallocate a"));
  await server.says(error("ERROR", "57014", "canceled"), ready());
  // It may have been carried out all the same, if what failed was the commit.
  const again = {
    'DEALLOCATE "a"': [complete("DEALLOCATE")],
    "prepare a as select 1": [complete("PREPARE")],
  };
  await client.says(query("select 1"));
  await follows(server, again, query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await client.says(query("deallocate b"));
  await server.hears(query("deallocate b"));
  await server.says(error("ERROR", "26000", "no"), ready());
  await other.says(query("select 2"));
  await follows(server, { 'DEALLOCATE "a"': [complete("DEALLOCATE")] }, query("select 2"));
});

Deno.test("SqlState runs statements of Parse by EXECUTE, under the server's name", async () => {
  const { client, server } = await pooledPair();
  await client.says(parseNamed("A", "select 1"), SYNC);
  server.peer.take();
  await server.says(message("1"), ready());
  await client.hears(message("1"), ready());
  await client.says(query('execute "A"'));
  await server.hears(query("execute sluice_1"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
  await client.says(query('explain execute "A"'));
  await server.hears(query("explain execute sluice_1"));
  await server.says(complete("EXPLAIN"), ready());
});

Deno.test("SqlState prepares what EXECUTE names on a server that lacks it, in a request of its own", async () => {
  for (const isDropped of [false, true]) {
    const { client, server } = await pooledPair({ pool: { preparedStatementsMax: 1 } });
    for (const [i, name] of ["a", "b"].entries()) {
      await client.says(parseNamed(name, `select ${name}`), SYNC);
      server.peer.take();
      await server.says(message("1"), ...(i === 0 ? [] : [message("3")]), ready());
      await client.hears(message("1"), ready());
    }
    await client.says(query("execute a"));
    await server.hears(
      parseNamed("sluice_1", "select a"),
      message("C", "Ssluice_2\0"),
      SYNC,
      query("execute sluice_1"),
    );
    if (isDropped) {
      await server.says(error("ERROR", "42703", "no column"), ready());
      const gone = error("ERROR", "26000", 'prepared statement "sluice_1" does not exist');
      await server.says(gone, ready());
      await client.hears(GONE, ready());
    } else {
      await server.says(message("1"), message("3"), ready(), complete("SELECT 1"), ready());
      await client.hears(complete("SELECT 1"), ready());
    }
    await exchanges(client, server, "select 2", "SELECT 2");
  }
});

Deno.test("SqlState ends the statement of a Parse that DEALLOCATE names", async () => {
  const { client, server } = await pooledPair();
  await client.says(parseNamed("a", "select 1"), SYNC);
  server.peer.take();
  await server.says(message("1"), ready());
  await client.hears(message("1"), ready());
  await client.says(query("deallocate a"));
  const heard = new TextDecoder().decode(server.peer.take());
  equal(heard.includes("sluice_1"), true, heard);
  await server.says(complete("DEALLOCATE"), ready());
  await client.hears(complete("DEALLOCATE"), ready());
  await client.says(message("D", "Sa\0"), SYNC);
  await server.hears(message("D", "Sa\0"), SYNC);
});

Deno.test("SqlState holds a session that prepares where it cannot be seen again", async () => {
  for (const text of ["prepare a as select 1; select 2", "select 2; prepare a as select 1"]) {
    const { world, client, server } = await pooledPair();
    await exchanges(client, server, text, "PREPARE");
    deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
  }
  const { world, client, server } = await pooledPair();
  await client.says(parse("prepare a as select 1"), BIND, EXECUTE, SYNC);
  await server.says(message("1"), message("2"), complete("PREPARE"), ready());
  deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
});

Deno.test("SqlState does not end a session whose statement another server does not take", async () => {
  const { client, server, other } = await prepared();
  await other.says(query("drop table t"));
  await follows(server, { 'DEALLOCATE "a"': [complete("DEALLOCATE")] }, query("drop table t"));
  await server.says(complete("DROP TABLE"), ready());
  await client.says(query("select 3"));
  const noTable = [error("ERROR", "42P01", "no table")];
  await follows(server, { "prepare a as select 1": noTable }, query("select 3"));
  await server.says(complete("SELECT 3"), ready());
  await client.hears(complete("SELECT 3"), ready());
  await client.says(query("execute a"));
  server.peer.take();
  await server.says(GONE, ready());
});

Deno.test("SqlState keeps names of the gateway's own from clients", async () => {
  for (const text of ["execute sluice_1", "deallocate sluice_1", 'explain execute "sluice_1"']) {
    const { world, client, server } = await pooledPair();
    const { client: other } = await joins(world);
    await client.says(parseNamed("a", "select 'secret'"), SYNC);
    server.peer.take();
    await server.says(message("1"), ready());
    await other.says(query(text));
    const heard = new TextDecoder().decode(server.peer.take());
    equal(/sluice_1\b/.test(heard), false, heard);
  }
});

Deno.test("SqlState holds a session that prepares more than it may take along", async () => {
  const { world, client, server } = await pooledPair();
  for (let i = 0; i < 100; i++) await exchanges(client, server, `prepare a${i} as select 1`, "P");
  deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
  await exchanges(client, server, "prepare a100 as select 1", "PREPARE");
  deepEqual(world.states(), { "client active": 1, "db0 active": 1 });
});

Deno.test("SqlState does not count what the server skips", async () => {
  for (const isKnown of [true, false]) {
    const { world, client, server } = await prepared();
    const bad = error("ERROR", "42601", "no");
    await client.says(parse("bad"), FLUSH);
    if (isKnown) await server.says(bad);
    await client.says(query("deallocate a"), SYNC);
    if (!isKnown) await server.says(bad);
    server.peer.take();
    await server.says(ready());
    await client.hears(bad, ready());
    await server.leaves();
    await client.says(query("execute a"));
    const next = await admits(world);
    await follows(next, { "prepare a as select 1": [complete("PREPARE")] }, query("execute a"));
  }
});

Deno.test("SqlState keeps count of requests behind a Query that the server skips", async () => {
  const { client, server, other } = await prepared();
  const [bad, gone] = [error("ERROR", "42601", "no"), complete("DEALLOCATE ALL")];
  await client.says(parse("bad"), query("select 1"), SYNC, query("deallocate all"));
  await client.says(query("select 2"), query("prepare a as select 3"), query("execute a"));
  server.peer.take();
  await server.says(bad, ready());
  await server.says(gone, ready());
  await client.hears(bad, ready(), gone, ready());
  await server.hears(query("select 2"), query("prepare a as select 3"));
  const answers = [complete("SELECT 2"), ready(), complete("PREPARE"), ready()];
  await server.says(...answers);
  await client.hears(...answers);
  await server.hears(query("execute a"));
  await server.says(complete("SELECT 3"), ready());
  await client.hears(complete("SELECT 3"), ready());
  // What "deallocate all" did came before what PREPARE did: the next client finds "a" to undo.
  await other.says(query("select 4"));
  await follows(server, { 'DEALLOCATE "a"': [complete("DEALLOCATE")] }, query("select 4"));
});

Deno.test("PooledSession closes a server that executed a Query before its Sync", async () => {
  const { client, server } = await pooledPair();
  await client.says(parse("select 1"), query("select 2"));
  server.peer.take();
  const answers = [message("1"), complete("SELECT 2"), ready()];
  await server.says(...answers);
  await client.hears(...answers);
  // PostgreSQL 18 is in an odd state then.
  await server.hearsEnd();
});

Deno.test("SqlState keeps count of requests behind a Sync that a copy ignores", async () => {
  const { client, server } = await prepared();
  const copy = [message("1"), message("2"), message("G", "\0\0\0")];
  await client.says(
    parse("copy t from stdin"),
    BIND,
    EXECUTE,
    SYNC,
    copyData("1"),
    COPY_DONE,
    SYNC,
  );
  await client.says(query("deallocate all"), query("select 2"));
  server.peer.take();
  await server.says(...copy, complete("COPY 1"), ready());
  await client.hears(...copy, complete("COPY 1"), ready());
  await server.says(complete("DEALLOCATE ALL"), ready());
  await client.hears(complete("DEALLOCATE ALL"), ready());
  await server.hears(query("select 2"));
});

Deno.test("SqlState sends what it prepares behind what was said before", async () => {
  const { client, server } = await pooledPair({ pool: { preparedStatementsMax: 1 } });
  for (const name of ["a", "b"]) {
    await client.says(parseNamed(name, `select ${name}`), SYNC);
    server.peer.take();
    await server.says(message("1"), ...(name === "a" ? [] : [message("3")]), ready());
    await client.hears(message("1"), ready());
  }
  await client.says(query("select 1"), query("execute a"));
  await server.hears(
    query("select 1"),
    parseNamed("sluice_1", "select a"),
    message("C", "Ssluice_2\0"),
    SYNC,
    query("execute sluice_1"),
  );
  const answers = [complete("SELECT 1"), ready(), complete("SELECT 2"), ready()];
  await server.says(answers[0]!, answers[1]!, message("1"), message("3"), ready());
  await server.says(answers[2]!, answers[3]!);
  await client.hears(...answers);
});

Deno.test("SqlState lets a copy go on whose Query does more to the session", async () => {
  const { client, server } = await prepared();
  const said = query("deallocate all; copy t from stdin");
  await client.says(said);
  server.peer.take();
  const copyIn = message("G", "\0\0\0");
  await server.says(complete("DEALLOCATE ALL"), copyIn);
  await client.hears(complete("DEALLOCATE ALL"), copyIn);
  await client.says(copyData("1"), COPY_DONE, query("select 1"));
  await server.hears(copyData("1"), COPY_DONE);
  await server.says(complete("COPY 1"), ready());
  await client.hears(complete("COPY 1"), ready());
  await server.hears(query("select 1"));
});

Deno.test("SqlState keeps names of the gateway's own from clients in the extended protocol, too", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await client.says(parseNamed("a", "select 1"), SYNC);
  server.peer.take();
  await server.says(message("1"), ready());
  await client.hears(message("1"), ready());
  await other.says(parse("execute sluice_1"), BIND, EXECUTE, SYNC);
  const heard = new TextDecoder().decode(server.peer.take());
  equal(heard.includes("execute sluice_none"), true, heard);
});

Deno.test("SqlState holds a session whose text names more statements than are read", async () => {
  const { world, client, server } = await pooledPair();
  const text = Array.from({ length: 17 }, (_, i) => `execute s${i}`).join(";");
  await client.says(query(text));
  await server.hears(query(text));
  await server.says(error("ERROR", "26000", "no"), ready());
  const { client: other } = await joins(world);
  await other.says(query("select 2"));
  await server.hears();
});

Deno.test("SqlState waits with a name that a request before it prepares by Parse", async () => {
  const { client, server } = await pooledPair();
  const bad = [parse("bad"), parseNamed("a", "select 1"), SYNC];
  await client.says(...bad, query("select 7"), query("execute a"));
  await server.hears(parse("bad"), parseNamed("sluice_1", "select 1"), SYNC, query("select 7"));
  await server.says(error("ERROR", "42601", "no"), ready());
  await server.hears(query("execute a"));
});

Deno.test("SqlState sends no Sync of its own behind a Query that may be skipped", async () => {
  const { client, server } = await pooledPair({ pool: { preparedStatementsMax: 1 } });
  for (const name of ["a", "b"]) await client.says(parseNamed(name, `select ${name}`), SYNC);
  server.peer.take();
  await server.says(message("1"), ready(), message("1"), message("3"), ready());
  await client.hears(message("1"), ready(), message("1"), ready());
  await client.says(parse("bad"), query("select 1"), query("execute a"), SYNC);
  await server.hears(parse("bad"), query("select 1"));
  const bad = error("ERROR", "42601", "no");
  await server.says(bad);
  await server.hears(query("execute a"), SYNC); // which is skipped, too
  await server.says(ready());
  await client.hears(bad, ready());
  await client.says(parse("bad"), query("execute a"), SYNC);
  const ahead = [parseNamed("sluice_1", "select a"), close("S", "sluice_2")];
  await server.hears(parse("bad"), ...ahead, query("execute sluice_1"), SYNC);
  await server.says(bad, ready());
  await client.hears(bad, ready());
});

Deno.test("SqlState leaves nobody a statement whose PREPARE may have failed only as it was committed", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await client.says(query("prepare a as select 1"));
  await server.hears(query("prepare a as select 1"));
  await server.says(error("ERROR", "23503", "a deferred constraint"), ready());
  await other.says(query("prepare a as select 2"));
  await follows(
    server,
    { 'DEALLOCATE "a"': [complete("DEALLOCATE")] },
    query("prepare a as select 2"),
  );
});

Deno.test("SqlState counts what EXECUTE runs as if it were in the text", async () => {
  const prepare = "prepare p as select set_config('work_mem', '1GB', false)";
  const { client, server } = await pooledPair();
  await exchanges(client, server, prepare, "PREPARE");
  await answersRead(server, "work_mem", "4MB");
  await exchanges(client, server, "execute p", "SELECT 1");
  await answersRead(server, "work_mem", "1GB");
});

Deno.test("SqlState counts what EXECUTE runs that was prepared by Parse", async () => {
  const { client, server } = await pooledPair();
  await client.says(parseNamed("s", "set work_mem = '2GB'"), SYNC);
  server.peer.take();
  await server.says(message("1"), ready());
  await client.hears(message("1"), ready());
  await client.says(query("execute s"));
  await server.hears(query("execute sluice_1"));
  await server.says(complete("SET"), ready());
  await answersRead(server, "work_mem", "2GB");
  await client.says(parse("execute s"), BIND, EXECUTE, SYNC);
  const again = parse("execute sluice_1"); // as any that names another one
  await server.hears(again, again, BIND, EXECUTE, SYNC);
  await server.says(message("1"), message("1"), message("2"), complete("SET"), ready());
  await answersRead(server, "work_mem", "3GB");
});
