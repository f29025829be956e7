/**
 * Clients that read and write while servers change their roles, go down, come back and break their
 * connections: no write reaches a replica, nobody hangs once there is a server, and nothing is left
 * of anybody.
 *
 * @module
 */

import { deepEqual, ok } from "node:assert/strict";
import { concat } from "../../src/base/bytes.ts";
import { type Actor, SERVERS, type World } from "../support/dialogue.ts";
import {
  BIND,
  type Bytes,
  cut,
  errorFields,
  EXECUTE,
  FLUSH,
  parse,
  query,
  SYNC,
} from "../support/messages.ts";
import { ROLE } from "../../src/upstream/server_table.ts";
import { ModelGroup } from "../support/model_group.ts";
import { connects } from "../support/pooled_world.ts";
import { fuzz, type Random } from "../support/random.ts";
import { elect, ends, say, startRouted } from "../support/routed_world.ts";

/** Those who wait, and those who are served, hear of news after so long at most. */
const NEWS_MS = 100;

const WRITE = "delete from t";

const REQUESTS: readonly (readonly Bytes[])[] = [
  ...["select 1", WRITE, "/* sluice: role=primary */ select 2", "select 3"].map((text) => [
    query(text),
  ]),
  [query("begin"), query("insert into t values (1)"), query("commit")],
  [query("begin read only"), query("select 4"), query("commit")],
  [parse("select 5"), BIND, EXECUTE, SYNC],
  [parse(WRITE), BIND, EXECUTE, SYNC],
  [parse(WRITE), FLUSH, BIND, EXECUTE, SYNC],
  [parse("select 6"), FLUSH, BIND, EXECUTE, SYNC],
];

/** How a session may end, other than by its client: never because of what it said. */
const ENDS = new Set(["08006", "08001", "57P03", "57P01", "53300"]);

/** A client, and what it is owed. */
class Asking {
  readonly actor: Actor;
  /** What it has not sent yet of what it says. */
  unsent: Uint8Array = new Uint8Array();
  /** Requests whose end was not heard of. */
  owed = 1;
  endedBy: string | undefined;

  constructor(actor: Actor) {
    this.actor = actor;
  }

  /** Says something, if everything that it said before is on its way. */
  ask(random: Random): void {
    if (this.unsent.length > 0 || this.endedBy !== undefined) return;
    const request = random.pick(REQUESTS);
    this.owed += request.filter(({ [0]: tag }) => tag === 0x51 || tag === 0x53).length;
    this.unsent = concat(...request);
  }

  /** Sends a piece, or all that there is. */
  send(size: number): void {
    this.actor.peer.write(this.unsent.subarray(0, size));
    this.unsent = this.unsent.subarray(size);
  }

  hear(): void {
    for (const { tag, bytes } of cut(this.actor.peer.take())) {
      if (tag === "Z") this.owed -= 1;
      if (tag === "E") this.endedBy = errorFields(bytes).get("C")!;
    }
    if (this.actor.peer.hasSeenEnd) this.endedBy ??= "nothing said";
  }
}

/** Where everything happens. */
class Scene {
  readonly world: World;
  readonly servers: ModelGroup;
  readonly clients: Asking[] = [];
  readonly reached: Set<string>;
  /** When each server was seen to be the primary last. */
  readonly #primaryMs: number[] = SERVERS.map(() => -Infinity);
  #checked = 0;

  constructor(world: World, reached: Set<string>) {
    this.world = world;
    this.servers = new ModelGroup(world);
    this.reached = reached;
  }

  /** Lets servers answer, and looks at what has come of it. */
  async run(): Promise<void> {
    const nowMs = this.world.clock.nowMs();
    for (const index of SERVERS.keys()) {
      if (this.world.table.role(index) === ROLE.primary) this.#primaryMs[index] = nowMs;
    }
    await this.servers.serve();
    const { asked } = this.servers;
    for (; this.#checked < asked.length; this.#checked++) {
      const { text, member } = asked[this.#checked]!;
      if (text !== WRITE) continue;
      const sinceMs = nowMs - this.#primaryMs[member]!;
      ok(sinceMs <= NEWS_MS, `a write at a server that was no primary since ${sinceMs} ms`);
    }
    for (const client of this.clients) client.hear();
    for (const state of Object.keys(this.world.states())) this.reached.add(state);
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 10) {
      await this.run();
      await this.world.pass(Math.min(left, 10));
      await this.run();
    }
  }

  async client(): Promise<void> {
    this.clients.push(new Asking(await connects(this.world)));
  }
}

/** Something happens to the servers. */
function change(scene: Scene, random: Random): void {
  const { table } = scene.world;
  const index = random.below(SERVERS.length);
  const before = SERVERS.findIndex((_, member) => table.role(member) === ROLE.primary);
  changeOne(scene, index, random);
  if (before >= 0 && table.role(before) !== ROLE.primary) table.newEpoch(before);
}

function changeOne({ world, servers }: Scene, index: number, random: Random): void {
  const { table } = world;
  switch (random.below(8)) {
    case 0:
      return elect(world, index);
    case 1:
      say(table, index, { role: "unknown", health: "down" });
      return table.newEpoch(index);
    case 2:
      return say(table, index, { role: "replica", flags: random.oneIn(2) ? ["lagging"] : [] });
    case 3:
      return say(table, index, { role: "replica", flags: ["disabled"] });
    case 4:
      return table.setPaused(0, random.oneIn(2));
    case 5:
      return world.network.answer(SERVERS[index]!, random.pick(["accept", "refuse", "hang"]));
    case 6:
      return servers.break(index);
    case 7:
      return table.setCaughtUp(index, table.beginRound());
  }
}

async function round(random: Random, reached: Set<string>): Promise<void> {
  const world = await startRouted({
    group: { failoverTimeoutMs: random.pick([300, 30_000]) },
    pool: { size: 2, waitersMax: 100, acquireTimeoutMs: 20_000 },
    routing: {
      readWriteSplit: true,
      causality: random.pick(["session", "user", "table", "off"] as const),
      strategy: random.pick(["ORDERED", "ROUND_ROBIN", "LEAST_CONNECTIONS"] as const),
      per: random.pick(["transaction", "session"] as const),
    },
  });
  const scene = new Scene(world, reached);
  for (let i = 0; i < 4; i++) await scene.client();
  for (let i = 0; i < 120; i++) {
    const client = random.pick(scene.clients);
    if (random.oneIn(2)) client.ask(random);
    client.send(random.oneIn(3) ? random.below(40) : 1_000);
    if (random.oneIn(6)) {
      await scene.run();
      change(scene, random);
    }
    if (random.oneIn(2)) await scene.run();
    if (random.oneIn(8)) await scene.pass(random.below(20) * 10);
    if (random.oneIn(40)) {
      await client.actor.leaves();
      client.endedBy ??= "gone";
      await scene.client();
    }
  }
  await heals(scene);
}

/** There are servers again: everybody is served, or was told why not, and nothing is left. */
async function heals(scene: Scene): Promise<void> {
  const { world, clients } = scene;
  elect(world);
  world.table.setPaused(0, false);
  for (const address of SERVERS) world.network.answer(address, "accept");
  for (const client of clients) client.send(1_000);
  await scene.pass(5_000);
  for (const { endedBy, owed } of clients) {
    if (endedBy === undefined) deepEqual(owed, 0, "answers owed");
    else if (endedBy !== "gone") ok(ENDS.has(endedBy), endedBy);
    scene.reached.add(endedBy ?? "served");
  }
  for (const client of clients) await client.actor.leaves();
  await scene.run();
  for (const index of SERVERS.keys()) scene.servers.break(index);
  await ends(world);
}

Deno.test("PooledSession serves writes by primaries only, and everybody when there are servers", async () => {
  const reached = new Set<string>();
  const { isWhole } = await fuzz(40, (random) => round(random, reached));
  const depths = ["served", "gone", "08006", "57P03", "db0 waiting"];
  if (isWhole) deepEqual(depths.filter((depth) => !reached.has(depth)), []);
});
