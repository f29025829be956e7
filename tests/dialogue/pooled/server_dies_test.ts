import { deepEqual, equal } from "node:assert/strict";
import { LOOKING_ON } from "../../support/looking_on.ts";
import {
  complete,
  dataRow,
  error,
  message,
  notification,
  parameterStatus,
  query,
  ready,
  ROW_DESCRIPTION,
  TERMINATE,
} from "../../support/messages.ts";
import {
  admits,
  connects,
  exchanges,
  hearsWelcome,
  joins,
  pooledPair,
  setting,
} from "../../support/pooled_world.ts";

const SHUTDOWN = error("FATAL", "57P01", "terminating connection due to administrator command");

Deno.test("Backend that dies while it is idle costs no client anything", async () => {
  for (const how of ["closes", "breaks", "says why"] as const) {
    const { world, client, server } = await pooledPair();
    if (how === "says why") await server.says(SHUTDOWN);
    if (how === "breaks") await server.breaks();
    else await server.leaves();
    deepEqual(world.states(), { "client active": 1 });
    await client.says(query("select 1"));
    const next = await admits(world);
    await next.hears(query("select 1"));
    await next.says(complete("SELECT 1"), ready());
    await client.hears(complete("SELECT 1"), ready());
  }
});

Deno.test("Backend that has said that it ends is given to nobody", async () => {
  const { world, client, server } = await pooledPair();
  await server.says(SHUTDOWN); // and takes its time to close
  await client.says(query("select 1"));
  await server.hears(TERMINATE);
  await server.leaves();
  const next = await admits(world);
  await next.hears(query("select 1"));
});

Deno.test("Backend that sends to nobody what nobody asked for is closed", async () => {
  const stray = [
    ready(),
    dataRow("1"),
    complete("SELECT 1"),
    message("1"),
    ROW_DESCRIPTION,
    message("G", "\0\0\0"),
    error("ERROR", "XX000", "no"),
    message("\u0001"),
  ];
  for (const bytes of stray) {
    const { world, client, server } = await pooledPair();
    await server.says(bytes);
    await server.leaves();
    await client.says(query("select 1"));
    const next = await admits(world);
    await next.hears(query("select 1"));
  }
});

Deno.test("Backend that is idle may tell of parameters, notices and notifications", async () => {
  const { client, server } = await pooledPair();
  await server.says(
    parameterStatus("TimeZone", "Asia/Tokyo"),
    error("NOTICE", "00000", "hello", "N"),
    notification("a", "hello"),
  );
  await client.hears();
  await exchanges(client, server, "select 1", "SELECT 1");
});

Deno.test("Backend that dies in a transaction ends its client's session with 08006", async () => {
  for (const how of ["closes", "breaks"] as const) {
    const { world, client, server } = await pooledPair();
    await exchanges(client, server, "begin", "BEGIN", "T");
    if (how === "breaks") await server.breaks();
    else await server.leaves();
    await client.hearsFatal("08006", /^the server closed the connection unexpectedly$/);
    await client.leaves();
    deepEqual(world.states(), {});
  }
});

Deno.test("Backend that dies with FATAL has its own words passed on, and nothing behind them", async () => {
  const { client, server } = await pooledPair();
  await client.says(query("select pg_sleep(9)"));
  await server.hears(query("select pg_sleep(9)"));
  await server.says(SHUTDOWN);
  await server.leaves();
  await client.hearsEnd(SHUTDOWN);
});

Deno.test("Backend that dies between two messages of a result is told of behind them", async () => {
  const { client, server } = await pooledPair();
  await client.says(query("select 1"));
  await server.hears(query("select 1"));
  await server.says(ROW_DESCRIPTION, dataRow("1"), dataRow("2").subarray(0, 9));
  await server.leaves();
  await client.hearsFatal("08006", /closed the connection/, ROW_DESCRIPTION, dataRow("1"));
});

Deno.test("Backend that dies in the middle of a large row leaves nothing to be told", async () => {
  const { client, server } = await pooledPair();
  await client.says(query("select 1"));
  await server.hears(query("select 1"));
  await server.says(dataRow("x".repeat(100_000)).subarray(0, 50_000));
  await server.leaves();
  equal(client.peer.take().length, LOOKING_ON === "all" ? 0 : 50_000);
  equal(client.peer.hasSeenEnd, true);
});

Deno.test("Backend that breaks the protocol for a client ends that session only", async () => {
  for (const bytes of [message("\u0001"), message("Z", "II"), message("S", "x")]) {
    const { world, client, server } = await pooledPair();
    await client.says(query("select 1"));
    await server.hears(query("select 1"));
    await server.says(bytes);
    await client.hearsFatal("08P01", /^the server broke the protocol: /);
    equal(server.peer.hasSeenEnd, true);
    await server.leaves();
    const { client: other } = await joins(world);
    await other.says(query("select 2"));
    await (await admits(world)).hears(query("select 2"));
  }
});

Deno.test("Backend that answers more than it was asked by a pinned client is not trusted", async () => {
  const { client, server } = await pooledPair();
  await exchanges(client, server, "listen a", "LISTEN");
  await server.says(ready());
  await client.hearsFatal("08P01", /^the server broke the protocol: unexpected message "Z"$/);
});

Deno.test("Backend that dies in the gateway's own query ends a welcome with 08006", async () => {
  const { world, server } = await pooledPair();
  const client = await connects(world, { work_mem: "8MB" });
  await server.hears(query(setting({ work_mem: "8MB" })));
  await server.leaves();
  const before = [message("R", "\0\0\0\0")];
  await client.hearsFatal("08006", /closed the connection/, ...before);
});

Deno.test("Backend that dies while it is cleaned is replaced", async () => {
  const { world, client, server } = await pooledPair();
  await exchanges(client, server, "begin", "BEGIN", "T");
  const { client: other } = await joins(world);
  await other.says(query("select 2"));
  await client.leaves();
  await server.hears(query("ROLLBACK"));
  await server.leaves();
  const next = await admits(world);
  await next.hears(query("select 2"));
});

Deno.test("Backend whose successor is of a newer version has clients told so", async () => {
  const { world, server } = await pooledPair();
  await server.leaves();
  const { client } = await joins(world);
  await client.says(query("select 1"));
  const next = await admits(world, { server_version: "19.0" });
  await next.hears(query("select 1"));
  await next.says(complete("SELECT 1"), ready());
  const late = await connects(world);
  await hearsWelcome(world, late, { server_version: "19.0" });
});

Deno.test("Backend is checked before it is given, if it was idle for long", async () => {
  for (const isAlive of [true, false]) {
    const { world, client, server } = await pooledPair({
      pool: { validation: "foreground", validationIntervalMs: 1_000, acquireTimeoutMs: 60_000 },
    });
    await world.pass(5_000);
    await client.says(query("select 1"));
    await server.hears(query(""));
    if (isAlive) await server.says(message("I"), ready());
    else await world.pass(6_000);
    if (!isAlive) await server.leaves();
    const next = isAlive ? server : await admits(world);
    await next.hears(query("select 1"));
  }
});

Deno.test("Backend is closed with Terminate when it has been idle for too long", async () => {
  const { world, server } = await pooledPair({ pool: { idleTimeoutMs: 10_000 } });
  await world.pass(12_000);
  await server.hearsEnd(message("X"));
  await server.leaves();
  deepEqual(world.states(), { "client active": 1 });
});
