/**
 * How long it takes to choose a server, which happens once in each transaction, and how much
 * garbage that makes. The goal is less than a microsecond for three servers.
 *
 *     deno run -A --v8-flags=--expose-gc bench/balancer_bench.ts
 *
 * @module
 */

import { print } from "../src/cli/terminal.ts";
import { HashRing } from "../src/upstream/balancer/hash_ring.ts";
import { makeStrategy } from "../src/upstream/balancer/make_strategy.ts";
import { PeakEwma } from "../src/upstream/balancer/peak_ewma.ts";
import type { Candidate, StrategyName } from "../src/upstream/balancer/strategy.ts";
import { spreadOf } from "./statistics.ts";

const STRATEGIES: readonly StrategyName[] = [
  "ORDERED",
  "ROUND_ROBIN",
  "RANDOM",
  "WEIGHTED_ROUND_ROBIN",
  "LEAST_CONNECTIONS",
  "LEAST_LATENCY",
  "CONSISTENT_HASH",
];

const COUNTS = [3, 10, 100];
const KEYS = Array.from({ length: 256 }, (_, i) => `10.20.${i}.7`);

const WARM_UP_MS = 200;
const ROUNDS = 7;
const ROUND_MS = 50;
const CALLS_AT_ONCE = 64;

/** Few enough that nothing is collected meanwhile. */
const GARBAGE_CALLS = 2_000;

interface Server {
  name: string;
  weight: number;
  connections: number;
  latencyMs: number;
}

/** Servers that differ a little, and whose connections change from call to call. */
function servers(count: number): Server[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `main@db${i}:5432`,
    weight: 1 + i % 3,
    connections: i * 7 % 5,
    latencyMs: 1 + i % 4 / 10,
  }));
}

/** One choice; the chosen one has other connections at the next. */
function choose(name: StrategyName, count: number): (turn: number) => void {
  const strategy = makeStrategy(name, Math.random);
  const all = servers(count);
  const candidates: readonly Candidate[] = all;
  return (turn) => {
    const order = strategy.order(candidates, KEYS[turn & 255]!);
    if (order.length !== count) throw new Error(`${order.length} servers of ${count} were found`);
    all[order[0]!]!.connections += 1;
    all[turn % count]!.connections = 0;
  };
}

/** Calls it for about so long, with 0, 1, 2 and so on. @returns Nanoseconds a call. */
function callFor(call: (turn: number) => void, durationMs: number): number {
  let calls = 0;
  let elapsedMs = 0;
  const startedMs = performance.now();
  do {
    for (let i = 0; i < CALLS_AT_ONCE; i++) call(calls++);
    elapsedMs = performance.now() - startedMs;
  } while (elapsedMs < durationMs);
  return elapsedMs * 1e6 / calls;
}

/** Bytes of garbage a call, or undefined where the collector cannot be called. */
function garbageOf(call: (turn: number) => void): number | undefined {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return undefined;
  collect();
  const before = Deno.memoryUsage().heapUsed;
  for (let i = 0; i < GARBAGE_CALLS; i++) call(i);
  return Math.max(0, Deno.memoryUsage().heapUsed - before) / GARBAGE_CALLS;
}

function measure(name: string, call: (turn: number) => void): void {
  callFor(call, WARM_UP_MS);
  const { median, min, max } = spreadOf(
    Array.from({ length: ROUNDS }, () => callFor(call, ROUND_MS)),
  );
  const garbage = garbageOf(call);
  print(
    `${name.padEnd(26)} ${median.toFixed(0).padStart(7)} ns  (${min.toFixed(0)} to ${
      max.toFixed(0)
    })` + (garbage === undefined ? "\n" : `, ${garbage.toFixed(0)} bytes of garbage\n`),
  );
}

if (import.meta.main) {
  // All of them first, as in a gateway: code that has seen one strategy only is faster.
  for (const name of STRATEGIES) callFor(choose(name, 3), WARM_UP_MS / 2);
  for (const count of COUNTS) {
    for (const name of STRATEGIES) measure(`${name} of ${count}`, choose(name, count));
  }
  for (const count of COUNTS) {
    const names = servers(count).map(({ name }) => name);
    measure(`a new ring of ${count}`, () => new HashRing(names));
  }
  const ewma = new PeakEwma();
  let nowMs = 0;
  measure("PeakEwma.observe", (turn) => ewma.observe(1 + turn % 8, nowMs += 0.1));
  measure("PeakEwma.value", () => ewma.value(nowMs += 0.1));
}
