import { deepEqual, equal, rejects } from "node:assert/strict";
import { createHash } from "node:crypto";
import type { PluginSettings } from "../../src/config/plugin_settings.ts";
import { HOOK } from "../../src/hooks/hooks.ts";
import {
  type LoadedPlugin,
  loadPlugin,
  PluginRefusedError,
} from "../../src/plugins/plugin_loader.ts";
import { NO_PLUGINS } from "../support/configs.ts";
import { COUNTER } from "../support/counter_plugin.ts";
import { assemble } from "../support/wasm.ts";

const PLACE = { file: "s.yaml", line: 3, column: 5, path: "plugins.hello" };

/** Files of a plugin called hello, and what is said of it. */
interface Case {
  readonly module?: Uint8Array | undefined;
  readonly manifest?: string;
  readonly settings?: Partial<PluginSettings>;
}

async function load({ module = COUNTER, manifest, settings }: Case): Promise<LoadedPlugin> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
  try {
    const file = `${folder}/hello.wasm`;
    if (module.length > 0) await Deno.writeFile(file, module);
    if (manifest !== undefined) await Deno.writeTextFile(`${folder}/hello.yaml`, manifest);
    return await loadPlugin({
      name: "hello",
      file,
      settings: { ...NO_PLUGINS.others, place: PLACE, ...settings },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is wrong with it, without the folder. */
async function refusal(one: Case): Promise<string> {
  let said = "";
  await rejects(load(one), (error) => {
    if (!(error instanceof PluginRefusedError)) throw error;
    said = `${error.result}: ${error.message.replaceAll(/\/[^" ]*\/(?=hello)/g, "")}`;
    return true;
  });
  return said;
}

/** A module with a custom section. */
function withSection(text: string): Uint8Array {
  const name = new TextEncoder().encode("sluice.manifest");
  const content = new TextEncoder().encode(text);
  const size = 1 + name.length + content.length;
  return Uint8Array.from([...COUNTER, 0, size, name.length, ...name, ...content]);
}

Deno.test("loadPlugin makes a specification of a module without a manifest", async () => {
  const { module, clientMessageTypes, serverMessageTypes, ...spec } = await load({
    settings: { permissions: ["kv"], priority: 3 },
  });
  await WebAssembly.compile(module as Uint8Array<ArrayBuffer>);
  deepEqual(clientMessageTypes, new Uint8Array(256).fill(1));
  deepEqual(serverMessageTypes, clientMessageTypes);
  deepEqual(spec, {
    name: "hello",
    version: "",
    sha256: createHash("sha256").update(COUNTER).digest("hex"),
    priority: 3,
    abi: "direct",
    hooks: [HOOK.onTick],
    permissions: ["kv"],
    hosts: [],
    configuration: "{}",
    onFailure: "open",
    fuelPerCall: 5_000_000,
    memoryMax: 1_048_576,
    outputMax: 1_048_576,
    failuresMax: 10,
    failureWindowMs: 60_000,
  });
});

Deno.test("loadPlugin gives a plugin the limits that it asks for, unless they are written", async () => {
  const limitsOf = async (one: Case) => {
    const { fuelPerCall, memoryMax } = await load(one);
    return [fuelPerCall, memoryMax];
  };
  const manifest = "limits: { fuelPerCall: 50000000, memoryMax: 32MiB }\n";
  const asked = [50_000_000, 32 * 1_048_576];
  deepEqual(await limitsOf({ manifest }), asked);
  deepEqual(await limitsOf({ module: withSection(manifest) }), asked, "inside of the module");
  const fuel = { fuelPerCall: 1_000_000, isFuelWritten: true };
  deepEqual(await limitsOf({ manifest, settings: fuel }), [1_000_000, asked[1]]);
  const memory = { memoryMax: 65_536, isMemoryWritten: true };
  deepEqual(await limitsOf({ manifest, settings: memory }), [asked[0], 65_536]);
  // What a module says of its own memory is allowed by what its manifest says.
  const large = assemble(`(module (memory (export "memory") 300)
    (func (export "onTick") (result i32) (i32.const 0)))`);
  equal(await refusal({ module: large }).then((said) => said.split(":")[0]), "module");
  deepEqual(await limitsOf({ module: large, manifest }), asked);
});

Deno.test("loadPlugin follows a manifest's onFailure, unless another is written", async () => {
  const manifest = "permissions: [reject]\nonFailure: closed\n";
  const permissions = ["reject"] as const;
  const policyOf = async (one: Case) => (await load(one)).onFailure;
  equal(await policyOf({ manifest, settings: { permissions } }), "closed");
  const inside = withSection(manifest);
  equal(await policyOf({ module: inside, settings: { permissions } }), "closed");
  equal(await policyOf({ settings: { onFailure: "closed" } }), "closed", "without a word of it");
  const isOnFailureWritten = true;
  const open = { permissions, onFailure: "open", isOnFailureWritten } as const;
  equal(await policyOf({ manifest, settings: open }), "open");
  const written = { permissions, onFailure: "closed", isOnFailureWritten } as const;
  equal(await policyOf({ manifest: "onFailure: open", settings: written }), "closed");
});

Deno.test("loadPlugin says what becomes of traffic without what is refused", async () => {
  const manifest = "permissions: [reject]\nonFailure: closed\n";
  const policyOf = async (one: Case) => {
    const error = await load(one).catch((thrown) => thrown);
    return error instanceof PluginRefusedError ? error.onFailure : "loaded";
  };
  equal(await policyOf({ manifest }), "closed", "a permission is missing");
  equal(await policyOf({ module: withSection(manifest) }), "closed");
  equal(await policyOf({ manifest, module: new Uint8Array() }), "closed", "no module");
  equal(await policyOf({ manifest, module: COUNTER.subarray(0, 50) }), "closed");
  equal(await policyOf({ manifest, settings: { sha256: "0".repeat(64) } }), "closed");
  equal(await policyOf({ manifest: `${manifest}hooks: [onQuery]` }), "closed");
  const isOnFailureWritten = true;
  equal(await policyOf({ manifest, settings: { isOnFailureWritten } }), "open");
  equal(await policyOf({ module: new Uint8Array() }), "open");
});

Deno.test("loadPlugin follows the manifest beside the module, or else the one in it", async () => {
  const manifest = `name: hello
version: 1.2.3
messageTypes: { client: [Query] }
permissions: [log]
config: { type: object, properties: { a: { type: integer, default: 4 } } }
`;
  const settings = { permissions: ["log", "kv"] } as const;
  const beside = await load({ manifest, settings });
  equal(beside.version, "1.2.3");
  equal(beside.configuration, '{"a":4}');
  deepEqual(beside.clientMessageTypes.indexOf(1), 0x51);
  equal(beside.clientMessageTypes.reduce((sum, one) => sum + one), 1);
  const inside = withSection("version: 7.0.0\n");
  equal((await load({ module: inside })).version, "7.0.0");
  equal((await load({ module: inside, manifest, settings })).version, "1.2.3");
});

Deno.test("loadPlugin takes a file that has the SHA-256 that is written", async () => {
  const sha256 = createHash("sha256").update(COUNTER).digest("hex");
  equal((await load({ settings: { sha256 } })).sha256, sha256);
});

Deno.test("loadPlugin says why a plugin is refused, where, and what to do", async () => {
  const sha256 = createHash("sha256").update(COUNTER).digest("hex");
  const cases: readonly (readonly [Case, string])[] = [
    [
      { module: new Uint8Array() },
      'unreadable: s.yaml:3:5: plugins.hello: cannot read "hello.wasm": there is no such file',
    ],
    [
      { settings: { sha256: "0".repeat(64) } },
      `checksum: s.yaml:3:5: plugins.hello: "hello.wasm" has SHA-256 ${sha256}, and not the one ` +
      "that is written; write it, or put the right file there",
    ],
    [
      { module: assemble("(module)") },
      'module: s.yaml:3:5: plugins.hello: cannot use "hello.wasm": it exports no memory called ' +
      "memory",
    ],
    [
      { module: assemble('(module (memory (export "memory") 300))') },
      'module: s.yaml:3:5: plugins.hello: cannot use "hello.wasm": the module needs at least ' +
      "18.75 MiB of memory, more than the 1 MiB that are allowed; memoryMax allows more " +
      "(at byte 11)",
    ],
    [
      { manifest: "permissions: [log, kv]", settings: { permissions: ["kv"] } },
      "permissions: s.yaml:3:5: plugins.hello: the plugin asks for what it is not granted: log; " +
      "to grant it, write plugins.hello.permissions: [kv, log]",
    ],
    [
      { manifest: "permissions: [http]\nhosts: [a.b]", settings: { permissions: ["http"] } },
      "permissions: s.yaml:3:5: plugins.hello: the plugin asks for hosts that it is not granted: " +
      "a.b; to grant them, write hosts: [a.b]",
    ],
    [
      { manifest: "hooks: [onQuery]" },
      "manifest: s.yaml:3:5: plugins.hello: its manifest lists hooks that it does not export: " +
      "onQuery; remove them from it, or export them",
    ],
    [
      { manifest: "hook: []" },
      'manifest: hello.yaml:1:1: hook: unknown key; did you mean "hooks"?',
    ],
    [
      { manifest: "name: bye" },
      'manifest: s.yaml:3:5: plugins.hello: hello.yaml is the manifest of a plugin named "bye"; ' +
      "call it so, or use its own manifest",
    ],
    [
      { module: withSection("hook: []") },
      "manifest: hello.wasm (sluice.manifest):1:1: hook: unknown key; " +
      'did you mean "hooks"?',
    ],
    [
      {
        manifest: "config: { type: object, additionalProperties: false }",
        settings: { config: { json: { token: "sesame" }, places: new Map([["", PLACE]]) } },
      },
      'configuration: s.yaml:3:5: plugins.hello: unknown key "token"; the keys here are none',
    ],
  ];
  for (const [one, expected] of cases) equal(await refusal(one), expected);
});

Deno.test("loadPlugin refuses every beginning of a module, as of a file that is written", async () => {
  for (const size of [1, 7, 8, 9, COUNTER.length >> 1, COUNTER.length - 1]) {
    const said = await refusal({ module: COUNTER.subarray(0, size) });
    equal(said.split(":", 1)[0], "module", said);
  }
});
