/**
 * What other poolers have mixed up between the clients that share a server: answers, cancels,
 * COPY, statements and sessions. Each test bears the reports it is about. One server is enough for
 * all clients, so that whatever one leaves is the next one's to find.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  bind,
  copyFail,
  describe,
  execute,
  parseNamed,
  TYPE_OIDS,
} from "../support/extended_messages.ts";
import { COPY_DONE, copyData, FLUSH, query, SYNC } from "../support/messages.ts";
import { modesToTest, type PoolMode, startPooledGateway } from "../support/pooled_gateway.ts";
import { queryOnce } from "../support/postgres.ts";
import { ProtocolClient, rowsOf, sqlStatesOf, tagsOf } from "../support/protocol_client.ts";
import { Random } from "../support/random.ts";
import {
  type ServerScene,
  type Stories,
  type Target,
  targetAt,
  testOnServers,
} from "../support/stories.ts";
import { pause } from "../support/wait.ts";

const SEED = 717;

/** How a client may leave in the middle of something, and what it had said by then. */
const LEFT: Readonly<Record<string, readonly Uint8Array[]>> = {
  "a query": [query("select 'stale', pg_sleep(0.05)")],
  "a large result": [query("select 'stale', repeat('x', 1000) from generate_series(1, 50000)")],
  "two queries": [query("select 'stale', pg_sleep(0.05)"), query("select 'stale too'")],
  "a pipeline without Sync": [parseNamed("", "select 'stale'"), bind(), execute()],
  "a pipeline with Flush": [parseNamed("s", "select 'stale'"), bind({ statement: "s" }), FLUSH],
  "a pipeline with an error and no Sync": [parseNamed("", "select stale"), bind(), FLUSH],
  "many Syncs": [parseNamed("", "select 'stale', pg_sleep(0.05)"), bind(), execute(), SYNC, SYNC],
  "a transaction": [query("begin; create temp table stale (i int)")],
  "a failed transaction": [query("begin; select stale")],
  "COPY FROM STDIN": [query("copy shared from stdin"), copyData("1\tstale\n")],
  "COPY FROM STDIN of the extended protocol": [
    parseNamed("", "copy shared from stdin"),
    bind(),
    execute(),
    SYNC,
    copyData("1\tstale\n"),
  ],
  "COPY TO STDOUT": [query("copy (select 'stale' from generate_series(1, 200000)) to stdout")],
  "a suspended portal": [
    query("begin"),
    parseNamed("", "select 'stale' from generate_series(1, 9)"),
    bind({ portal: "p" }),
    execute("p", 2),
    FLUSH,
  ],
  "half a message": [query("select 'stale'").subarray(0, 9)],
};

async function ask(client: ProtocolClient, text: string): Promise<(string | null)[][]> {
  const messages = await client.query(text);
  assert.deepEqual(sqlStatesOf(messages), [], text);
  return rowsOf(messages);
}

/** A client that comes next finds its own answers, and a session like new. */
async function checkNext(via: Target, tag: string): Promise<void> {
  using next = await ProtocolClient.logIn(via);
  assert.deepEqual(await ask(next, `select '${tag}', 1`), [[tag, "1"]]);
  next.send(parseNamed("s", `select '${tag}'::text`), bind({ statement: "s" }), execute(), SYNC);
  const messages = await next.untilReady();
  assert.equal(tagsOf(messages), "12DCZ");
  assert.deepEqual(rowsOf(messages), [[tag]]);
  assert.deepEqual(await ask(next, "select to_regclass('pg_temp.stale')"), [[null]]);
  await next.end();
}

/** Something that is left for the others to see, and how they would. */
const LEAKS: readonly (readonly [name: string, act: string, probe: string])[] = [
  ["SET", "set statement_timeout = 12345", "show statement_timeout"],
  ["search_path", "set search_path = pg_catalog, pg_temp", "show search_path"],
  [
    "a parameter of one's own",
    "set leak.owner = 'me'",
    "select coalesce(current_setting('leak.owner', true), '')",
  ],
  ["set_config", "select set_config('work_mem', '123kB', false)", "show work_mem"],
  ["SET ROLE", "set role pg_monitor", "select current_user"],
  ["SET SESSION AUTHORIZATION", "set session authorization pg_monitor", "select session_user"],
  ["a temporary table", "create temp table leak as select 1", "select to_regclass('pg_temp.leak')"],
  [
    "an advisory lock",
    "select pg_advisory_lock(99)",
    "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
  ],
  ["LISTEN", "listen leak", "select count(*) from pg_listening_channels()"],
  [
    "PREPARE",
    "prepare leak as select 1",
    "select count(*) from pg_prepared_statements where from_sql",
  ],
  [
    "a cursor WITH HOLD",
    "declare leak cursor with hold for select 1",
    "select count(*) from pg_cursors where name = 'leak'",
  ],
  [
    "session characteristics",
    "set session characteristics as transaction read only",
    "show transaction_read_only",
  ],
  ["a function that sets", "select set_config('timezone', 'Asia/Tokyo', false)", "show timezone"],
  [
    "a DO block that sets",
    "do $$ begin perform set_config('enable_seqscan', 'off', false); end $$",
    "show enable_seqscan",
  ],
];

/** Everything of the modes that share servers. */
const SHARED: Stories<{ direct: Target; via: Target }> = {
  "pgdog #759, pgagroal #142, PgBouncer #141, Supavisor #1079: answers to the wrong client": async (
    { via },
  ) => {
    for (const [name, said] of Object.entries(LEFT)) {
      for (const delayMs of [0, 15]) {
        const leaver = await ProtocolClient.logIn(via);
        leaver.send(...said);
        await leaver.flushed();
        await pause(delayMs);
        leaver.close();
        await checkNext(via, `after ${name}`);
      }
    }
  },

  "PgBouncer #1025: COPY FROM STDIN that fails, or has its Sync too early, gives the server back":
    async ({ via }) => {
      const start = [parseNamed("", "copy shared from stdin"), bind(), execute()];
      const failing: readonly (readonly Uint8Array[])[] = [
        [query("copy shared from stdin"), copyData("x\n"), COPY_DONE],
        [query("copy shared from stdin"), copyFail("no")],
        [query("copy nowhere from stdin"), copyData("1\n"), COPY_DONE],
        [...start, SYNC, copyData("1\tearly Sync\n"), COPY_DONE, SYNC],
        [...start, copyData("x\n"), COPY_DONE, SYNC],
        [...start, copyData("1\tx\n"), copyFail("no"), SYNC],
        [...start, SYNC, copyFail("no"), SYNC],
      ];
      using client = await ProtocolClient.logIn(via);
      for (const [index, messages] of failing.entries()) {
        client.send(...messages);
        await client.untilReady();
        await checkNext(via, `COPY ${index}`);
        assert.deepEqual(await ask(client, `select ${index}`), [[String(index)]]);
      }
    },

  "PgBouncer #38, #245, #717, Odyssey: a late cancel does not hit the next client": async (
    { via },
  ) => {
    const random = new Random(SEED);
    using victim = await ProtocolClient.logIn(via);
    using canceller = await ProtocolClient.logIn(via);
    for (let i = 0; i < 150; i++) {
      // The query is as short as the way of the cancel, so that many come too late.
      canceller.send(query(`select pg_sleep(${random.below(4) / 1000})`));
      const cancels = [canceller.cancel(), canceller.cancel()];
      const codes = sqlStatesOf(await canceller.untilReady());
      assert.ok(codes.every((code) => code === "57014"), codes.join());
      assert.deepEqual(await ask(victim, `select ${i}, pg_sleep(0.002)`), [[String(i), ""]]);
      await Promise.all(cancels);
    }
  },

  "PgBouncer #904, #822, #1376: a storm of cancels, right and wrong, is survived": async (
    { via },
  ) => {
    using sleeper = await ProtocolClient.logIn(via);
    sleeper.send(query("select pg_sleep(60)"));
    const storm = Array.from({ length: 200 }, () => sleeper.cancel().catch(() => {}));
    assert.deepEqual(sqlStatesOf(await sleeper.untilReady()), ["57014"]);
    await Promise.all(storm);
    assert.deepEqual(await ask(sleeper, "select 1"), [["1"]]);
    await checkNext(via, "after the storm");
  },

  "pgcat #734, #611, Odyssey #477: one text with other types, one name with other texts": async (
    { via },
  ) => {
    const clients = await Promise.all([1, 2, 3].map(() => ProtocolClient.logIn(via)));
    const types = [[TYPE_OIDS.int4], [TYPE_OIDS.text], []];
    const described: Uint8Array[] = [];
    for (const [i, client] of clients.entries()) {
      client.send(parseNamed("same", "select $1 as v", types[i]), describe("S", "same"), SYNC);
      described.push((await client.untilReady())[1]!.bytes);
      client.send(parseNamed("own", `select 'own ${i}'::text`), SYNC);
      await client.untilReady();
    }
    assert.notDeepEqual(described[0], described[1]);
    for (let round = 0; round < 3; round++) {
      for (const [i, client] of clients.entries()) {
        const value = i === 0 ? "7" : "seven";
        client.send(bind({ statement: "same", values: [value] }), execute(), SYNC);
        assert.deepEqual(rowsOf(await client.untilReady()), [[value]]);
        client.send(bind({ statement: "own" }), execute(), SYNC);
        assert.deepEqual(rowsOf(await client.untilReady()), [[`own ${i}`]]);
      }
    }
    for (const client of clients) client.close();
  },

  "a statement whose result has changed its type goes on, without the client's doing": async (
    { direct, via },
  ) => {
    await queryOnce(direct, "create table changing (i int); insert into changing values (1)");
    using client = await ProtocolClient.logIn(via);
    client.send(parseNamed("s", "select * from changing"), SYNC);
    await client.untilReady();
    for (let columns = 1; columns <= 3; columns++) {
      client.send(bind({ statement: "s" }), describe("P"), execute(), SYNC);
      const messages = await client.untilReady();
      assert.deepEqual(sqlStatesOf(messages), []);
      assert.equal(rowsOf(messages)[0]!.length, columns);
      await queryOnce(direct, `alter table changing add column c${columns} int`);
    }
  },

  "PgBouncer #1567, pgcat #186: nothing of a session is seen by the next client": async (
    { via },
  ) => {
    for (const [name, act, probe] of LEAKS) {
      using before = await ProtocolClient.logIn(via);
      const expected = await ask(before, probe);
      await before.end();
      for (const isRude of [false, true]) {
        const leaver = await ProtocolClient.logIn(via);
        await ask(leaver, act);
        if (isRude) leaver.close();
        else await leaver.end();
        using next = await ProtocolClient.logIn(via);
        assert.deepEqual(await ask(next, probe), expected, name);
        await next.end();
      }
    }
  },

  "PgBouncer #1567: while both are connected, too": async ({ via }) => {
    using one = await ProtocolClient.logIn(via);
    using two = await ProtocolClient.logIn(via);
    const expected = await ask(two, "show timezone");
    await ask(one, "set timezone = 'Asia/Tokyo'");
    await ask(one, "set application_name = 'one'");
    assert.deepEqual(await ask(two, "show timezone"), expected);
    assert.deepEqual(await ask(two, "show application_name"), [[""]]);
    assert.deepEqual(await ask(one, "show timezone"), [["Asia/Tokyo"]]);
    assert.deepEqual(await ask(one, "show application_name"), [["one"]]);
  },
};

function pooled(mode: PoolMode): Stories<ServerScene> {
  return Object.fromEntries(
    Object.entries(SHARED).map(([name, story]) => [`${name} (${mode})`, async (scene, step) => {
      const { server, direct } = scene;
      await queryOnce(direct, "set client_min_messages = error; drop table if exists changing");
      await queryOnce(direct, "create table if not exists shared (i int, t text)");
      await using gateway = await startPooledGateway(server, { mode, size: 1 });
      await story({ direct, via: targetAt(gateway.target) }, step);
    }]),
  );
}

await testOnServers(
  "clients that share one server",
  { newestOnly: true, postgres: { auth: "trust" } },
  Object.assign({}, ...modesToTest().filter((mode) => mode === "transaction").map(pooled)),
);
