/**
 * Throws bytes, cuts, closes and the passing of time at whole sessions from both sides. Whatever
 * comes, nothing is thrown, everything comes to an end, and every gauge and place is given back.
 *
 * @module
 */

import { deepEqual, ok } from "node:assert/strict";
import { type Actor, SERVER_KEY, SERVERS, World } from "../support/dialogue.ts";
import {
  auth,
  AUTH_OK,
  backendKeyData,
  BIND,
  cancelRequest,
  complete,
  COPY_DONE,
  copyData,
  dataRow,
  error,
  EXECUTE,
  FLUSH,
  GSSENC_REQUEST,
  message,
  negotiate,
  packet,
  parse,
  password,
  query,
  ready,
  ROW_DESCRIPTION,
  SSL_REQUEST,
  startup,
  SYNC,
  TERMINATE,
} from "../support/messages.ts";
import { fuzz, Random } from "../support/random.ts";

/** Above what a framer holds back for a whole message, so it is streamed. */
const LARGE = "x".repeat(9_000);

// deno-fmt-ignore
const FIRST: readonly Uint8Array[] = [
  SSL_REQUEST, GSSENC_REQUEST, startup({ user: "ann" }), startup({ user: "ann" }, 2),
  startup({ user: "ann", "_pq_.x": "1" }, 9999), startup({ user: "" }), packet(3 << 16),
  packet(2 << 16, "x"), cancelRequest(1, Uint8Array.of(1, 2, 3, 4)), Uint8Array.of(0x16, 3, 1),
];

// deno-fmt-ignore
const UP: readonly Uint8Array[] = [
  query("select 1"), query(LARGE), parse("a"), BIND, EXECUTE, SYNC, FLUSH, copyData("1"),
  copyData(LARGE), COPY_DONE, message("f", "no\0"), password("secret"), TERMINATE, message("F"),
];

// deno-fmt-ignore
const DOWN: readonly Uint8Array[] = [
  AUTH_OK, auth(3), auth(10, "SCRAM-SHA-256\0\0"), negotiate(0), negotiate(2), ready(), ready("T"),
  backendKeyData(SERVER_KEY.processId, SERVER_KEY.key), backendKeyData(1, new Uint8Array(2)),
  ROW_DESCRIPTION, dataRow("a"), dataRow(LARGE), complete("SELECT 1"), message("G", "\0\0\0"),
  error("ERROR", "42601", "no"), error("FATAL", "57P01", LARGE), error("NOTICE", "00000", "x", "N"),
  message("E"), message("Z"), message("v"), message("W", "\0\0\0"),
];

/** A world in which everything is scarce, so that every limit is met. */
function scarceWorld(random: Random): Promise<World> {
  return World.start({
    workers: 1 + random.below(3),
    servers: 1 + random.below(2),
    listener: {
      clientsMax: 1 + random.below(4),
      loginTimeoutMs: 500,
      startupPacketSizeMax: 512,
      messageSizeMax: 65_536,
    },
    pool: { size: 1 + random.below(2), waitersMax: random.below(3), acquireTimeoutMs: 300 },
    server: { retries: random.below(2), backoffMs: 50, dialTimeoutMs: 200 },
  });
}

/** What a side sends: mostly what makes sense, sometimes mangled, sometimes noise. */
function speech(random: Random, messages: readonly Uint8Array[]): Uint8Array {
  const bytes = random.pick(messages).slice();
  if (random.oneIn(12)) bytes[random.below(bytes.length)] = random.below(256);
  if (random.oneIn(20)) return bytes.subarray(0, random.below(bytes.length + 1));
  return random.oneIn(40) ? random.bytes(random.below(40)) : bytes;
}

function goes(random: Random, { peer }: Actor): void {
  switch (random.below(3)) {
    case 0:
      return peer.reset();
    case 1:
      return peer.end();
    case 2:
      return peer.close();
  }
}

async function step(random: Random, world: World, clients: Actor[], servers: Actor[]) {
  const client = clients.length > 0 ? random.pick(clients) : undefined;
  const server = servers.length > 0 ? random.pick(servers) : undefined;
  switch (random.below(12)) {
    case 0:
    case 1: {
      const worker = random.below(world.planes.length);
      const newcomer = await world.client(worker);
      newcomer.peer.write(random.oneIn(4) ? speech(random, FIRST) : startup({ user: "ann" }));
      return void clients.push(newcomer);
    }
    case 2:
      return client?.peer.write(speech(random, FIRST));
    case 3:
    case 4:
    case 5:
      return client?.peer.write(speech(random, UP));
    case 6:
      if (random.oneIn(2)) return server?.peer.write(speech(random, [AUTH_OK]));
      return server?.peer.write(speech(random, [ready()]));
    case 7:
    case 8:
      return server?.peer.write(speech(random, DOWN));
    case 9: {
      const side = random.pick([client, server]);
      if (side !== undefined && random.oneIn(3)) goes(random, side);
      if (side !== undefined && random.oneIn(3)) side.peer.isReading = !side.peer.isReading;
      return;
    }
    case 10:
      return await world.pass(random.below(200));
    case 11:
      if (random.oneIn(6)) {
        const answer = random.pick(["accept", "accept", "refuse", "hang"] as const);
        world.network.answer(random.pick(SERVERS), answer);
      }
      return await world.settle();
  }
}

function newServers(world: World): Actor[] {
  return SERVERS.flatMap((address) =>
    world.network.accepted(address).splice(0).map((peer) => world.actor(peer))
  );
}

Deno.test("Session survives whatever both sides do, and gives everything back", async () => {
  const reached = new Set<string>();
  const { isWhole } = await fuzz(100, async (random) => {
    const world = await scarceWorld(random);
    const order = new Random(random.below(2 ** 32));
    world.network.order = (sockets) => {
      const start = order.below(sockets.length + 1);
      return [...sockets.slice(start), ...sockets.slice(0, start)];
    };
    const clients: Actor[] = [];
    const servers: Actor[] = [];
    for (let i = 20 + random.below(60); i > 0; i--) {
      world.network.readSizeMax = random.oneIn(3) ? 1 + random.below(20) : Infinity;
      await step(random, world, clients, servers);
      servers.push(...newServers(world));
      for (const state of Object.keys(world.states())) reached.add(state);
      if (random.oneIn(3)) await world.settle();
    }
    world.network.readSizeMax = Infinity;
    if (random.oneIn(2)) { for (const plane of world.planes) plane.drain(() => {}); }
    if (random.oneIn(2)) { for (const plane of world.planes) plane.terminate(); }
    for (const { peer } of [...clients, ...servers, ...newServers(world)]) {
      peer.isReading = true;
      peer.close();
    }
    // Longer than any login, wait, dial, cancel and goodbye; those dialled late are closed, too.
    for (let i = 0; i < 3; i++) {
      await world.pass(30_000);
      for (const { peer } of newServers(world)) peer.close();
    }
    await world.isOver();
    for (const errors of Object.keys(world.errors())) reached.add(errors);
  });
  // A fuzzer that no longer gets into the depths is no check.
  const depths = ["client active", "client waiting", "db0 active", "gateway 08006"];
  if (isWhole) deepEqual(depths.filter((depth) => !reached.has(depth)), []);
  ok(!reached.has("gateway XX000"), "an internal error was reported");
});
