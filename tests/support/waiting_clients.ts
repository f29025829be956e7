/**
 * Lets many clients in, and prints what each of them has on the heap while it waits, in bytes, and
 * what is left of each that has gone. Its own end of the connection is in this process, too. A
 * process of its own, with `--expose-gc`.
 *
 * @module
 */

import { print } from "../../src/cli/terminal.ts";
import type { Actor } from "./dialogue.ts";
import { admits, connects, exchanges, startPooled } from "./pooled_world.ts";

const CLIENTS = 500;

/** Before the one that counts: the engine compiles what it does, and tables grow. */
const ROUNDS = 3;

const collect = (globalThis as unknown as { readonly gc: () => void }).gc;

const world = await startPooled({ listener: { clientsMax: 2 * CLIENTS } });

function heapSize(): number {
  world.log.length = 0;
  collect();
  return Deno.memoryUsage().heapUsed;
}

async function letIn(): Promise<Actor> {
  const client = await connects(world);
  await world.settle();
  client.peer.take();
  return client;
}

async function round(): Promise<{ readonly waiting: number; readonly left: number }> {
  const before = heapSize();
  const clients: Actor[] = [];
  for (let i = 0; i < CLIENTS; i += 1) clients.push(await letIn());
  const waiting = heapSize();
  for (const { peer } of clients.splice(0)) peer.end();
  await world.settle();
  const after = heapSize();
  return { waiting: (waiting - before) / CLIENTS, left: (after - before) / CLIENTS };
}

const first = await connects(world);
const server = await admits(world);
await world.settle();
first.peer.take();
await exchanges(first, server, "select 1", "SELECT 1");
for (let i = 0; i < ROUNDS; i += 1) await round();
print(JSON.stringify(await round()));
