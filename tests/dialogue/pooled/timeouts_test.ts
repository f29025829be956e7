import { deepEqual, equal } from "node:assert/strict";
import { type Actor, SERVER_KEY, type World } from "../../support/dialogue.ts";
import {
  cancelRequest,
  complete,
  error,
  parameterStatus,
  query,
  ready,
  SYNC,
} from "../../support/messages.ts";
import {
  admits,
  answersRead,
  connects,
  exchanges,
  follows,
  hearsWelcome,
  joins,
  pooledPair,
} from "../../support/pooled_world.ts";

const CANCELLED = error("ERROR", "57014", "canceling statement due to user request");
const TIMED_OUT = error("ERROR", "57014", "canceling statement due to statement timeout");

function timeouts(world: World): unknown[] {
  return world.log.map(({ fields }) => fields["timeout"]).filter((timeout) =>
    timeout !== undefined
  );
}

async function takesCancel(world: World): Promise<Actor> {
  const cancel = await world.server();
  await cancel.hearsBytes(cancelRequest(SERVER_KEY.processId, SERVER_KEY.key));
  return cancel;
}

Deno.test("SessionLimits cancels a query that takes too long, and the client stays", async () => {
  const { world, client, server } = await pooledPair({ pool: { queryTimeoutMs: 1_000 } });
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await world.pass(1_000);
  await world.noServer();
  await world.pass(150);
  const cancel = await takesCancel(world);
  await cancel.leaves(); // the server's answer may come before or after
  await server.says(CANCELLED, ready());
  await client.hears(TIMED_OUT, ready());
  await world.pass(5_000);
  await world.noServer();
  await exchanges(client, server, "select 1", "SELECT 1");
  equal(world.logged("session timeout").length || timeouts(world).length, 1);
});

Deno.test("SessionLimits cancels once, and gives up a query that does not end", async () => {
  const { world, client, server } = await pooledPair({ pool: { queryTimeoutMs: 1_000 } });
  await client.says(query("select forever()"));
  await server.hears(query("select forever()"));
  await world.pass(1_200);
  await (await takesCancel(world)).leaves();
  await world.pass(4_500);
  await world.noServer();
  await client.hears();
  await world.pass(1_000);
  await client.hearsFatal("57014", /^canceling statement due to statement timeout$/);
});

Deno.test("SessionLimits counts each query of a pipeline by itself", async () => {
  const { world, client, server } = await pooledPair({ pool: { queryTimeoutMs: 1_000 } });
  await client.says(query("select 1"), query("select 2"));
  await world.pass(800);
  await server.says(complete("SELECT 1"), ready());
  await world.pass(800);
  await world.noServer();
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready(), complete("SELECT 1"), ready());
});

Deno.test("SessionLimits does not count the time before a query that follows other settings", async () => {
  const { world, client, server } = await pooledPair({ pool: { queryTimeoutMs: 1_000 } });
  const { client: other } = await joins(world);
  await client.says(query("set timezone = 'Asia/Tokyo'"));
  await server.hears(query("set timezone = 'Asia/Tokyo'"));
  await server.says(complete("SET"), parameterStatus("TimeZone", "Asia/Tokyo"), ready());
  await answersRead(server, "timezone", "Asia/Tokyo");
  await world.pass(600_000);
  await other.says(query("select 1"));
  await server.hears(query('RESET "timezone"'));
  await world.pass(900);
  await world.noServer();
  await server.says(complete("RESET"), parameterStatus("TimeZone", "UTC"), ready());
  await server.hears(query("select 1"));
  await world.pass(900);
  await world.noServer();
  await server.says(complete("SELECT 1"), ready());
  await other.hears(complete("SELECT 1"), ready());
});

Deno.test("SessionLimits cancels what a query waits for that follows other settings", async () => {
  const { world, client, server } = await pooledPair({ pool: { queryTimeoutMs: 1_000 } });
  const { client: other } = await joins(world);
  await exchanges(client, server, "prepare a as select 1", "PREPARE");
  await other.says(query("select 1"));
  await follows(server, { 'DEALLOCATE "a"': [complete("DEALLOCATE")] }, query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await other.hears(complete("SELECT 1"), ready());
  await client.says(query("insert into t values (1)"));
  await server.hears(query("prepare a as select 1"));
  await world.pass(1_200);
  const cancel = await takesCancel(world);
  await cancel.leaves();
  await server.says(CANCELLED, ready());
  await server.hears(query("insert into t values (1)"));
  // The client's own query has all of its time, and is cancelled as any other.
  await world.pass(900);
  await world.noServer();
  await world.pass(300);
  await (await takesCancel(world)).leaves();
  await server.says(CANCELLED, ready());
  await client.hears(TIMED_OUT, ready());
});

Deno.test("SessionLimits ends a transaction that takes too long, busy or idle", async () => {
  for (const isBusy of [false, true]) {
    const { world, client, server } = await pooledPair({ pool: { transactionTimeoutMs: 2_000 } });
    await exchanges(client, server, "begin", "BEGIN", "T");
    for (let i = 0; i < 3; i++) {
      await world.pass(600);
      await exchanges(client, server, "select 1", "SELECT 1", "T");
    }
    if (isBusy) await client.says(query("select pg_sleep(9)"));
    if (isBusy) await server.hears(query("select pg_sleep(9)"));
    await world.pass(500);
    await client.hearsFatal("25P04", /^terminating connection due to transaction timeout$/);
    if (isBusy) {
      await (await takesCancel(world)).leaves();
      await server.hears(SYNC);
      await server.says(CANCELLED, ready("E"), ready("E"));
    }
    await server.hears(query("ROLLBACK"));
    await server.says(complete("ROLLBACK"), ready());
    deepEqual(world.states()["db0 idle"], 1);
    deepEqual(timeouts(world), ["transaction"]);
  }
});

Deno.test("SessionLimits ends one long statement by transactionTimeout, although settings go ahead", async () => {
  const { world, server } = await pooledPair({ pool: { transactionTimeoutMs: 2_000 } });
  const client = await connects(world, { application_name: "report" });
  await hearsWelcome(world, client, { application_name: "report" });
  await client.says(query("begin; select pg_sleep(9)"));
  server.peer.take();
  await server.says(complete("SELECT 1"), parameterStatus("application_name", "report"), ready());
  await world.pass(2_300);
  await client.hearsFatal("25P04", /transaction timeout/);
});

Deno.test("SessionLimits counts a transaction from its own beginning", async () => {
  const { world, client, server } = await pooledPair({ pool: { transactionTimeoutMs: 2_000 } });
  await client.says(SYNC);
  await client.hears(ready());
  await world.pass(60_000);
  await exchanges(client, server, "begin", "BEGIN", "T");
  await world.pass(1_500);
  await exchanges(client, server, "commit", "COMMIT");
});

Deno.test("SessionLimits ends a transaction that the client leaves idle", async () => {
  const { world, client, server } = await pooledPair({ pool: { idleTransactionTimeoutMs: 1_000 } });
  await exchanges(client, server, "begin", "BEGIN", "T");
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await world.pass(5_000);
  await client.hears();
  await server.says(complete("SELECT 1"), ready("T"));
  await client.hears(complete("SELECT 1"), ready("T"));
  await world.pass(900);
  await exchanges(client, server, "select 1", "SELECT 1", "T");
  await world.pass(1_200);
  await client.hearsFatal("25P03", /idle-in-transaction timeout$/);
  await server.hears(query("ROLLBACK"));
});

Deno.test("SessionLimits ends a session whose client says nothing", async () => {
  const { world, client, server } = await pooledPair({ listener: { clientIdleTimeoutMs: 1_000 } });
  for (let i = 0; i < 3; i++) {
    await world.pass(900);
    await exchanges(client, server, "select 1", "SELECT 1");
  }
  await world.pass(1_200);
  await client.hearsFatal("57P05", /^terminating connection due to idle-session timeout$/);
  deepEqual(timeouts(world), ["client_idle"]);
  await server.hears();
});

Deno.test("SessionLimits does not take a client for idle whose query runs, or that waits", async () => {
  const { world, client, server } = await pooledPair({
    listener: { clientIdleTimeoutMs: 1_000 },
    pool: { acquireTimeoutMs: 60_000 },
  });
  const { client: other } = await joins(world);
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await other.says(query("select 2"));
  await world.pass(9_000);
  await client.hears();
  await other.hears();
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
  await server.hears(query("select 2"));
  await server.says(complete("SELECT 2"), ready());
  await other.hears(complete("SELECT 2"), ready());
});

Deno.test("SessionLimits does not end what pins a session, but by its own limits", async () => {
  const { world, client, server } = await pooledPair({
    pool: { idleTransactionTimeoutMs: 1_000, queryTimeoutMs: 1_000, transactionTimeoutMs: 1_000 },
  });
  await exchanges(client, server, "listen a", "LISTEN");
  await world.pass(60_000);
  await exchanges(client, server, "select 1", "SELECT 1");
});

Deno.test("Session that is not authenticated in time is ended", async () => {
  const { world } = await pooledPair({ listener: { loginTimeoutMs: 1_000 } });
  const client = await world.client();
  await world.pass(1_000);
  await client.hearsFatal("57014", /^canceling authentication/);
});

Deno.test("BackendOpener gives up a server that does not let it in in time", async () => {
  const { world, client, server } = await pooledPair({
    pool: { size: 2 },
    server: { dialTimeoutMs: 1_000 },
  });
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: other } = await joins(world);
  await other.says(query("select 1"));
  const second = await world.server();
  await world.pass(1_000);
  equal(second.peer.hasSeenEnd, true);
  await other.hears(); // there is another server that it can wait for
  await client.says(query("commit"));
  await server.hears(query("commit"));
  await server.says(complete("COMMIT"), ready());
  await server.hears(query("select 1"));
});

Deno.test("BackendOpener refuses those who wait when nobody is let in", async () => {
  const { world, server } = await pooledPair({ server: { dialTimeoutMs: 1_000 } });
  await server.leaves();
  const { client: other } = await joins(world);
  await other.says(query("select 1"));
  await (await world.server()).says(parameterStatus("TimeZone", "UTC")); // and nothing else
  await world.pass(1_000);
  await other.hearsFatal("08004", /^cannot log in to the database server/);
  const { client: third } = await joins(world);
  await third.says(query("select 1"));
  // At once, and without another connection.
  await third.hearsFatal("08004", /^cannot log in to the database server/);
  await world.noServer();
  await world.pass(200);
  const { client: fourth } = await joins(world);
  await fourth.says(query("select 1"));
  const next = await admits(world);
  await next.hears(query("select 1"));
});
