/**
 * Random lives of pools in several workers: clients come and go, servers fail and die, messages get
 * lost, workers are killed. The rules of the world are checked after everything that happens.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import type { ServerPoolOptions } from "../../src/pool/server_pool_types.ts";
import { PoolWorld } from "../pool/pool_world.ts";
import type { FakeClient } from "../pool/pool_world_parts.ts";
import { fuzz, type Random } from "../support/random.ts";

const PAIRS = ["d/u", "d/v", "e/u"] as const;

/** Long enough for any wait to end: the longest timeout, and what is between retries. */
const PATIENCE_MS = 8_000;

/** When a pool was unused, and what is left of it is dropped. */
const DROPPED_MS = 65_000;

function randomOptions(random: Random): ServerPoolOptions {
  const size = 1 + random.below(4);
  return {
    size,
    minSize: random.oneIn(2) ? random.below(size + 1) : 0,
    reserve: random.oneIn(3) ? random.below(3) : 0,
    reserveTimeoutMs: random.below(50),
    acquireTimeoutMs: 20 + random.below(2_000),
    waitersMax: random.oneIn(3) ? random.below(4) : 1_000,
    waitNoticeMs: random.below(40),
    idleTimeoutMs: random.oneIn(2) ? random.below(1_500) : 0,
    maxLifetimeMs: random.oneIn(2) ? 50 + random.below(3_000) : 0,
    validation: random.pick(["off", "foreground", "background"] as const),
    validationIntervalMs: random.below(1_000),
    isStrict: random.oneIn(2),
  };
}

/** A world, and a switch that makes it well. */
function randomWorld(random: Random): { readonly world: PoolWorld; readonly heal: () => void } {
  const options = new Map(PAIRS.map((pair) => [pair as string, randomOptions(random)]));
  const capSizes = { all: 2 + random.below(6), database: 1 + random.below(4) };
  const withCaps = random.oneIn(2);
  const failsOneIn = random.pick([3, 20, 1_000]);
  let isWell = false;
  const world = new PoolWorld({
    workers: 1 + random.below(4),
    random: () => random.below(1_000) / 1_000,
    options: (pair) => options.get(pair)!,
    caps: (pair) =>
      withCaps
        ? [
          { name: `database ${pair.split("/")[0]}`, size: capSizes.database },
          { name: "all", size: capSizes.all },
        ]
        : [],
    opening: () => ({
      ms: random.below(8),
      ...(!isWell && random.oneIn(failsOneIn) && { failure: "cannot connect" }),
    }),
    closingMs: () => random.oneIn(2) ? 0 : random.below(5),
    checking: () => ({ ms: random.below(4), isAlive: isWell || !random.oneIn(5) }),
    messageMs: () => !isWell && random.oneIn(10) ? undefined : random.below(20) / 10,
  });
  return { world, heal: () => isWell = true };
}

function clientsIn(world: PoolWorld, state: FakeClient["state"]): FakeClient[] {
  return world.clients.filter((client) =>
    client.state === state && client.thread.isAlive &&
    (state !== "served" || client.server !== undefined)
  );
}

function act(world: PoolWorld, random: Random): void {
  const worker = random.below(world.plan.workers);
  const { isAlive, pools } = world.threads[worker]!;
  const served = clientsIn(world, "served");
  const waiting = clientsIn(world, "waiting");
  const servers = [...world.servers].filter((server) => server.thread.isAlive);
  switch (random.below(24)) {
    case 0:
      if (waiting.length > 0) world.leave(random.pick(waiting));
      return;
    case 1:
      if (served.length > 0) world.lose(random.pick(served));
      return;
    case 2:
      if (servers.length > 0) world.die(random.pick(servers), random.below(4));
      return;
    case 3:
      if (!isAlive) world.start(worker);
      else if (random.oneIn(5)) world.kill(worker);
      return;
    case 4:
      if (isAlive) random.pick([() => pools.reconnect(), () => pools.closeIdle(), () => {}])();
      return;
    default:
      if (random.oneIn(2)) {
        if (isAlive) world.ask(worker, random.pick(PAIRS));
      } else if (served.length > 0) world.release(random.pick(served));
  }
}

/** Everybody gets an answer, and everything goes away. */
async function end(world: PoolWorld): Promise<void> {
  for (let worker = 0; worker < world.plan.workers; worker++) {
    if (!world.threads[worker]!.isAlive) world.start(worker);
  }
  for (let ms = 0; ms < PATIENCE_MS; ms += 50) {
    for (const client of clientsIn(world, "served")) world.release(client);
    if (clientsIn(world, "waiting").length === 0 && ms > 1_000) break;
    await world.pass(50);
  }
  deepEqual(clientsIn(world, "waiting"), []);
  for (const { pools } of world.threads) pools.drain(() => {});
  for (const client of clientsIn(world, "served")) world.release(client);
  await world.pass(100);
  deepEqual([world.servers.size, world.opening.size], [0, 0]);
  await world.pass(DROPPED_MS);
  equal(world.clock.pending, 0);
}

Deno.test("ServerPools keep their rules whatever clients, servers and workers do", async () => {
  const seen = new Set<string>();
  const { isWhole } = await fuzz(60, async (random) => {
    const { world, heal } = randomWorld(random);
    for (let i = 0; i < 250; i++) {
      act(world, random);
      world.check();
      if (!random.oneIn(3)) await world.pass(random.oneIn(20) ? 1_000 : random.below(12));
    }
    heal();
    await end(world);
    for (const outcome of world.outcomes) seen.add(outcome);
    for (const reason of world.closed) seen.add(reason);
    for (const { kind } of world.messages) seen.add(kind);
  });
  if (!isWhole) return;
  const all = ["served", "cancelled", "timeout", "queue_full", "failed", "wake", "give"];
  const reasons = ["lost", "idle_timeout", "max_lifetime", "validation", "surplus", "moved"];
  for (const what of [...all, ...reasons, "drain", "reconnect", "close_idle"]) {
    ok(seen.has(what), `${what} never happened`);
  }
});
