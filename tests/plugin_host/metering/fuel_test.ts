import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { DOUBTFUL_UNITS_MAX } from "../../../src/plugin_host/metering/function_meter.ts";
import { meter, MeteredInstance } from "../../support/wasm.ts";

const FUEL = 2_000_000;

/** What runs for ever, or nearly, by how it does. The function "run" does it. */
const ENDLESS: Readonly<Record<string, string>> = {
  "a loop": `(func (export "run") (loop br 0))`,
  "a loop with a condition": `(func (export "run") (loop (br_if 0 (i32.const 1))))`,
  "nested loops": `(func (export "run") (loop (loop (br_if 0 (i32.const 0))) br 0))`,
  "a loop within a block of a loop": `(func (export "run")
    (loop (block (loop (br_if 1 (i32.const 1)) br 0)) br 0))`,
  "br_table": `(func (export "run")
    (loop (block (block (br_table 0 1 2 (i32.const 7)))) br 0))`,
  "a loop with parameters": `(func (export "run") (result i32)
    i32.const 1 (loop (param i32) (result i32) i32.const 1 i32.add br 0))`,
  "a loop in an if": `(func (export "run")
    (if (i32.const 1) (then (loop br 0)) (else (loop br 0))))`,
  "a loop in an else": `(func (export "run")
    (if (i32.const 0) (then) (else (loop br 0))))`,
  "recursion": `(func $run (export "run") (loop
    (call $ten (i32.const 10)) br 0))
    (func $ten (param i32) (if (local.get 0) (then
      (call $ten (i32.sub (local.get 0) (i32.const 1)))
      (call $ten (i32.sub (local.get 0) (i32.const 1))))))`,
  "recursion without a loop": `(func $run (export "run") (call $many (i32.const 40)))
    (func $many (param i32) (if (local.get 0) (then
      (call $many (i32.sub (local.get 0) (i32.const 1)))
      (call $many (i32.sub (local.get 0) (i32.const 1))))))`,
  "indirect recursion": `(table funcref (elem $many)) (type $t (func (param i32)))
    (func (export "run") (call $many (i32.const 40)))
    (func $many (param i32) (if (local.get 0) (then
      (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
      (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))`,
  "memory.fill": `(memory 16) (func (export "run") (loop
    (memory.fill (i32.const 0) (i32.const 7) (i32.const 1048576)) br 0))`,
  "memory.copy": `(memory 16) (func (export "run") (loop
    (memory.copy (i32.const 0) (i32.const 8) (i32.const 1000000)) br 0))`,
  "memory.grow": `(memory 1) (func (export "run") (loop
    (drop (memory.grow (i32.const 0))) br 0))`,
  "table.grow": `(table 1 funcref) (func (export "run") (loop
    (drop (table.grow (ref.null func) (i32.const 0))) br 0))`,
  "table.fill": `(table 1000 funcref) (func (export "run") (loop
    (table.fill (i32.const 0) (ref.null func) (i32.const 1000)) br 0))`,
};

for (const [name, text] of Object.entries(ENDLESS)) {
  Deno.test(`Fuel ends ${name}`, () => {
    const instance = new MeteredInstance(meter(`(module ${text})`));
    throws(() => instance.call("run", FUEL), WebAssembly.RuntimeError);
    ok(instance.fuel < 0n, "the fuel is used up");
    throws(() => instance.call("run", FUEL), /unreachable/, "it runs again when refuelled");
  });
}

Deno.test("Fuel that is left tells other traps from its own", () => {
  const instance = new MeteredInstance(meter(`(module
    (func (export "trap") unreachable)
    (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0))))`));
  throws(() => instance.call("trap", FUEL), /unreachable/);
  equal(instance.fuel, BigInt(FUEL) - 2n);
  throws(() => instance.call("divide", FUEL, 0), /divide by zero/);
  equal(instance.fuel, BigInt(FUEL) - 4n);
});

Deno.test("Fuel may be used up to the last unit, and stays negative until it is set", () => {
  const instance = new MeteredInstance(meter(`(module
    (func (export "run") (result i32) (i32.add (i32.const 1) (i32.const 2))))`));
  equal(instance.call("run", 4), 3);
  equal(instance.fuel, 0n);
  throws(() => instance.call("run", 3), /unreachable/);
  equal(instance.fuel, -1n);
  throws(() => (instance.instance.exports["run"] as CallableFunction)(), /unreachable/);
  equal(instance.fuel, -5n);
});

Deno.test("Fuel is charged by instructions: passes of loops, entries, locals", () => {
  const instance = new MeteredInstance(meter(`(module
    (func (export "empty"))
    (func (export "locals") (local i32 i64) (local i32))
    (func $call (export "call") (call $one))
    (func $one (drop (i32.const 1)))
    (func (export "count") (param $i i32) (loop $again
      (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1))))))
    (func (export "nested") (param $i i32) (local $j i32) (loop $outer
      (local.set $j (i32.const 10))
      (loop $inner (br_if $inner (local.tee $j (i32.sub (local.get $j) (i32.const 1)))))
      (br_if $outer (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))))`));
  equal(instance.cost("empty"), 1);
  equal(instance.cost("locals"), 4);
  equal(instance.cost("call"), 1 + 1 + 1 + 2);
  // In a pass the loop itself, get, const, sub, tee, br_if.
  equal(instance.cost("count", 1), 1 + 6);
  equal(instance.cost("count", 1_000), 1 + 6 * 1_000);
  equal(instance.cost("nested", 7), 1 + 1 + 7 * (1 + 2 + 10 * 6 + 5));
});

/** A loop around `cases` cases of `size` instructions each, of which it takes the first. */
function switchText(cases: number, size: number): string {
  const code = `(local.set $x (i32.add (local.get $x) (i32.const 1)))`.repeat(size / 4);
  const targets = Array.from({ length: cases }, (_, i) => i).join(" ");
  return `(module (func (export "run") (param $times i32) (local $x i32)
    (loop $again (block $done
      ${"(block ".repeat(cases)} (br_table ${targets} (i32.const 0))
      ${Array.from({ length: cases }, (_, i) => `) ${code} (br ${cases - 1 - i})`).join("\n")})
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))))`;
}

Deno.test("Fuel is not charged for all cases of a switch, but for the one taken", () => {
  for (const size of [4, 40, 400]) {
    const instance = new MeteredInstance(meter(switchText(40, size)));
    const passes = 100;
    const executed = 2 + passes * (1 + 2 + size + 1 + 5);
    const cost = instance.cost("run", passes);
    ok(cost >= executed, `${cost} is less than the executed ${executed}`);
    const excess = (cost - executed) / passes;
    ok(excess <= 4 * DOUBTFUL_UNITS_MAX, `${excess} units too much in each pass`);
  }
});

Deno.test("Fuel is charged for code behind every kind of branch", () => {
  const code = "(drop (i32.const 1))".repeat(500);
  const instance = new MeteredInstance(meter(`(module
    (func (export "if") (param i32) (if (local.get 0) (then ${code}) (else ${code} ${code})))
    (func (export "block") (param i32) (block (br_if 0 (local.get 0)) ${code}) ${code})
    (func (export "loop") (param i32)
      (block (loop (br_if 1 (local.get 0)) ${code}) ${code}) ${code})
    (func (export "return") (param i32) (if (local.get 0) (then return)) ${code})
    (func (export "inner") (param i32)
      (block ${code} (block (br_if 1 (local.get 0)) ${code}) ${code}) ${code}))`));
  const least: readonly (readonly [name: string, whenZero: number, whenOne: number])[] = [
    ["if", 2_000, 1_000],
    ["block", 2_000, 1_000],
    ["loop", 3_000, 1_000],
    ["return", 1_000, 0],
    ["inner", 4_000, 2_000],
  ];
  for (const [name, whenZero, whenOne] of least) {
    for (const [value, units] of [[0, whenZero], [1, whenOne]] as const) {
      const cost = instance.cost(name, value);
      ok(cost >= units && cost < units + 300, `${name}(${value}) costs ${cost}, not ${units}`);
    }
  }
});

Deno.test("Fuel is charged for instructions by their operands", () => {
  const instance = new MeteredInstance(meter(`(module (memory 1) (table 10 funcref)
    (data $data "0123456789012345") (elem $elements func $f $f $f) (func $f)
    (func (export "fill") (param i32)
      (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))
    (func (export "copy") (param i32)
      (memory.copy (i32.const 0) (i32.const 1) (local.get 0)))
    (func (export "init") (param i32)
      (memory.init $data (i32.const 0) (i32.const 0) (local.get 0)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "tableFill") (param i32)
      (table.fill (i32.const 0) (ref.null func) (local.get 0)))
    (func (export "tableSet") (table.set (i32.const 0) (ref.null func)))
    (func (export "tableCopy") (param i32)
      (table.copy (i32.const 0) (i32.const 1) (local.get 0)))
    (func (export "tableInit") (param i32)
      (table.init $elements (i32.const 0) (i32.const 0) (local.get 0)))
    (func (export "tableGrow") (param i32) (result i32)
      (table.grow (ref.null func) (local.get 0))))`));
  const extra = (name: string, count: number) =>
    instance.cost(name, count) - instance.cost(name, 0);
  equal(extra("fill", 8_000), 1_000);
  equal(extra("copy", 8_000), 1_000);
  equal(extra("init", 16), 2);
  equal(extra("grow", 2), 2 * 65_536 / 8);
  equal(extra("tableFill", 10), 160);
  equal(extra("tableCopy", 9), 144);
  equal(extra("tableInit", 3), 48);
  equal(extra("tableGrow", 5), 80);
  equal(instance.cost("tableSet"), 1 + 2 + 32);
  ok(instance.cost("grow", 0) >= 2_000, "growing by nothing is a call into the runtime, too");
});

Deno.test("Fuel is charged before the largest operands, and does not overflow", () => {
  const instance = new MeteredInstance(meter(`(module (memory 1) (table 10 funcref)
    (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const -1)))
    (func (export "grow") (result i32) (memory.grow (i32.const -1)))
    (func (export "tableGrow") (result i32)
      (table.grow (ref.null func) (i32.const -1))))`));
  for (const [name, units] of [["fill", 2 ** 29], ["grow", 2 ** 45], ["tableGrow", 2 ** 36]]) {
    throws(() => instance.call(`${name}`, FUEL), /unreachable/);
    ok(instance.fuel < FUEL - Number(units) + 65_536, `${name}: ${instance.fuel}`);
  }
  throws(() => instance.call("fill", 1e12), /out of bounds/);
  equal(instance.call("grow", 1e15), -1);
  equal(instance.call("tableGrow", 1e15), -1);
});

/** A module that reaches the imported function `host` in every way there is, and those costs. */
const HOST_CALLS = `(module
  (import "gate" "host" (func $host (param i32 i64 f64) (result i32)))
  (import "gate" "limit" (global $limit i32))
  (import "gate" "cheap" (func $cheap))
  (type $type (func (param i32 i64 f64) (result i32)))
  (table $table 6 funcref)
  (elem (table $table) (i32.const 0) func $host)
  (elem (table $table) (i32.const 1) funcref (ref.func $host))
  (elem $passive func $host)
  (elem $passiveReferences funcref (ref.func $host) (ref.null func))
  (elem declare func $host)
  (global $reference (mut funcref) (ref.func $host))
  (export "exported" (func $host))
  (func (export "direct") (result i32) (call $host (i32.const 1) (i64.const 2) (f64.const 3)))
  (func (export "cheap") (call $cheap))
  (func (export "prepare")
    (table.init $passive (i32.const 2) (i32.const 0) (i32.const 1))
    (table.init $passiveReferences (i32.const 3) (i32.const 0) (i32.const 1))
    (table.set (i32.const 4) (ref.func $host))
    (table.set (i32.const 5) (global.get $reference)))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect (type $type) (i32.const 1) (i64.const 2) (f64.const 3) (local.get 0)))
  (func (export "limit") (result i32) (global.get $limit)))`;

Deno.test("Fuel is charged for a call of an imported function, however it is reached", () => {
  const calls: unknown[] = [];
  const gate = {
    host: (...values: unknown[]) => calls.push(values),
    cheap: () => {},
    limit: 77,
  };
  const hostCallCost = (module: string, name: string) =>
    module === "gate" && name === "host" ? 5_000 : 3;
  const instance = new MeteredInstance(meter(HOST_CALLS, { hostCallCost }), { gate });
  equal(instance.cost("cheap"), 1 + 1 + 3);
  equal(instance.call("limit", FUEL), 77);
  instance.call("prepare", FUEL);
  equal(calls.length, 0);
  equal(instance.cost("direct"), 1 + 4 + 5_000);
  for (let i = 0; i < 6; i++) equal(instance.cost("indirect", i), 1 + 5 + 5_000, `element ${i}`);
  equal(instance.call("exported", FUEL, 1, 2n, 3), 8);
  equal(instance.fuel, BigInt(FUEL - 5_000));
  deepEqual(calls, Array.from({ length: 8 }, () => [1, 2n, 3]));
  throws(() => instance.call("direct", 4_999), /unreachable/);
  equal(calls.length, 8, "it is charged before it is called");
});

Deno.test("Fuel ends a storm of host calls through a table", () => {
  const instance = new MeteredInstance(
    meter(`(module (import "gate" "host" (func $host)) (table funcref (elem $host))
      (func (export "run") (loop (call_indirect (i32.const 0)) br 0)))`),
    { gate: { host: () => calls += 1 } },
  );
  let calls = 0;
  throws(() => instance.call("run", FUEL), /unreachable/);
  ok(instance.fuel < 0n);
  equal(calls, Math.floor((FUEL - 1) / 24));
});

Deno.test("Fuel limits the start function, which runs before the host can set it", () => {
  const endless = meter(`(module (func $start (loop br 0)) (start $start))`);
  throws(() => new MeteredInstance(endless), /unreachable/);
  const text = `(module (import "gate" "host" (func $host)) (start $host))`;
  let calls = 0;
  const gate = { host: () => calls += 1 };
  equal(new MeteredInstance(meter(text), { gate }).fuel, 980n);
  throws(() => new MeteredInstance(meter(text, { initialFuel: 19 }), { gate }), /unreachable/);
  equal(calls, 1);
  equal(new MeteredInstance(meter("(module)", { initialFuel: 2 ** 53 - 1 })).fuel, 2n ** 53n - 1n);
});

Deno.test("Fuel is filled up to what a call may use, by a function that is added", () => {
  const text = `(module (import "gate" "host" (func $host)) (func (export "run") (call $host)))`;
  for (const callFuel of [20, 1_000, 10 ** 12, 2 ** 53 - 1]) {
    const instance = new MeteredInstance(meter(text, { callFuel }), { gate: { host: () => {} } });
    for (let i = 0; i < 3; i++) {
      instance.refuel();
      equal(instance.fuel, BigInt(callFuel));
    }
  }
});

Deno.test("Fuel is out of reach of the module's own code", () => {
  for (const use of ["(global.set 1 (i64.const 9))", "(drop (global.get 1))"]) {
    const text = `(module (global (mut i64) (i64.const 0)) (func ${use}))`;
    throws(() => meter(text), (error: Error) => {
      match(error.message, /^there is no global 1 \(at byte \d+\)$/);
      return true;
    });
  }
});
