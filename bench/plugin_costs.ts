/**
 * What plugins cost without any socket: single calls, and queries of a session in memory.
 *
 * @module
 */

import process from "node:process";
import { HookChain } from "../src/hooks/chain.ts";
import { HookSwitch } from "../src/hooks/hook_switch.ts";
import type { Plugin } from "../src/plugin_host/plugin.ts";
import { queryEvent, startPlugin } from "../tests/support/plugins.ts";
import { BODY, type MeasuredPlugin, moduleFor, type Setup } from "./measured_plugins.ts";
import { openSession, type Pair, runQueries } from "./memory_session.ts";
import type { CallCost } from "./plugin_report.ts";
import { runRounds } from "./rounds.ts";
import { percentile } from "./statistics.ts";

const WARM_UP_CALLS = 50_000;
const CALLS = 50_000;

/** Enough for the compiler to have done all it does, and for the clock to be good. */
const WARM_UP_QUERIES = 100_000;
const QUERIES = 50_000;

const EVENT_ONLY = { fetch: () => Promise.reject(new Error("There is no network")) };

/** Runs a plugin as a worker does. */
async function run({ name, module, permissions }: MeasuredPlugin) {
  const spec = { name, ...permissions === undefined ? { permissions: [] } : {} };
  return await startPlugin(module, { spec, ports: { ...EVENT_ONLY, wallMs: Date.now } });
}

/** Something that takes one call, and says what went wrong in calls so far. */
export interface Callee {
  readonly name: string;
  readonly call: () => void;
  readonly failures: () => number;
}

/** A plugin that does as `body` says with each query, whose text has so many bytes. */
export async function calleeOf(
  name: string,
  body: keyof typeof BODY,
  payloadSize: number,
): Promise<Callee> {
  const module = moduleFor("onQuery", BODY[body]);
  const permissions = "[respond]";
  const { plugin, counts } = await run({ name: "called", module, permissions });
  const event = queryEvent("x".repeat(payloadSize));
  const { payload } = event;
  const call = () => {
    event.payload = payload;
    plugin.call(event);
  };
  for (let i = 0; i < WARM_UP_CALLS; i++) call();
  const failures = () => Object.values(counts().failures).reduce((sum, count) => sum + count, 0);
  return { name, call, failures };
}

/** Times calls one by one: what it takes to read the clock twice is in it. */
export function measureCalls({ name, call, failures }: Callee): CallCost {
  const times = new Float64Array(CALLS);
  for (let i = 0; i < CALLS; i++) {
    const startMs = performance.now();
    call();
    times[i] = (performance.now() - startMs) * 1000;
  }
  const before = process.cpuUsage();
  for (let i = 0; i < CALLS; i++) call();
  const { user, system } = process.cpuUsage(before);
  if (failures() > 0) throw new Error(`The plugin that ${name} failed`);
  times.sort();
  return {
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    cpu: (user + system) / CALLS,
  };
}

interface MemorySetup {
  readonly name: string;
  readonly pair: Pair;
}

/** User CPU of a simple query in memory, in microseconds, by setup, a round each. */
export async function measureSessions(
  setups: readonly Setup[],
  rounds: number,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const sessions: MemorySetup[] = [];
  for (const { name, plugins = [] } of setups) {
    const hooks = new HookSwitch();
    const running: Plugin[] = [];
    for (const plugin of plugins) running.push((await run(plugin)).plugin);
    hooks.chain = new HookChain(running);
    const pair = await openSession(hooks);
    sessions.push({ name, pair });
  }
  // All of them before any is measured: the compiler has to see every kind of call.
  for (const { pair } of sessions) runQueries(pair, WARM_UP_QUERIES);
  return await runRounds(rounds, sessions, ({ name, pair }) => {
    const counted = pair.counted();
    const before = process.cpuUsage();
    runQueries(pair, QUERIES);
    const microseconds = process.cpuUsage(before).user / QUERIES;
    const seen = pair.counted() - counted;
    // Work that was not done is done very fast.
    if (seen !== QUERIES) throw new Error(`${name}: ${seen} of ${QUERIES} queries were seen`);
    return microseconds;
  });
}
