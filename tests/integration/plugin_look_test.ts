/**
 * `sluice plugin list | inspect | check | bench`, on modules that are written for it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { moduleOf } from "../support/plugins.ts";
import { inFolder, sluiceIn } from "../support/sluice_command.ts";
import { assemble } from "../support/wasm.ts";

const FORWARD = "(i32.const 0)";
const REPLACE = "(i32.const 1)";
const TRAP = "(unreachable)";
const LOOP = "(loop $on (br $on)) (unreachable)";

/** Traps if the payload is larger than 100,000 bytes. */
const NO_LARGE = "(if (i32.gt_u (i32.load (i32.const 1048)) (i32.const 100000)) " +
  "(then (unreachable))) (i32.const 0)";

/** Logs its text, and then traps. */
const COMPLAIN = "(drop (call $log (i32.const 3) (i32.const 2048) (i32.const 4))) (unreachable)";

const MANIFEST = `name: look
version: 1.2.3
description: Looks.
permissions: [log, http]
hosts: [example.com]
config: { type: object, properties: { depth: { type: integer, default: 1 } } }
`;

async function put(folder: string, name: string, body: string, manifest = ""): Promise<void> {
  await Deno.writeFile(`${folder}/${name}.wasm`, assemble(moduleOf(body, "", "oh\\1b!")));
  if (manifest !== "") await Deno.writeTextFile(`${folder}/${name}.yaml`, manifest);
}

function config(plugins: string): string {
  const servers = 'servers: {a: {address: "127.0.0.1:0"}}';
  return `${servers}\nclients: {a: {address: "127.0.0.1:1"}}\n${plugins}`;
}

Deno.test("plugin inspect shows what is in the files, as text and as JSON", async () => {
  await inFolder(async (folder) => {
    await put(folder, "look", FORWARD, MANIFEST);
    const text = await sluiceIn(folder, "plugin", "inspect", "look.wasm");
    assert.equal(text.stderr, "");
    assert.equal(text.code, 0);
    assert.match(text.stdout, /^plugin +look 1\.2\.3$/m);
    assert.match(text.stdout, /^memory +64KiB at first, up to 256KiB$/m);
    assert.match(text.stdout, /^on failure +open: traffic goes on without it$/m);
    assert.match(text.stdout, /^asks for +log, http, to ask example\.com$/m);
    assert.match(text.stdout, /permissions that it does not ask for: kv, session, signal$/m);
    const { stdout } = await sluiceIn(folder, "plugin", "inspect", "look.wasm", "--json");
    const facts = JSON.parse(stdout);
    const bytes = await Deno.readFile(`${folder}/look.wasm`);
    const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    assert.equal(facts.sha256, sha256);
    assert.equal(facts.size, bytes.length);
    assert.deepEqual(facts.hooks, ["onQuery"]);
    assert.deepEqual(facts.permissions, ["log", "http"]);
    assert.equal(facts.onFailure, "open");
    assert.deepEqual(facts.grantedByDefault, []);
    assert.deepEqual(facts.memory, { min: 65_536, max: 262_144 });
    assert.deepEqual(facts.exports[0], { name: "memory", type: "memory" });
    const clock = facts.imports.find(({ name }: { name: string }) => name === "sluice.clock");
    assert.equal(clock.type, "(i32) -> i64");
  });
});

Deno.test("plugin inspect says what is wrong with files that are no plugins", async () => {
  await inFolder(async (folder) => {
    const program = '(module (memory (export "memory") 1) (func (export "_start")))';
    await put(folder, "manifest", FORWARD, "nmae: manifest\n");
    await put(folder, "other", FORWARD, "name: another\n");
    const files: Readonly<Record<string, Uint8Array>> = {
      "text.wasm": new TextEncoder().encode("hello\x1b[31m"),
      "empty.wasm": new Uint8Array(),
      "cut.wasm": assemble(moduleOf(FORWARD)).subarray(0, 100),
      "hookless.wasm": assemble('(module (memory (export "memory") 1))'),
      "program.wasm": assemble(program),
      "huge.wasm": assemble('(module (memory (export "memory") 60000))'),
      "1st.wasm": new Uint8Array(),
      "module": new Uint8Array(),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    await Deno.mkdir(`${folder}/folder.wasm`);
    const expected: readonly (readonly [string, number, RegExp])[] = [
      ["text.wasm", 1, /cannot use "text\.wasm": this is no WebAssembly/],
      ["empty.wasm", 1, /cannot use "empty\.wasm": /],
      ["cut.wasm", 1, /cannot use "cut\.wasm": /],
      ["hookless.wasm", 1, /it exports no hook/],
      ["program.wasm", 1, /it exports _start, which makes it a program/],
      ["huge.wasm", 1, /cannot use "huge\.wasm": .*memory/],
      ["folder.wasm", 1, /cannot read "folder\.wasm": it is no regular file/],
      ["nowhere.wasm", 1, /cannot read "nowhere\.wasm": there is no such file/],
      ["manifest.wasm", 1, /manifest\.yaml:1:1: nmae: unknown key; did you mean "name"\?/],
      ["other.wasm", 1, /other\.yaml is the manifest of a plugin named "another"/],
      ["1st.wasm", 2, /"1st\.wasm" cannot be a plugin: .*a letter first/],
      ["module", 2, /"module" cannot be a plugin: its file is called NAME\.wasm/],
    ];
    for (const [file, exitCode, pattern] of expected) {
      const { code, stdout, stderr } = await sluiceIn(folder, "plugin", "inspect", file);
      assert.equal(stdout, "", file);
      assert.match(stderr, pattern);
      assert.match(stderr, /^sluice: [^\n]*\n$/);
      assert.ok(!stderr.includes("\x1b"), file);
      assert.equal(code, exitCode, file);
    }
  });
});

Deno.test("plugin list shows which plugins would run, and why others would not", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/plugins`);
    await put(`${folder}/plugins`, "look", FORWARD, MANIFEST);
    await put(`${folder}/plugins`, "plain", FORWARD);
    await put(`${folder}/plugins`, "away", FORWARD);
    const initiated = '(func (export "sluice_init") (result i32) (i32.const 1))';
    const starts = assemble(moduleOf(FORWARD, initiated));
    await Deno.writeFile(`${folder}/plugins/starts.wasm`, starts);
    const none = await sluiceIn(folder, "plugin", "list");
    assert.equal(none.code, 1);
    const lines = none.stdout.split("\n");
    assert.match(lines[0]!, /^name +version +state +priority +hooks +granted +asks for +SHA-256/);
    assert.match(none.stdout, /^plain +- +would run +100 +onQuery +- +- +[0-9a-f]{12} +plugins\//m);
    assert.match(none.stdout, /^look +1\.2\.3 +refused +100 +onQuery +- +log, http, example\.com/m);
    assert.match(none.stdout, /^look: the plugin asks for what it is not granted: log, http; /m);
    assert.match(none.stdout, /^starts: .*sluice_init refused: it returned 1$/m);
    await Deno.remove(`${folder}/plugins/starts.wasm`);
    await Deno.writeTextFile(
      `${folder}/sluice.yaml`,
      config(`plugins:
  look: { permissions: [log, http], hosts: [example.com], priority: 7 }
  away: { enabled: false }
`),
    );
    const granted = await sluiceIn(folder, "plugin", "list", "--json");
    assert.equal(granted.stderr, "");
    assert.equal(granted.code, 0);
    const plugins = JSON.parse(granted.stdout) as readonly Readonly<Record<string, unknown>>[];
    assert.deepEqual(plugins.map(({ name, state, priority }) => [name, state, priority]), [
      ["look", "would run", 7],
      ["away", "disabled", 100],
      ["plain", "would run", 100],
    ]);
    assert.deepEqual(plugins[0]!["granted"], ["log", "http", "example.com"]);
    const wrong = config("plugins: { look: { permissions: [everything] } }\n");
    await Deno.writeTextFile(`${folder}/sluice.yaml`, wrong);
    const refused = await sluiceIn(folder, "plugin", "list", "-c", "sluice.yaml");
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /^sluice\.yaml:3:\d+: plugins\.look\.permissions: /);
  });
});

Deno.test("plugin check tells plugins that work from those that fail", async () => {
  await inFolder(async (folder) => {
    const check = async (body: string, ...args: readonly string[]) => {
      await put(folder, "tried", body);
      return await sluiceIn(folder, "plugin", "check", "tried.wasm", ...args);
    };
    const fine = await check(FORWARD);
    assert.match(fine.stdout, /^onQuery +\d+ +forward \d+ +\d+ +-$/m);
    assert.match(fine.stdout, /\ntried\.wasm: fine\n$/);
    assert.equal(fine.code, 0);
    const expected: readonly (readonly [string, RegExp])[] = [
      [TRAP, /^onQuery failed at "select 1" \(simple\): trap: unreachable$/m],
      [LOOP, /^onQuery failed at .*: fuel: it used all of its fuel(; it is not .*)?$/m],
      [NO_LARGE, /^onQuery failed at 1 MiB: trap: unreachable$/m],
      [REPLACE, /^onQuery failed at .*: permission: the verdict replace needs the permission/m],
      ["(i32.const 9)", /: verdict: it returned 9, which is no verdict$/m],
    ];
    for (const [body, pattern] of expected) {
      const { code, stdout, stderr } = await check(body);
      assert.match(stdout, pattern);
      assert.match(stdout, /\ntried\.wasm: \d+ failed\n$/);
      assert.equal(stderr, "");
      assert.equal(code, 1, body);
    }
    await Deno.writeTextFile(`${folder}/tried.yaml`, "name: tried\npermissions: [replace]\n");
    const unable = await check(REPLACE);
    assert.match(unable.stdout, /failed at no verdict that is possible: verdict: .*not possible/);
    assert.match(unable.stdout, /^onQuery +\d+ +replace \d+/m);
    await Deno.writeTextFile(`${folder}/tried.yaml`, "name: tried\npermissions: [log]\n");
    const complaining = await check(COMPLAIN);
    assert.match(complaining.stdout, /\n {4}it said warn: oh !!?\n/);
    assert.match(complaining.stdout, /^onQuery failed \d+ times more$/m);
  });
});

Deno.test("plugin check and bench follow a configuration", async () => {
  await inFolder(async (folder) => {
    await put(folder, "look", FORWARD, MANIFEST);
    const file = `${folder}/c.yaml`;
    const run = async (command: string, plugins: string) => {
      await Deno.writeTextFile(file, config(plugins));
      return await sluiceIn(folder, "plugin", command, "look.wasm", "-c", "c.yaml");
    };
    const grants = "permissions: [log, http], hosts: [example.com]";
    for (const command of ["check", "bench"]) {
      const ungranted = await run(command, "plugins: { look: { permissions: [log] } }\n");
      assert.equal(ungranted.code, 1);
      assert.match(ungranted.stderr, /^sluice: c\.yaml:3:12: plugins\.look: .*not granted: http; /);
      const wrong = await run(command, `plugins: { look: { ${grants}, config: { depth: x } } }\n`);
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /plugins\.look\.config\.depth: expected integer/);
    }
    const fine = await run("check", `plugins: { look: { ${grants}, fuelPerCall: 1234 } }\n`);
    assert.match(fine.stdout, /^granted: log, http \(by the configuration\)$/m);
    assert.match(fine.stdout, /^fuel: at most \d+ of 1,234 in a call$/m);
    assert.equal(fine.code, 0);
    const missing = await sluiceIn(folder, "plugin", "check", "look.wasm", "-c", "nowhere.yaml");
    assert.equal(missing.code, 3);
  });
});

Deno.test("plugin check reports calls that answers to the plugin's own requests led to", async () => {
  await inFolder(async (folder) => {
    // At a query it asks; its onHook, which gets the answer, traps if there is none.
    const ask = `(drop (call $http_send (i32.const 2048) (i32.const 3) (i32.const 2051)
      (i32.const 20) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (i32.const 0)`;
    const answered = `(func (export "onHook") (result i32)
      (if (i32.eqz (call $read (i32.const 26) (i32.const 0) (i32.const 0) (i32.const 0)))
        (then (unreachable))) (i32.const 0))`;
    const module = assemble(moduleOf(ask, answered, "GEThttps://example.com/"));
    await Deno.writeFile(`${folder}/ask.wasm`, module);
    const manifest = "name: ask\npermissions: [http]\nhosts: [example.com]\n";
    await Deno.writeTextFile(`${folder}/ask.yaml`, manifest);
    const { code, stdout } = await sluiceIn(folder, "plugin", "check", "ask.wasm");
    assert.match(stdout, /^onHook failed at an answer to its own request: trap: unreachable$/m);
    assert.equal(code, 1);
  });
});

Deno.test("plugin bench measures each hook, with payloads where it has some", async () => {
  await inFolder(async (folder) => {
    const opened = `(func (export "onOpened") (result i32) ${FORWARD})`;
    await Deno.writeFile(`${folder}/fast.wasm`, assemble(moduleOf(FORWARD, opened)));
    const { code, stdout, stderr } = await sluiceIn(
      folder,
      ...["plugin", "bench", "fast.wasm", "--json"],
    );
    assert.equal(stderr, "");
    assert.equal(code, 0);
    const report = JSON.parse(stdout);
    assert.equal(report.name, "fast");
    const rows = report.results.map((one: Readonly<Record<string, unknown>>) => [
      ...[one["hook"], one["payloadSize"], one["verdict"], one["failure"]],
    ]);
    assert.deepEqual(rows, [
      ["onOpened", undefined, "forward", ""],
      ...[64, 1_024, 16_384].map((size) => ["onQuery", size, "forward", ""]),
    ]);
    for (const { fuelMax, microsecondsMedian } of report.results) {
      assert.ok(fuelMax > 0 && microsecondsMedian > 0);
    }
    const text = await sluiceIn(folder, "plugin", "bench", "fast.wasm");
    assert.match(
      text.stdout,
      /^start: [\d.]+ ms\n\nhook +bytes +µs +fastest µs +most fuel +verdict\n/,
    );
    await put(folder, "slow", LOOP);
    const slow = await sluiceIn(folder, "plugin", "bench", "slow.wasm");
    assert.equal(slow.code, 1);
    assert.match(
      slow.stdout,
      /^onQuery +64 +- +- +0 +fuel: it used all of its fuel(; it is not .*)?$/m,
    );
  });
});
