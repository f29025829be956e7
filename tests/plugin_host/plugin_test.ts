/**
 * What plugins may ask for, how they fail, and what becomes of those that do.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, match, ok, rejects } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import type { HookEvent } from "../../src/hooks/event.ts";
import { CAN, HOOK, type HookName, HOOKS } from "../../src/hooks/hooks.ts";
import { VERDICT } from "../../src/hooks/verdict.ts";
import { PluginError } from "../../src/plugin_host/plugin_error.ts";
import type { FailureReason } from "../../src/plugin_host/plugin_failure.ts";
import { PERMISSIONS } from "../../src/plugin_host/plugin_spec.ts";
import { moduleOf, type PluginOptions, startPlugin, TEXT_AT } from "../support/plugins.ts";

const T = `(i32.const ${TEXT_AT})`;

/** A hook that writes some of the text at TEXT_AT and returns a verdict. */
function writes(size: number, verdict: number): string {
  return `(drop (call $write ${T} (i32.const ${size}))) (i32.const ${verdict})`;
}

/** A message as it is on the wire, as a text of the assembler. */
function messageText(type: string, body: string): string {
  const size = body.replace(/\\[0-9a-f]{2}/g, "x").length;
  const length = (4 + size).toString(16).padStart(2, "0");
  return `${type}\\00\\00\\00\\${length}${body}`;
}

/** Why a call failed; undefined if it did not. */
async function failure(
  body: string,
  options: PluginOptions & { more?: string; text?: string; hook?: HookName } = {},
  change?: (event: HookEvent) => void,
): Promise<FailureReason | undefined> {
  const { more = "", text = "", hook = "onQuery" } = options;
  const world = await startPlugin(moduleOf(body, more, text, hook), options);
  world.query("select 1", (event) => {
    event.hook = HOOK[hook];
    change?.(event);
  });
  equal(world.plugin.state, "running");
  equal(world.failures.length, Object.values(world.counts().failures).reduce((a, b) => a + b));
  return world.failures[0]?.reason;
}

Deno.test("Each verdict comes of its number and of what was written", async () => {
  const verdictOf = async (body: string, text = "") => {
    const { query, failures } = await startPlugin(moduleOf(body, "", text));
    const verdict = query("select 1");
    assertEquals(failures, []);
    return verdict;
  };
  const plugin = "tested";
  assertEquals(await verdictOf("(i32.const 0)"), { kind: "forward" });
  assertEquals(await verdictOf(writes(3, 0), "abc"), { kind: "forward" });
  assertEquals(await verdictOf(writes(3, 1), "abc"), { kind: "replace", bytes: utf8("abc") });
  assertEquals(await verdictOf("(i32.const 1)"), { kind: "replace", bytes: utf8("") });
  assertEquals(await verdictOf("(i32.const 4)"), { kind: "close", plugin });
  assertEquals(await verdictOf(writes(5, 5), "reads"), { kind: "route", proxy: "reads", plugin });
  const usual = { sqlState: "42501", message: 'refused by plugin "tested"', hint: "" };
  assertEquals(await verdictOf("(i32.const 3)"), { kind: "reject", rejection: usual, plugin });
  const error = `(drop (call $error ${T} (i32.const 5) (i32.const ${TEXT_AT + 5}) (i32.const 2)
    (i32.const ${TEXT_AT + 7}) (i32.const 3))) (i32.const 3)`;
  const own = { sqlState: "22000", message: "no", hint: "why" };
  assertEquals(await verdictOf(error, "22000nowhy"), { kind: "reject", rejection: own, plugin });
  const reply = messageText("D", "ab") + messageText("C", "SELECT 1\\00");
  const messages = await verdictOf(writes(21, 2), reply);
  ok(messages.kind === "respond" && messages.reply.kind === "messages");
  equal(messages.reply.bytes.length, 21);
});

Deno.test("A verdict needs the hook, the event's flags and the permission", async () => {
  for (const { name: hook, can } of HOOKS) {
    for (const name of Object.keys(CAN) as (keyof typeof CAN)[]) {
      if ((can & CAN[name]) !== 0) continue;
      equal(await failure(`(i32.const ${VERDICT[name]})`, { hook }), "verdict", `${hook} ${name}`);
    }
  }
  for (const name of Object.keys(CAN) as (keyof typeof CAN)[]) {
    const body = `(i32.const ${VERDICT[name]})`;
    const flags = 31 & ~CAN[name];
    equal(await failure(body, {}, (event) => void (event.flags = flags)), "verdict", name);
    const permissions = PERMISSIONS.filter((one) => one !== name);
    equal(await failure(body, { spec: { permissions } }), "permission", name);
  }
  for (const number of [6, -1, 2 ** 31 - 1, -(2 ** 31)]) {
    equal(await failure(`(i32.const ${number})`), "verdict");
  }
});

Deno.test("What was written must fit the verdict", async () => {
  const row = messageText("D", "ab");
  const error = messageText("E", "\\00");
  const cases: readonly (readonly [HookName, number, string, number, boolean])[] = [
    ["onQuery", 1, "a\\00b", 3, false],
    ["onRow", 1, row + row, 14, true],
    ["onRow", 1, "", 0, true],
    ["onRow", 1, row + row, 13, false],
    ["onRow", 1, error, 6, false],
    ["onRow", 1, "D\\00\\00\\00\\03", 5, false],
    ["onRow", 1, "D\\ff\\ff\\ff\\ff", 5, false],
    ["onError", 1, error, 6, true],
    ["onError", 1, error + error, 12, false],
    ["onStartup", 1, "user\\00a\\00", 7, true],
    ["onStartup", 1, "user\\00a", 6, false],
    ["onStartup", 1, "user\\00", 5, false],
    ["onStartup", 1, "\\00a\\00", 3, false],
    ["onConfigLoaded", 1, '{\\"a\\":\\"b\\"}', 9, true],
    ["onConfigLoaded", 1, "[]", 2, false],
    ["onQuery", 2, "", 0, false],
    ["onQuery", 2, row, 7, false],
    ["onQuery", 2, messageText("I", ""), 5, true],
    ["onQuery", 2, messageText("Z", "I"), 6, false],
    ["onQuery", 5, "", 0, false],
  ];
  for (const [hook, verdict, text, size, isFine] of cases) {
    const reason = await failure(writes(size, verdict), { hook, text });
    equal(reason, isFine ? undefined : "output", `${hook} ${verdict} ${text} ${size}`);
  }
  const column = `(drop (call $result_column ${T} (i32.const 1) (i32.const 25)))`;
  const value = `(drop (call $result_value ${T} (i32.const 1)))`;
  const half = `${column} ${column} ${value} (i32.const 2)`;
  equal(await failure(half, { text: "a" }), "output", "half a row");
});

Deno.test("A replacement of a message is one of the same type, or several where that is said", async () => {
  const two = messageText("D", "ab") + messageText("D", "cd");
  const check = (hook: HookName, type: string, size: number) =>
    failure(writes(size, 1), { hook, text: two }, (event) => {
      event.messageType = type.charCodeAt(0);
    });
  equal(await check("onTrafficFromServer", "D", 14), undefined);
  equal(await check("onTrafficFromServer", "T", 7), "output");
  equal(await check("onTrafficFromClient", "D", 7), undefined);
  equal(await check("onTrafficFromClient", "D", 14), "output");
  equal(await check("onTrafficFromClient", "D", 0), "output");
});

const RECURSE = "(func $recurse (result i32) (i32.add (call $recurse) (i32.const 1)))";

Deno.test("Each way to fail has its reason, and the plugin runs again after it", async () => {
  equal(await failure("(unreachable)"), "trap");
  equal(await failure("(i32.div_u (i32.const 1) (i32.const 0))"), "trap");
  equal(await failure("(i32.load (i32.const 65536))"), "trap");
  equal(await failure("(loop $l (br $l)) (i32.const 0)"), "fuel");
  const deep = { more: RECURSE, spec: { fuelPerCall: 1e9 } };
  equal(await failure("(call $recurse)", deep), "stack");
  equal(await failure(writes(1, 1).replace(T, "(i32.const 65536)")), "pointer");
  equal(await failure(writes(200, 1), { spec: { outputMax: 100 } }), "output");
  equal(await failure(writes(200, 0), { spec: { outputMax: 100 } }), undefined);
  equal(await failure(writes(200, 4), { spec: { outputMax: 100 } }), undefined);
  const analyse = () => {
    throw new Error("defect");
  };
  const read = "(call $read (i32.const 22) (i32.const 0) (i32.const 0) (i32.const 0))";
  equal(await failure(read, { ports: { analyse } }), "host");
});

Deno.test("A host function that is called with the stack at its end leaves nothing half done", async () => {
  const more = `(func $deep (result i32)
    (drop (call $kv_set ${T} (i32.const 1) ${T} (i32.const 1) (i32.const 0)))
    (i32.add (call $deep) (i32.const 1)))`;
  const world = await startPlugin(moduleOf("(call $deep)", more, "k"), {
    spec: { fuelPerCall: 1e9 },
  });
  world.query("a");
  // The store stops it after so many operations: it is the stack that ends the call.
  equal(world.failures[0]?.reason, "stack");
});

Deno.test("A failure costs the plugin its instance, with all that was in its memory", async () => {
  // The third call traps; the counter is in memory, and sluice_init sets it to 10.
  const body = `(i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 1)))
    (drop (call $write (i32.const 16) (i32.const 1)))
    (if (i32.eq (i32.load (i32.const 16)) (i32.const 13)) (then (unreachable))) (i32.const 1)`;
  const more = `(func (export "sluice_init") (result i32)
    (i32.store (i32.const 16) (i32.const 10)) (i32.const 0))`;
  const { query, counts, failures } = await startPlugin(moduleOf(body, more));
  const seen = Array.from({ length: 7 }, () => {
    const verdict = query("a");
    return verdict.kind === "replace" ? verdict.bytes[0] : verdict.kind;
  });
  assertEquals(seen, [11, 12, "forward", 11, 12, "forward", 11]);
  equal(counts().failures.trap, 2);
  equal(failures.length, 1, "reports come once a second");
  equal(counts().calls.get("onQuery"), 7);
  assertEquals([counts().verdicts.forward, counts().verdicts.replace], [2, 5]);
});

Deno.test("Failures are reported once a second, with their number", async () => {
  const { query, failures, clock } = await startPlugin(moduleOf("(unreachable)"));
  for (let i = 0; i < 5; i++) query("a");
  await clock.pass(1000);
  query("a");
  assertEquals(failures.map(({ count }) => count), [1, 5]);
  assertEquals(failures[1], {
    plugin: "tested",
    hook: "onQuery",
    reason: "trap",
    message: "unreachable",
    count: 5,
  });
});

Deno.test("A plugin that is closed to failures rejects, or closes where nothing can be rejected", async () => {
  const closed = (hook: HookName, flags: number) =>
    startPlugin(moduleOf("(unreachable)", "", "", hook), { spec: { onFailure: "closed" } })
      .then(({ query }) =>
        query("a", (event) => {
          event.hook = HOOK[hook];
          event.flags = flags;
        })
      );
  const rejected = await closed("onQuery", 31);
  ok(rejected.kind === "reject");
  equal(rejected.rejection.sqlState, "58000");
  match(rejected.rejection.message, /"tested"/);
  equal((await closed("onQuery", 31 & ~CAN.reject)).kind, "close");
  equal((await closed("onRow", 31)).kind, "close");
  equal((await closed("onQueryEnd", 31)).kind, "forward");
});

Deno.test("A plugin with too many failures in the window is switched off, once", async () => {
  const spec = { failuresMax: 3, failureWindowMs: 1000, onFailure: "closed" as const };
  const world = await startPlugin(moduleOf("(unreachable)"), { spec });
  const { query, plugin, changes, clock, counts } = world;
  query("a");
  query("a");
  await clock.pass(1500);
  query("a");
  query("a");
  equal(plugin.state, "running", "two of the four are too old");
  query("a");
  equal(plugin.state, "off");
  equal(query("a").kind, "reject");
  assertEquals(changes, ["tested off: 3 calls failed within 1000 ms"]);
  equal(counts().failures.trap, 5, "it is not called any more");
  equal(counts().workersOff, 1);
});

Deno.test("A plugin that does not start again is switched off", async () => {
  // What sluice_init finds in the store is what the first instance left there.
  const more = `(func (export "sluice_init") (result i32)
    (i32.eq (i32.const 2) (i32.wrap_i64
      (call $kv_increment ${T} (i32.const 1) (i64.const 1) (i32.const 0)))))`;
  const { query, plugin, changes, counts } = await startPlugin(
    moduleOf("(unreachable)", more, "k"),
  );
  equal(query("a").kind, "forward");
  equal(plugin.state, "off");
  match(changes[0]!, /could not be started again: sluice_init refused: it returned 1/);
  equal(counts().failures.init, 1);
  equal(query("a").kind, "forward");
});

Deno.test("Plugin.create says why a module is no plugin", async () => {
  const refuses = async (source: string, why: RegExp, options: PluginOptions = {}) => {
    await rejects(startPlugin(source, options), (error) => {
      ok(error instanceof PluginError, String(error));
      match(error.message, /^Cannot run plugin "tested": /);
      match(error.message, why);
      return true;
    });
  };
  const memory = '(memory (export "memory") 1)';
  await refuses("(module)", /does not export its memory/);
  await refuses(`(module ${memory} (func (export "_start")))`, /"_start".*reactor/);
  await refuses(`(module (import "x" "y" (func)) ${memory})`, /imports the function "y" of "x"/);
  await refuses(`(module (import "sluice" "nothing" (func)) ${memory})`, /"nothing" of "sluice"/);
  await refuses(`(module (import "sluice" "valueOf" (func)) ${memory})`, /"valueOf"/);
  await refuses(`(module (import "sluice" "read" (func)) ${memory})`, /as \(\) -> \(\), and its/);
  await refuses(`(module ${memory})`, /does not export the function "onQuery"/, {
    spec: { hooks: [HOOK.onQuery] },
  });
  const hook = '(func (export "onQuery") (param i32) (result i32) (i32.const 0))';
  await refuses(`(module ${memory} ${hook})`, /"onQuery" is not of type/);
  await refuses(`(module ${memory} (func (export "onQuery")))`, /"onQuery" is not of type/);
  const event = (at: number) =>
    `(module ${memory} (func (export "sluice_event") (result i32) (i32.const ${at})))`;
  await refuses(event(1004), /no multiple of 8/);
  await refuses(event(65_536 - 56), /64 bytes at 65480 are not within its memory/);
  await refuses(event(-8), /64 bytes at 4294967288/);
  const init = (body: string) =>
    moduleOf(
      "(i32.const 0)",
      `(func (export "sluice_init") (result i32) ${body})`,
      "22000no keys",
    );
  await refuses(init("(i32.const 1)"), /sluice_init refused: it returned 1/);
  await refuses(init("(unreachable)"), /does not start: unreachable/);
  await refuses(init("(loop $l (br $l)) (i32.const 0)"), /used all of its fuel/);
  const error = `(drop (call $error ${T} (i32.const 5) (i32.const ${TEXT_AT + 5}) (i32.const 7)
    (i32.const 0) (i32.const 0))) (i32.const -1)`;
  await refuses(init(error), /sluice_init refused: no keys/);
  await refuses(`(module ${memory} (start 0) (func (unreachable)))`, /does not start/);
  await refuses(`(module ${memory})`, /no valid module/, {
    spec: { module: Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 77) },
  });
  await refuses(`(module ${memory})`, /not metered/, {
    spec: { module: Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0) },
  });
});
