/**
 * What plugins get from host functions: sizes, copies, and refusals.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, ok } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { FIELD, type HookEvent } from "../../src/hooks/event.ts";
import { HOOK } from "../../src/hooks/hooks.ts";
import { seriesCells } from "../../src/plugin_host/metric_cells.ts";
import { BUFFER, copied, result, T, without } from "../support/host_calls.ts";
import { EVENT_AT, moduleOf, sessionOf, startPlugin, TEXT_AT } from "../support/plugins.ts";

Deno.test("read copies the part of a field that fits, and says how long all of it is", async () => {
  const read = (field: number, offset: number, capacity: number) =>
    `(call $read (i32.const ${field}) (i32.const ${offset}) ${BUFFER} (i32.const ${capacity}))`;
  equal(await copied(read(FIELD.payload, 0, 100)), "select 1");
  equal(await result(read(FIELD.payload, 0, 3)), 8);
  equal(await result(read(FIELD.payload, 8, 3)), 8);
  equal(await result(read(FIELD.payload, -1, 3)), 8);
  equal(await copied(read(FIELD.user, 0, 100)), "app");
  equal(await copied(`(i32.sub ${read(FIELD.payload, 3, 100)} (i32.const 3))`), "ect 1");
  equal(await copied(read(FIELD.pluginName, 0, 100)), "tested");
  equal(await result(read(FIELD.columns, 0, 100)), -1);
  equal(await result(read(28, 0, 100)), -4);
  equal(await result(read(-1, 0, 100)), -4);
  const spec = { configuration: '{"a":1}' };
  equal(await copied(read(FIELD.configuration, 0, 100), "", { spec }), '{"a":1}');
  // Bytes behind those that fit are not touched.
  const capped = `(drop ${read(FIELD.payload, 0, 3)}) (drop (call $write ${BUFFER} (i32.const 5)))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 6000) (i32.const 4)))
    (drop (call $write (i32.const 6000) (i32.const 6)))`;
  const { query } = await startPlugin(moduleOf(`${capped} (i32.const 1)`, "", "", "onRow"));
  equal(query("select 1", (event) => void (event.hook = HOOK.onRow)).kind, "forward");
});

Deno.test("read asks the parser once a call, with the permission only", async () => {
  const read = (field: number) =>
    `(call $read (i32.const ${field}) (i32.const 0) ${BUFFER} (i32.const 100))`;
  let calls = 0;
  const analyse = (text: Uint8Array) => {
    calls += 1;
    return {
      normalisedText: `${new TextDecoder().decode(text)} $1`,
      fingerprint: "0123456789abcdef",
      statements: "SELECT read",
      tables: "",
      injectionSignals: "tautology",
      functions: "lower",
    };
  };
  const ports = { analyse };
  const both = `(drop ${read(FIELD.fingerprint)}) (drop ${read(FIELD.tables)})`;
  const { query } = await startPlugin(moduleOf(`${both} (i32.const 0)`), { ports });
  query("a");
  query("b");
  equal(calls, 2);
  equal(await copied(read(FIELD.normalisedText), "", { ports }), "select 1 $1");
  equal(await result(read(FIELD.tables), "", { ports }), 0);
  equal(await result(read(FIELD.statements)), -1, "the parser is not there yet");
  const noText = { ports, change: (event: HookEvent) => void (event.text = undefined) };
  equal(await result(read(FIELD.statements), "", noText), -1);
  equal(await copied(read(FIELD.functions), "", { ports }), "lower");
  equal(await result(read(FIELD.injectionSignals), "", { ...without("parse"), ports }), -2);
});

Deno.test("parameter and config find values by name", async () => {
  const find = (name: string, length: number) =>
    `(call $${name} ${T} (i32.const ${length}) ${BUFFER} (i32.const 100))`;
  equal(await copied(find("parameter", 8), "TimeZone"), "Europe/Zürich");
  equal(await result(find("parameter", 4), "TimeZone"), -1);
  const spec = { configuration: '{"rules":[{"table":"t1"},{"n":[1,2]}],"__proto__":{"x":"y"}}' };
  const config = (path: string) => copied(find("config", path.length), path, { spec });
  equal(await config("rules.0.table"), "t1");
  equal(await config("rules.1.n"), "[1,2]");
  equal(await config("rules.1"), '{"n":[1,2]}');
  for (const path of ["rules.2", "rules.length.x", "toString", "constructor", "", "rules."]) {
    equal(await result(find("config", path.length), path, { spec }), -1, path);
  }
});

Deno.test("Host functions end the call when a pointer leads out of memory", async () => {
  const names: Readonly<Record<string, (pair: string) => string>> = {
    read: (pair) => `(call $read (i32.const 99) (i32.const 0) ${pair})`,
    parameter: (pair) => `(call $parameter ${pair} (i32.const 0) (i32.const 0))`,
    parameterInto: (pair) => `(call $parameter (i32.const 0) (i32.const 0) ${pair})`,
    config: (pair) => `(call $config ${pair} (i32.const 0) (i32.const 0))`,
    configInto: (pair) => `(call $config (i32.const 0) (i32.const 0) ${pair})`,
    write: (pair) => `(call $write ${pair})`,
    column: (pair) => `(call $result_column ${pair} (i32.const 25))`,
    tag: (pair) => `(call $result_tag ${pair})`,
    sqlstate: (pair) =>
      `(call $error ${pair} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`,
    message: (pair) => `(call $error ${T} (i32.const 5) ${pair} (i32.const 0) (i32.const 0))`,
    hint: (pair) => `(call $error ${T} (i32.const 5) (i32.const 0) (i32.const 0) ${pair})`,
    signal: (pair) => `(call $signal ${pair} (i32.const 0) (i32.const 0))`,
    metadata: (pair) => `(call $signal (i32.const 0) (i32.const 0) ${pair})`,
    log: (pair) => `(call $log (i32.const 2) ${pair})`,
    metric: (pair) => `(call $metric (i32.const 0) ${pair})`,
    kvGet: (pair) => `(call $kv_get ${pair} (i32.const 0) (i32.const 0))`,
    kvGetInto: (pair) => `(call $kv_get ${T} (i32.const 1) ${pair})`,
    kvSet: (pair) => `(call $kv_set ${pair} (i32.const 0) (i32.const 0) (i32.const 0))`,
    kvSetValue: (pair) => `(call $kv_set ${T} (i32.const 1) ${pair} (i32.const 0))`,
    kvDelete: (pair) => `(call $kv_delete ${pair})`,
    kvIncrement: (pair) =>
      `(i32.wrap_i64
      (call $kv_increment ${pair} (i64.const 1) (i32.const 0)))`,
    kvWrite: (pair) => `(call $kv_write ${pair})`,
    kvCapture: (pair) => `(call $kv_capture ${pair} (i32.const 0) (i32.const 0))`,
    sessionGet: (pair) => `(call $session_get ${pair})`,
    sessionSet: (pair) => `(call $session_set ${pair})`,
    random: (pair) => `(call $random ${pair})`,
    http: (pair) =>
      `(call $http_send ${pair} ${pair} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`,
  };
  // The memory has one page: 65,536 bytes.
  const pairs = [[65_536, 1], [65_535, 2], [0, 65_537], [-1, 1], [-1, -1], [1, -2], [-65_536, -1]];
  for (const [name, call] of Object.entries(names)) {
    for (const [pointer, length] of pairs) {
      const body = `(drop ${call(`(i32.const ${pointer}) (i32.const ${length})`)}) (i32.const 0)`;
      const { query, counts } = await startPlugin(moduleOf(body, "", "42000"));
      equal(query("a").kind, "forward");
      equal(counts().failures.pointer, 1, `${name}(${pointer}, ${length})`);
    }
    const { query, counts } = await startPlugin(
      moduleOf(`(drop ${call("(i32.const 65536) (i32.const 0)")}) (i32.const 0)`, "", "42000"),
    );
    query("a");
    equal(counts().failures.pointer, 0, `${name} of nothing at the end of memory`);
  }
});

Deno.test("result_value of length -1 is NULL, wherever it points", async () => {
  const row = `(drop (call $result_column ${T} (i32.const 1) (i32.const 25)))
    (drop (call $result_value (i32.const -1) (i32.const -1)))
    (drop (call $result_value ${T} (i32.const 2))) (i32.const 2)`;
  const { query } = await startPlugin(moduleOf(row, "", "ab"));
  const columns = [{ name: "a", typeOid: 25 }];
  const reply = { kind: "result", columns, rows: [[undefined], [utf8("ab")]], tag: undefined };
  assertEquals(query("a"), { kind: "respond", reply, plugin: "tested" });
  const outside = row.replace("(i32.const 2))) (i32.const 2)", "(i32.const -2))) (i32.const 2)");
  const { query: failing, counts } = await startPlugin(moduleOf(outside, "", "ab"));
  failing("a");
  equal(counts().failures.pointer, 1);
});

Deno.test("result functions refuse what no result can have", async () => {
  const column = `(call $result_column ${T} (i32.const 1) (i32.const 25))`;
  const value = `(call $result_value ${T} (i32.const 1))`;
  const after = (first: string, last: string) => `(block (result i32) (drop ${first}) ${last})`;
  equal(await result(value, "a"), -4, "a value without columns");
  equal(await result(after(column, column), "a"), 2);
  equal(await result(after(after(column, value), column), "a"), -4, "a column behind a value");
  equal(await result(column, "\\00"), -4);
  equal(await result(`(call $result_tag ${T} (i32.const 0))`), -4);
  equal(await result(`(call $result_tag ${T} (i32.const 65))`, "x".repeat(65)), -4);
});

Deno.test("error takes five characters and texts without zero bytes", async () => {
  const call = (length: number) =>
    `(call $error ${T} (i32.const ${length}) (i32.const ${TEXT_AT + 5}) (i32.const 1)
      (i32.const 0) (i32.const 0))`;
  equal(await result(call(5), "42501x"), 0);
  equal(await result(call(4), "42501x"), -4);
  equal(await result(call(5), "4250ax"), -4);
  equal(await result(call(5), "42501\\00"), -4);
});

Deno.test("signal takes a name and an object, sixteen times a call", async () => {
  const text = 'log{\\"a\\":1}';
  const call = `(call $signal ${T} (i32.const 3) (i32.const ${TEXT_AT + 3}) (i32.const 7))`;
  const { query, signals } = await startPlugin(
    moduleOf(`${`(drop ${call})`.repeat(20)} (i32.const 0)`, "", text),
  );
  query("a");
  equal(signals.length, 16);
  assertEquals(signals[0], { plugin: "tested", name: "log", metadata: { a: 1 } });
  query("b");
  equal(signals.length, 32);
  equal(await result(call, text, without("signal")), -2);
  for (const wrong of ["log[1,2,3]", "log{a:1}   ", 'log\\"a\\"    ', "lo {}     "]) {
    equal(await result(call, wrong), -4, wrong);
  }
  equal(await result(call.replace("(i32.const 7)", "(i32.const 5000)"), text), -3);
});

Deno.test("log writes at most 100 records a second, and counts the others", async () => {
  const call = `(call $log (i32.const 3) ${T} (i32.const 5))`;
  const loop = `(local $i i32) (loop $l (drop ${call})
    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 150))))
    (i32.const 0)`;
  const { query, logs, counts, clock } = await startPlugin(moduleOf(loop, "", "hello"));
  query("a");
  equal(logs.length, 100);
  equal(logs[0], "tested warn hello");
  equal(counts().droppedLogs, 50);
  await clock.pass(1000);
  query("a");
  equal(logs.length, 200);
  equal(await result(call, "hello"), 5);
  equal(await result(call, "hello", without("log")), -2);
  equal(await result(call.replace("const 3", "const 5"), "hello"), -4);
  equal(await result(call.replace("const 3", "const -1"), "hello"), -4);
  equal(await result(call.replace("const 5", "const 9000"), "hello"), 4096, "cut");
});

Deno.test("metric and metric_record reach the plugin's metrics", async () => {
  const make = `(call $metric (i32.const 1) ${T} (i32.const 4))`;
  const { query, series, metrics } = await startPlugin(moduleOf(
    `(drop (call $metric_record ${make} (f64.const 2.5))) (i32.const 0)`,
    "",
    "time",
  ));
  query("a");
  query("b");
  assertEquals(series, [{ name: "time", labels: [], slot: 0, kind: "gauge" }]);
  equal(seriesCells(metrics, 0).get(0), 2.5);
  equal(await result(make.replace("const 1", "const 3"), "time"), -4);
  equal(await result("(call $metric_record (i32.const 9) (f64.const 1))"), -4);
  equal(await result(make, "1abc"), -4);
  // The name's last two letters change with each definition; a plugin may have 256.
  const many = `(local $i i32) (loop $l
    (i32.store8 offset=${TEXT_AT + 2} (i32.const 0)
      (i32.add (i32.const 97) (i32.shr_u (local.get $i) (i32.const 4))))
    (i32.store8 offset=${TEXT_AT + 3} (i32.const 0)
      (i32.add (i32.const 97) (i32.and (local.get $i) (i32.const 15))))
    (i32.store (i32.const 8192) ${make})
    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 257))))
    (i32.sub (i32.load (i32.const 8192)) (i32.const -3))`;
  const world = await startPlugin(moduleOf(many, "", "time"));
  equal(world.query("a").kind, "forward");
  assertEquals(world.failures, []);
  equal(world.series.length, 256);
});

Deno.test("session functions keep 4,096 bytes for the plugin", async () => {
  const set = (size: number) => `(call $session_set ${T} (i32.const ${size}))`;
  const get = `(call $session_get ${BUFFER} (i32.const 100))`;
  const after = (first: string, last: string) => `(block (result i32) (drop ${first}) ${last})`;
  equal(await copied(after(set(3), get), "abc"), "abc");
  equal(await result(get), -1);
  equal(await result(set(4096)), 4096);
  equal(await result(set(4097)), -3);
  equal(await result(after(set(3), after(set(0), get)), "abc"), -1);
  equal(await result(set(1), "", without("session")), -2);
  equal(await result(get, "", without("session")), -2);
  const none = { change: (event: { session: unknown }) => void (event.session = undefined) };
  equal(await result(set(1), "", none as never), -1);
  const session = sessionOf({});
  const body = `(drop ${set(3)}) (i32.const 0)`;
  const { query } = await startPlugin(moduleOf(body, "", "abc"));
  query("a", (event) => void (event.session = session));
  assertEquals([...session.values], [["tested", utf8("abc")]]);
});

Deno.test("clock and random work, and know no other clock", async () => {
  const is = (clock: number, value: string) =>
    `(i64.eq (call $clock (i32.const ${clock})) (i64.const ${value}))`;
  equal(await result(is(0, "1750000000123000000")), 1);
  equal(await result(is(1, "0")), 1);
  equal(await result(is(2, "-4")), 1);
  const random = `(block (result i32) (drop (call $random ${BUFFER} (i32.const 50000)))
    (i64.eqz (i64.load (i32.const 54000))))`;
  equal(await result(random), 0);
});

Deno.test("The event block says what the event does, from where the plugin has it", async () => {
  const body = `(drop (call $write (i32.const ${EVENT_AT}) (i32.const 64))) (i32.const 1)`;
  const { query } = await startPlugin(moduleOf(body, "", "", "onTrafficFromClient"));
  const verdict = query("select 1", (event) => {
    event.hook = HOOK.onTrafficFromClient;
    event.flags = 0x3ff;
    event.phase = 2;
    event.request = 2 ** 33 + 1;
    event.durationUs = 2 ** 34 + 2;
    event.rows = 4_000_000_000;
  });
  ok(verdict.kind === "replace");
  const view = new DataView(verdict.bytes.buffer);
  equal(view.getUint16(0, true), 1);
  equal(view.getUint16(2, true), HOOK.onTrafficFromClient);
  equal(view.getUint32(4, true), 0x3ff);
  equal(view.getBigUint64(8, true), 2n ** 40n + 5n);
  equal(view.getBigUint64(16, true), 1_750_000_000_123n);
  equal(view.getUint32(24, true), 8);
  assertEquals([...verdict.bytes.subarray(28, 32)], [0, 73, 2, 0]);
  equal(view.getBigUint64(32, true), 2n ** 33n + 1n);
  equal(view.getBigUint64(40, true), 2n ** 34n + 2n);
  equal(view.getUint32(48, true), 4_000_000_000);
  equal(view.getUint32(52, true), 3);
  equal(view.getBigUint64(56, true), 0n);
});
