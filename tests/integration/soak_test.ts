/**
 * Many clients on few servers while clients, servers and the database end at any moment: everybody
 * gets their own answers only, what was confirmed is kept, and in the end nothing is left over.
 *
 * A short one runs with the other tests. `SOAK_SECONDS=600` makes it long: then 2,000 clients, and
 * the database restarts now and then, too. `SEED` chooses who does what.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { EmbeddedPostgres } from "../../src/cli/demo/embedded_postgres.ts";
import { configFor, type Gateway, type Settings, startGateway } from "../support/gateway.ts";
import { modesToTest, pooledSettings, type PoolMode } from "../support/pooled_gateway.ts";
import { availableServers, startTestPostgres } from "../support/postgres.ts";
import { ProtocolClient, rowsOf } from "../support/protocol_client.ts";
import { fuzzPlan } from "../support/random.ts";
import { prepareSoak, rowsKept, soak, type SoakOptions } from "../support/soak.ts";
import { SOAK_ACTIONS } from "../support/soak_actions.ts";
import { targetAt } from "../support/stories.ts";
import { eventually } from "../support/wait.ts";

const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? "4");
const IS_LONG = SECONDS >= 60;

/** Server connections in the modes that share them. */
const POOL_SIZE = 20;

/** Clients in those modes. */
const CLIENTS = IS_LONG ? 2_000 : 200;

/** Clients that each have a server of their own, for as long as they stay. */
const OWN_SERVER_CLIENTS = IS_LONG ? 150 : 60;

/** Of a client between two actions: 2,000 clients would ask too much of this machine otherwise. */
const PAUSE_MS_MAX = IS_LONG ? 1_000 : 100;

const KILL_INTERVAL_MS = 300;
const RESTART_INTERVAL_MS = 20_000;

/**
 * What the gateway may be larger by than after its warm-up: the garbage of one collection, and
 * buffers of connections that are kept. A leak of a few kB for each of the connections that come
 * and go in a minute is more.
 */
const GROWTH_BYTES_MAX = 96 * 1024 * 1024;

/** Before memory is measured. With 2,000 clients it grows for half a minute, and then no more. */
const WARM_UP_SECONDS = Math.max(IS_LONG ? 30 : 1, SECONDS / 5);

const { seed: SEED } = fuzzPlan(1);

/** Server sessions that are the gateway's. */
const MAX_CONNECTIONS = 250;

interface Setup {
  readonly name: string;
  readonly mode: PoolMode | "relay";
  readonly settings: Settings;
}

function optionsFor({ mode }: Setup, server: EmbeddedPostgres): SoakOptions {
  const isShared = mode === "transaction" || mode === "statement";
  return {
    clients: isShared ? CLIENTS : OWN_SERVER_CLIENTS,
    seconds: SECONDS,
    seed: SEED,
    hasTransactions: mode !== "statement",
    pauseMsMax: PAUSE_MS_MAX,
    killIntervalMs: KILL_INTERVAL_MS,
    ...IS_LONG ? { restart: () => server.restart(), restartIntervalMs: RESTART_INTERVAL_MS } : {},
  };
}

/** Every place of the pool can be had at the same time: none was lost. */
async function takeAllPlaces(gateway: Gateway, size: number): Promise<void> {
  const target = targetAt(gateway.target);
  const clients: ProtocolClient[] = [];
  try {
    const processIds = new Set<string>();
    for (let i = 0; i < size; i++) {
      const client = await ProtocolClient.logIn(target);
      clients.push(client);
      const [row] = rowsOf(await client.query("begin; select pg_backend_pid()"));
      processIds.add(row![0]!);
    }
    assert.equal(processIds.size, size);
    for (const client of clients) await client.query("rollback");
  } finally {
    for (const client of clients) client.close();
  }
}

async function untilNoClients(gateway: Gateway): Promise<void> {
  await eventually("the gateway has no clients and no waiters any more", async () => {
    const gauges = [...await gateway.metrics()].filter(([name]) =>
      /^sluice_(client_connections|pool_waiters)\{/.test(name)
    );
    return gauges.length > 0 && gauges.every(([, value]) => value === 0);
  });
}

async function runSoak(setup: Setup): Promise<void> {
  await using server = await startTestPostgres({
    auth: "trust",
    settings: { "max_connections": String(MAX_CONNECTIONS), "fsync": "off" },
  });
  const direct = targetAt(server);
  await prepareSoak(direct);
  const config = configFor(`${server.host}:${server.port}`, setup.settings);
  await using gateway = await startGateway({ config });
  const target = targetAt(gateway.target);
  const options = optionsFor(setup, server);
  const warmUp = await soak(direct, target, { ...options, seconds: WARM_UP_SECONDS });
  assert.deepEqual(warmUp.violations, []);
  await untilNoClients(gateway);
  const before = gateway.residentBytes();
  const state = await soak(direct, target, { ...options, firstClient: options.clients });
  assert.deepEqual(state.violations, []);
  await untilNoClients(gateway);
  const growth = gateway.residentBytes() - before;
  assert.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${Math.round(growth / 1e6)} MB`);
  for (const [name, { hasTransactions }] of Object.entries(SOAK_ACTIONS)) {
    if (hasTransactions && !options.hasTransactions) continue;
    assert.ok((state.done.get(name) ?? 0) > 0, `"${name}" was never done`);
  }
  assert.ok(state.disturbances.size > 0, "servers were ended under their clients");
  const { kept, others } = await rowsKept(direct);
  assert.equal(others, 0, "what was not committed is not there");
  const confirmed = warmUp.committed + state.committed;
  assert.ok(kept >= confirmed, `${confirmed} rows were confirmed, ${kept} are there`);
  assert.ok(kept <= warmUp.attempted + state.attempted, `${kept} rows are there: too many`);
  if (setup.mode === "relay") return await gateway.untilIdle();
  if (setup.mode !== "statement") await takeAllPlaces(gateway, POOL_SIZE);
}

function setups(): readonly Setup[] {
  const size = MAX_CONNECTIONS - 20;
  const relay: Setup = { name: "relayed", mode: "relay", settings: { workers: 2, pool: { size } } };
  const pooled = modesToTest().map((mode): Setup => ({
    name: `in ${mode} mode`,
    mode,
    settings: pooledSettings({
      mode,
      size: mode === "session" ? OWN_SERVER_CLIENTS + POOL_SIZE : POOL_SIZE,
      workers: 2,
      // All clients may wait at once, and nobody's turn may be given up before the soak does.
      server: { clientsMax: 3 * CLIENTS },
      pool: { waitersMax: 3 * CLIENTS, acquireTimeout: "60s" },
      logger: { level: "info" },
    }),
  }));
  return [relay, ...pooled];
}

const servers = await availableServers();

for (const setup of setups()) {
  Deno.test({
    name: `clients ${setup.name} get their own answers only, and leave nothing behind`,
    ignore: servers.length === 0,
    fn: () => runSoak(setup),
  });
}
