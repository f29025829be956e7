/**
 * What one call of a plugin costs: deno run -A bench/plugin_call_bench.ts
 *
 * @module
 */

import { moduleOf, queryEvent, startPlugin } from "../tests/support/plugins.ts";

const CALLS = 100_000;
const ROUNDS = 15;

const READ = "(drop (call $read (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 16384)))";
const WRITE = "(drop (call $write (i32.const 4096) (i32.load (i32.const 1048))))";

const HOOKS: readonly (readonly [name: string, body: string, sizes: readonly number[]])[] = [
  ["returns 0", "(i32.const 0)", [64]],
  ["reads", `${READ} (i32.const 0)`, [64, 1024, 16_384]],
  ["reads and replaces", `${READ} ${WRITE} (i32.const 1)`, [64, 1024, 16_384]],
];

/** Microseconds of the fastest of some rounds: the others were disturbed. */
async function measure(body: string, size: number): Promise<number> {
  const { plugin, counts } = await startPlugin(moduleOf(body), {
    ports: { wallMs: Date.now },
  });
  const event = queryEvent("x".repeat(size));
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) plugin.call(event);
    best = Math.min(best, (performance.now() - start) / CALLS * 1000);
  }
  if (counts().failures.trap > 0) throw new Error("The plugin failed");
  return best;
}

for (const [name, body, sizes] of HOOKS) {
  for (const size of sizes) {
    const microseconds = await measure(body, size);
    const line = `${name}, ${size} bytes: ${microseconds.toFixed(3)} us\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  }
}
