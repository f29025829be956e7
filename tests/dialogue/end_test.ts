import { deepEqual, equal } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { World } from "../support/dialogue.ts";
import { IS_LOOKED_AT, LOOKING_ON } from "../support/looking_on.ts";
import {
  complete,
  dataRow,
  error,
  message,
  query,
  ready,
  ROW_DESCRIPTION,
  startup,
  TERMINATE,
} from "../support/messages.ts";

const LOST = /^the server closed the connection unexpectedly$/;
const LARGE = dataRow("x".repeat(100_000));

/** Why the only session ended, as the log has it. */
function reasonOf(world: World): unknown {
  return world.logged("client disconnected").map(({ fields }) => fields["reason"]).join();
}

Deno.test("Session ends with Terminate, whoever closes first", async () => {
  for (const first of ["client", "server"] as const) {
    const world = await World.start();
    const pair = await world.pair();
    await pair.client.says(TERMINATE);
    await pair.server.hears(TERMINATE);
    await pair[first].leaves();
    const second = first === "client" ? "server" : "client";
    await pair[second].hearsEnd();
    await pair[second].leaves();
    await world.isOver();
    deepEqual(world.errors(), {});
    equal(world.poolCount("serversLost"), 0);
    equal(reasonOf(world), "client terminated");
  }
});

Deno.test("Session says Terminate for a client that went without it", async () => {
  for (const goes of ["leaves", "breaks"] as const) {
    const world = await World.start();
    const { client, server } = await world.pair();
    await client[goes]();
    await server.hearsEnd(TERMINATE);
    await server.leaves();
    await world.isOver();
  }
});

Deno.test("Session puts no Terminate into a message that the client has not finished", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  const large = message("P", new Uint8Array(20_000));
  await client.says(large.subarray(0, large.length - 5));
  await client.leaves();
  if (IS_LOOKED_AT) return await server.hearsEnd(TERMINATE); // which has nothing of it
  await server.hearsBytes(large.subarray(0, large.length - 5));
  equal(server.peer.hasSeenEnd, true);
});

Deno.test("Session says Terminate when a small message was cut: the server has none of it", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await client.says(query("select 1").subarray(0, 8));
  await client.leaves();
  await server.hearsEnd(TERMINATE);
});

Deno.test("Session reports a server that dies, after whole messages only", async () => {
  const result = concat(ROW_DESCRIPTION, dataRow("abc"), dataRow("def"));
  for (let at = 0; at <= result.length; at++) {
    const world = await World.start();
    const { client, server } = await world.pair();
    await client.says(query("select"));
    await server.says(result.subarray(0, at));
    await server.breaks();
    const whole = [ROW_DESCRIPTION, dataRow("abc"), dataRow("def")];
    let size = 0;
    const before = whole.filter((one) => (size += one.length) <= at);
    await client.hearsFatal("08006", LOST, ...before);
    await client.leaves();
    await world.isOver();
    equal(world.poolCount("serversLost"), 1);
    equal(reasonOf(world), "server closed the connection");
  }
});

Deno.test("Session only closes when a server dies in the middle of a large message", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await client.says(query("select"));
  await server.says(ROW_DESCRIPTION, LARGE.subarray(0, 50_000));
  await server.leaves();
  const part = LOOKING_ON === "all" ? [] : [LARGE.subarray(0, 50_000)];
  await client.hearsBytes(concat(ROW_DESCRIPTION, ...part));
  equal(client.peer.hasSeenEnd, true);
  await client.leaves();
  await world.isOver();
  deepEqual(world.errors(), {});
});

Deno.test("Session passes what a server says when it dies, and adds nothing", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  const shutdown = error("FATAL", "57P01", "terminating connection due to administrator command");
  await server.says(shutdown);
  await server.leaves();
  await client.hearsEnd(shutdown);
  await client.leaves();
  deepEqual(world.errors(), { "server 57P01": 1 });
  equal(world.poolCount("serversLost"), 1);
  await world.isOver();
});

Deno.test("Session tells of a lost server unless the server's last word was FATAL or PANIC", async () => {
  const panic = error("PANIC", "XX000", "could not write to the log");
  const fatal = error("FATAL", "57P01", "terminating connection");
  const mild = error("ERROR", "42601", "syntax error");
  const warning = error("WARNING", "57P01", "terminating soon", "N");
  const dialogues: readonly (readonly [canTell: boolean, ...says: Uint8Array[]])[] = [
    [true, mild],
    [true, mild, ready()],
    [true, warning],
    [true, fatal, ready()], // it went on after all
    [false, panic],
    [false, fatal],
    [false, mild, fatal],
    [false, error("FATAL", "57P01", "x".repeat(9_000))],
  ];
  for (const [canTell, ...says] of dialogues) {
    for (const readSizeMax of [Infinity, 7, 1]) {
      const world = await World.start();
      const { client, server } = await world.pair();
      world.network.readSizeMax = readSizeMax;
      await client.says(query("select"));
      await server.says(...says);
      await server.leaves();
      if (canTell) await client.hearsFatal("08006", LOST, ...says);
      else await client.hearsEnd(...says);
      await client.leaves();
      equal(world.poolCount("serversLost"), 1);
      await world.isOver();
    }
  }
});

Deno.test("Session reports a server that dies while nothing runs", async () => {
  for (const goes of ["leaves", "breaks"] as const) {
    const world = await World.start();
    const { client, server } = await world.pair();
    await server[goes]();
    await client.hearsFatal("08006", LOST);
    await client.leaves();
    await world.isOver();
  }
});

Deno.test("Session gives a server's place back when a client stays that was told its last", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await server.leaves();
  equal(world.inUse(), 0);
  await world.pass(2_000); // LINGER_MS
  await world.isOver();
  await client.hearsFatal("08006", LOST);
});

Deno.test("Session gives the place back no later than its server is gone", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await client.leaves();
  await server.hearsEnd(TERMINATE);
  equal(world.inUse(), 1);
  deepEqual(world.states(), { "client closing": 1, "db0 closing": 1 });
  await world.pass(29_999); // SERVER_LINGER_MS
  equal(world.inUse(), 1);
  await world.pass(1);
  await world.isOver();
});

Deno.test("Session lets a client vanish in every state", async () => {
  const password = message("R", "\0\0\0\u0003");
  const states: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
    startup: (world) => world.settle(),
    waiting: async (world) => {
      await world.pair();
      const client = await world.client();
      await client.says(startup({ user: "bob" }));
      return client;
    },
    login: async (world) => {
      const client = await world.client();
      await client.says(startup({ user: "bob" }));
      await (await world.server()).says(password);
      return client;
    },
  };
  for (const [state, begin] of Object.entries(states)) {
    for (const goes of ["leaves", "breaks"] as const) {
      const world = await World.start({ pool: { size: 1 } });
      const client = state === "startup" ? await world.client() : await begin(world);
      const actor = client as Awaited<ReturnType<World["client"]>>;
      equal(world.states()[`client ${state}`], 1, state);
      await actor[goes]();
      await world.pass(30_000);
      const left = state === "waiting" ? { "client active": 1, "db0 active": 1 } : {};
      deepEqual(world.states(), left, `${state} ${goes}`);
      deepEqual(world.errors(), {});
    }
  }
});

Deno.test("Session reports a server's broken message behind the whole ones before it", async () => {
  for (const readSizeMax of [Infinity, 1, 7]) {
    const world = await World.start();
    const { client, server } = await world.pair();
    world.network.readSizeMax = readSizeMax;
    await server.says(complete("SELECT 1"), Uint8Array.of(0x07, 0, 0, 0, 4));
    const rule = /^the server broke the protocol: invalid message type 0x07$/;
    await client.hearsFatal("08P01", rule, complete("SELECT 1"));
  }
});

Deno.test("Session puts no error into a large message, even when its end came with the break", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await server.says(LARGE.subarray(0, 90_000));
  const passed = LOOKING_ON === "all" ? 0 : 90_000;
  await client.hearsBytes(LARGE.subarray(0, passed));
  await server.says(LARGE.subarray(90_000), Uint8Array.of(0x07));
  const rest = client.peer.take();
  deepEqual(rest.subarray(0, LARGE.length - passed), LARGE.subarray(passed));
  client.peer.putBack(rest.subarray(LARGE.length - passed));
  await client.hearsFatal("08P01", /invalid message type 0x07/);
});

Deno.test("Session serves what a client sends before it breaks the protocol", async () => {
  for (const readSizeMax of [Infinity, 1, 7]) {
    const world = await World.start();
    const { client, server } = await world.pair();
    world.network.readSizeMax = readSizeMax;
    await client.says(query("select 1"), Uint8Array.of(0x00));
    await server.hears(query("select 1"));
    await client.hearsFatal("08P01", /^invalid message type 0x00$/);
  }
});

Deno.test("Session refuses lengths out of range, both ways", async () => {
  const limit = "The limit is servers.main.messageSizeMax.";
  const lengths: readonly (readonly [number[], RegExp, hint: string | undefined])[] = [
    [
      [0, 0, 0, 3],
      /invalid length of message "D": it must be 4 to 65540 bytes, but is 3$/,
      undefined,
    ],
    [[0xff, 0xff, 0xff, 0xff], /but is -1$/, undefined],
    [[0, 1, 0, 5], /but is 65541$/, limit],
    [[0x7f, 0xff, 0xff, 0xff], /but is 2147483647$/, limit],
  ];
  for (const [length, rule, hint] of lengths) {
    for (const who of ["client", "server"] as const) {
      const world = await World.start({ listener: { messageSizeMax: 65_536 } });
      const pair = await world.pair();
      await pair[who].says(Uint8Array.of(0x44, ...length));
      equal((await pair.client.hearsFatal("08P01", rule)).get("H"), hint);
      await pair.client.leaves();
      await pair.server.leaves();
      await world.isOver();
    }
  }
});

Deno.test("Session passes a message of exactly messageSizeMax, both ways", async () => {
  const world = await World.start({ listener: { messageSizeMax: 65_536 } });
  const { client, server } = await world.pair();
  const largest = message("d", new Uint8Array(65_536));
  await client.says(largest);
  await server.hears(largest);
  await server.says(largest);
  await client.hears(largest);
});

Deno.test("Session refuses a ReadyForQuery that is none", async () => {
  const world = await World.start();
  const { client, server } = await world.pair();
  await server.says(complete("SELECT 1"), message("Z", "II"));
  await client.hearsFatal("08P01", /invalid ReadyForQuery/, complete("SELECT 1"));
  await server.says(ready());
  await client.leaves();
  await server.leaves();
  await world.isOver();
});
