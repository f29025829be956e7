/**
 * Plugins whose calls take long before they fail are not called for a while.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, match, ok } from "node:assert/strict";
import { FailureDebt } from "../../src/plugin_host/failure_debt.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { moduleOf, startPlugin, TEXT_AT } from "../support/plugins.ts";

const ENDLESS = "(loop $l (br $l)) (i32.const 0)";

Deno.test("FailureDebt: what failures take is paid back with rest, a share of the time", async () => {
  const clock = new FakeClock();
  const debt = new FailureDebt(clock);
  equal(debt.add(4_000_000, 0), 0); // 20 ms, which may be owed
  equal(debt.isResting, false);
  equal(debt.add(1_000_000, 2.5), 150); // 7.5 ms more, at a share of 1/20
  equal(debt.isResting, true);
  await clock.pass(149);
  equal(debt.isResting, true);
  await clock.pass(1);
  equal(debt.isResting, false);
  // In the long run all is paid.
  await clock.pass(10_000);
  equal(debt.add(4_000_000, 0), 0);
});

Deno.test("A plugin that used much fuel and failed is not called for a while, as it is said", async () => {
  for (const onFailure of ["open", "closed"] as const) {
    const { query, clock, counts, failures, plugin } = await startPlugin(moduleOf(ENDLESS), {
      spec: { fuelPerCall: 10_000_000, onFailure },
    });
    const kind = onFailure === "open" ? "forward" : "reject";
    equal(query("a").kind, kind);
    match(failures[0]!.message, /^it used all of its fuel; it is not called for \d+ ms$/);
    const calls = counts().calls.get("onQuery");
    for (let i = 0; i < 5; i++) equal(query("a").kind, kind);
    equal(counts().calls.get("onQuery"), calls);
    const { fuel, rest } = counts().failures;
    assertEquals([fuel, rest], [1, 5]);
    equal(plugin.state, "running");
    await clock.pass(60_000);
    query("a");
    equal(counts().failures.fuel, 2);
  }
});

Deno.test("Resting is no failure that switches a plugin off", async () => {
  const { query, counts, plugin } = await startPlugin(moduleOf(ENDLESS), {
    spec: { fuelPerCall: 10_000_000, failuresMax: 2 },
  });
  for (let i = 0; i < 20; i++) query("a");
  equal(counts().failures.rest, 19);
  equal(plugin.state, "running");
});

Deno.test("A second instance does not get the fuel that the first one may have", async () => {
  // It needs some 2 million units, and after COUNT times four times as many.
  const init = `(func (export "sluice_init") (result i32) (local $i i32)
    (if (i64.gt_s (call $kv_increment (i32.const ${TEXT_AT}) (i32.const 1) (i64.const 1)
      (i32.const 0)) (i64.const COUNT)) (then (local.set $i (i32.const -900000))))
    (loop $n (br_if $n (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1)))
      (i32.const 300000))))
    (i32.const 0))`;
  const run = async (count: number) => {
    const world = await startPlugin(
      moduleOf("unreachable", init.replace("COUNT", String(count)), "k"),
      { spec: { fuelPerCall: 10_000 } },
    );
    world.query("a");
    return world;
  };
  const good = await run(100);
  equal(good.plugin.state, "running");
  ok(good.counts().failures.init === 0);
  const { plugin, changes } = await run(1);
  equal(plugin.state, "off");
  match(changes[0]!, /could not be started again: it used all of its fuel/);
});
