/**
 * What is copied to a mirror, and that nothing of it reaches the client: neither answers nor
 * errors, nor that there is no mirror.
 *
 * @module
 */

import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../../src/base/bytes.ts";
import { FINISH_MS_MAX } from "../../../src/postgres/mirror/mirror.ts";
import { HEALTH, ROLE, ServerTable } from "../../../src/upstream/server_table.ts";
import { SERVER_DEFAULTS } from "../../support/configs.ts";
import type { Actor, World } from "../../support/dialogue.ts";
import { bind, describe, execute, parseNamed } from "../../support/extended_messages.ts";
import {
  BIND,
  type Bytes,
  cancelRequest,
  complete,
  COPY_DONE,
  copyData,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  SYNC,
  TERMINATE,
  textOfMessages,
} from "../../support/messages.ts";
import {
  mirrorCounts,
  mirroredClient,
  type MirrorOptions,
  startMirrored,
} from "../../support/mirror_world.ts";
import {
  admits,
  answersOwn,
  connects,
  exchanges,
  hearsWelcome,
  joins,
  setting,
} from "../../support/pooled_world.ts";

const COPY_IN = message("G", "\0\0\0");

/** A client that has asked something, whose answer both servers have given. */
async function copied(options: MirrorOptions = {}): Promise<{
  readonly world: World;
  readonly client: Actor;
  readonly server: Actor;
  readonly mirror: Actor;
}> {
  const { world, client, server } = await mirroredClient(options);
  await exchanges(client, server, "select 0", "SELECT 1");
  const mirror = await admits(world, {}, 1);
  await mirror.hears(query("select 0"));
  await mirror.says(complete("SELECT 1"), ready());
  await client.hears();
  return { world, client, server, mirror };
}

Deno.test("Mirror copies requests, transactions and COPY, and its answers reach nobody", async () => {
  const { world, client, server, mirror } = await copied();
  await exchanges(client, server, "begin", "BEGIN", "T");
  await mirror.hears(query("begin"));
  await mirror.says(complete("BEGIN"), ready("T"));
  const group = [parse("insert"), BIND, EXECUTE, SYNC];
  await client.says(...group);
  equal(server.peer.take().length, mirror.peer.take().length);
  await mirror.says(error("ERROR", "42P01", "no"), ready("E"));
  await server.says(message("1"), message("2"), complete("INSERT 0 1"), ready("T"));
  await client.hears(message("1"), message("2"), complete("INSERT 0 1"), ready("T"));
  await exchanges(client, server, "commit", "COMMIT");
  await mirror.hears(query("commit"));
  await mirror.says(complete("ROLLBACK"), ready());
  await client.says(query("copy t from stdin"));
  await server.says(COPY_IN);
  await mirror.says(COPY_IN);
  await client.hears(COPY_IN);
  await client.says(copyData("a"), COPY_DONE);
  await server.hears(query("copy t from stdin"), copyData("a"), COPY_DONE);
  await mirror.hears(query("copy t from stdin"), copyData("a"), COPY_DONE);
  await server.says(complete("COPY 1"), ready());
  await mirror.says(complete("COPY 1"), ready());
  await client.hears(complete("COPY 1"), ready());
  deepEqual(world.errors(), {});
  equal(world.logged("session ready").length, 1);
  equal(world.poolCount("logins", "db1"), 0);
});

/** Every kind of message that there is, one of them too large to be held. */
const LARGE = "x".repeat(100_000);
const UP = concat(
  query("select 1"),
  parseNamed("s", "select 2"),
  describe("S", "s"),
  SYNC,
  bind({ statement: "s" }),
  execute(),
  SYNC,
);

/** What the mirror's server hears of a client that says these pieces one by one. */
async function heardByMirror(pieces: readonly Uint8Array[]): Promise<string[]> {
  const { world, client, server } = await mirroredClient({}, { pool: { mode: "session" } });
  for (const piece of pieces) await client.says(piece);
  const mirror = await admits(world, {}, 1);
  const heard = textOfMessages(mirror.peer.take());
  deepEqual(heard, textOfMessages(server.peer.take()));
  await client.leaves();
  await world.pass(FINISH_MS_MAX);
  return heard;
}

Deno.test("Mirror gets the same bytes once wherever they are cut", async () => {
  const whole = await heardByMirror([UP]);
  deepEqual(whole, textOfMessages(UP).slice(0, whole.length));
  equal(whole.length > 3, true); // plugins may hold back what comes behind a first answer
  for (let at = 1; at < UP.length; at++) {
    deepEqual(await heardByMirror([UP.subarray(0, at), UP.subarray(at)]), whole, `cut at ${at}`);
  }
});

Deno.test("Mirror gets the same bytes when every byte comes alone", async () => {
  const bytes = Array.from(UP, (_, at) => UP.subarray(at, at + 1));
  deepEqual(await heardByMirror(bytes), await heardByMirror([UP]));
});

Deno.test("Mirror gets what is larger than the session holds, in whatever pieces it comes", async () => {
  const large = concat(query("select 1"), query(LARGE), query("select 2"));
  const expected = textOfMessages(large);
  for (const size of [7_001, 16_384, 65_536, 100_030, large.length]) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < large.length; at += size) pieces.push(large.subarray(at, at + size));
    deepEqual(await heardByMirror(pieces), expected, `pieces of ${size}`);
  }
});

Deno.test("Mirror does not answer, and the client never waits for it", async () => {
  const { world, client, server } = await mirroredClient();
  const mirror = await copiesTo(world, client, server);
  for (let i = 0; i < 20; i++) await exchanges(client, server, `select ${i}`, "SELECT 1");
  equal(textOfMessages(mirror.peer.take()).length, 20);
  await client.hears();
});

async function copiesTo(world: World, client: Actor, server: Actor): Promise<Actor> {
  await exchanges(client, server, "select 0", "SELECT 1");
  const mirror = await admits(world, {}, 1);
  await mirror.hears(query("select 0"));
  return mirror;
}

Deno.test("Mirror that does not read ends the copy at bufferMax, and the session goes on", async () => {
  const { world, client, server } = await mirroredClient({ bufferMax: 65_536 });
  const mirror = await copiesTo(world, client, server);
  mirror.peer.isReading = false;
  // 64 KiB are on their way to the mirror, as many wait in its queue, and one message is too much.
  const big = query("x".repeat(30_000));
  for (let i = 0; i < 8; i++) {
    await client.says(big);
    await server.hears(big);
    await server.says(complete("SELECT 1"), ready());
    await client.hears(complete("SELECT 1"), ready());
  }
  deepEqual(mirrorCounts(world), { behind: 1 });
  const [said] = world.logged("copy of a session ended");
  deepEqual([said!.level, said!.fields["cause"], said!.fields["count"]], ["warn", "behind", 1]);
  await exchanges(client, server, "select 1", "SELECT 1");
});

Deno.test("Mirror that is down ends copies, each counted, and log lines are few", async () => {
  const world = await startMirrored({}, { pool: { size: 4 } });
  world.network.answer({ kind: "tcp", host: "10.0.0.2", port: 5432 }, "refuse");
  const client = await connects(world);
  const server = await admits(world);
  await hearsWelcome(world, client);
  await exchanges(client, server, "select 1", "SELECT 1");
  for (let i = 0; i < 5; i++) {
    const { client: other } = await joins(world);
    await exchanges(other, server, "select 2", "SELECT 1");
  }
  deepEqual(mirrorCounts(world), { unreachable: 6 });
  equal(world.logged("copy of a session ended").length, 1);
  await world.pass(1_000);
  const { client: other } = await joins(world);
  await exchanges(other, server, "select 3", "SELECT 1");
  const counts = world.logged("copy of a session ended").map(({ fields }) => fields["count"]);
  deepEqual(counts, [1, 6]);
  deepEqual(world.errors(), {});
});

Deno.test("Mirror whose pool is exhausted ends the copy, and the session goes on", async () => {
  const { world, client, server } = await mirroredClient({ pool: { acquireTimeoutMs: 1_000 } }, {
    pool: { size: 1 },
  });
  const mirror = await copiesTo(world, client, server);
  await mirror.hears();
  const { client: other } = await joins(world);
  await exchanges(other, server, "select 1", "SELECT 1");
  await world.pass(2_000);
  deepEqual(mirrorCounts(world), { "pool_exhausted": 1 });
  await exchanges(other, server, "select 2", "SELECT 1");
  await exchanges(client, server, "select 3", "SELECT 1");
  await mirror.says(complete("SELECT 1"), ready());
  await mirror.hears(query("select 3"));
});

Deno.test("Mirror that closes in the middle of an answer ends the copy only", async () => {
  const { world, client, server, mirror } = await copied();
  await client.says(query("select 1"));
  await mirror.says(complete("SELECT 1").subarray(0, 7));
  await mirror.breaks();
  await server.hears(query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
  await exchanges(client, server, "select 2", "SELECT 1");
  deepEqual(mirrorCounts(world), { lost: 1 });
  deepEqual(world.errors(), {});
  await world.noServer(1);
});

Deno.test("Mirror that breaks the protocol ends the copy only", async () => {
  const { world, client, server, mirror } = await copied();
  await client.says(query("select 1"));
  await mirror.says(message("\x01"));
  await server.hears(query("select 1"));
  await server.says(complete("SELECT 1"), ready());
  await client.hears(complete("SELECT 1"), ready());
  await exchanges(client, server, "select 2", "SELECT 1");
  deepEqual(mirrorCounts(world), { lost: 1 });
});

Deno.test("Mirror that does not take the session's parameters ends the copy only", async () => {
  const world = await startMirrored();
  const client = await connects(world, { "search_path": "s" });
  const server = await admits(world);
  await answersOwn(server, setting({ "search_path": "s" }), "s");
  await hearsWelcome(world, client);
  await exchanges(client, server, "select 1", "SELECT 1");
  const mirror = await admits(world, {}, 1);
  await mirror.hears(query(setting({ "search_path": "s" })));
  await mirror.says(error("ERROR", "22023", "a secret"), ready());
  await exchanges(client, server, "select 2", "SELECT 1");
  deepEqual(mirrorCounts(world), { refused: 1 });
  deepEqual(world.log.filter(({ fields }) => JSON.stringify(fields).includes("a secret")), []);
});

Deno.test("Mirror may finish what it was sent when the client says Terminate", async () => {
  const { world, client, server, mirror } = await copied();
  await client.says(query("insert"));
  await server.says(complete("INSERT 0 1"), ready());
  await client.says(TERMINATE);
  await mirror.hears(query("insert"));
  deepEqual(mirrorCounts(world), {});
  await world.pass(FINISH_MS_MAX / 2);
  await mirror.says(complete("INSERT 0 1"), ready());
  deepEqual(mirrorCounts(world), { complete: 1 });
  deepEqual(world.states(), { "db0 idle": 1, "db1 idle": 1 });
  await world.noServer(1);
});

Deno.test("Mirror may finish what it was sent when the client is gone", async () => {
  const { world, client, server, mirror } = await copied();
  await client.says(query("insert"));
  await server.says(complete("INSERT 0 1"), ready());
  await client.leaves();
  await mirror.hears(query("insert"));
  await mirror.says(complete("INSERT 0 1"), ready());
  deepEqual(mirrorCounts(world), { complete: 1 });
  deepEqual(world.states(), { "db0 idle": 1, "db1 idle": 1 });
});

Deno.test("Mirror that does not finish in time is cancelled, and its connection is cleaned", async () => {
  const { world, client, server, mirror } = await copied();
  await client.says(query("begin; insert"));
  await server.says(complete("INSERT 0 1"), ready("T"));
  await client.says(TERMINATE);
  await server.hears(query("begin; insert"), query("ROLLBACK"));
  await mirror.hears(query("begin; insert"));
  await world.pass(FINISH_MS_MAX);
  deepEqual(mirrorCounts(world), { unfinished: 1 });
  const cancel = await world.server(1);
  await cancel.hearsBytes(cancelRequest(4711, Uint8Array.of(0xca, 0xfe, 0xba, 0xbe)));
  await mirror.says(error("ERROR", "57014", "cancelled"), ready("E"));
  await cancel.leaves();
  await mirror.hears(SYNC);
  await mirror.says(ready("E"));
  await mirror.hears(query("ROLLBACK"));
});

Deno.test("Mirror is not asked for a session that asks nothing", async () => {
  const { world, client } = await mirroredClient();
  await client.says(TERMINATE);
  await world.noServer(1);
  deepEqual(mirrorCounts(world), { complete: 1 });
});

Deno.test({
  name: "Mirror of a client that goes in the middle of a message ends with the time",
  // Plugins are shown messages as a whole, so that nobody gets a part of one.
  ignore: Deno.env.get("SLUICE_TEST_HOOKS") !== undefined,
  fn: async () => {
    const { world, client, mirror } = await copied();
    await client.says(query(LARGE).subarray(0, 80_000));
    await client.leaves();
    await world.pass(FINISH_MS_MAX - 1);
    deepEqual(mirrorCounts(world), {});
    await world.pass(1);
    deepEqual(mirrorCounts(world), { unfinished: 1 });
    equal(mirror.peer.take().length, 80_000);
    equal(mirror.peer.hasSeenEnd, true);
  },
});

Deno.test("Mirror is over with the session that was idle for too long, and not by itself", async () => {
  const { world, client, server } = await mirroredClient({}, {
    listener: { clientIdleTimeoutMs: 1_000 },
  });
  const mirror = await copiesTo(world, client, server);
  await mirror.says(complete("SELECT 1"), ready());
  await world.pass(2_000);
  await client.hearsFatal("57P05", /idle/);
  deepEqual(mirrorCounts(world), { complete: 1 });
});

Deno.test("Mirror of a single server is used whatever its role", async () => {
  const { routing } = SERVER_DEFAULTS;
  const known = { flags: 0, timeline: 1, upSinceMs: 0, lagMs: 0, lagSize: 0, position: 0 };
  const world = await startMirrored({}, {
    listener: { routing: { ...routing, targetSessionAttrs: "primary" } },
    alter: (snapshot) => {
      const table = new ServerTable(snapshot.serverTable, 2, 2);
      table.set(0, { ...known, role: ROLE.primary, health: HEALTH.up });
      return snapshot;
    },
  });
  const client = await connects(world);
  const server = await admits(world);
  await hearsWelcome(world, client);
  await copiesTo(world, client, server);
});

Deno.test("Mirror does not get a CancelRequest", async () => {
  const { world, client, server } = await mirroredClient();
  const { client: other, key } = await joins(world);
  const mirror = await copiesTo(world, other, server);
  await other.says(query("select pg_sleep(9)"));
  await (await world.client()).says(cancelRequest(key.processId, key.key));
  const cancel = await world.server(0);
  await cancel.hearsBytes(cancelRequest(4711, Uint8Array.of(0xca, 0xfe, 0xba, 0xbe)));
  await mirror.hears(query("select pg_sleep(9)"));
  await world.noServer(1);
  await client.hears();
});

Deno.test("Mirror gets its share of the sessions, by chance", async () => {
  const world = await startMirrored({ share: 0.25 }, { pool: { size: 100 } });
  const first = await connects(world);
  await admits(world);
  await hearsWelcome(world, first);
  for (let i = 0; i < 60; i++) await (await joins(world)).client.says(TERMINATE);
  const { complete: copies = 0 } = mirrorCounts(world);
  equal(copies > 5 && copies < 30, true, `${copies} of 60`);
});

Deno.test("Mirror leaves replication alone", async () => {
  const world = await startMirrored();
  const client = await connects(world, { replication: "database" });
  const server = await world.server();
  server.peer.take();
  const reported: Bytes[] = [message("R", "\0\0\0\0"), ready()];
  await server.says(...reported);
  await client.says(query("IDENTIFY_SYSTEM"));
  await client.says(TERMINATE);
  await world.noServer(1);
  deepEqual(mirrorCounts(world), {});
});

Deno.test("Mirror leaves nothing behind", async () => {
  const { world, client, server, mirror } = await copied();
  await client.leaves();
  deepEqual(mirrorCounts(world), { complete: 1 });
  let drained = 0;
  for (const plane of world.planes) plane.drain(() => drained += 1);
  await world.settle();
  await server.leaves();
  await mirror.leaves();
  await world.pass(600_000);
  equal(drained, 1);
  await world.isOver();
});
