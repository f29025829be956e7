/**
 * A soak: many clients at once, while servers are ended under them, and what must be true when it
 * is over.
 *
 * @module
 */

import { queryOnce } from "./postgres.ts";
import { Random } from "./random.ts";
import { SOAK_ACTIONS, SOAK_TABLE } from "./soak_actions.ts";
import { SoakClient, SoakState } from "./soak_client.ts";
import type { Target } from "./stories.ts";
import { eventually, pause } from "./wait.ts";

/** How large a soak is. */
export interface SoakOptions {
  readonly clients: number;
  /** Number of the first client. Default 0. */
  readonly firstClient?: number;
  readonly seconds: number;
  readonly seed: number;
  /** False in statement mode. */
  readonly hasTransactions: boolean;
  /** Longest pause of a client between two actions. */
  readonly pauseMsMax: number;
  /** Between two ends of a random server process; 0 is never. */
  readonly killIntervalMs: number;
  /** Ends the database and starts it again; called every `restartIntervalMs`. */
  readonly restart?: () => Promise<void>;
  readonly restartIntervalMs?: number;
}

/** Makes what the clients write to. */
export async function prepareSoak(direct: Target): Promise<void> {
  await queryOnce(direct, `create table ${SOAK_TABLE} (client int, i int, note text)`);
}

/**
 * Runs a soak to its end.
 *
 * @param direct To the server, for ending its processes.
 * @param target Where the clients connect.
 * @returns What happened; violations are in it.
 */
export async function soak(
  direct: Target,
  target: Target,
  options: SoakOptions,
): Promise<SoakState> {
  const state = new SoakState();
  const actions = Object.entries(SOAK_ACTIONS)
    .filter(([, { hasTransactions }]) => options.hasTransactions || !hasTransactions);
  const clients = Array.from({ length: options.clients }, (_, index) => {
    const id = (options.firstClient ?? 0) + index;
    const random = new Random(options.seed + id);
    return new SoakClient(id, target, random, state, options.pauseMsMax);
  });
  const running = clients.map((client) => client.run(actions));
  const disturbing = [
    repeatedly(state, options.killIntervalMs, () => killOne(direct)),
    repeatedly(state, options.restartIntervalMs ?? 0, () => options.restart?.()),
  ];
  await untilOver(state, options.seconds);
  state.isStopping = true;
  await Promise.all([...running, ...disturbing]);
  return state;
}

/** What was asked for and confirmed is there once, and nothing else is. */
export async function rowsKept(direct: Target): Promise<{ kept: number; others: number }> {
  return await eventually("the database answers", async () => {
    const [row] = await queryOnce(
      direct,
      `select count(*) filter (where note = 'kept')::int as kept,
        count(*) filter (where note <> 'kept')::int as others from ${SOAK_TABLE}`,
    );
    return { kept: Number(row!["kept"]), others: Number(row!["others"]) };
  });
}

async function untilOver(state: SoakState, seconds: number): Promise<void> {
  const endMs = performance.now() + seconds * 1000;
  while (!state.isStopping && performance.now() < endMs) await pause(50);
}

async function repeatedly(
  state: SoakState,
  intervalMs: number,
  body: () => Promise<void> | undefined,
): Promise<void> {
  if (intervalMs === 0) return;
  for (let nextMs = performance.now() + intervalMs; !state.isStopping;) {
    await pause(20);
    if (performance.now() < nextMs) continue;
    await body();
    nextMs = performance.now() + intervalMs;
  }
}

/** Ends a server process, whatever it is doing. While the database restarts there is none. */
async function killOne(direct: Target): Promise<void> {
  await queryOnce(
    direct,
    `select pg_terminate_backend(pid) from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid() order by random() limit 1`,
  ).catch(() => {});
}
