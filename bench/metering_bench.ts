/**
 * What metering of WebAssembly costs: the time to meter a module, and how much longer metered code
 * takes. Plain and metered code take turns, so that both have the same machine.
 *
 *     deno run -A bench/metering_bench.ts [module.wasm ...]
 *
 * @module
 */

import { print } from "../src/cli/terminal.ts";
import { FUEL_EXPORT, meterModule } from "../src/plugin_host/metering/meter.ts";
import { assemble } from "../tests/support/wasm.ts";
import { spreadOf } from "./statistics.ts";

const ROUNDS = 31;
const WARM_UP_ROUNDS = 10;
/** How long one round of one kernel should take, about. */
const ROUND_MS = 4;

const OPTIONS = {
  memoryPagesMax: 32_768,
  tableSizeMax: 1_000_000,
  moduleSizeMax: 100_000_000,
  initialFuel: Number.MAX_SAFE_INTEGER,
  callFuel: Number.MAX_SAFE_INTEGER,
  hostCallCost: () => 20,
};

const FUEL = 2n ** 60n;

/** Walks over the memory from 0 to the parameter, and does `step` with each `$byte`. */
function walk(step: string): string {
  return `(func (export "run") (param $size i32) (result i32)
    (local $at i32) (local $byte i32) (local $state i32)
    (loop $next
      (local.set $byte (i32.load8_u (local.get $at)))
      ${step}
      (br_if $next (i32.lt_u
        (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $size))))
    (local.get $state))`;
}

const ADD = "(local.set $state (i32.add (local.get $state) (local.get $byte)))";

/** A case for every eighth of the bytes, as a lexer or an interpreter has them. */
const SWITCH = `(block $done (block (block (block (block (block (block (block (block
  (br_table 0 1 2 3 4 5 6 7 (i32.and (local.get $byte) (i32.const 7))))
  ${
  Array.from({ length: 8 }, (_, i) =>
    `${i === 0 ? "" : ")"} ${ADD} (local.set $state (i32.xor (local.get $state)
      (i32.shl (local.get $byte) (i32.const ${i})))) ${ADD.repeat(6)} (br $done)`).join("\n")
})`;

/** Kernels by name: their text, and the parameter of "run". */
const KERNELS: Readonly<Record<string, readonly [text: string, parameter: number]>> = {
  "sum of bytes": [walk(ADD), 65_536],
  "FNV-1a": [
    walk(`(local.set $state (i32.mul (i32.const 16777619)
      (i32.xor (local.get $state) (local.get $byte))))`),
    65_536,
  ],
  "sum, unrolled 16 times": [walk(ADD.repeat(16)), 65_536],
  "ifs on each byte": [
    walk(`(if (i32.lt_u (local.get $byte) (i32.const 32)) (then ${ADD})
      (else (if (i32.eq (local.get $byte) (i32.const 39)) (then (local.set $state (i32.const 0)))
        (else (if (i32.gt_u (local.get $byte) (i32.const 127)) (then ${ADD.repeat(3)}))))))`),
    65_536,
  ],
  "switch on each byte": [walk(SWITCH), 65_536],
  "inner loops of 8": [
    walk(`(local.set $byte (i32.const 8)) (loop $inner ${ADD}
      (br_if $inner (local.tee $byte (i32.sub (local.get $byte) (i32.const 1)))))`),
    16_384,
  ],
  "recursive Fibonacci": [
    `(func $run (export "run") (param i32) (result i32)
      (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
        (else (i32.add (call $run (i32.sub (local.get 0) (i32.const 1)))
          (call $run (i32.sub (local.get 0) (i32.const 2)))))))`,
    22,
  ],
  "memory.copy of 64 bytes": [
    walk(`(memory.copy (i32.const 70000) (local.get $at) (i32.const 64))`),
    16_384,
  ],
  "calls of the host": [
    `(import "gate" "note" (func $note (param i32) (result i32))) ${
      walk("(local.set $state (call $note (local.get $at)))")
    }`,
    16_384,
  ],
};

type Run = (parameter: number) => number;

function instantiate(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Instance {
  const gate = { note: (value: number) => value + 1 };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { gate });
  const memory = new Uint8Array((instance.exports["memory"] as WebAssembly.Memory).buffer);
  for (let i = 0; i < 65_536; i++) memory[i] = Math.imul(i, 2_654_435_761) >>> 24;
  return instance;
}

/** @returns Milliseconds of `times` calls. */
function time(run: Run, parameter: number, times: number): number {
  const startedMs = performance.now();
  for (let i = 0; i < times; i++) run(parameter);
  return performance.now() - startedMs;
}

function measureKernel(name: string, text: string, parameter: number): void {
  const [imports, rest] = text.startsWith("(import")
    ? text.split(/(?=\(func \(export)/)
    : ["", text];
  const bytes = assemble(`(module ${imports} (memory (export "memory") 2) ${rest})`);
  const plain = instantiate(bytes).exports["run"] as Run;
  const meteredInstance = instantiate(meterModule(bytes, OPTIONS).bytes);
  const metered = meteredInstance.exports["run"] as Run;
  const fuel = meteredInstance.exports[FUEL_EXPORT] as WebAssembly.Global;
  fuel.value = FUEL;
  if (plain(parameter) !== metered(parameter)) throw new Error(`${name}: the results differ`);
  const units = Number(FUEL - fuel.value);
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const run of [plain, metered]) time(run, parameter, 10);
  }
  const times = Math.max(1, Math.round(ROUND_MS / (time(plain, parameter, 10) / 10)));
  const plainMs: number[] = [];
  const ratios = Array.from({ length: ROUNDS }, () => {
    plainMs.push(time(plain, parameter, times));
    return time(metered, parameter, times) / plainMs.at(-1)!;
  });
  const { median, min, max } = spreadOf(ratios);
  const nanoseconds = spreadOf(plainMs).median * median / times * 1e6 / units;
  print(
    `${name.padEnd(24)} ${median.toFixed(2)} times as long (${min.toFixed(2)}..${
      max.toFixed(2)
    }),` +
      ` ${nanoseconds.toFixed(2)} ns a unit, ${units} units\n`,
  );
}

function measureRewriting(name: string, bytes: Uint8Array<ArrayBuffer>): void {
  let size = 0;
  const rounds = Array.from({ length: 9 }, () => {
    const startedMs = performance.now();
    size = meterModule(bytes, OPTIONS).bytes.length;
    return performance.now() - startedMs;
  });
  const { median, min, max } = spreadOf(rounds);
  print(
    `${name}: ${bytes.length} bytes become ${size} in ${median.toFixed(1)} ms ` +
      `(${min.toFixed(1)}..${max.toFixed(1)}), first ${rounds[0]!.toFixed(1)} ms\n`,
  );
}

if (import.meta.main) {
  for (const [name, [text, parameter]] of Object.entries(KERNELS)) {
    measureKernel(name, text, parameter);
  }
  for (const path of Deno.args) measureRewriting(path, await Deno.readFile(path));
}
