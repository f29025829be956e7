import { deepEqual, equal, rejects } from "node:assert/strict";
import { HOOK } from "../../src/hooks/hooks.ts";
import { readPluginModule } from "../../src/plugin_host/plugin_module.ts";
import { assemble } from "../support/wasm.ts";

const LIMITS = { memoryMax: 131_072, fuelPerCall: 1_000 };

const MEMORY = '(memory (export "memory") 1)';
const ON_TICK = '(func (export "onTick") (result i32) (i32.const 0))';

Deno.test("readPluginModule finds the hooks of a module", async () => {
  const module = await readPluginModule(
    assemble(`(module
      (import "sluice" "write" (func (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
      ${MEMORY} ${ON_TICK}
      (func (export "sluice_event") (result i32) (i32.const 8))
      (func (export "onQuery") (result i32) (i32.const 0))
      (func (export "helper") (param i64)))`),
    LIMITS,
  );
  deepEqual(module.hooks, [HOOK.onTick, HOOK.onQuery]);
  equal(module.abi, "direct");
});

Deno.test("readPluginModule knows a module made for Extism", async () => {
  const module = await readPluginModule(
    assemble(`(module
      (import "extism:host/env" "input_length" (func (result i64))) ${MEMORY} ${ON_TICK})`),
    LIMITS,
  );
  equal(module.abi, "extism");
});

/** What is in a module, and why it is refused. */
const REFUSED: readonly (readonly [text: string, reason: RegExp])[] = [
  [`${ON_TICK}`, /^it exports no memory called memory$/],
  [`${MEMORY}`, /^it exports no hook, such as onQuery: \(\) -> i32$/],
  [
    `${MEMORY} (func (export "on_query") (result i32) (i32.const 0))`,
    /^it exports no hook; is its on_query meant to be onQuery\?$/,
  ],
  [
    `${MEMORY} (func (export "onTick") (param i32) (result i32) (i32.const 0))`,
    /^its export onTick is \(i32\) -> i32; expected \(\) -> i32$/,
  ],
  [
    `${MEMORY} ${ON_TICK} (func (export "sluice_init"))`,
    /^its export sluice_init is \(\) -> \(\); expected \(\) -> i32$/,
  ],
  [
    `${MEMORY} ${ON_TICK} (global (export "sluice_event") i32 (i32.const 0))`,
    /^its export sluice_event is a global; expected \(\) -> i32$/,
  ],
  [`${MEMORY} ${ON_TICK} (func (export "_start"))`, /^it exports _start, which makes it a program/],
  [
    `(import "env" "abort" (func)) ${MEMORY} ${ON_TICK}`,
    /^it imports "env" "abort"; there are only the modules sluice, wasi_snapshot_preview1,/,
  ],
  [
    `(import "sluice" "kv_gett" (func)) ${MEMORY} ${ON_TICK}`,
    /^it imports "sluice" "kv_gett", which there is not; did you mean "kv_get"\?$/,
  ],
  [
    `(import "sluice" "write" (func (param i32) (result i32))) ${MEMORY} ${ON_TICK}`,
    /^it imports "sluice" "write" as \(i32\) -> i32; it is \(i32, i32\) -> i32$/,
  ],
  [`(memory (export "memory") 3) ${ON_TICK}`, /3.*2/],
  [
    `${MEMORY} ${ON_TICK} (func (result i32))`,
    /expected|not enough|fallthru|type/i,
  ],
];

Deno.test("readPluginModule refuses what is no plugin, and says why", async () => {
  for (const [text, reason] of REFUSED) {
    await rejects(readPluginModule(assemble(`(module ${text})`), LIMITS), ({ message }: Error) => {
      if (!reason.test(message)) throw new Error(`${text}: ${message}`);
      return true;
    });
  }
  const whole = assemble(`(module ${MEMORY} ${ON_TICK})`);
  for (let size = 0; size < whole.length; size++) {
    await rejects(readPluginModule(whole.subarray(0, size), LIMITS), `${size}`);
  }
});
