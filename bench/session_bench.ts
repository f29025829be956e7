/**
 * What Sluice's own logic costs for a simple query, without any socket: one Query up, and down
 * RowDescription, DataRow, CommandComplete and ReadyForQuery. Prints CPU time and bytes of garbage.
 *
 *     deno run -A bench/session_bench.ts
 *
 * @module
 */

import process from "node:process";
import { SYSTEM_CLOCK } from "../src/base/clock.ts";
import { print, printError } from "../src/cli/terminal.ts";
import { HookSwitch } from "../src/hooks/hook_switch.ts";
import { counterBuffer, POOL_CELL, WorkerCounters } from "../src/observe/counters.ts";
import { Pool } from "../src/pool/pool.ts";
import { budgetBuffer, SharedBudget } from "../src/pool/shared_budget.ts";
import { CancelKeys } from "../src/postgres/cancel.ts";
import type { Gateway, ListenerContext } from "../src/postgres/gateway.ts";
import { SessionListener } from "../src/postgres/listener.ts";
import { startupPacket } from "../src/postgres/wire/startup_packet.ts";
import { login, simpleQuery } from "./messages.ts";
import { MemoryDriver, MemorySocket } from "./memory_socket.ts";
import { spreadOf } from "./statistics.ts";

/** Enough for the compiler to have done all it does. */
const WARM_UP_QUERIES = 300_000;

const QUERIES = 500_000;
const ROUNDS = 7;

/** All garbage of this many fits in the young generation below: nothing is collected meanwhile. */
const GARBAGE_QUERIES = 100_000;

/** Makes `gc` callable, and the young generation large (MB), so that its growth is the garbage. */
const V8_FLAGS = "--expose-gc,--min-semi-space-size=128,--max-semi-space-size=128";

/** Our own goal: below what the kernel charges for a single system call. */
const GOAL_MICROSECONDS = 2;

/** One client and its server, logged in. */
export interface Pair {
  readonly client: MemorySocket;
  readonly server: MemorySocket;
  /** Queries that the gateway counted. */
  readonly counted: () => number;
}

/** @param hooks What its plugins are called through. */
export async function openSession(hooks = new HookSwitch()): Promise<Pair> {
  const layout = { listeners: ["default"], pools: ["default"] };
  const counters = new WorkerCounters(layout, counterBuffer(layout));
  const driver = new MemoryDriver();
  const gateway: Gateway = {
    driver,
    clock: SYSTEM_CLOCK,
    observer: { emit() {} },
    hooks,
    cancelKeys: new CancelKeys(0, (size) => crypto.getRandomValues(new Uint8Array(size))),
    cancel: () => Promise.resolve({ outcome: "unknown" }),
    cancelAbandoned: () => Promise.resolve({ outcome: "unknown" }),
  };
  const cells = counters.pool("default");
  const listener = new SessionListener(gateway, contextWith(cells), () => 1);
  const client = new MemorySocket();
  listener.onConnection(client);
  client.deliver(startupPacket(0, [["user", "bench"]]));
  await new Promise((resolve) => setTimeout(resolve)); // connecting is a promise
  const server = driver.servers[0];
  if (server === undefined) throw new Error("the session did not connect to its server");
  server.deliver(login());
  return { client, server, counted: () => cells.get(POOL_CELL.queries) };
}

function contextWith(cells: ListenerContext["routes"][0]["cells"]): ListenerContext {
  const pool = () =>
    new Pool(
      { name: "default", acquireTimeoutMs: 1000, waitersMax: 0 },
      new SharedBudget(budgetBuffer(1, 0, 1), 0, 1),
      SYSTEM_CLOCK,
      () => {},
    );
  const server = {
    name: "default",
    address: { kind: "tcp", host: "127.0.0.1", port: 5432 },
    dialTimeoutMs: 1000,
    retries: 0,
    backoffMs: 0,
    backoffMultiplier: 1,
    keepAlive: true,
    noDelay: true,
  } as const;
  return {
    name: "default",
    routes: [{ proxy: "default", server, tls: () => undefined, pool: pool(), cells }],
    authentication: undefined,
    tls: undefined,
    clients: pool(),
    loginTimeoutMs: 60_000,
    startupPacketSizeMax: 10_000,
    messageSizeMax: 1 << 30,
  };
}

/** Has this many queries asked and answered. */
export function runQueries({ client, server }: Pair, count: number): void {
  const { query, reply } = simpleQuery();
  for (let i = 0; i < count; i += 1) {
    client.deliver(query);
    server.deliver(reply);
  }
}

/** Microseconds of user CPU for one query, a round each; the compiler's threads count, too. */
function measureCpu(pair: Pair): number[] {
  return Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    runQueries(pair, QUERIES);
    return process.cpuUsage(before).user / QUERIES;
  });
}

function measureGarbage(pair: Pair, collect: () => void): number {
  collect();
  const before = Deno.memoryUsage().heapUsed;
  runQueries(pair, GARBAGE_QUERIES);
  return (Deno.memoryUsage().heapUsed - before) / GARBAGE_QUERIES;
}

async function measure(collect: () => void): Promise<void> {
  const pair = await openSession();
  runQueries(pair, WARM_UP_QUERIES);
  const garbage = measureGarbage(pair, collect);
  const { median, min, max } = spreadOf(measureCpu(pair));
  const expected = WARM_UP_QUERIES + GARBAGE_QUERIES + ROUNDS * QUERIES;
  // Work that was not done is done very fast.
  if (pair.counted() !== expected) {
    throw new Error(`${pair.counted()} of ${expected} queries were seen`);
  }
  const verdict = median <= GOAL_MICROSECONDS ? "met" : "missed";
  print(
    `user CPU of one simple query: ${median.toFixed(2)} us ` +
      `(${min.toFixed(2)}..${max.toFixed(2)}; goal ${GOAL_MICROSECONDS} us: ${verdict})\n` +
      `garbage of one simple query: ${garbage.toFixed(1)} bytes\n`,
  );
}

/** Runs this file again with the flags that only a new process can have. */
async function runWithFlags(): Promise<number> {
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `--v8-flags=${V8_FLAGS}`, import.meta.filename!],
    stdin: "null",
  }).spawn().status;
  if (code !== 0) printError("the measurement failed\n");
  return code;
}

if (import.meta.main) {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) Deno.exit(await runWithFlags());
  await measure(gc);
  Deno.exit(0); // the login timer of a session that never ends
}
