import { equal } from "node:assert/strict";
import type { Actor } from "../../support/dialogue.ts";
import { bind, close, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  type Bytes,
  complete,
  error,
  EXECUTE,
  parse,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import { answersRead, exchanges, follows, joins, pooledPair } from "../../support/pooled_world.ts";
import { BOUND, CLOSED, does, PARSED, PREPARED } from "../../support/prepared_world.ts";

/** A statement that is run once, by the extended protocol, under the client's own words. */
async function runs(client: Actor, server: Actor, text: string, done: Bytes): Promise<void> {
  const said = [parse(text), BIND, EXECUTE, SYNC];
  const answers = [PARSED, BOUND, done, ready()];
  await does(client, server, said, said, answers, answers);
}

/** Prepares a statement by Parse, as the first or second of its server. */
async function prepares(client: Actor, server: Actor, name: string, number: number) {
  const heard = [parseNamed(`sluice_${number}`, `select ${number}`), SYNC];
  await does(
    client,
    server,
    [parseNamed(name, `select ${number}`), SYNC],
    heard,
    PREPARED,
    PREPARED,
  );
}

Deno.test("PreparedBySql counts what EXECUTE of the extended protocol runs as if it were in the text", async () => {
  const { client, server } = await pooledPair();
  const text = "prepare p as select set_config('work_mem', '1GB', false)";
  await exchanges(client, server, text, "PREPARE");
  await answersRead(server, "work_mem", "4MB");
  await runs(client, server, "execute p", complete("SELECT 1"));
  await answersRead(server, "work_mem", "1GB");
});

Deno.test("PreparedBySql forgets what DEALLOCATE of the extended protocol names", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await exchanges(client, server, "prepare a as select 1", "PREPARE");
  await runs(client, server, "deallocate a", complete("DEALLOCATE"));
  // It is there no more, and is not prepared again.
  await exchanges(other, server, "select 2", "SELECT 2");
  await exchanges(client, server, "select 3", "SELECT 3");
});

Deno.test("PreparedBySql has the server forget what DEALLOCATE names that was prepared by Parse", async () => {
  for (const isExtended of [false, true]) {
    const { client, server } = await pooledPair();
    await prepares(client, server, "a", 1);
    const done = complete("DEALLOCATE");
    if (isExtended) {
      await client.says(parse("deallocate a"), BIND, EXECUTE, SYNC);
      const heard = new TextDecoder().decode(server.peer.take());
      equal(heard.includes("deallocate sluice_1"), true, heard);
      await server.says(PARSED, BOUND, done, ready());
      await client.hears(PARSED, BOUND, done, ready());
    } else {
      await client.says(query("deallocate a"));
      await server.hears(query("deallocate sluice_1"));
      await server.says(done, ready());
      await client.hears(done, ready());
    }
    await prepares(client, server, "b", 1);
  }
});

Deno.test("PreparedBySql renames every name in a Query", async () => {
  const { client, server } = await pooledPair();
  await prepares(client, server, "a", 1);
  await prepares(client, server, "a long name", 2);
  await client.says(query('execute a; execute "a long name"; execute a'));
  await server.hears(query("execute sluice_1; execute sluice_2; execute sluice_1"));
});

Deno.test("PreparedBySql quotes a name that it deallocates", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await exchanges(client, server, 'prepare "a""; drop table t; --" as select 1', "PREPARE");
  await other.says(query("select 2"));
  const asked = { 'DEALLOCATE "a""; drop table t; --"': [complete("DEALLOCATE")] };
  await follows(server, asked, query("select 2"));
});

Deno.test("PreparedBySql prepares again what a server did not take before", async () => {
  const { world, client, server } = await pooledPair();
  const { client: other } = await joins(world);
  await exchanges(client, server, "prepare a as select 1", "PREPARE");
  await other.says(query("select 2"));
  await follows(server, { 'DEALLOCATE "a"': [complete("DEALLOCATE")] }, query("select 2"));
  await server.says(complete("SELECT 2"), ready());
  await other.hears(complete("SELECT 2"), ready());
  const noTable = [error("ERROR", "42P01", "no table")];
  const asked = "prepare a as select 1";
  await client.says(query("select 3"));
  await follows(server, { [asked]: noTable }, query("select 3"));
  await server.says(complete("SELECT 3"), ready());
  await client.hears(complete("SELECT 3"), ready());
  // Nobody else has anything of it to deallocate, and the client's next use tries it again.
  await exchanges(other, server, "create table t ()", "CREATE TABLE");
  await client.says(query("execute a"));
  await follows(server, { [asked]: [complete("PREPARE")] }, query("execute a"));
});

Deno.test("PreparedBySql leaves nobody without a statement that a request deallocated which failed", async () => {
  const failed = [error("ERROR", "22012", "division by zero"), ready()];
  const ran = [PARSED, BOUND, complete("DEALLOCATE"), ...failed];
  const cases: [readonly Bytes[], readonly Bytes[]][] = [
    [[query("deallocate a; select 1/0")], failed],
    [[query("deallocate all; select 1/0")], failed],
    [[query("discard all")], failed],
    [[parse("deallocate a"), BIND, EXECUTE, parse("select 1/0"), SYNC], ran],
  ];
  for (const [said, answers] of cases) {
    const { world, client, server } = await pooledPair();
    const { client: other } = await joins(world);
    await prepares(client, server, "a", 1);
    await does(other, server, [parseNamed("b", "select 1"), SYNC], [SYNC], [ready()], PREPARED);
    await client.says(...said);
    server.peer.take();
    await server.says(...answers);
    await client.hears(...answers);
    // It may have been carried out, or not.
    await other.says(bind({ statement: "b" }), EXECUTE, SYNC);
    const again = [close("S", "sluice_1"), parseNamed("sluice_1", "select 1")];
    await server.hears(...again, bind({ statement: "sluice_1" }), EXECUTE, SYNC);
  }
});

Deno.test("PreparedBySql prepares anew what a DEALLOCATE ALL that failed may have taken away", async () => {
  const { client, server } = await pooledPair();
  await exchanges(client, server, "prepare a as select 1", "PREPARE");
  await client.says(query("deallocate all; select 1/0"));
  server.peer.take();
  await server.says(error("ERROR", "22012", "division by zero"), ready());
  await client.says(query("execute a"));
  const again = {
    'DEALLOCATE "a"': [error("ERROR", "26000", "no")],
    "prepare a as select 1": [complete("PREPARE")],
  };
  await follows(server, again, query("execute a"));
});

Deno.test("PreparedBySql has no Query skipped by what a failed transaction would refuse", async () => {
  const refused = error("ERROR", "25P02", "current transaction is aborted");
  for (const before of [[], [query("select 1")]]) {
    const { client, server } = await pooledPair({ pool: { preparedStatementsMax: 1 } });
    await prepares(client, server, "a", 1);
    await client.says(parseNamed("b", "select 2"), SYNC);
    server.peer.take();
    await server.says(PARSED, CLOSED, ready());
    await client.hears(PARSED, ready());
    await exchanges(client, server, "begin", "BEGIN", "T");
    await does(client, server, [SYNC], [SYNC], [ready("E")], [ready("E")]);
    // Without a Sync of its own, a Parse that is refused would have the Query skipped.
    await client.says(...before, close("S", ""), query("execute a"));
    if (before.length > 0) {
      await server.hears(...before, close("S", ""));
      await server.says(refused, ready("E"));
      await server.hears(query("execute sluice_1"));
    } else await server.hears(close("S", ""), query("execute sluice_1"));
    await server.says(CLOSED, refused, ready("E"));
  }
});

Deno.test("PreparedBySql does not doubt what DISCARD ALL has left since a transaction refuses it", async () => {
  const { client, server } = await pooledPair();
  await prepares(client, server, "a", 1);
  await exchanges(client, server, "begin", "BEGIN", "T");
  const refused = [error("ERROR", "25001", "in a transaction"), ready("E")];
  await does(client, server, [query("discard all")], [query("discard all")], refused, refused);
  await client.says(bind({ statement: "a" }), SYNC);
  await server.hears(bind({ statement: "sluice_1" }), SYNC);
});
