import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { FIELD, IS, PHASE } from "../../src/hooks/event.ts";
import { CAN, HOOK } from "../../src/hooks/hooks.ts";
import { buildPlugin, isMissing, TOOLCHAINS } from "../support/plugin_builds.ts";
import { HOST_FUNCTIONS } from "../support/plugin_contract.ts";
import { StandInHost, type World } from "../support/stand_in_host.ts";

// Each of the two plugins is the same in every language, so what comes of it is the same, too.

const SDKS = new URL("../../plugins/sdk/", import.meta.url).pathname;
const SINKS = new URL("kitchen_sink/", import.meta.url).pathname;

/** Longer than the buffer that the SDKs read with first, and no multiple of anything. */
const LONG = "long ".repeat(500) + "!";

function world(text: string): World {
  const fields = {
    [FIELD.text]: text,
    [FIELD.payload]: "payload\0é",
    [FIELD.user]: "app",
    [FIELD.fingerprint]: "0123456789abcdef",
    [FIELD.normalisedText]: "select $1",
    [FIELD.statements]: "select read locking\nCREATE TABLE AS write without-where\n",
    [FIELD.tables]: "read orders\nwrite my table\n",
    [FIELD.injectionSignals]: "tautology\ncomment",
    [FIELD.functions]: "lower\npg_catalog.now",
  };
  return {
    fields: new Map(Object.entries(fields).map(([field, value]) => [Number(field), value])),
    parameters: new Map([["server_version", "18.0"]]),
    config: new Map([["greeting", "moin"], ["long", LONG]]),
    store: new Map([["stored", "before "], ["sum", "2"]]),
  };
}

const EVENT = {
  flags: CAN.respond | IS.pooled,
  session: 5_000_000_007n,
  timeMs: 1_750_000_000_001n,
  payloadSize: 70_000,
  messageType: 81,
  transactionStatus: 73,
  phase: PHASE.parse,
  request: 3n,
  durationUs: 4n,
  rows: 5,
  worker: 4_294_967_295,
};

/** What the kitchen sinks say, in their order. */
const FACTS: readonly (readonly [string, string | undefined])[] = [
  ["abi", "1"],
  ["hook", `${HOOK.onQuery}`],
  ["can respond", "yes"],
  ["can route", "no"],
  ["pooled", "yes"],
  ["session", "5000000007"],
  ["time", "1750000000001"],
  ["size", "70000"],
  ["type", "81"],
  ["status", "73"],
  ["phase", "2"],
  ["request", "3"],
  ["duration", "4"],
  ["rows", "5"],
  ["worker", "4294967295"],
  ["text", "sink"],
  ["payload", "payload\0é"],
  ["user", "app"],
  ["sqlstate", undefined],
  ["host error", "-1"],
  ["parameter", "18.0"],
  ["greeting", "moin"],
  ["long", LONG],
  ["kv", "value"],
  ["kv deleted", undefined],
  ["sum", "-38"],
  ["session before", undefined],
  ["session after", "kept"],
  ["wall", "1000"],
  ["monotonic", "2000"],
  ["random", "rnd!"],
  ["http", "1"],
  ["fingerprint", "0123456789abcdef"],
  ["normalised", "select $1"],
  ["kind", "select"],
  ["write", "no"],
  ["locking", "yes"],
  ["without where", "no"],
  ["kind", "CREATE TABLE AS"],
  ["write", "yes"],
  ["locking", "no"],
  ["without where", "yes"],
  ["reads", "orders"],
  ["writes", "my table"],
  ["sign", "tautology"],
  ["sign", "comment"],
  ["calls", "lower"],
  ["calls", "pg_catalog.now"],
];

/** What the kitchen sinks ask the host to do, in their order. */
const CALLS: readonly (readonly (string | number)[])[] = [
  ["metric", 0, 'calls_total{kind="sink"}'],
  ["metric", 1, "level"],
  ["metric", 2, "sizes"],
  ["metric_record", 1, 1],
  ["metric_record", 2, 2.5],
  ["metric_record", 3, 0.5],
  ["log", 3, "sink"],
  ["kv_set", "key", "value", 5],
  ["kv_delete", "key"],
  ["kv_increment", "sum", 6],
  ["kv_capture", "reply", 1000, 4096],
  ["signal", "terminate", '{"a":1}'],
  ["http_send", "POST", "http://h/x", "a: b", "body"],
];

/** What other texts come to: the verdict, what was written, the rejection. */
const VERDICTS: readonly (readonly [string, string, string, readonly string[] | undefined])[] = [
  ["select 1", "forward", "", undefined],
  ["replace", "replace", "select 2", undefined],
  ["messages", "respond", "before more", undefined],
  ["reject", "reject", "", ["42501", "no", "ask"]],
  ["close", "close", "", undefined],
  ["route", "route", "reads", undefined],
];

function checkTemplate(wasm: Uint8Array<ArrayBuffer>): void {
  const given = world("select hello()");
  const plugin = new StandInHost(wasm, given);
  deepEqual(plugin.calls, [["metric", 0, "hellos_total"]]);
  for (const times of ["1", "2"]) {
    const { verdict, columns, values } = plugin.run("onQuery", EVENT);
    equal(verdict, "respond");
    deepEqual(columns, [["greeting", 25], ["times", 20]]);
    deepEqual(values, ["moin", times]);
  }
  deepEqual(plugin.calls.slice(1, 4).sort(), [
    ["kv_increment", "hellos", 0],
    ["log", 2, "Said hello"],
    ["metric_record", 1, 1],
  ]);
  equal(given.store.get("hellos"), "2");
  equal(plugin.run("onQuery", { ...EVENT, flags: CAN.replace }).verdict, "forward");
  const unconfigured = new StandInHost(wasm, { ...world("select hello()"), config: new Map() });
  deepEqual(unconfigured.run("onQuery", EVENT).values, ["hello", "1"]);
  const typed = new StandInHost(wasm, world("select hello();"));
  deepEqual(typed.run("onQuery", EVENT).values, ["moin", "1"]);
  const other = new StandInHost(wasm, world("select hello(), 1"));
  equal(other.run("onQuery", EVENT).verdict, "forward");
  equal(other.calls.length, 1);
}

function checkSink(wasm: Uint8Array<ArrayBuffer>): void {
  const plugin = new StandInHost(wasm, world("sink"));
  const called = new Set<string>();
  const answer = plugin.run("onQuery", EVENT);
  equal(answer.verdict, "respond");
  deepEqual(answer.columns, [["fact", 25], ["value", 25]]);
  deepEqual(pairsOf(answer.values), FACTS);
  equal(answer.tag, "FACTS");
  deepEqual(plugin.calls, CALLS);
  for (const name of plugin.called) called.add(name);
  for (const [text, verdict, written, rejection] of VERDICTS) {
    const plugin = new StandInHost(wasm, world(text));
    const answer = plugin.run("onQuery", EVENT);
    deepEqual([answer.verdict, answer.written, answer.rejection], [verdict, written, rejection]);
    for (const name of plugin.called) called.add(name);
  }
  deepEqual([...called].sort(), [...HOST_FUNCTIONS].sort(), "each host function is called");
  // Memory that a call needed is there for the next one.
  for (let i = 0; i < 2_000; i++) equal(plugin.run("onQuery", EVENT).values.length, 96);
  ok(plugin.memorySize <= 16 << 20, `${plugin.memorySize} bytes of memory`);
}

/** What the compiler of AssemblyScript asks for is the SDK's, and imports nothing else. */
function checkAssemblyScript(wasm: Uint8Array<ArrayBuffer>): void {
  const failing = new StandInHost(wasm, world("abort"));
  throws(() => failing.run("onQuery", EVENT), WebAssembly.RuntimeError);
  const [name, level, message] = failing.calls.at(-1)!;
  deepEqual([name, level], ["log", 4]);
  match(String(message), /^enough at assembly\/plugin\.ts:\d+:\d+$/);
  const random = new StandInHost(wasm, world("seed"));
  equal(random.run("onQuery", EVENT).verdict, "close");
  ok(random.called.has("random"));
}

function pairsOf(values: readonly (string | undefined)[]): (string | undefined)[][] {
  return Array.from({ length: values.length / 2 }, (_, i) => values.slice(2 * i, 2 * i + 2));
}

const PAGE = new URL("../../docs/plugins/sdks.md", import.meta.url);

const SOURCES: Readonly<Record<string, string>> = {
  assemblyscript: "assembly/plugin.ts",
  c: "plugin.c",
  go: "main.go",
  rust: "src/lib.rs",
  zig: "plugin.zig",
};

Deno.test("docs/plugins/sdks.md shows every template and the manifest as they are", async () => {
  const page = await Deno.readTextFile(PAGE);
  for (const language of Object.keys(TOOLCHAINS)) {
    for (const path of [SOURCES[language]!, "hello.yaml"]) {
      const text = await Deno.readTextFile(`${SDKS}${language}/template/${path}`);
      ok(page.includes(`\n${text}\`\`\`\n`), `${language}/template/${path}`);
    }
  }
});

for (const [language, toolchains] of Object.entries(TOOLCHAINS)) {
  Deno.test(`The template for ${language} says how it is built`, async () => {
    const page = await Deno.readTextFile(`${SDKS}${language}/template/README.md`);
    for (const { build } of toolchains) {
      const command = build.join(" ").replace(Deno.execPath(), "deno").replace(
        "=zig cc",
        '="zig cc"',
      );
      ok(page.includes(`\`${command}\``), command);
    }
  });

  for (const toolchain of toolchains) {
    const cases = [
      ["The template", `${SDKS}${language}/template`, checkTemplate],
      ["Every function of the SDK", `${SINKS}${language}`, checkSink],
    ] as const;
    for (const [what, folder, check] of cases) {
      const name = `${what} for ${language}, built with ${toolchain.name}`;
      const wasm = await buildPlugin(folder, toolchain);
      if (isMissing(wasm)) {
        Deno.test({ name: `${name} (${wasm})`, ignore: true, fn: () => {} });
      } else {
        Deno.test(name, () => {
          check(wasm);
          if (check === checkSink && language === "assemblyscript") checkAssemblyScript(wasm);
        });
      }
    }
  }
}
