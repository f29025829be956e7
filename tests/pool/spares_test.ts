import { deepEqual, equal, ok } from "node:assert/strict";
import type { ServerPool } from "../../src/pool/server_pool.ts";
import { PoolUse } from "../../src/pool/server_pools.ts";
import { idle, served, world } from "./one_worker.ts";
import type { PoolWorld } from "./pool_world.ts";
import { type FakeServer, pairOf } from "./pool_world_parts.ts";

/** The pool of d/u, which nobody uses. */
function poolOf(of: PoolWorld): ServerPool<FakeServer, string> {
  const use = of.threads[0]!.pools.use(pairOf("d/u"));
  ok(use instanceof PoolUse);
  use[Symbol.dispose]();
  return use.pool;
}

Deno.test("ServerPool.prefill opens as many as it is told, however many are opened at once", async () => {
  const of = world({ size: 30 });
  poolOf(of).prefill(20);
  await of.pass(10);
  deepEqual([of.servers.size, poolOf(of).stats.idle, of.outcomes], [20, 20, []]);
  await of.pass(10_000);
  equal(of.opens.opened, 20);
});

Deno.test("ServerPool.prefill counts what there is, and opens nothing when it is done", async () => {
  const of = world({ size: 30, idleTimeoutMs: 2_000 });
  const clients = await served(of, 3);
  poolOf(of).prefill(5);
  poolOf(of).prefill(4);
  await of.pass(10);
  equal(of.servers.size, 5);
  for (const client of clients) of.release(client);
  await of.pass(10_000);
  deepEqual([of.servers.size, of.opens.opened], [0, 5]);
});

Deno.test("ServerPool.prefill opens no more than size, and leaves places to others", async () => {
  const of = world({ size: 30 }, { caps: () => [{ name: "all", size: 10 }] });
  poolOf(of).prefill(20);
  await of.pass(10_000);
  equal(of.servers.size, 10);
  const small = world({ size: 3 });
  poolOf(small).prefill(5);
  await small.pass(10_000);
  deepEqual([small.servers.size, small.opens.opened], [3, 3]);
});

Deno.test("ServerPool.prefill ends with a failure", async () => {
  const failing = [true];
  const opening = () => failing[0]! ? { ms: 1, failure: "refused" } : { ms: 1 };
  const of = world({ size: 30 }, { opening });
  poolOf(of).prefill(20);
  await of.pass(10);
  const { failed } = of.opens;
  ok(failed > 0 && failed <= 8);
  failing[0] = false;
  await of.pass(30_000);
  deepEqual([of.opens.failed, of.servers.size], [failed, 0]);
  await idle(of, 1);
  equal(of.servers.size, 1);
});

Deno.test("ServerPool.prefill serves who comes meanwhile, and ends when it is drained", async () => {
  const of = world({ size: 30 });
  poolOf(of).prefill(20);
  const client = of.ask(0);
  await of.pass(1);
  equal(client.state, "served");
  of.threads[0]!.pools.drain(() => {});
  of.release(client);
  await of.pass(10_000);
  equal(of.servers.size, 0);
});
