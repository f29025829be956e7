/**
 * One session without any socket: what Sluice's own logic costs, and nothing else.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../src/base/clock.ts";
import { HookSwitch } from "../src/hooks/hook_switch.ts";
import { counterBuffer, POOL_CELL, WorkerCounters } from "../src/observe/counters.ts";
import { Pool } from "../src/pool/pool.ts";
import { budgetBuffer, SharedBudget } from "../src/pool/shared_budget.ts";
import { CancelKeys } from "../src/postgres/cancel.ts";
import { RecentStartups } from "../src/postgres/recent_startups.ts";
import { membersOf } from "../src/upstream/members.ts";
import { ANY_NEED } from "../src/upstream/router.ts";
import { ServerLoad } from "../src/upstream/server_loads.ts";
import type { Gateway, ListenerContext, Route } from "../src/postgres/gateway.ts";
import { SessionListener } from "../src/postgres/listener.ts";
import { startupPacket } from "../src/postgres/wire/startup_packet.ts";
import { MemoryDriver, MemorySocket } from "./memory_socket.ts";
import { type Exchange, login, simpleQuery } from "./messages.ts";

/** One client and its server, logged in. */
export interface Pair {
  readonly client: MemorySocket;
  readonly server: MemorySocket;
  /** Queries that the gateway counted. */
  readonly counted: () => number;
}

/** @param hooks Whom it calls: nobody, unless said otherwise. */
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
    startups: new RecentStartups(),
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

function contextWith(cells: Route["cells"]): ListenerContext {
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
  const member = membersOf(new Map([["default", { ...server, others: [] }]])).get("default")![0]!;
  const route: Route = {
    proxy: "default",
    member,
    load: new ServerLoad(SYSTEM_CLOCK),
    weight: 1,
    slowStartMs: 0,
    triesAll: true,
    server,
    tls: () => undefined,
    pool: pool(),
    cells,
    onUnreachable() {},
    mayStay: () => true,
  };
  return {
    name: "default",
    routesFor: () => [route],
    need: ANY_NEED,
    authentication: undefined,
    tls: undefined,
    clients: pool(),
    loginTimeoutMs: 60_000,
    startupPacketSizeMax: 10_000,
    messageSizeMax: 1 << 30,
  };
}

/** Sends queries, and answers them. */
export function runQueries(
  { client, server }: Pair,
  count: number,
  { query, reply }: Exchange = simpleQuery(),
): void {
  for (let i = 0; i < count; i += 1) {
    client.deliver(query);
    server.deliver(reply);
  }
}
