import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { FIELD } from "../../src/hooks/event.ts";
import { HOOKS } from "../../src/hooks/hooks.ts";
import { buildPlugin, isMissing } from "../support/plugin_builds.ts";
import { CONTRACT, HOST_FUNCTIONS } from "../support/plugin_contract.ts";
import { StandInHost, type World } from "../support/stand_in_host.ts";

// What the kitchen sinks of Go and Rust do beside what those of all languages do.

/** A world in which nothing but the query's text is there. */
function world(text: string, config: readonly (readonly [string, string])[] = []): World {
  return {
    fields: new Map([[FIELD.text, text], [FIELD.payload, "payload\0é"]]),
    parameters: new Map(),
    config: new Map(config),
    store: new Map(),
    denied: new Set([FIELD.fingerprint]),
  };
}

/** Registers a test of what is built from a folder here, or says why it cannot be built. */
async function testBuilt(
  name: string,
  folder: string,
  check: (wasm: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  const wasm = await buildPlugin(new URL(folder, import.meta.url).pathname);
  if (isMissing(wasm)) Deno.test({ name: `${name} (${wasm})`, ignore: true, fn: () => {} });
  else Deno.test(name, () => check(wasm));
}

for (const language of ["go", "rust"]) {
  const folder = `kitchen_sink/${language}`;
  await testBuilt(`What the host denies ends a call in ${language}`, folder, (wasm) => {
    const plugin = new StandInHost(wasm, world("denied"));
    throws(() => plugin.run("onQuery", {}));
    match(
      plugin.standardError + plugin.calls.join(),
      /read: the plugin has no permission for it/,
    );
  });

  await testBuilt(`init may refuse a plugin in ${language}`, folder, (wasm) => {
    throws(() => new StandInHost(wasm, world("", [["refuse", "the reason"]])), {
      message: "sluice_init: the reason",
    });
  });

  await testBuilt(`Parts of the payload are read in ${language}`, folder, (wasm) => {
    const { verdict, written } = new StandInHost(wasm, world("parts")).run("onQuery", {});
    deepEqual([verdict, written], ["replace", "payload\0é"]);
  });
}

await testBuilt("The Rust SDK can do without the standard library", "no_std_rust", (wasm) => {
  const { verdict, rejection } = new StandInHost(wasm, world("drop table")).run("onQuery", {});
  deepEqual([verdict, rejection], ["reject", ["42501", "drop table", ""]]);
});

await testBuilt(
  "A Rust module has its manifest within",
  "../../plugins/sdk/rust/template",
  (wasm) => {
    const [section] = WebAssembly.Module.customSections(
      new WebAssembly.Module(wasm),
      "sluice.manifest",
    );
    match(new TextDecoder().decode(section), /^name: hello\n/);
  },
);

/** `NormalisedText`, `HTTPStatus` or `http-status` as `httpstatus`. */
function plain(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9]/g, "").toLowerCase();
}

/** The first group of every match. */
function all(text: string, pattern: RegExp): string[] {
  const found = [...text.matchAll(pattern)].map(([, name]) => name!);
  ok(found.length > 0, `nothing is like ${pattern}`);
  return found;
}

async function sourceOf(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../../plugins/sdk/${path}`, import.meta.url));
}

const EVENT_FIELDS = CONTRACT.event.map(([name]) => plain(name));

Deno.test("The Rust SDK has the contract's hooks, fields, event and functions in order", async () => {
  const exports = await sourceOf("rust/src/exports.rs");
  const arms = [...exports.matchAll(/\((\w+)\) => \{\s*\$\w+::\w+!\("(\w+)", (\w+)/g)];
  deepEqual(arms.map(([, , name]) => name), HOOKS.map(({ name }) => name));
  for (const [, pattern, name, hook] of arms) {
    equal(pattern, hook);
    equal(plain(hook!), plain(name!));
  }
  const [fields] = all(await sourceOf("rust/src/reading.rs"), /pub enum Field \{([\s\S]*?)\n\}/g);
  deepEqual(all(fields!, /^ {4}(\w+),/gm).map(plain), Object.keys(FIELD).map(plain));
  const [event] = all(await sourceOf("rust/src/event.rs"), /pub struct Event \{([\s\S]*?)\n\}/g);
  deepEqual(all(event!, /^ {4}(?:pub )?(\w+): u/gm).map(plain), EVENT_FIELDS);
  const imports = await sourceOf("rust/src/imports.rs");
  deepEqual(all(imports, /pub fn (\w+)\(/g), HOST_FUNCTIONS);
});

Deno.test("The Go SDK has the contract's fields, event and functions in order", async () => {
  const reading = await sourceOf("go/reading.go");
  const fields = all(reading, /^\tField(\w+)(?: FieldNumber = iota)?$/gm);
  deepEqual(fields.map(plain), Object.keys(FIELD).map(plain));
  const [event] = all(await sourceOf("go/event.go"), /type EventBlock struct \{([\s\S]*?)\n\}/g);
  const names = all(event!, /^\t(\w+) +u/gm).map(plain);
  deepEqual(names, EVENT_FIELDS.map((name) => name.startsWith("reserved") ? "" : name));
  const imports = await sourceOf("go/imports_wasip1.go");
  deepEqual(all(imports, /^\/\/go:wasmimport sluice (\w+)$/gm), HOST_FUNCTIONS);
});
