/**
 * What a world of pools is made of, and what it is like when nothing is said.
 *
 * @module
 */

import type { Acquisition } from "../../src/pool/pool.ts";
import type { Cap, Pair, Refusal, ServerPoolOptions } from "../../src/pool/server_pool_types.ts";
import type { PoolUse, ServerPools } from "../../src/pool/server_pools.ts";

/** A connection to a server that is not there. */
export interface FakeServer {
  readonly id: number;
  readonly pair: string;
  readonly thread: Thread;
  state: "open" | "closing" | "gone";
  user: FakeClient | undefined;
}

/** One who asks for a connection. */
export interface FakeClient {
  readonly id: number;
  readonly pair: string;
  readonly thread: Thread;
  readonly sinceMs: number;
  state: "waiting" | "served" | "refused" | "left";
  /** How long it waited, ms. */
  waitedMs: number;
  server: FakeServer | undefined;
  refusal: Refusal<string> | undefined;
  notices: number;
  acquisition: Acquisition | undefined;
  use: PoolUse<FakeServer, string> | undefined;
}

/** One life of a worker. */
export interface Thread {
  readonly worker: number;
  isAlive: boolean;
  readonly pools: ServerPools<FakeServer, string>;
}

/** What a world is like. All are asked again each time, so that a test can change its mind. */
export interface WorldPlan {
  readonly workers: number;
  readonly entriesMax?: number;
  readonly random: () => number;
  readonly options: (pair: string) => ServerPoolOptions;
  readonly caps: (pair: string) => readonly Cap[];
  /** How long an open takes, ms, and the failure that it ends with, if it does. */
  readonly opening: () => { readonly ms: number; readonly failure?: string };
  /** 0: at once, within the call. */
  readonly closingMs: () => number;
  readonly checking: () => { readonly ms: number; readonly isAlive: boolean };
  /** How long a message takes, ms; undefined: it gets lost. */
  readonly messageMs: () => number | undefined;
}

/** What a pool does when nothing is said. */
export const OPTIONS: ServerPoolOptions = {
  size: 2,
  minSize: 0,
  reserve: 0,
  reserveTimeoutMs: 0,
  acquireTimeoutMs: 0,
  waitersMax: 1_000,
  waitNoticeMs: 0,
  idleTimeoutMs: 0,
  maxLifetimeMs: 0,
  validation: "off",
  validationIntervalMs: 0,
  isStrict: false,
};

/** A world where everything works. */
export const PLAN: WorldPlan = {
  workers: 1,
  random: () => 0.5,
  options: () => OPTIONS,
  caps: () => [],
  opening: () => ({ ms: 1 }),
  closingMs: () => 0,
  checking: () => ({ ms: 1, isAlive: true }),
  messageMs: () => 0.05,
};

/** "orders/app" is database orders, user app. */
export function pairOf(name: string): Pair {
  const [database, user] = name.split("/") as [string, string];
  return { pool: "default", database, user };
}

/** One who has just come. */
export const NEW_CLIENT = {
  state: "waiting",
  waitedMs: 0,
  server: undefined,
  refusal: undefined,
  notices: 0,
  acquisition: undefined,
  use: undefined,
} as const;
