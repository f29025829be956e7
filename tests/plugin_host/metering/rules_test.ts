import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import { InvalidModuleError, meterModule } from "../../../src/plugin_host/metering/meter.ts";
import { assemble, meter, MeteredInstance, METERING } from "../../support/wasm.ts";

const HEADER = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** A module of these sections. Each is less than 128 bytes. */
function moduleOf(...sections: readonly (readonly [id: number, content: readonly number[]])[]) {
  return concat(HEADER, ...sections.map(([id, content]) => section(id, Uint8Array.from(content))));
}

function section(id: number, content: Uint8Array): Uint8Array {
  ok(content.length < 128);
  return concat(Uint8Array.of(id, content.length), content);
}

/** A module with one function of type () -> () and this body, its locals included. */
function moduleOfBody(...body: readonly number[]): Uint8Array {
  return moduleOf([1, [1, 0x60, 0, 0]], [3, [1, 0]], [10, [1, body.length, ...body]]);
}

function refused(module: string | Uint8Array, message: RegExp): void {
  const bytes = typeof module === "string" ? assemble(module) : module;
  throws(() => meterModule(bytes, METERING), (error: unknown) => {
    ok(error instanceof InvalidModuleError, `${error}`);
    match(error.message, message);
    match(error.message, / \(at byte \d+\)$/);
    ok(error.offset <= bytes.length, `offset ${error.offset} of ${bytes.length}`);
    return true;
  });
}

const FEATURES: readonly (readonly [name: string, module: string | Uint8Array, says: RegExp])[] = [
  [
    "imported memories",
    '(module (import "a" "b" (memory 1)))',
    /imported memory is not allowed; the module needs one of its own/,
  ],
  ["imported tables", '(module (import "a" "b" (table 1 funcref)))', /imported table is not/],
  [
    "imported mutable globals",
    '(module (import "a" "b" (global (mut i32))))',
    /imported mutable global is not allowed/,
  ],
  ["imported tags", '(module (import "a" "b" (tag)))', /exception handling is not allowed/],
  ["tags", "(module (tag))", /exception handling is not allowed/],
  ["throw", moduleOfBody(0, 0x08, 0, 0x0b), /exception handling is not allowed/],
  ["try_table", moduleOfBody(0, 0x1f, 0x40, 0, 0x0b, 0x0b), /exception handling is not/],
  ["exnref", moduleOf([1, [1, 0x60, 1, 0x69, 0]]), /exception handling is not allowed/],
  ["two memories", "(module (memory 1) (memory 1))", /more than one memory/],
  ["a second memory's size", moduleOfBody(0, 0x3f, 1, 0x1a, 0x0b), /more than one memory/],
  [
    "a load of a second memory",
    moduleOfBody(0, 0x41, 0, 0x28, 0x42, 1, 0, 0x1a, 0x0b),
    /multi-memory/,
  ],
  ["shared memories", "(module (memory 1 1 shared))", /a shared memory \(threads\)/],
  ["64-bit memories", "(module (memory i64 1))", /a 64-bit memory is not allowed/],
  ["64-bit tables", moduleOf([4, [1, 0x70, 4, 1]]), /a 64-bit table is not allowed/],
  [
    "atomic instructions",
    "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
    /an atomic instruction \(threads\) is not/,
  ],
  ["tail calls", "(module (func $f (return_call $f)))", /a tail call is not allowed/],
  [
    "indirect tail calls",
    "(module (table 1 funcref) (func (return_call_indirect (i32.const 0))))",
    /a tail call is not allowed/,
  ],
  ["tail calls of references", moduleOfBody(0, 0x15, 0, 0x0b), /a tail call is not allowed/],
  ["call_ref", moduleOfBody(0, 0x14, 0, 0x0b), /a call of a function reference is not/],
  ["br_on_null", moduleOfBody(0, 0xd5, 0, 0x0b), /an instruction of function references/],
  ["typed references", moduleOf([1, [1, 0x60, 1, 0x64, 0x70, 0]]), /function references/],
  ["tables with expressions", moduleOf([4, [1, 0x40, 0, 0x70, 0, 1, 0xd0, 0x70, 0x0b]]), /a table/],
  ["null of a type", moduleOfBody(0, 0xd0, 0, 0x1a, 0x0b), /a reference of a type \(function/],
  ["recursive types", moduleOf([1, [1, 0x4e, 1, 0x60, 0, 0]]), /garbage collection is not/],
  ["structures", moduleOf([1, [1, 0x5f, 0]]), /garbage collection is not allowed/],
  ["garbage collection", moduleOfBody(0, 0xfb, 0, 0, 0x1a, 0x0b), /garbage collection is not/],
  ["ref.eq", moduleOfBody(0, 0xd3, 0x0b), /garbage collection is not allowed/],
  ["garbage collection in constants", moduleOf([6, [1, 0x7f, 0, 0xfb, 0, 0, 0x0b]]), /garbage/],
  ["stack switching", moduleOfBody(0, 0xe0, 0, 0x0b), /stack switching is not allowed/],
  ["continuations", moduleOf([1, [1, 0x5d, 0]]), /stack switching is not allowed/],
  ["string literals", moduleOf([14, [0]]), /string literals is not allowed/],
  ["components", Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), /a WebAssembly component/],
  ["tables without number", `(module ${"(table 1 funcref)".repeat(17)})`, /17 tables are more/],
  ["our names", '(module (func (export "__sluice_fuel")))', /may not export "__sluice_fuel"/],
  ["names like ours", '(module (memory (export "__sluicer") 1))', /names with __sluice are ours/],
];

for (const [name, module, says] of FEATURES) {
  Deno.test(`meterModule refuses ${name}`, () => refused(module, says));
}

const MALFORMED: readonly (readonly [name: string, module: Uint8Array, says: RegExp])[] = [
  ["nothing", new Uint8Array(), /^this is no WebAssembly/],
  ["text", utf8("(module)"), /^this is no WebAssembly/],
  ["half a header", HEADER.subarray(0, 6), /^the module is cut off \(at byte 0\)/],
  ["another version", Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), /^only version 1/],
  ["a section past the end", concat(HEADER, Uint8Array.of(1, 9, 0)), /^the module is cut off/],
  [
    "a section of 2^32-1 bytes",
    concat(HEADER, Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0)),
    /^the module is cut off/,
  ],
  [
    "an integer of 33 bits",
    concat(HEADER, Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff, 0x1f)),
    /^an integer has more than 32 bits \(at byte 9\)/,
  ],
  [
    "an integer without end",
    concat(HEADER, new Uint8Array(20).fill(0x80)),
    /^an integer has more than 32 bits/,
  ],
  ["an i32 without end", moduleOfBody(0, 0x41, ...Array(9).fill(0x80)), /has more than 5 bytes/],
  ["an i64 without end", moduleOfBody(0, 0x42, ...Array(19).fill(0x80)), /more than 10 bytes/],
  ["2^32-1 types", moduleOf([1, [0xff, 0xff, 0xff, 0xff, 0x0f]]), /fewer types than the/],
  ["2^32-1 functions", moduleOf([3, [0xff, 0xff, 0xff, 0xff, 0x0f]]), /fewer functions than/],
  [
    "2^32-1 elements",
    moduleOf([9, [1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]]),
    /fewer elements than the announced 4294967295/,
  ],
  [
    "2^32-1 targets",
    moduleOfBody(0, 0x0e, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b),
    /fewer targets than the announced/,
  ],
  [
    "2^32-1 locals",
    moduleOfBody(1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b),
    /more than 50000 locals/,
  ],
  ["sections in disorder", moduleOf([3, [0]], [1, [0]]), /^the section of types stands behind/],
  ["a section twice", moduleOf([1, [0]], [1, [0]]), /is a second one/],
  ["an unknown section", moduleOf([99, []]), /^there is no section with id 99/],
  ["bytes behind types", moduleOf([1, [0, 0]]), /bytes behind the end of the types/],
  ["an unknown type", moduleOf([1, [1, 0x60, 1, 0x11, 0]]), /no type with code 0x11/],
  ["an unknown instruction", moduleOfBody(0, 0xc7, 0x0b), /no instruction with code 0xc7/],
  ["an unknown bulk one", moduleOfBody(0, 0xfc, 18, 0x0b), /no instruction with code 0xfc 18/],
  ["an unknown vector one", moduleOfBody(0, 0xfd, 0xbb, 1, 0x0b), /with code 0xfd 187/],
  ["a body without end", moduleOfBody(0, 0x01), /^the module is cut off/],
  ["code behind a body's end", moduleOfBody(0, 0x0b, 0x01), /bytes behind the end of a function/],
  ["an unknown function", moduleOfBody(0, 0x10, 1, 0x0b), /^there is no function 1 /],
  ["an unknown reference", moduleOfBody(0, 0xd2, 4, 0x1a, 0x0b), /^there is no function 4 /],
  ["an added type", moduleOfBody(0, 0x41, 0, 0x11, 1, 0, 0x0b), /^there is no type 1 /],
  ["a block of an added type", moduleOfBody(0, 0x02, 1, 0x0b, 0x0b), /^there is no type 1 /],
  ["an export of the fuel", moduleOf([7, [1, 1, 0x61, 3, 0]]), /^there is no global 0 /],
  ["an export of a wrapper", moduleOf([7, [1, 1, 0x61, 0, 0]]), /^there is no function 0 /],
  ["a start of a wrapper", moduleOf([8, [0]]), /^there is no function 0 /],
  ["more bodies than functions", moduleOf([10, [1, 2, 0, 0x0b]]), /1 bodies for 0 functions/],
  [
    "fewer bodies than functions",
    moduleOf([1, [1, 0x60, 0, 0]], [3, [1, 0]]),
    /0 bodies for 1 functions/,
  ],
  ["a name that is no UTF-8", moduleOf([7, [1, 1, 0xff, 0, 0]]), /^a name is not UTF-8/],
  ["an unknown kind", moduleOf([7, [1, 1, 0x61, 9, 0]]), /has code 9/],
  ["unknown limits", moduleOf([5, [1, 8, 1]]), /unknown flags 8/],
  ["a maximum below the minimum", moduleOf([5, [1, 1, 2, 1]]), /maximum is below its minimum/],
  ["a maximum above 4 GiB", moduleOf([5, [1, 1, 1, 0x81, 0x80, 4]]), /at most 65536 pages/],
  ["a constant that calls", moduleOf([6, [1, 0x7f, 0, 0x10, 0, 0x0b]]), /make constants/],
];

for (const [name, module, says] of MALFORMED) {
  Deno.test(`meterModule refuses ${name}, and says where`, () => {
    refused(module, says);
    equal(WebAssembly.validate(module as Uint8Array<ArrayBuffer>), false);
  });
}

Deno.test("meterModule gives memory a maximum, and refuses one that needs more", () => {
  deepEqual(meter("(module (memory 2))").memoryPages, { min: 2, max: 16 });
  deepEqual(meter("(module (memory 2 5))").memoryPages, { min: 2, max: 5 });
  deepEqual(meter("(module (memory 2 65536))").memoryPages, { min: 2, max: 16 });
  deepEqual(meter("(module (memory 16))").memoryPages, { min: 16, max: 16 });
  equal(meter("(module)").memoryPages, undefined);
  refused(
    "(module (memory 40))",
    /^the module needs at least 2.5 MiB of memory, more than the 1 MiB that are allowed/,
  );
  const instance = new MeteredInstance(meter(`(module (memory 2)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`));
  equal(instance.call("grow", 1e9, 14), 2);
  equal(instance.call("grow", 1e9, 1), -1);
});

Deno.test("meterModule gives tables a maximum, and refuses one that needs more", () => {
  const instance = new MeteredInstance(meter(`(module (table 900 4000 externref)
    (func (export "grow") (param i32) (result i32)
      (table.grow (ref.null extern) (local.get 0))))`));
  equal(instance.call("grow", 1e9, 101), -1);
  equal(instance.call("grow", 1e9, 100), 900);
  refused("(module (table 1001 funcref))", /needs at least 1001 elements, more than the 1000/);
});

Deno.test("meterModule refuses a module that is too large, also when it is so only later", () => {
  const module = `(module ${"(func (loop) (loop) (loop) (loop))".repeat(20)})`;
  const { length } = assemble(module);
  throws(() => meter(module, { moduleSizeMax: length - 1 }), /more than \d+ \(at byte/);
  throws(() => meter(module, { moduleSizeMax: length }), /when metered/);
  meter(module, { moduleSizeMax: 2 * length });
});

Deno.test("meterModule tells what a module imports and exports", () => {
  const { imports, exports, bytes } = meter(`(module
    (import "gate" "read" (func (param i32 i64) (result f32)))
    (import "" "limit" (global f64))
    (import "gate" "write" (func (param v128 funcref externref)))
    (memory (export "memory") 1) (table (export "table") 1 funcref)
    (global (export "global") i32 (i32.const 1))
    (export "read" (func 0))
    (func (export "\\u{fc}ber") (param i32) (result f64 i32) unreachable))`);
  ok(WebAssembly.validate(bytes));
  deepEqual(imports, [
    {
      module: "gate",
      name: "read",
      kind: "function",
      type: { parameters: ["i32", "i64"], results: ["f32"] },
    },
    { module: "", name: "limit", kind: "global" },
    {
      module: "gate",
      name: "write",
      kind: "function",
      type: { parameters: ["v128", "funcref", "externref"], results: [] },
    },
  ]);
  deepEqual(exports, [
    { name: "memory", kind: "memory" },
    { name: "table", kind: "table" },
    { name: "global", kind: "global" },
    { name: "read", kind: "function", type: { parameters: ["i32", "i64"], results: ["f32"] } },
    { name: "über", kind: "function", type: { parameters: ["i32"], results: ["f64", "i32"] } },
  ]);
});

Deno.test("meterModule keeps the manifest apart, and drops other custom sections", () => {
  const custom = (name: string, text: string) =>
    section(0, concat(Uint8Array.of(name.length), utf8(name + text)));
  const manifest = custom("sluice.manifest", "name: x");
  const named = concat(HEADER, custom("name", "abc"), manifest, custom("sluice.other", "y"));
  const { bytes, customSections } = meterModule(named, METERING);
  deepEqual([...customSections], [["sluice.manifest", utf8("name: x")]]);
  const module = new WebAssembly.Module(bytes);
  for (const name of ["name", "sluice.manifest", "sluice.other"]) {
    equal(WebAssembly.Module.customSections(module, name).length, 0);
  }
  refused(concat(named, manifest), /two custom sections named "sluice.manifest"/);
  refused(concat(HEADER, Uint8Array.of(0, 1, 9)), /longer than its announced size|cut off/);
});
