/**
 * How long the calls of a plugin's store take in one thread, for small, medium and large values.
 * The goal is a microsecond for a hit, and the time to copy the value.
 *
 *     deno run -A bench/store_bench.ts
 *
 * @module
 */

import { utf8 } from "../src/base/bytes.ts";
import { print } from "../src/cli/terminal.ts";
import { SharedStore, storeBuffer } from "../src/plugin_host/shared_store.ts";
import { spreadOf } from "./statistics.ts";

const STORE_SIZE = 64 * 1024 * 1024;
const KEYS_MAX = 4_096;
const VALUE_SIZES = [16, 1_024, 65_536];

const WARM_UP_MS = 200;
const ROUNDS = 7;
const ROUND_MS = 60;
const CALLS_AT_ONCE = 64;

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

function measure(name: string, call: (turn: number) => void): void {
  callFor(call, WARM_UP_MS);
  const spread = spreadOf(Array.from({ length: ROUNDS }, () => callFor(call, ROUND_MS)));
  const [median, min, max] = [spread.median, spread.min, spread.max].map((ns) => Math.round(ns));
  print(`${name.padEnd(24)} ${String(median).padStart(7)} ns  (${min} to ${max})\n`);
}

for (const size of VALUE_SIZES) {
  const store = new SharedStore(storeBuffer(STORE_SIZE), Date.now);
  const value = new Uint8Array(size).fill(7);
  const target = new Uint8Array(size);
  // No more keys than the store has room for: gets are hits.
  const count = Math.min(KEYS_MAX, STORE_SIZE / 2 / size);
  const keys = Array.from({ length: count }, (_, i) => utf8(`SELECT ${i}`.padEnd(32)));
  for (const key of keys) store.set(key, value, 0);
  // 7 does not divide the count: all keys come by, not in the order in which they lie.
  const keyOf = (turn: number) => keys[turn * 7 % count]!;
  measure(`get ${size} B`, (turn) => store.get(keyOf(turn)));
  measure(`getInto ${size} B`, (turn) => store.getInto(keyOf(turn), target));
  measure(`set in place ${size} B`, (turn) => store.set(keyOf(turn), value, 0));
  const fresh = new Uint32Array(8);
  const freshKey = new Uint8Array(fresh.buffer);
  let made = 0;
  measure(`set new ${size} B`, () => {
    fresh[0] = made++;
    store.set(freshKey, value, 60_000);
  });
}
const store = new SharedStore(storeBuffer(STORE_SIZE), Date.now);
const counters = Array.from({ length: KEYS_MAX }, (_, i) => utf8(`user:${i}`));
measure("increment", (turn) => store.increment(counters[turn * 7 % KEYS_MAX]!, 1n, 0));
