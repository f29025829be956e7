/**
 * Plugins that try to use up what is the host's: memory, time, the stack.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, ok } from "node:assert/strict";
import { moduleOf, startPlugin, TEXT_AT } from "../support/plugins.ts";

const T = `(i32.const ${TEXT_AT})`;

/** Calls something for ever. */
function storm(call: string): string {
  return `(loop $storm (drop ${call}) (br $storm)) (i32.const 0)`;
}

Deno.test("A plugin whose memory grows sees and gives the right bytes, before and after", async () => {
  const read = (at: number) =>
    `(drop (call $read (i32.const 0) (i32.const 0) (i32.const ${at}) (i32.const 100)))`;
  const body = `${read(4096)} (drop (memory.grow (i32.const 1))) ${read(65_600)}
    (drop (call $write (i32.const 4096) (i32.const 8))) (drop (memory.grow (i32.const 0)))
    (drop (call $write (i32.const 65600) (i32.const 8))) (i32.const 1)`;
  const { query, failures } = await startPlugin(moduleOf(body));
  const verdict = query("select 1");
  assertEquals(failures, []);
  ok(verdict.kind === "replace");
  equal(new TextDecoder().decode(verdict.bytes), "select 1select 1");
  // It is at its maximum of 4 pages at last, and is called on.
  for (let i = 0; i < 10; i++) equal(query("select 1").kind, "replace");
});

Deno.test("A storm of any host function ends when the fuel is used up", async () => {
  const calls: Readonly<Record<string, string>> = {
    read: "(call $read (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 60000))",
    analysis: "(call $read (i32.const 21) (i32.const 0) (i32.const 4096) (i32.const 100))",
    parameter: `(call $parameter ${T} (i32.const 8) (i32.const 4096) (i32.const 100))`,
    config: `(call $config ${T} (i32.const 1000) (i32.const 4096) (i32.const 100))`,
    write: `(call $write ${T} (i32.const 1))`,
    writeMuch: `(call $write ${T} (i32.const 60000))`,
    column: `(call $result_column ${T} (i32.const 8) (i32.const 25))`,
    value: `(block (result i32) (drop (call $result_column ${T} (i32.const 0) (i32.const 25)))
      (call $result_value (i32.const 0) (i32.const -1)))`,
    error: `(call $error ${T} (i32.const 5) ${T} (i32.const 1000) ${T} (i32.const 1000))`,
    signal: `(call $signal ${T} (i32.const 8) ${T} (i32.const 0))`,
    log: `(call $log (i32.const 2) ${T} (i32.const 60000))`,
    metric: `(call $metric (i32.const 0) ${T} (i32.const 8))`,
    record: "(call $metric_record (i32.const 0) (f64.const 1))",
    kvSet: `(call $kv_set ${T} (i32.const 8) ${T} (i32.const 9000) (i32.const 0))`,
    kvGet: `(call $kv_get ${T} (i32.const 8) (i32.const 4096) (i32.const 60000))`,
    kvWrite: `(call $kv_write ${T} (i32.const 8))`,
    session: `(call $session_set ${T} (i32.const 4096))`,
    random: "(call $random (i32.const 4096) (i32.const 60000))",
    clock: "(call $clock (i32.const 1))",
    http: `(call $http_send ${T} (i32.const 8) ${T} (i32.const 8) ${T} (i32.const 8)
      ${T} (i32.const 8))`,
  };
  for (const [name, call] of Object.entries(calls)) {
    const { query, counts, logs, failures } = await startPlugin(
      moduleOf(storm(call), "", "TimeZone"),
      { spec: { fuelPerCall: 5_000_000, outputMax: 1_048_576 } },
    );
    equal(query("x".repeat(10_000)).kind, "forward");
    equal(counts().failures.fuel, 1, `${name}: ${failures[0]?.message}`);
    ok(logs.length <= 100, "the log is limited");
  }
});

Deno.test("What a result may have is limited with everything else that is written", async () => {
  const column = `(drop (call $result_column ${T} (i32.const 0) (i32.const 25)))`;
  // 65,536 bytes are 1,023 values of NULL and a column.
  const body = `(local $i i32) ${column} (loop $next
    (drop (call $result_value (i32.const 0) (i32.const -1)))
    (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
      (i32.const COUNT)))) (i32.const 2)`;
  const reason = async (count: number) => {
    const { query, failures } = await startPlugin(moduleOf(body.replace("COUNT", String(count))));
    query("a");
    return failures[0]?.reason;
  };
  equal(await reason(1023), undefined);
  equal(await reason(1024), "output");
});

Deno.test("Many small writes cost no more memory than one large one", async () => {
  const body = `(local $i i32) (loop $next (drop (call $write ${T} (i32.const 1)))
    (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
      (i32.const 65536)))) (i32.const 1)`;
  const { query, failures } = await startPlugin(moduleOf(body, "", "x"), {
    spec: { fuelPerCall: 50_000_000 },
  });
  const verdict = query("a");
  assertEquals(failures, []);
  ok(verdict.kind === "replace");
  equal(verdict.bytes.length, 65_536);
  ok(verdict.bytes.every((byte) => byte === 0x78));
});
