/**
 * Plugins that come, are replaced, broken, removed and refused while the gateway runs. They count
 * their ticks, which needs no client and no server.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  configFor,
  type Gateway,
  gatewayCommand,
  type Sections,
  startGateway,
} from "../support/gateway.ts";
import { COUNTER, counterPlugin, forwardingPlugin } from "../support/counter_plugin.ts";
import { cleanEnvironment } from "../support/programs.ts";
import { eventually, pause } from "../support/wait.ts";
import { assemble } from "../support/wasm.ts";

/** More than two looks at the files: what has not happened by then is not going to. */
const LOOKS_MS = 3_500;

/** A gateway with a directory of plugins, and no server behind it. */
class Scene implements AsyncDisposable {
  readonly folder: string;
  readonly gateway: Gateway;

  private constructor(folder: string, gateway: Gateway) {
    this.folder = folder;
    this.gateway = gateway;
  }

  /** @param plugins What the configuration says beside the directory. */
  static async start(
    plugins: Sections,
    files: Readonly<Record<string, Uint8Array | string>>,
    workers = 2,
  ): Promise<Scene> {
    const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
    for (const [name, content] of Object.entries(files)) await put(folder, name, content);
    const config = {
      ...configFor("127.0.0.1:1", { workers }),
      plugins: { directory: folder, tickInterval: "10ms", ...plugins },
    };
    return new Scene(folder, await startGateway({ config }));
  }

  async put(name: string, content: Uint8Array | string): Promise<void> {
    await put(this.folder, name, content);
  }

  remove(name: string): Promise<void> {
    return Deno.remove(`${this.folder}/${name}`);
  }

  async value(series: string): Promise<number | undefined> {
    return (await this.gateway.metrics()).get(series);
  }

  /** Waits until a series has a value that fits. */
  async until(series: string, fits: (value: number | undefined) => boolean): Promise<void> {
    await eventually(`${series} fits`, async () => fits(await this.value(series)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** As who deploys should: under another name first. */
async function put(folder: string, name: string, content: Uint8Array | string): Promise<void> {
  const path = `${folder}/${name}`;
  if (typeof content === "string") await Deno.writeTextFile(`${path}.new`, content);
  else await Deno.writeFile(`${path}.new`, content);
  await Deno.rename(`${path}.new`, path);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const TICKS = 'plugin_ticks_total{plugin="hello"}';

function info(name: string, bytes: Uint8Array, version = "", priority = 100): string {
  return `sluice_plugin_info{plugin="${name}",priority="${priority}",sha256="${sha256(bytes)}",` +
    `version="${version}"}`;
}

Deno.test("Plugins: one that is dropped into the directory runs in every worker", async () => {
  await using scene = await Scene.start({}, {});
  assert.equal(await scene.value('sluice_plugins{state="running"}'), 0);
  await scene.put("hello.wasm", COUNTER);
  const line = await scene.gateway.untilLogged("plugin loaded", { plugin: "hello" });
  assert.equal(line["sha256"], sha256(COUNTER));
  await scene.until(TICKS, (ticks = 0) => ticks > 20);
  assert.equal(await scene.value('sluice_plugins{state="running"}'), 1);
  assert.equal(await scene.value(info("hello", COUNTER)), 1);
  assert.equal(await scene.value('sluice_plugin_loads_total{result="loaded"}'), 1);
  const calls = await scene.value('sluice_plugin_calls_total{hook="onTick",plugin="hello"}');
  assert.ok(calls !== undefined && calls > 0);
});

Deno.test("Plugins: what is there at the start runs, and a replacement takes its place", async () => {
  const [first, second] = [counterPlugin(1), counterPlugin(1000)];
  await using scene = await Scene.start({}, { "hello.wasm": first, "other.wasm": COUNTER });
  await scene.until(TICKS, (ticks = 0) => ticks > 5);
  await scene.put("hello.wasm", second);
  await scene.gateway.untilLogged("plugin replaced", { plugin: "hello" });
  const before = (await scene.value(TICKS))!;
  await scene.until(TICKS, (ticks = 0) => ticks > before + 5_000);
  assert.equal(await scene.value(info("hello", first)), undefined);
  assert.equal(await scene.value(info("hello", second)), 1);
  // The other one was left alone: it has gone on in all that time.
  assert.equal(
    scene.gateway.logs.filter(({ plugin }) => plugin === "other").length,
    1,
  );
});

Deno.test("Plugins: one whose file is removed is gone, with its metrics", async () => {
  await using scene = await Scene.start({}, { "hello.wasm": COUNTER });
  await scene.until(TICKS, (ticks = 0) => ticks > 0);
  await scene.remove("hello.wasm");
  await scene.gateway.untilLogged("plugin removed", { plugin: "hello" });
  assert.equal(await scene.value(TICKS), undefined);
  assert.equal(await scene.value(info("hello", COUNTER)), undefined);
  assert.equal(await scene.value('sluice_plugins{state="running"}'), 0);
  await scene.put("hello.wasm", COUNTER);
  await scene.until(TICKS, (ticks = 0) => ticks > 0);
});

/** Replacements that must not be used, and how their refusal is counted. */
const BROKEN: readonly (readonly [name: string, bytes: Uint8Array, result: string])[] = [
  ["is cut off", counterPlugin(7).slice(0, 100), "module"],
  ["is no module", new TextEncoder().encode("hello"), "module"],
  ["exports no hook", assemble('(module (memory (export "memory") 1))'), "module"],
  ["refuses to start", counterPlugin(7, 1), "start"],
];

Deno.test("Plugins: a replacement that cannot be used leaves the old one at work", async () => {
  await using scene = await Scene.start({}, { "hello.wasm": COUNTER });
  await scene.until(TICKS, (ticks = 0) => ticks > 0);
  for (const [name, bytes, result] of BROKEN) {
    const refusals = () => scene.gateway.logs.filter(({ msg }) => msg === "plugin refused");
    const before = refusals().length;
    await scene.put("hello.wasm", bytes);
    await eventually(`it is refused as it ${name}`, () => refusals().length > before);
    const line = refusals().at(-1)!;
    assert.deepEqual([line.level, line["plugin"], line["result"], line["isOldRunning"]], [
      "error",
      "hello",
      result,
      true,
    ], name);
    const ticks = (await scene.value(TICKS))!;
    await scene.until(TICKS, (now = 0) => now > ticks + 10);
    assert.equal(await scene.value(info("hello", COUNTER)), 1, name);
    assert.equal(await scene.value('sluice_plugins{state="refused"}'), 1);
  }
  await scene.put("hello.wasm", counterPlugin(2));
  await scene.gateway.untilLogged("plugin replaced", { sha256: sha256(counterPlugin(2)) });
  assert.equal(await scene.value('sluice_plugins{state="refused"}'), 0);
});

Deno.test("Plugins: a file is left alone while it is written", async () => {
  await using scene = await Scene.start({}, {});
  const bytes = counterPlugin(3);
  const file = await Deno.open(`${scene.folder}/hello.wasm`, { write: true, create: true });
  try {
    // Each look sees another size.
    for (let at = 0; at < bytes.length; at += 40) {
      await file.write(bytes.subarray(at, at + 40));
      await pause(300);
    }
  } finally {
    file.close();
  }
  await scene.until(TICKS, (ticks = 0) => ticks > 0);
  assert.deepEqual(scene.gateway.logs.filter(({ msg }) => msg === "plugin refused"), []);
});

Deno.test("Plugins: what is not the right file, or asks too much, never runs", async () => {
  const wrong = "0".repeat(64);
  await using scene = await Scene.start({ hello: { sha256: wrong }, greedy: {} }, {
    "hello.wasm": COUNTER,
    "greedy.wasm": COUNTER,
    "greedy.yaml": "permissions: [kv, http]\n",
  });
  const checksum = await scene.gateway.untilLogged("plugin refused", { plugin: "hello" });
  assert.equal(checksum["result"], "checksum");
  assert.match(String(checksum["error"]), new RegExp(sha256(COUNTER)));
  const greedy = await scene.gateway.untilLogged("plugin refused", { plugin: "greedy" });
  assert.equal(greedy["result"], "permissions");
  assert.match(String(greedy["error"]), /kv, http.*plugins\.greedy\.permissions: \[kv, http\]/);
  assert.equal(await scene.value('sluice_plugins{state="refused"}'), 2);
  assert.equal(await scene.value('sluice_plugin_loads_total{result="checksum"}'), 1);
  assert.equal(await scene.value('sluice_plugin_loads_total{result="permissions"}'), 1);
  assert.equal(await scene.value(TICKS), undefined);
  // A manifest that asks for nothing is another matter, and is noticed.
  await scene.put("greedy.yaml", "version: 2.0.0\n");
  await scene.gateway.untilLogged("plugin loaded", { plugin: "greedy", version: "2.0.0" });
  await scene.until(info("greedy", COUNTER, "2.0.0"), (value) => value === 1);
});

Deno.test("Plugins: SIGHUP has files looked at, and nothing else changes a plugin", async () => {
  await using scene = await Scene.start({ enabled: true }, { "hello.wasm": COUNTER }, 1);
  await scene.until(TICKS, (ticks = 0) => ticks > 0);
  await scene.put("second.wasm", counterPlugin(5));
  scene.gateway.signal("SIGHUP");
  await scene.gateway.untilLogged("plugin loaded", { plugin: "second" });
  await pause(LOOKS_MS);
  const said = scene.gateway.logs.filter(({ msg }) => msg.startsWith("plugin"));
  assert.deepEqual(said.map(({ msg, plugin }) => `${msg} ${plugin}`), [
    "plugin loaded hello",
    "plugin loaded second",
  ]);
});

Deno.test("Plugins: without one that must not be missing, the gateway does not start", async () => {
  await assert.rejects(
    Scene.start({ guard: { onFailure: "closed" } }, { "guard.wasm": "no module" }),
    /Cannot do without plugins of onFailure closed: .*plugins\.guard/,
  );
});

Deno.test("Plugins: the control plane's instance is told of the gateway's life", async () => {
  const hooks = ["onNewLogger", "onNewPool", "onNewClient", "onNewProxy", "onNewServer"];
  const life = [...hooks, "onRun", "onBooting", "onBooted", "onSignal"];
  await using scene = await Scene.start({}, { "life.wasm": forwardingPlugin(life) }, 1);
  const calls = (hook: string) =>
    scene.value(`sluice_plugin_calls_total{hook="${hook}",plugin="life"}`);
  for (const hook of life.slice(0, -1)) assert.equal(await calls(hook), 1, hook);
  assert.equal(await calls("onSignal"), undefined);
  scene.gateway.signal("SIGHUP");
  await eventually("it is told of the signal", async () => await calls("onSignal") === 1);
});

Deno.test("Plugins: config check says what is wrong with them, and where", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
  try {
    await put(folder, "hello.wasm", COUNTER);
    const manifest = "config: { type: object, properties: { a: { type: integer } } }\n";
    await put(folder, "hello.yaml", manifest);
    const check = async (config: string) => {
      const text = `servers: { default: { address: "127.0.0.1:1" } }
clients: { default: { address: "127.0.0.1:2" } }
plugins:
  directory: .
  hello: { config: ${config} }
`;
      await put(folder, "sluice.yaml", text);
      const file = `${folder}/sluice.yaml`;
      const [program, args] = gatewayCommand(["config", "check", "-c", file]);
      const { code, stdout, stderr } = await new Deno.Command(program, {
        args,
        clearEnv: true,
        env: cleanEnvironment(),
      }).output();
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      return `${code} ${said.replaceAll(`${folder}/`, "")}`;
    };
    assert.equal(
      await check("{ a: 5 }"),
      "0 sluice.yaml: fine (servers: 1, clients: 1, pools: 1, plugins: 1)\n",
    );
    assert.equal(
      await check("{ a: sesame }"),
      "3 sluice.yaml:5:25: plugins.hello.config.a: expected integer\nsluice.yaml: 1 problem\n",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
