import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import wabt from "wabt";
import { InvalidModuleError, meterModule } from "../../../src/plugin_host/metering/meter.ts";
import { assemble, MeteredInstance, METERING } from "../../support/wasm.ts";
import { fuzz, type Random } from "../../support/random.ts";

/** Enough for every program here to come to its end. */
const FUEL = 1e9;

/** Programs that use much of WebAssembly, with calls of their exports. */
const PROGRAMS:
  readonly (readonly [text: string, calls: readonly (readonly [string, number[]])[]])[] = [
    [
      `(module (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
            (call $fib (i32.sub (local.get 0) (i32.const 2))))))))`,
      [["fib", [0]], ["fib", [1]], ["fib", [15]]],
    ],
    [
      `(module (memory (export "memory") 1 2) (data (i32.const 8) "hello, world")
        (data $passive "passive")
        (func (export "hash") (param $at i32) (param $size i32) (result i64) (local $hash i64)
          (local.set $hash (i64.const -3750763034362895579))
          (block $done (loop $again
            (br_if $done (i32.eqz (local.get $size)))
            (local.set $hash (i64.mul (i64.const 1099511628211)
              (i64.xor (local.get $hash) (i64.load8_u offset=4 (local.get $at)))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $size (i32.sub (local.get $size) (i32.const 1)))
            (br $again)))
          (local.get $hash))
        (func (export "bulk") (result i32)
          (memory.init $passive (i32.const 100) (i32.const 1) (i32.const 5))
          (data.drop $passive)
          (memory.copy (i32.const 200) (i32.const 98) (i32.const 10))
          (memory.fill (i32.const 205) (i32.const 77) (i32.const 2))
          (i32.load (i32.const 203)))
        (func (export "grow") (param i32) (result i32 i32)
          (memory.grow (local.get 0)) (memory.size)))`,
      [["hash", [4, 12]], ["bulk", []], ["hash", [180, 60]], ["grow", [1]], ["grow", [1]]],
    ],
    [
      `(module (type $binary (func (param i32 i32) (result i32)))
        (import "gate" "note" (func $note (param i32 i32) (result i32)))
        (table $functions 8 funcref) (table $hosts 3 externref)
        (elem (table $functions) (i32.const 1) func $add $subtract $note)
        (elem $late funcref (ref.func $subtract) (ref.null func))
        (global $count (mut i32) (i32.const 3))
        (global $base i32 (i32.add (i32.const 1) (i32.const 4)))
        (func $add (type $binary) (i32.add (local.get 0) (local.get 1)))
        (func $subtract (type $binary) (i32.sub (local.get 0) (local.get 1)))
        (func (export "apply") (param i32 i32 i32) (result i32)
          (global.set $count (i32.add (global.get $count) (global.get $base)))
          (call_indirect $functions (type $binary)
            (local.get 0) (local.get 1) (local.get 2)))
        (func (export "late") (result i32)
          (table.init $functions $late (i32.const 5) (i32.const 0) (i32.const 2))
          (table.copy $functions $functions (i32.const 6) (i32.const 1) (i32.const 1))
          (table.fill $functions (i32.const 2) (ref.func $note) (i32.const 1))
          (elem.drop $late)
          (table.grow $functions (ref.func $add) (i32.const 2)))
        (func (export "count") (result i32) (global.get $count))
        (func (export "null") (param i32) (result i32)
          (ref.is_null (table.get $functions (local.get 0))))
        (func (export "host") (param externref) (result externref)
          (table.set $hosts (i32.const 1) (local.get 0)) (table.get $hosts (i32.const 1))))`,
      [
        ...[0, 1, 2, 3, 4, 99].map((i): [string, number[]] => ["apply", [50, 8, i]]),
        ["late", []],
        ...[1, 2, 3, 5, 6, 7, 8, 9, 10].map((i): [string, number[]] => ["apply", [5, 80, i]]),
        ["count", []],
        ["null", [4]],
        ["null", [5]],
        ["host", [7]],
      ],
    ],
    [
      `(module (func (export "state") (param $state i32) (result i32) (local $steps i32)
          (loop $next (block $d (block $c (block $b (block $a
            (br_table $a $b $c $d (local.get $state)))
            (local.set $state (i32.const 2)) (br $d))
            (local.set $state (i32.const 0)) (br $d))
            (local.set $state (i32.add (i32.const 4) (local.get $steps))))
            (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
            (br_if $next (i32.lt_s (local.get $state) (i32.const 3))))
          (i32.add (i32.mul (local.get $steps) (i32.const 1000)) (local.get $state)))
        (func (export "values") (param i32 i64) (result f64 i64 i32 f32)
          (block (param) (result f64) (f64.convert_i32_s (local.get 0)))
          (local.get 1) (i64.extend8_s) (local.get 0) (i32.extend16_s)
          (f32.reinterpret_i32 (i32.const 0x40490fdb)))
        (func (export "saturate") (param f64) (result i32 i64)
          (i32.trunc_sat_f64_s (local.get 0)) (i64.trunc_sat_f64_u (local.get 0)))
        (func (export "trunc") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
        (func (export "loop") (param i32) (result i32)
          (i32.const 1) (loop (param i32) (result i32)
            (i32.mul (i32.const 3))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if 0 (local.get 0))))
        (func (export "dead") (result i32)
          (block (result i32) (i32.const 4) (br 0) (memory.grow) (drop) (unreachable)
            (memory.fill) (loop (br 0)) (i32.add)))
        (memory 1)
        (func (export "vector") (param i32) (result i32)
          (v128.store (i32.const 32) (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23
            (i32x4.splat (local.get 0)) (v128.const i32x4 1 2 3 4)))
          (v128.store32_lane 2 (i32.const 48) (v128.load (i32.const 32)))
          (i32.add (i32.load (i32.const 48))
            (i32x4.extract_lane 1 (i32x4.mul (v128.load64_splat (i32.const 32))
              (v128.const i32x4 5 6 7 8)))))
        (func (export "select") (param i32) (result i32)
          (select (i32.const 5) (i32.const 6) (local.get 0))
          (drop (select (result externref) (ref.null extern) (ref.null extern) (i32.const 0)))))`,
      [
        ...[0, 1, 2, 3].map((i): [string, number[]] => ["state", [i]]),
        ["saturate", [1e300]],
        ["saturate", [NaN]],
        ["trunc", [12.9]],
        ["trunc", [1e30]],
        ["loop", [9]],
        ["dead", []],
        ["vector", [12_345]],
        ["select", [0]],
        ["select", [1]],
      ],
    ],
  ];

/** What becomes of a call: the value, or what is thrown. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    ok(error instanceof WebAssembly.RuntimeError, `${error}`);
    return error.message;
  }
}

/** What the imported function was called with, and its own results. */
function gate(notes: unknown[]): WebAssembly.Imports {
  return { gate: { note: (a: number, b: number) => notes.push([a, b]) } };
}

PROGRAMS.forEach(([text, calls], i) => {
  Deno.test(`meterModule changes no result of program ${i}`, () => {
    const bytes = assemble(text);
    const notes: [unknown[], unknown[]] = [[], []];
    const plain = new WebAssembly.Instance(new WebAssembly.Module(bytes), gate(notes[0]));
    const metered = new MeteredInstance(meterModule(bytes, METERING), gate(notes[1]));
    for (const [name, values] of calls) {
      const expected = outcome(() => (plain.exports[name] as CallableFunction)(...values));
      const found = outcome(() => metered.call(name, FUEL, ...values));
      deepEqual(found, expected, `${name}(${values})`);
      ok(metered.fuel > 0n && metered.fuel < FUEL, `${name} costs something`);
    }
    deepEqual(notes[1], notes[0]);
  });
});

const LARGE = {
  ...METERING,
  memoryPagesMax: 32_768,
  tableSizeMax: 100_000,
  moduleSizeMax: 10_000_000,
  initialFuel: Number.MAX_SAFE_INTEGER,
};

/** Starts the assembler, which is WebAssembly itself, with its module changed by `change`. */
async function startAssembler(
  change: (module: Uint8Array) => Uint8Array<ArrayBuffer>,
): Promise<Awaited<ReturnType<typeof wabt>>> {
  const { instantiate } = WebAssembly;
  const changed = (module: BufferSource, imports: WebAssembly.Imports) =>
    instantiate(change(new Uint8Array(module as ArrayBuffer)), imports);
  Object.assign(WebAssembly, { instantiate: changed });
  try {
    return await wabt();
  } finally {
    Object.assign(WebAssembly, { instantiate });
  }
}

Deno.test("meterModule leaves a large program what it is: the assembler itself", async () => {
  const metered: number[] = [];
  const assembler = await startAssembler((module) => {
    const { bytes } = meterModule(module, LARGE);
    metered.push(module.length, bytes.length);
    return bytes;
  });
  const [plainSize, meteredSize] = metered;
  ok(plainSize! > 200_000 && meteredSize! < 2 * plainSize!, `${metered}`);
  for (const [text] of PROGRAMS) {
    const module = assembler.parseWat("test.wat", text);
    deepEqual(new Uint8Array(module.toBinary({}).buffer), assemble(text));
    module.destroy();
  }
});

/** @returns "refused", "invalid" or "valid", and checks what may not be. */
function meterAnything(bytes: Uint8Array<ArrayBuffer>): string {
  const isValid = WebAssembly.validate(bytes);
  const size = bytes.length;
  const copy = bytes.slice();
  try {
    const metered = meterModule(bytes, { ...METERING, moduleSizeMax: Math.max(size, 20_000) });
    equal(WebAssembly.validate(metered.bytes), isValid, "the verdict on the metered module");
    return isValid ? "valid" : "invalid";
  } catch (error) {
    ok(error instanceof InvalidModuleError, `${error}`);
    match(error.message, /^[^\n]+ \(at byte \d+\)$/);
    if (!isValid) return "refused";
    // What V8 accepts is refused for a rule only, never because it would be malformed.
    match(error.message, /not allowed|allowed \(|more than|may not export|two custom sections/);
    return "against the rules";
  } finally {
    deepEqual(bytes, copy, "what is given is not changed");
  }
}

/** Bytes that often stand at the edge of something. */
const EDGES = [0, 1, 2, 3, 0x0b, 0x10, 0x11, 0x3f, 0x40, 0x7f, 0x80, 0x8f, 0xd2, 0xfc, 0xfd, 0xff];

function mutate(module: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = [...module];
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = 8 + random.below(bytes.length - 8);
    switch (random.below(6)) {
      case 0:
        bytes[at] = random.pick(EDGES);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << random.below(8));
        break;
      case 2:
        bytes.splice(at, random.below(4));
        break;
      case 3:
        bytes.splice(at, 0, ...random.bytes(1 + random.below(3)));
        break;
      case 4: // an integer becomes as large as it can be
        bytes.splice(at, 1, 0xff, 0xff, 0xff, 0xff, 0x0f);
        break;
      case 5:
        bytes[at] = (bytes[at]! + 1) & 0xff;
        break;
    }
  }
  return Uint8Array.from(bytes);
}

const MODULES = PROGRAMS.map(([text]) => assemble(text));

Deno.test("meterModule finds the next instruction behind indexes that look like instructions", () => {
  // 3 looks like a loop, 11 like an end, and 15 like a return.
  for (const index of [3, 11, 15]) {
    const tables = "(table 1 funcref)".repeat(16);
    const bytes = assemble(`(module ${tables} (memory 1) (func)
      ${"(global (mut i32) (i32.const 0))".repeat(17)} ${"(elem func 0)".repeat(17)}
      ${'(data "x")'.repeat(17)}
      (func (export "run") (result i32) (local ${"i32 ".repeat(17)})
        (table.set ${index} (i32.const 0) (table.get ${index} (i32.const 0)))
        (table.init ${index} ${index} (i32.const 0) (i32.const 0) (i32.const 0))
        (table.copy ${index} ${index} (i32.const 0) (i32.const 0) (i32.const 0))
        (table.fill ${index} (i32.const 0) (ref.null func) (i32.const 0))
        (drop (table.grow ${index} (ref.null func) (i32.const 0)))
        (elem.drop ${index}) (data.drop ${index})
        (memory.init ${index} (i32.const 0) (i32.const 0) (i32.const 0))
        (global.set ${index} (i32.const ${index}))
        (local.set ${index} (i32.load offset=${index} (i32.const ${index})))
        (drop (local.tee ${index} (global.get ${index})))
        (drop (i64.const ${index})) (drop (f32.const 1.5)) (drop (f64.const 2.5))
        (i32.add (table.size ${index}) (local.get ${index}))))`);
    equal(meterAnything(bytes), "valid");
    const instance = new MeteredInstance(meterModule(bytes, METERING));
    equal(instance.call("run", FUEL), 1 + index);
  }
});

Deno.test("meterModule refuses a module that is cut anywhere", () => {
  for (const module of MODULES) {
    for (let size = 0; size < module.length; size++) meterAnything(module.slice(0, size));
  }
});

Deno.test("meterModule refuses mutated modules, or gives what V8 thinks the same of", async () => {
  const verdicts = new Map<string, number>();
  const { isWhole } = await fuzz(20_000, (random) => {
    const verdict = meterAnything(mutate(random.pick(MODULES), random));
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  });
  if (!isWhole) return;
  for (const verdict of ["refused", "invalid", "valid"]) {
    ok((verdicts.get(verdict) ?? 0) > 500, `too few are ${verdict}: ${[...verdicts]}`);
  }
});

Deno.test("meterModule refuses random bytes behind a header", async () => {
  await fuzz(2_000, (random) => {
    const bytes = random.bytes(8 + random.below(200));
    bytes.set([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    if (random.oneIn(2) && bytes.length > 12) {
      bytes.set([1 + random.below(12), bytes.length - 10], 8);
    }
    meterAnything(bytes);
  });
});

/** Functions with all kinds of branches that count the instructions that they execute. */
function randomBody(random: Random, depth: number, labels: number): string {
  let text = "";
  for (let left = 1 + random.below(4); left > 0; left--) {
    const size = random.oneIn(3) ? random.below(120) : random.below(8);
    text += `(global.set $n (i32.add (global.get $n) (i32.const ${4 + 2 * size})))`;
    text += "(drop (i32.const 1))".repeat(size);
    const inner = () => depth === 0 ? "" : randomBody(random, depth - 1, labels + 1);
    const choose = "(call $choose)";
    switch (random.below(7)) {
      case 0:
        text += `(block ${inner()})`;
        break;
      case 1:
        text += `(loop ${inner()})`;
        break;
      case 2:
        text += `(if ${choose} (then ${inner()}) (else ${inner()}))`;
        break;
      case 3:
        text += `(br_if ${random.below(labels)} ${choose})`;
        break;
      case 4:
        text += `(br_table ${random.below(labels)} ${random.below(labels)} ${choose})`;
        return text;
      case 5:
        text += `(if ${choose} (then (br ${1 + random.below(labels)})))`;
        break;
      case 6:
        if (random.oneIn(3)) return text + "(return)";
        break;
    }
  }
  return text;
}

Deno.test("meterModule charges at least for what is executed, whatever the branches", async () => {
  await fuzz(150, (random) => {
    const text = `(module (import "gate" "choose" (func $choose (result i32)))
      (global $n (export "executed") (mut i32) (i32.const 0))
      (func (export "run") ${randomBody(random, 4, 1)}))`;
    let choicesLeft = 200;
    const choose = () => {
      choicesLeft -= 1;
      if (choicesLeft < 0) throw new Error("enough");
      return random.below(2);
    };
    const metered = meterModule(assemble(text), { ...METERING, hostCallCost: () => 0 });
    const instance = new MeteredInstance(metered, { gate: { choose } });
    try {
      instance.call("run", 1_000_000);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) equal(instance.fuel < 0n, true);
      else equal((error as Error).message, "enough");
    }
    const executed = (instance.instance.exports["executed"] as WebAssembly.Global).value;
    const charged = 1_000_000 - Number(instance.fuel);
    ok(charged >= executed || instance.fuel < 0n, `${charged} units for ${executed}`);
  });
});

Deno.test("meterModule takes options that are its caller's mistake as such", () => {
  throws(() => meterModule(MODULES[0]!, { ...METERING, initialFuel: -1 }), /Broken invariant/);
});
