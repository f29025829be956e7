/**
 * Which server a raw session gets where there are several, and what ends it.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import type { ServerConfig } from "../../../src/config/config.ts";
import { FLAG, HEALTH, ROLE, type ServerTable } from "../../../src/upstream/server_table.ts";
import { CLIENT_DEFAULTS, SERVER_DEFAULTS } from "../../support/configs.ts";
import { World } from "../../support/dialogue.ts";

type Routing = ServerConfig["routing"];

const { group } = CLIENT_DEFAULTS;
const WATCHED = { group: { ...group, health: { ...group.health, check: "connect" } } } as const;

/** Two servers that are watched, and the table of what is known of them. */
async function watched(
  routing: Partial<Routing>,
): Promise<{ readonly world: World; readonly table: ServerTable }> {
  const world = await World.start({
    servers: 2,
    server: WATCHED,
    listener: { protocol: "raw", routing: { ...SERVER_DEFAULTS.routing, ...routing } },
  });
  return { world, table: world.table };
}

const FACTS = {
  role: ROLE.primary,
  health: HEALTH.up,
  flags: 0,
  timeline: 1,
  upSinceMs: 0,
  lagMs: 0,
  lagSize: 0,
  position: 0,
};

Deno.test("RawSession goes to the server with the fewest connections", async () => {
  const { world } = await watched({ strategy: "LEAST_CONNECTIONS" });
  const clients = [];
  for (let i = 0; i < 6; i++) clients.push(await world.client());
  deepEqual(world.states(), { "client active": 6, "db0 active": 3, "db1 active": 3 });
  for (const client of clients) await client.breaks();
  for (let i = 0; i < 3; i++) await (await world.server(0)).leaves();
  await world.client();
  await world.client();
  const { "db0 active": active } = world.states();
  equal(active, 2, "those that are over do not count");
});

Deno.test("RawSession goes to a server of the role that its listener wants", async () => {
  const { world, table } = await watched({ targetSessionAttrs: "primary" });
  table.set(0, { ...FACTS, role: ROLE.replica });
  table.set(1, FACTS);
  const client = await world.client();
  await client.says(utf8("write"));
  await (await world.server(1)).hearsBytes(utf8("write"));
  await world.noServer(0);
  table.set(1, { ...FACTS, role: ROLE.replica });
  const refused = await world.client();
  ok(refused.peer.hasSeenEnd);
  equal(
    world.logged("client refused")[0]?.fields["reason"],
    "no server of the listener's proxies can serve now",
  );
});

Deno.test("RawSession ends when its server is not to be used any more", async () => {
  for (const health of [HEALTH.up, HEALTH.down]) {
    const { world, table } = await watched({});
    const client = await world.client();
    const server = await world.server(0);
    const flags = health === HEALTH.up ? FLAG.fenced : 0;
    table.set(0, { ...FACTS, health, flags });
    table.newEpoch(0);
    await world.pass(100);
    ok(client.peer.hasSeenEnd && server.peer.hasSeenEnd);
    equal(world.inUse("db0"), health === HEALTH.up ? 1 : 0, "a server that is down ends nothing");
    await client.leaves();
    await server.leaves();
    deepEqual(world.states(), {});
    const [gone] = world.logged("client disconnected");
    equal(gone?.fields["reason"], "server is not to be used any more");
  }
});

Deno.test("RawSession goes on with a server that is drained", async () => {
  const { world, table } = await watched({});
  const client = await world.client();
  const server = await world.server(0);
  table.set(0, { ...FACTS, flags: FLAG.draining });
  table.newEpoch(0);
  await world.pass(100);
  equal(client.peer.hasSeenEnd || server.peer.hasSeenEnd, false);
  await client.leaves();
  await server.leaves();
});
