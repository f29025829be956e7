/**
 * Which sessions go the same way, so that one object serves them, and which do not.
 *
 * @module
 */

import { equal, notEqual, ok } from "node:assert/strict";
import type { UserConfig } from "../src/config/config.ts";
import type { Admitted } from "../src/postgres/client_gate.ts";
import { SessionRoutes, type SessionRoutesParts } from "../src/session_routes.ts";
import {
  CLIENT_DEFAULTS,
  POOL_DEFAULTS,
  PROXY_DEFAULTS,
  SERVER_DEFAULTS,
} from "./support/configs.ts";

const SERVER = { ...SERVER_DEFAULTS, clientIdleTimeoutMs: 1_000 };

const SLOW: UserConfig = {
  mode: "pool",
  poolSize: 0,
  queryTimeoutMs: 7_000,
  transactionTimeoutMs: 0,
  idleTransactionTimeoutMs: 0,
  connectionsMax: 0,
};

/** Two proxies to one database by one pool; all clients are the same user there. */
function routesToTest() {
  const proxy = { ...PROXY_DEFAULTS, client: "db", pool: "main" };
  const pool = { options: { size: 5 } };
  const parts = {
    snapshot: { proxies: new Map([["a", proxy], ["b", proxy]]), users: new Map([["slow", SLOW]]) },
    counters: { pool: () => ({}) },
    routing: { routeOf: (name: string) => ({ proxy: name }) },
    pools: { use: () => ({ pool, [Symbol.dispose]() {} }) },
    destinations: {
      client: () => ({ ...CLIENT_DEFAULTS, user: "app", database: "shop" }),
      shared: () => "db",
      get: () => ({ isSingleUse: false }),
    },
    stateOf: () => ({}),
  } as unknown as SessionRoutesParts;
  const config = { ...POOL_DEFAULTS, queryTimeoutMs: 3_000 };
  return { routes: new SessionRoutes(parts, new Map([["main", config]])), config };
}

function taken(
  routes: SessionRoutes,
  user: string,
  change: Readonly<Record<string, unknown>> = {},
) {
  const address = { kind: "tcp", host: "127.0.0.1", port: 5432 };
  const way = { listener: "main", server: SERVER, proxy: "a", member: { address }, ...change };
  const startup = { parameters: new Map([["user", user]]) };
  const admitted = { user, database: "shop", startup } as unknown as Admitted;
  const found = routes.take(way as unknown as Parameters<SessionRoutes["take"]>[0], admitted);
  ok("route" in found);
  return found.route;
}

Deno.test("SessionRoutes gives one route to all that go the same way", () => {
  const { routes } = routesToTest();
  equal(taken(routes, "ann"), taken(routes, "ann"));
  equal(taken(routes, "ann"), taken(routes, "bob"), "neither has settings of its own");
});

Deno.test("SessionRoutes tells apart what is configured apart", () => {
  const { routes } = routesToTest();
  const route = taken(routes, "ann");
  equal(route.settings.queryTimeoutMs, 3_000);
  equal(taken(routes, "slow").settings.queryTimeoutMs, 7_000);
  equal(taken(routes, "ann").settings.queryTimeoutMs, 3_000);
  equal(taken(routes, "ann", { proxy: "b" }).proxy, "b");
  equal(taken(routes, "ann", { listener: "other" }).settings.listener, "other");
  equal(taken(routes, "ann"), route);
});

Deno.test("SessionRoutes makes routes anew when the configuration has changed", () => {
  const { routes, config } = routesToTest();
  const route = taken(routes, "ann");
  const changed = taken(routes, "ann", { server: { ...SERVER, clientIdleTimeoutMs: 2_000 } });
  equal(changed.settings.clientIdleTimeoutMs, 2_000);
  equal(route.settings.clientIdleTimeoutMs, 1_000, "who is there goes on as it came");
  const before = taken(routes, "ann");
  equal(taken(routes, "ann"), before);
  routes.refresh(new Map([["main", { ...config, queryTimeoutMs: 4_000 }]]));
  notEqual(taken(routes, "ann"), before);
  equal(taken(routes, "ann").settings.queryTimeoutMs, 4_000);
});
