/**
 * What plugins see of raw sessions, and what they can do to them.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { textOf, utf8 } from "../../../src/base/bytes.ts";
import { READ_BUFFER_SIZE_MAX } from "../../../src/net/socket.ts";
import { NO_HOOKS } from "../../../src/hooks/chain.ts";
import type { HookEvent } from "../../../src/hooks/event.ts";
import { HOOKS } from "../../../src/hooks/hooks.ts";
import type { Verdict } from "../../../src/hooks/verdict.ts";
import { World } from "../../support/dialogue.ts";
import {
  answers,
  can,
  CLOSES,
  type Handlers,
  plug,
  rejects,
  replaces,
  type SubscriberOptions,
  text,
} from "../../support/subscribers.ts";

async function hooked(handlers: Handlers, options?: SubscriberOptions): Promise<World> {
  const world = await World.start({ listener: { protocol: "raw" } });
  plug(world.hooks, handlers, options);
  return world;
}

Deno.test("SessionHooks tell of a session from its beginning to its end", async () => {
  const seen: string[] = [];
  const note = (event: HookEvent) => {
    const name = HOOKS[event.hook - 1]!.name;
    const fields = ["payload", "listener", "proxy", "serverAddress", "message"] as const;
    const known = fields.map((field) => text(event, field) ?? "").join("|");
    seen.push(`${name} ${known}`);
    ok(text(event, "clientAddress")!.startsWith("127.0.0.1:"));
    equal(text(event, "user"), undefined);
    equal(event.messageType, 0);
  };
  const names = ["onOpening", "onOpened", "onTraffic", "onClosing", "onClosed"] as const;
  const traffic = [
    "onTrafficFromClient",
    "onTrafficToServer",
    "onTrafficFromServer",
    "onTrafficToClient",
  ] as const;
  const all = [...names, ...traffic, "onStartup", "onAuthenticated", "onQuery"] as const;
  const world = await hooked(Object.fromEntries(all.map((name) => [name, note])));
  const client = await world.client();
  const server = await world.server();
  await client.says(utf8("up"));
  await server.says(utf8("down"));
  await client.leaves();
  await server.leaves();
  const place = "|main|db0|10.0.0.1:5432|";
  deepEqual(seen, [
    "onOpening |main|||",
    `onOpened ${place}`,
    `onTraffic ${place}`,
    `onTrafficFromClient up${place}`,
    `onTrafficToServer up${place}`,
    `onTrafficFromServer down${place}`,
    `onTrafficToClient down${place}`,
    `onClosing ${place}client closed the connection`,
    `onClosed ${place}client closed the connection`,
  ]);
  await world.isOver();
});

Deno.test("SessionHooks put other bytes in the place of what passes, both ways", async () => {
  const upper = ({ payload }: HookEvent) => replaces(textOf(payload).toUpperCase());
  const seen: string[] = [];
  const note = ({ payload }: HookEvent) => void seen.push(textOf(payload));
  const world = await hooked({
    onTrafficFromClient: upper,
    onTrafficToServer: note,
    onTrafficFromServer: upper,
    onTrafficToClient: note,
  });
  const client = await world.client();
  const server = await world.server();
  await client.says(utf8("ping"));
  await server.hearsBytes(utf8("PING"));
  await server.says(utf8("pong"));
  await client.hearsBytes(utf8("PONG"));
  deepEqual(seen, ["PING", "PONG"]);
});

Deno.test("SessionHooks can take all of a piece away", async () => {
  const world = await hooked({ onTrafficFromClient: () => replaces("") });
  const client = await world.client();
  const server = await world.server();
  await client.says(utf8("nothing"));
  await server.hearsBytes(utf8(""));
  client.peer.end();
  await world.settle();
  ok(server.peer.hasSeenEnd);
});

Deno.test("SessionHooks end a session where close is possible", async () => {
  for (const hook of ["onOpening", "onTrafficFromClient", "onTrafficFromServer"] as const) {
    const world = await hooked({ [hook]: () => CLOSES });
    const client = await world.client();
    if (hook === "onOpening") await world.noServer();
    else {
      const server = await world.server();
      await (hook === "onTrafficFromClient" ? client : server).says(utf8("bad"));
      ok(server.peer.hasSeenEnd);
      equal(server.peer.take().length, 0);
      await server.leaves();
    }
    ok(client.peer.hasSeenEnd);
    equal(client.peer.take().length, 0);
    await client.leaves();
    await world.isOver();
    equal(world.logged("client disconnected")[0]?.fields["reason"], 'closed by plugin "p"');
  }
});

Deno.test("SessionHooks ignore what has no meaning, say so, and pass the bytes on", async () => {
  const impossible: readonly Verdict[] = [
    rejects("no"),
    answers("1"),
    { kind: "route", proxy: "db0", plugin: "p" },
  ];
  for (const verdict of impossible) {
    const world = await hooked({
      onTrafficFromClient(event) {
        ok(can(event, "close") && can(event, "replace"));
        ok(!can(event, "respond") && !can(event, "reject"));
        return verdict;
      },
    });
    const client = await world.client();
    const server = await world.server();
    await client.says(utf8("go on"));
    await server.hearsBytes(utf8("go on"));
    const [record] = world.logged("verdict of a plugin ignored");
    deepEqual([record?.fields["plugin"], record?.fields["error"]], [
      "p",
      `${verdict.kind} is not possible at onTrafficFromClient of a raw session`,
    ]);
  }
});

Deno.test("SessionHooks show nothing to who wants messages of certain types only", async () => {
  let calls = 0;
  const world = await hooked({
    onTrafficFromClient() {
      calls += 1;
      return CLOSES;
    },
  }, { types: "Q" });
  const client = await world.client();
  const server = await world.server();
  await client.says(utf8("Q not a query"));
  await server.hearsBytes(utf8("Q not a query"));
  equal(calls, 0);
});

Deno.test("RawSession holds back what policies delay, and what comes behind it", async () => {
  let calls = 0;
  const world = await hooked({
    onTrafficFromClient(event) {
      calls += 1;
      if (calls === 1) event.delayMs = 500;
    },
  });
  const client = await world.client();
  const server = await world.server();
  await client.says(utf8("a"));
  await client.says(utf8("b"));
  client.peer.end();
  await server.says(utf8("meanwhile"));
  await client.hearsBytes(utf8("meanwhile"));
  await world.pass(499);
  await server.hearsBytes(utf8(""));
  ok(!server.peer.hasSeenEnd);
  await world.pass(1);
  await server.hearsBytes(utf8("ab"));
  ok(server.peer.hasSeenEnd);
  equal(calls, 2);
  server.peer.end();
  await world.isOver();
});

Deno.test("RawSession holds nothing back any more once plugins are gone", async () => {
  const world = await hooked({ onTrafficFromClient: (event) => void (event.delayMs = 500) });
  const client = await world.client();
  const server = await world.server();
  await client.says(utf8("a"));
  await world.pass(500);
  world.hooks.chain = NO_HOOKS;
  await client.says(utf8("b"));
  await server.hearsBytes(utf8("ab"));
});

Deno.test("RawSession that ends while something is held back leaves nothing behind", async () => {
  const world = await hooked({ onTrafficFromClient: (event) => void (event.delayMs = 500) });
  const client = await world.client();
  const server = await world.server();
  await client.says(utf8("a"));
  await client.breaks();
  await server.leaves();
  await world.isOver();
});

Deno.test("RawSession that holds back does not get ahead of a server that does not read", async () => {
  const world = await hooked({ onTrafficFromClient: (event) => void (event.delayMs = 1) });
  const client = await world.client();
  const server = await world.server();
  server.peer.isReading = false;
  client.peer.write(new Uint8Array(4 * 1024 * 1024));
  for (let i = 0; i < 30; i++) {
    await world.pass(1);
    const held = world.network.sockets.map((socket) => socket.heldBytes);
    ok(Math.max(...held) <= READ_BUFFER_SIZE_MAX, `${held}`);
  }
  ok(client.peer.unreadBytes > 3 * 1024 * 1024);
  server.peer.isReading = true;
  for (let i = 0; i < 100; i++) await world.pass(1);
  equal(server.peer.take().length, 4 * 1024 * 1024);
});
