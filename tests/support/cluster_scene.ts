/**
 * What tests of a gateway in front of a cluster share: a configuration, a load with all that must
 * hold of it, and what the gateway says of its servers.
 *
 * @module
 */

import { deepEqual, ok } from "node:assert/strict";
import type { ClusterMember } from "./cluster_member.ts";
import type { Gateway } from "./gateway.ts";
import { type Load, NOTHING_LOST, prepareLoad, rowsKept, startLoad } from "./load.ts";
import type { LoadReport } from "./load_tally.ts";
import { TEST_PASSWORD } from "./postgres.ts";
import { type Cluster, startClusterGateway } from "./replication.ts";
import { targetAt } from "./stories.ts";
import { eventually } from "./wait.ts";

/** Of each load. */
export const CLIENTS = 6;

/** Checks that find out soon what has happened. */
export const HEALTH = { interval: "200ms", timeout: "1s", fall: 2, rise: 1 } as const;

/** Of a server that went away while a request was under way on it. */
export const LOST: readonly string[] = ["08006", "57P01"];

/** What is configured beside the defaults of a test. */
export interface SceneConfig {
  readonly servers: Readonly<Record<string, object>>;
  readonly proxies?: Readonly<Record<string, object>>;
  /** What each has beside the cluster's addresses, and the superuser. */
  readonly clients?: Readonly<Record<string, object>>;
  readonly pools?: Readonly<Record<string, object>>;
}

/** A gateway whose client "default" is the cluster; so are the others, but for what they say. */
export function startOn(cluster: Cluster, config: SceneConfig): Promise<Gateway> {
  const group = {
    address: cluster.gatewayAddresses,
    user: "postgres",
    password: TEST_PASSWORD,
    dialTimeout: "1s",
    health: HEALTH,
  };
  const withDefaults = (all: Readonly<Record<string, object>>, defaults: object) =>
    Object.fromEntries(Object.entries(all).map(([name, one]) => [name, { ...defaults, ...one }]));
  return startClusterGateway(JSON.stringify({
    servers: withDefaults(config.servers, { address: "127.0.0.1:0", auth: { method: "trust" } }),
    clients: withDefaults({ default: {}, ...config.clients }, group),
    pools: withDefaults({ default: {}, ...config.pools }, { mode: "transaction", size: 10 }),
    ...config.proxies === undefined ? {} : { proxies: config.proxies },
  }));
}

/** The superuser at one of its listeners. */
export function targetOf(gateway: Gateway, listener = "default") {
  return targetAt(gateway.targetOf(listener));
}

/** Waits until the gateway has, or has not, a reason to keep away from a server. */
export async function untilFlag(
  gateway: Gateway,
  { name, gatewayAddress }: ClusterMember,
  flag: "fenced" | "lagging",
  value: 0 | 1,
  client = "default",
): Promise<void> {
  const series = `sluice_server_flag{client="${client}",flag="${flag}",server="${gatewayAddress}"}`;
  await eventually(`${flag} of ${name} is ${value}`, async () => {
    return await gateway.metric(series) === value;
  });
}

/** Waits until the gateway has found a server up, or down. */
export async function untilUp(
  gateway: Gateway,
  { name, gatewayAddress }: ClusterMember,
  value: 0 | 1,
  client = "default",
): Promise<void> {
  const series = `sluice_server_up{client="${client}",server="${gatewayAddress}"}`;
  await eventually(`whether ${name} is up is ${value}`, async () => {
    return (await gateway.metrics()).get(series) === value;
  });
}

/**
 * Lets something happen while clients write and read back what they wrote. Each of them has to be
 * served before and behind it, and nothing that was acknowledged may be lost.
 *
 * @param happen Gives the primary that is there then.
 */
export async function underLoad(
  cluster: Cluster,
  gateway: Gateway,
  happen: (load: Load) => Promise<ClusterMember>,
): Promise<LoadReport> {
  await prepareLoad((await cluster.primary()).target, CLIENTS);
  await cluster.waitForReplication();
  await using load = startLoad({ target: targetOf(gateway), clients: CLIENTS });
  await load.untilServed();
  const primary = await happen(load);
  await load.untilServed();
  const report = await load.stop();
  deepEqual(report.violations, []);
  deepEqual(await rowsKept(primary.target, report), NOTHING_LOST);
  return report;
}

/** Nobody was told anything else, and at most so many were: each once. */
export function checkFailures(report: LoadReport, allowed: readonly string[], max: number): void {
  const failed = [...report.outcomes].filter(([kind]) => kind !== "ok");
  const others = failed.filter(([kind]) => !allowed.includes(kind));
  const why = JSON.stringify([...report.messages]);
  deepEqual(others, [], why);
  const count = failed.reduce((sum, [, times]) => sum + times, 0);
  ok(count <= max, `${count} failures, and at most ${max} can be: ${why}`);
}

/**
 * How many rows of a load with this number and above a server has that is the primary no more. What
 * waits for replicas there is let go first, so that it is seen.
 */
export async function rowsFrom(old: ClusterMember, number: number): Promise<number> {
  await old.query("alter system set synchronous_standby_names to ''");
  await old.query("select pg_reload_conf()");
  const count = async (what: string) =>
    Number((await old.query(`select count(*) as n from ${what}`))[0]!["n"]);
  await eventually(`${old.name} waits for nobody`, async () => {
    return await count("pg_stat_activity where wait_event = 'SyncRep'") === 0;
  });
  return await count(`load_rows where n >= ${number}`);
}
