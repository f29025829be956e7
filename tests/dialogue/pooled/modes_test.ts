import { deepEqual, ok } from "node:assert/strict";
import { bind, functionCall, parseNamed } from "../../support/extended_messages.ts";
import {
  complete,
  error,
  EXECUTE,
  FLUSH,
  message,
  notification,
  parameterStatus,
  parse,
  query,
  ready,
  startup,
  SYNC,
} from "../../support/messages.ts";
import {
  admits,
  connects,
  exchanges,
  executing,
  follows,
  hearsWelcome,
  joins,
  type PooledOptions,
  pooledPair,
  read,
  setting,
  startPooled,
} from "../../support/pooled_world.ts";

const SESSION: PooledOptions = { pool: { mode: "session", size: 1 } };
const STATEMENT: PooledOptions = { pool: { mode: "statement", size: 1 } };

Deno.test("PooledSession in session mode keeps its server until it leaves", async () => {
  const { world, client, server } = await pooledPair(SESSION);
  const { client: other } = await joins(world);
  await exchanges(client, server, "select 1", "SELECT 1");
  await other.says(query("select 2"));
  await exchanges(client, server, "select 3", "SELECT 1");
  await server.says(notification("a", "hello"));
  await client.hears(notification("a", "hello"));
  await client.leaves();
  await follows(server, { "DISCARD ALL": [complete("DISCARD ALL")] }, query("select 2"));
});

Deno.test("PooledSession in session mode resets only what is dirty", async () => {
  const dirty: Readonly<Record<string, boolean>> = {
    "": false,
    "begin": false,
    "start transaction": false,
    "show work_mem": false,
    "commit": false,
    "rollback": false,
    "savepoint a": false,
    "release a": false,
    "rollback to a": false,
    "select 1": true,
    "begin; select 1; commit": true,
    "show work_mem; select f()": true,
    "set work_mem = '8MB'": true,
    "listen a": true,
    "prepare a as select 1": true,
    "create temp table t (c int)": true,
    "select pg_advisory_lock(1)": true,
    "do 'x'": true,
  };
  for (const [text, isDirty] of Object.entries(dirty)) {
    const { world, client, server } = await pooledPair(SESSION);
    await exchanges(client, server, text, "DONE");
    await client.leaves();
    if (isDirty) {
      await server.hears(query("DISCARD ALL"));
      await server.says(complete("DISCARD ALL"), ready());
    } else await server.hears();
    deepEqual(world.states(), { "db0 idle": 1 }, text);
  }
});

Deno.test("PooledSession in session mode resets what a function may have left", async () => {
  const answers = [message("1"), message("2"), complete("DONE"), ready()];
  const texts: Readonly<Record<string, boolean>> = {
    "select f()": true,
    "insert into t values (f())": true,
    "explain select f()": true,
    "with x as (select f()) values (1)": true,
    "call p()": true,
    "show work_mem": false,
    "begin": false,
  };
  for (const [text, isDirty] of Object.entries(texts)) {
    for (const isSimple of [true, false]) {
      const { world, client, server } = await pooledPair(SESSION);
      const said = isSimple ? [query(text)] : [parseNamed("", text), bind(), EXECUTE, SYNC];
      await client.says(...said);
      await server.hears(...said);
      const heard = isSimple ? answers.slice(2) : answers;
      await server.says(...heard);
      await client.hears(...heard);
      const { client: other } = await joins(world);
      await other.says(query("select 2"));
      await client.leaves();
      if (isDirty) {
        await follows(server, { "DISCARD ALL": [complete("DISCARD ALL")] }, query("select 2"));
      } else await server.hears(query("select 2"));
    }
  }
});

Deno.test("PooledSession in session mode resets what a FunctionCall may have left", async () => {
  const { client, server } = await pooledPair(SESSION);
  const call = functionCall(2_000, []);
  await client.says(call);
  await server.hears(call);
  await server.says(message("V", "\0\0\0\0"), ready());
  await client.hears(message("V", "\0\0\0\0"), ready());
  await client.leaves();
  await server.hears(query("DISCARD ALL"));
});

Deno.test("PooledSession in session mode leaves no parameter behind without a reset query either", async () => {
  const { world, client, server } = await pooledPair({
    pool: { mode: "session", size: 1, resetQuery: "" },
  });
  await exchanges(client, server, "set role bob", "SET");
  const { client: other } = await joins(world);
  await client.leaves();
  await other.says(query("select 2"));
  const everything = "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL";
  await follows(server, { [everything]: [complete("RESET")] }, query("select 2"));
});

Deno.test("PooledSession in session mode that has discarded everything is not dirty", async () => {
  const { world, client, server } = await pooledPair(SESSION);
  await exchanges(client, server, "set work_mem = '8MB'", "SET");
  await exchanges(client, server, "discard all", "DISCARD ALL");
  await client.leaves();
  await server.hears();
  deepEqual(world.states(), { "db0 idle": 1 });
});

Deno.test("PooledSession in session mode is dirty by what it pipelines behind DISCARD ALL", async () => {
  const { client, server } = await pooledPair(SESSION);
  await client.says(query("discard all"), query("set work_mem = '8MB'"));
  await server.hears(query("discard all"));
  await server.says(complete("DISCARD ALL"), ready());
  await server.hears(query("set work_mem = '8MB'"));
  await server.says(complete("SET"), ready());
  await client.leaves();
  await server.hears(query("DISCARD ALL"));
});

Deno.test("PooledSession in session mode is dirty by what follows DISCARD ALL before its Sync", async () => {
  const { client, server } = await pooledPair(SESSION);
  const discards = [parseNamed("", "discard all"), bind(), EXECUTE];
  const calls = [parseNamed("", "select f()"), bind(), EXECUTE];
  await client.says(...discards, ...calls, SYNC);
  await server.hears(...discards, ...calls, SYNC);
  const prepared = [message("1"), message("2")];
  await server.says(...prepared, complete("DISCARD ALL"), ...prepared, complete("SELECT 1"));
  await server.says(ready());
  await client.leaves();
  await server.hears(query("DISCARD ALL"));
});

Deno.test("PooledSession in session mode is dirty by a named statement of Parse", async () => {
  const { client, server } = await pooledPair(SESSION);
  const said = [parseNamed("a", "select 1"), bind({ statement: "a" }), EXECUTE, SYNC];
  await client.says(...said);
  await server.hears(...said);
  await server.says(message("1"), message("2"), complete("SELECT 1"), ready());
  await client.leaves();
  await server.hears(query("DISCARD ALL"));
});

Deno.test("PooledSession uses the reset query that is configured, or none", async () => {
  for (const resetQuery of ["RESET ALL", ""]) {
    const { world, client, server } = await pooledPair({
      pool: { mode: "session", size: 1, resetQuery },
    });
    await exchanges(client, server, "set work_mem = '8MB'", "SET");
    await client.leaves();
    if (resetQuery === "") await server.hears();
    else {
      await server.hears(query(resetQuery));
      await server.says(complete("RESET"), ready());
    }
    deepEqual(world.states(), { "db0 idle": 1 });
  }
});

Deno.test("PooledSession in statement mode gives the server back after each statement", async () => {
  const { world, client, server } = await pooledPair(STATEMENT);
  const { client: other } = await joins(world);
  await exchanges(client, server, "select 1", "SELECT 1");
  await exchanges(other, server, "insert into t values (1)", "INSERT 0 1");
  deepEqual(world.states(), { "client active": 2, "db0 idle": 1 });
});

Deno.test("PooledSession in statement mode has the server refuse transaction blocks", async () => {
  for (const text of ["begin", "start transaction"]) {
    const { world, client, server } = await pooledPair(STATEMENT);
    await client.says(query(text));
    const heard = new TextDecoder().decode(server.peer.take());
    ok(/RAISE EXCEPTION USING ERRCODE='0A000'.*not allowed in statement mode/.test(heard), heard);
    const refused = [error("ERROR", "0A000", "no"), ready()];
    await server.says(...refused);
    await client.hears(...refused);
    deepEqual(world.states(), { "client active": 1, "db0 idle": 1 });
  }
});

Deno.test("PooledSession in statement mode ends a session that is in a transaction all the same", async () => {
  const { world, client, server } = await pooledPair(STATEMENT);
  await client.says(query("call begin_in_disguise()"));
  await server.hears(query("call begin_in_disguise()"));
  await server.says(complete("CALL"), ready("T"));
  const text = /^transaction blocks are not allowed in statement mode$/;
  await client.hearsFatal("0A000", text, complete("CALL"), ready("T"));
  await server.hears(query("ROLLBACK"));
  await server.says(complete("ROLLBACK"), ready());
  deepEqual(world.states()["db0 idle"], 1);
});

Deno.test("PooledSession of a walsender has a server connection of its own", async () => {
  const { world, server } = await pooledPair({ pool: { mode: "transaction", size: 2 } });
  const client = await world.client();
  await client.says(startup({ user: "ann", replication: "database", application_name: "w" }));
  const walsender = await world.server();
  const heard = new TextDecoder().decode(walsender.peer.take());
  deepEqual([heard.includes("replication"), heard.includes("application_name")], [true, true]);
  await walsender.says(message("R", "\0\0\0\0"), ready());
  client.peer.take();
  await client.says(query("IDENTIFY_SYSTEM"));
  await walsender.hears(query("IDENTIFY_SYSTEM"));
  await client.leaves();
  await server.hears();
});

/** A session in session mode whose client asked for another time zone than the server has. */
async function welcomeInZone() {
  const zone = "Asia/Tokyo";
  const world = await startPooled(SESSION);
  const client = await connects(world, { TimeZone: zone });
  const server = await admits(world);
  await server.hears(query(setting({ timezone: zone })));
  await server.says(complete("SELECT 1"), parameterStatus("TimeZone", zone), ready());
  await hearsWelcome(world, client, { TimeZone: zone });
  return { client, server, zone };
}

Deno.test("PooledSession in session mode sets its own parameters again without a Query", async () => {
  const { client, server, zone } = await welcomeInZone();
  const run = [parse("reset timezone"), bind(), EXECUTE, SYNC];
  const answers = [message("1"), message("2"), complete("RESET")];
  // What is prepared resets nothing before it is executed, and does so each time.
  await client.says(run[0]!, SYNC);
  await server.hears(run[0]!, SYNC);
  await server.says(answers[0]!, ready());
  await client.hears(answers[0]!, ready());
  await exchanges(client, server, "select 1", "SELECT 1");
  for (const messages of [run, run.slice(1)]) {
    await client.says(...messages);
    await server.hears(...messages);
    const heard = answers.slice(-messages.length + 1);
    await server.says(...heard, parameterStatus("TimeZone", "UTC"), ready());
    await client.hears(...heard, ready());
    await client.says(FLUSH);
    // A Query would end the client's unnamed statement.
    await server.hears(executing(setting({ timezone: zone })));
    await server.says(parameterStatus("TimeZone", zone), read(zone));
    await server.hears(FLUSH);
  }
  await client.says(parseNamed("r", "reset timezone"), SYNC);
  server.peer.take();
  await server.says(answers[0]!, ready());
  await client.hears(answers[0]!, ready());
  await client.says(query("execute r"));
  await server.hears(query("execute r"));
  await server.says(complete("RESET"), parameterStatus("TimeZone", "UTC"), ready());
  await client.hears(complete("RESET"), ready());
});

Deno.test("PooledSession in session mode leaves what a request sets behind its RESET", async () => {
  const { client, server } = await welcomeInZone();
  const messages = [parse("reset timezone"), bind(), EXECUTE, query("set timezone = 'UTC'")];
  await client.says(...messages);
  await server.hears(...messages);
  const done = [message("1"), message("2"), complete("RESET"), complete("SET")];
  await server.says(...done, parameterStatus("TimeZone", "UTC"), ready());
  await client.hears(...done, parameterStatus("TimeZone", "UTC"), ready());
  await exchanges(client, server, "show timezone", "SHOW");
});
