/**
 * Modules that were made with an Extism PDK: JSON in, JSON out, on blocks of memory of the host.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, match, ok, rejects } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { type PluginOptions, startPlugin } from "../support/plugins.ts";

/** A module of the ABI, as a PDK's: it copies what is at 16 into a block and sets it as output. */
function extismModule(body: string, output = "", size = output.length): string {
  return `(module
    (import "extism:host/env" "input_length" (func $input_length (result i64)))
    (import "extism:host/env" "input_load_u8" (func $input_u8 (param i64) (result i32)))
    (import "extism:host/env" "input_load_u64" (func $input_u64 (param i64) (result i64)))
    (import "extism:host/env" "input_offset" (func $input_offset (result i64)))
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (import "extism:host/env" "free" (func $free (param i64)))
    (import "extism:host/env" "length" (func $length (param i64) (result i64)))
    (import "extism:host/env" "load_u64" (func $load_u64 (param i64) (result i64)))
    (import "extism:host/env" "load_u8" (func $load_u8 (param i64) (result i32)))
    (import "extism:host/env" "store_u8" (func $store_u8 (param i64 i32)))
    (import "extism:host/env" "store_u64" (func $store_u64 (param i64 i64)))
    (import "extism:host/env" "output_set" (func $output_set (param i64 i64)))
    (import "extism:host/env" "error_set" (func $error_set (param i64)))
    (import "extism:host/env" "config_get" (func $config_get (param i64) (result i64)))
    (import "extism:host/env" "log_info" (func $log_info (param i64)))
    (import "sluice" "write" (func $write (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "${output}")
    ;; A block with the bytes from the pointer on.
    (func $block (param $from i32) (param $size i32) (result i64) (local $to i64) (local $i i32)
      (local.set $to (call $alloc (i64.extend_i32_u (local.get $size))))
      (block $end (loop $next
        (br_if $end (i32.ge_u (local.get $i) (local.get $size)))
        (call $store_u8 (i64.add (local.get $to) (i64.extend_i32_u (local.get $i)))
          (i32.load8_u (i32.add (local.get $from) (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))
      (local.get $to))
    (func $give (call $output_set (call $block (i32.const 16) (i32.const ${size}))
      (i64.const ${size})))
    (func (export "onQuery") (result i32) ${body}))`;
}

/** The text as the assembler wants it. */
function quoted(value: unknown): string {
  return JSON.stringify(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}

/** What comes of an output; a text is given as it is. */
async function answer(output: unknown, options: PluginOptions = {}) {
  const text = typeof output === "string" ? output : quoted(output);
  const size = typeof output === "string" ? output.length : JSON.stringify(output).length;
  const world = await startPlugin(
    extismModule("(call $give) (i32.const 0)", text, size),
    options,
  );
  const verdict = world.query("select 1");
  return { ...world, verdict, failure: world.failures[0] };
}

Deno.test("The output of an Extism module becomes the verdict", async () => {
  const plugin = "tested";
  assertEquals((await answer("")).verdict, { kind: "forward" });
  assertEquals((await answer({})).verdict, { kind: "forward" });
  const rejected = await answer({ verdict: "reject", sqlstate: "22000", message: "no", hint: "h" });
  const rejection = { sqlState: "22000", message: "no", hint: "h" };
  assertEquals(rejected.verdict, { kind: "reject", rejection, plugin });
  const replaced = await answer({ verdict: "replace", payload: btoa("select 2") });
  ok(replaced.verdict.kind === "replace");
  equal(new TextDecoder().decode(replaced.verdict.bytes), "select 2");
  const routed = await answer({ verdict: "route", proxy: "reads" });
  assertEquals(routed.verdict, { kind: "route", proxy: "reads", plugin });
  const columns = [{ name: "a", type: 23 }, { name: "b" }];
  const responded = await answer({ verdict: "respond", columns, rows: [["1", null]], tag: "X 1" });
  assertEquals(responded.verdict, {
    kind: "respond",
    reply: {
      kind: "result",
      columns: [{ name: "a", typeOid: 23 }, { name: "b", typeOid: 25 }],
      rows: [[utf8("1"), undefined]],
      tag: "X 1",
    },
    plugin,
  });
  const reporting = await answer({
    log: [{ level: "warn", message: "hello" }],
    signals: [{ name: "mark", metadata: { a: 1 } }],
  });
  assertEquals(reporting.logs, ["tested warn hello"]);
  assertEquals(reporting.signals, [{ plugin, name: "mark", metadata: { a: 1 } }]);
});

Deno.test("An Extism module gets the event as JSON", async () => {
  // It gives its input back, behind {"payload": and so on: here it is read word by word.
  const body = `(local $i i64) (local $to i64) (local $size i64)
    (local.set $size (call $input_length))
    (local.set $to (call $alloc (local.get $size)))
    (block $end (loop $next
      (br_if $end (i64.ge_u (local.get $i) (local.get $size)))
      (i64.store (i32.add (i32.const 1024) (i32.wrap_i64 (local.get $i)))
        (call $input_u64 (local.get $i)))
      (local.set $i (i64.add (local.get $i) (i64.const 8))) (br $next)))
    (drop (call $write (i32.const 1024) (i32.wrap_i64 (local.get $size))))
    (call $give) (i32.const 0)`;
  const output = { verdict: "replace" };
  const { query, failures } = await startPlugin(
    extismModule(body, quoted(output), JSON.stringify(output).length),
  );
  const verdict = query("select 'ü'");
  assertEquals(failures, []);
  ok(verdict.kind === "replace");
  assertEquals(JSON.parse(new TextDecoder().decode(verdict.bytes)), {
    hook: "onQuery",
    session: 2 ** 40 + 5,
    flags: 31,
    timeMs: 1_750_000_000_123,
    transactionStatus: "I",
    phase: "simple",
    request: 7,
    messageType: "",
    rows: 0,
    durationUs: 0,
    worker: 3,
    user: "app",
    database: "shop",
    text: "select 'ü'",
    payload: btoa(String.fromCharCode(...utf8("select 'ü'"))),
  });
});

Deno.test("An output that is not as the contract says is a failure", async () => {
  const wrong: readonly unknown[] = [
    "[]",
    "x",
    { verdict: 3 },
    { verdict: "reject", sqlstate: "abc" },
    { verdict: "reject", message: "a\0b" },
    { verdict: "replace", payload: "a*b" },
    { verdict: "respond", columns: {} },
    { verdict: "respond", columns: [{ name: "a", type: -1 }] },
    { verdict: "respond", columns: [{ name: "a" }], rows: [[]] },
    { verdict: "respond", columns: [{ name: "a" }], rows: [[1]] },
    { verdict: "respond", columns: [{ name: "a" }], tag: "" },
    { log: [1] },
    { log: [{ level: "loud" }] },
    { signals: [{ name: "" }] },
    { signals: [{ name: "a", metadata: [] }] },
  ];
  for (const output of wrong) {
    equal((await answer(output)).failure?.reason, "output", JSON.stringify(output));
  }
  equal((await answer({ verdict: "nothing" })).failure?.reason, "verdict");
  equal((await answer({ verdict: "toString" })).failure?.reason, "verdict");
  const spec = { permissions: [] };
  for (const output of [{ verdict: "close" }, { log: [{}] }, { signals: [{}] }]) {
    equal((await answer(output, { spec })).failure?.reason, "permission");
  }
});

Deno.test("What an Extism module sets as its error, and a result that is not 0, are failures", async () => {
  const error = "(call $error_set (call $block (i32.const 16) (i32.const 3)))";
  const failing = await startPlugin(extismModule(`${error} (i32.const 1)`, "bad"));
  failing.query("a");
  equal(failing.failures[0]?.reason, "error");
  equal(failing.failures[0]?.message, "bad");
  const cleared = `${error} (call $error_set (i64.const 0)) (i32.const 0)`;
  const fine = await startPlugin(extismModule(cleared, "bad"));
  fine.query("a");
  assertEquals(fine.failures, []);
  const silent = await startPlugin(extismModule("(i32.const 1)"));
  silent.query("a");
  match(silent.failures[0]!.message, /it returned 1/);
});

Deno.test("Blocks have a limit, and addresses are checked", async () => {
  const reason = async (body: string) => {
    const { query, failures } = await startPlugin(extismModule(`${body} (i32.const 0)`, "abc"));
    query("a");
    return failures[0]?.reason;
  };
  const trapIfNot = (condition: string) => `(if (i32.eqz ${condition}) (then (unreachable)))`;
  const huge = "(call $alloc (i64.const 0x200000000000))";
  equal(await reason(trapIfNot(`(i64.eqz ${huge})`)), "fuel", "as much as fits is charged");
  equal(await reason("(call $output_set (i64.const 8) (i64.const 536870912))"), "output");
  equal(await reason("(call $output_set (i64.const 8) (i64.const 60000))"), "pointer");
  equal(await reason("(call $output_set (i64.const -1) (i64.const 8))"), "pointer");
  equal(await reason("(call $output_set (i64.const 0) (i64.const 0))"), undefined);
  for (const address of ["0", "7", "0x100000", "-1", "-8", "0x1000000000000"]) {
    const at = `(i64.const ${address})`;
    equal(await reason(`(drop (call $load_u64 ${at}))`), "pointer", address);
    equal(await reason(`(drop (call $load_u8 ${at}))`), "pointer", address);
    equal(await reason(`(call $store_u64 ${at} (i64.const 1))`), "pointer", address);
    equal(await reason(`(call $store_u8 ${at} (i32.const 1))`), "pointer", address);
    equal(await reason(`(call $log_info ${at})`), "pointer", address);
    equal(await reason(trapIfNot(`(i64.eqz (call $length ${at}))`)), undefined, address);
  }
  equal(await reason("(drop (call $input_u64 (call $input_length)))"), "pointer");
  equal(await reason("(drop (call $input_u8 (i64.const -1)))"), "pointer");
  const storm = "(loop $l (drop (call $alloc (i64.const 1))) (br $l))";
  equal(await reason(storm), "fuel");
});

Deno.test("A call sees nothing of earlier ones in its blocks, however many there were", async () => {
  const body = `(local $at i64) (local.set $at (call $alloc (i64.const 64)))
    (if (i64.ne (call $load_u64 (local.get $at)) (i64.const 0)) (then (unreachable)))
    (call $store_u64 (local.get $at) (i64.const 77)) (call $free (local.get $at)) (i32.const 0)`;
  const { query, failures } = await startPlugin(extismModule(body));
  for (let i = 0; i < 40_000; i++) query("a");
  assertEquals(failures, []);
});

Deno.test("config_get finds a value of the configuration", async () => {
  const body = `(call $log_info (call $config_get (call $block (i32.const 16) (i32.const 3))))
    (if (i64.ne (call $config_get (call $block (i32.const 16) (i32.const 2))) (i64.const 0))
      (then (unreachable))) (i32.const 0)`;
  const spec = { configuration: '{"a":{"b":"found"}}' };
  const { query, logs, failures } = await startPlugin(extismModule(body, "a.b"), { spec });
  query("a");
  assertEquals(failures, []);
  assertEquals(logs, ["tested info found"]);
});

Deno.test("Variables and HTTP of Extism are refused, with what there is instead", async () => {
  for (const [name, instead] of [["var_get", "kv_get"], ["http_request", "http_send"]]) {
    const module = `(module (import "extism:host/env" "${name}" (func (param i64) (result i64)))
      (memory (export "memory") 1))`;
    await rejects(startPlugin(module), new RegExp(`"${name}".*refused: use ${instead}`));
  }
});

Deno.test("An Extism module runs again after a trap", async () => {
  const body = `(if (i32.eq (call $input_u8 (i64.const 0)) (i32.const 123)) (then (unreachable)))
    (i32.const 0)`;
  const { query, plugin, counts } = await startPlugin(extismModule(body));
  equal(query("a").kind, "forward");
  equal(query("a").kind, "forward");
  equal(counts().failures.trap, 2);
  equal(plugin.state, "running");
});
