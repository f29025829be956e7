/**
 * The windows of the plugin ratelimit, with a clock that is moved by hand.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FIELD } from "../../src/hooks/event.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { buildPlugin, isMissing } from "../support/plugin_builds.ts";
import { type PluginWorld, sessionOf, startPlugin } from "../support/plugins.ts";
import { Random } from "../support/random.ts";

const FOLDER = new URL("../../plugins/ratelimit/", import.meta.url).pathname;

/** The beginning of a window of every length that divides a day. */
const START_MS = 86_400_000 * 20_000;

const wasm = await buildPlugin(FOLDER);
const reason = isMissing(wasm) ? ` (${wasm})` : "";

/** A plugin with one rule, and a clock. */
class Limiter {
  nowMs = START_MS;
  world!: PluginWorld;

  static async start(rule: Readonly<Record<string, unknown>>): Promise<Limiter> {
    const limiter = new Limiter();
    const defaults = { name: "all", limits: "queries", by: ["user"], keysMax: 1000 };
    const patterns = { users: [], databases: [], addresses: [] };
    const all = { ...defaults, ...patterns, per: "second", dryRun: false, ...rule };
    limiter.world = await startPlugin(wasm as Uint8Array<ArrayBuffer>, {
      spec: { configuration: JSON.stringify({ dryRun: false, rules: [all] }) },
      ports: { wallMs: () => limiter.nowMs },
    });
    return limiter;
  }

  /** @returns Undefined if a query is let through, or the hint. */
  ask(user = "app"): string | undefined {
    const verdict = this.world.query("select 1", (event) => {
      event.session = sessionOf({ user });
      event.fields.set(FIELD.user, utf8(user));
    });
    assert.deepEqual(this.world.failures, []);
    return verdict.kind === "reject" ? verdict.rejection.hint : undefined;
  }

  /** Asks so often; returns how many are let through. */
  admitted(count: number, user?: string): number {
    return Array.from({ length: count }, () => this.ask(user)).filter((hint) => !hint).length;
  }
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${reason}`, ignore: isMissing(wasm), fn });
}

test("ratelimit: a window has its burst, and gives it back at the rate in the next", async () => {
  const limiter = await Limiter.start({ rate: 10, burst: 20 }); // a window of 2 seconds
  assert.equal(limiter.admitted(30), 20);
  limiter.nowMs += 1_999;
  assert.equal(limiter.ask(), "Try again in 101 ms.");
  limiter.nowMs += 100;
  assert.equal(limiter.ask(), "Try again in 1 ms.");
  limiter.nowMs += 1;
  assert.equal(limiter.admitted(5), 1);
  limiter.nowMs += 900;
  assert.equal(limiter.admitted(20), 9);
  limiter.nowMs += 100_000;
  assert.equal(limiter.admitted(30), 20);
});

test("ratelimit: who waits as long as it is told is let through, and not before", async () => {
  const random = new Random(7);
  const limiter = await Limiter.start({ rate: 3, burst: 7 });
  for (let i = 0; i < 2_000; i++) {
    const hint = limiter.ask();
    if (hint === undefined) {
      limiter.nowMs += random.below(300);
      continue;
    }
    const [, number, unit] = /^Try again in (\d+) (ms|s)\.$/.exec(hint)!;
    if (unit === "ms") {
      limiter.nowMs += Number(number) - 1;
      assert.notEqual(limiter.ask(), undefined, hint);
      limiter.nowMs += 1;
    } else {
      limiter.nowMs += Number(number) * 1000;
    }
    assert.equal(limiter.ask(), undefined, hint);
  }
});

test("ratelimit: no interval has more than a bucket of tokens would let through", async () => {
  const random = new Random(11);
  const [rate, burst] = [20, 15];
  const limiter = await Limiter.start({ rate, burst });
  let tokens = burst;
  let passed = 0;
  for (let i = 0; i < 20_000; i++) {
    const stepMs = random.oneIn(100) ? random.below(3_000) : random.below(20);
    limiter.nowMs += stepMs;
    tokens = Math.min(burst, tokens + rate * stepMs / 1000);
    if (limiter.ask() !== undefined) continue;
    passed += 1;
    tokens -= 1;
    // A window moves by whole milliseconds.
    assert.ok(tokens > -0.1, `${tokens} tokens are left after ${i} attempts`);
  }
  assert.ok(passed > 1_000, `only ${passed}`);
});

test("ratelimit: who always asks gets the rate, from the second window on", async () => {
  const limiter = await Limiter.start({ rate: 50, burst: 25 });
  const counts: number[] = [];
  for (let second = 0; second < 10; second++) {
    let passed = 0;
    for (let ms = 0; ms < 1_000; ms += 2) {
      limiter.nowMs = START_MS + second * 1_000 + ms;
      passed += limiter.ask() === undefined ? 1 : 0;
    }
    counts.push(passed);
  }
  assert.ok(counts.slice(1).every((count) => Math.abs(count - 50) <= 2), counts.join());
});

test("ratelimit: a clock that is set back keeps what was counted there", async () => {
  const limiter = await Limiter.start({ rate: 10, burst: 10 });
  assert.equal(limiter.admitted(20), 10);
  limiter.nowMs += 2_500;
  assert.equal(limiter.admitted(20), 10);
  limiter.nowMs -= 400; // in the same window
  assert.equal(limiter.admitted(20), 0);
  limiter.nowMs = START_MS + 10; // where its burst was used up
  assert.equal(limiter.admitted(20), 0);
  limiter.nowMs -= 3_600_000; // where nobody was
  assert.equal(limiter.admitted(20), 10);
  limiter.nowMs = START_MS + 100_000;
  assert.equal(limiter.admitted(20), 10);
});

test("ratelimit: names of any length have counts of their own", async () => {
  const limiter = await Limiter.start({ rate: 10, burst: 10 });
  const long = "u".repeat(2_000);
  for (const user of ["a", "ab", "", `${long}a`, `${long}b`]) {
    assert.equal(limiter.admitted(12, user), 10, `${user.length} bytes`);
  }
});
