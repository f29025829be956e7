/**
 * Host functions of the key-value store.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, ok } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { SharedStore } from "../../src/plugin_host/shared_store.ts";
import { BUFFER, copied, result, T, without } from "../support/host_calls.ts";
import { moduleOf, startPlugin, TEXT_AT } from "../support/plugins.ts";

Deno.test("kv functions store, count and remove values", async () => {
  const key = `${T} (i32.const 3)`;
  const set = `(call $kv_set ${key} (i32.const ${TEXT_AT + 3}) (i32.const 5) (i32.const 70))`;
  const get = `(call $kv_get ${key} ${BUFFER} (i32.const 100))`;
  const after = (first: string, last: string) => `(block (result i32) (drop ${first}) ${last})`;
  equal(await copied(after(set, get), "keyvalue"), "value");
  equal(await result(get, "keyvalue"), -1);
  equal(await result(after(set, get.replace("100", "2")), "keyvalue"), 5);
  equal(await result(`(call $kv_delete ${key})`, "key"), -1);
  equal(await result(after(set, `(call $kv_delete ${key})`), "keyvalue"), 0);
  equal(await result(`(call $kv_write ${key})`, "key"), -1);
  equal(await result(set, "keyvalue", without("kv")), -2);
  equal(await result(set, "keyvalue", { spec: { store: undefined } }), -2);
  equal(await result(set.replace("(i32.const 3)", "(i32.const 0)"), "keyvalue"), -4);
  equal(await result(get.replace("(i32.const 3)", "(i32.const 1025)"), "key"), -4);
  const add = `(i32.wrap_i64 (call $kv_increment ${key} (i64.const -3) (i32.const 0)))`;
  equal(await result(after(add, add), "key"), -6);
  const isSmallest = `(i64.eq (i64.const 0x8000000000000000)
    (call $kv_increment ${key} (i64.const 1) (i32.const 0)))`;
  equal(await result(isSmallest, "key", without("kv")), 1);
  equal(await result(after(set, isSmallest), "keyvalue"), 1, "no number is there");
  const large = set.replace("(i32.const 5)", "(i32.const 60000)");
  const world = await startPlugin(moduleOf(`(drop ${set}) (i32.const 0)`, "", "keyvalue"));
  world.query("a");
  const at = (ms: number) => new SharedStore(world.spec.store!, () => 1_750_000_000_123 + ms);
  ok(at(69).get(utf8("key")) !== undefined && at(71).get(utf8("key")) === undefined);
  equal(await result(large, "key"), -3);
  const many = `(local $i i32) (loop $l (drop ${set})
    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
    (i32.store (i32.const 8192) ${set})
    (i32.sub (i32.load (i32.const 8192)) (i32.const -3))`;
  const { query, counts } = await startPlugin(moduleOf(many, "", "keyvalue"));
  equal(query("a").kind, "forward");
  equal(counts().failures.verdict, 0, "operation 1,001 of a call is over the limit");
});

Deno.test("kv_write gives the stored bytes as the reply, among what is written", async () => {
  const body = `(drop (call $kv_set ${T} (i32.const 1) ${T} (i32.const 3) (i32.const 0)))
    (drop (call $kv_write ${T} (i32.const 1))) (drop (call $write ${T} (i32.const 2)))
    (drop (call $kv_write ${T} (i32.const 1))) (i32.const 1)`;
  const { query } = await startPlugin(moduleOf(body, "", "abc"));
  assertEquals(query("x"), { kind: "replace", bytes: utf8("abcababc") });
});

Deno.test("kv_capture stores the reply when it has come, if it can be had", async () => {
  const call = `(call $kv_capture ${T} (i32.const 1) (i32.const 9) (i32.const 50))`;
  const { query, spec } = await startPlugin(
    moduleOf(`(drop ${call}) (drop ${call}) (i32.const 0)`, "", "k"),
  );
  const captures: [number, (messages: Uint8Array) => void][] = [];
  query("a", (event) => {
    event.capture = (sizeMax, onDone) => captures.push([sizeMax, onDone]) > 0;
  });
  equal(captures.length, 1, "one capture a call");
  equal(captures[0]![0], 50);
  captures[0]![1](utf8("reply"));
  const store = new SharedStore(spec.store!, () => 0);
  assertEquals(store.get(utf8("k")), utf8("reply"));
  equal(await result(call, "k"), -1, "the event has no reply");
  const late = { change: (event: { capture: unknown }) => void (event.capture = () => false) };
  equal(await result(call, "k", late as never), -1, "it is too late");
});
