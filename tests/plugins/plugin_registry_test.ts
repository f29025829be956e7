import { deepEqual, equal, match, rejects } from "node:assert/strict";
import type { PluginsConfig, PluginSettings } from "../../src/config/plugin_settings.ts";
import type { PluginSpec } from "../../src/plugin_host/plugin_spec.ts";
import { PluginMemory } from "../../src/plugins/plugin_memory.ts";
import { type PluginNews, PluginRegistry } from "../../src/plugins/plugin_registry.ts";
import { NO_PLUGINS } from "../support/configs.ts";
import { COUNTER, counterPlugin } from "../support/counter_plugin.ts";
import { eventually } from "../support/wait.ts";

/** A registry of a folder, which has looked at it once. */
class Fixture implements AsyncDisposable {
  readonly published: string[] = [];
  readonly specs: (readonly PluginSpec[])[] = [];
  readonly news: PluginNews[] = [];
  readonly registry: PluginRegistry;
  readonly folder: string;
  /** Why workers cannot use what is published; "" if they can. */
  problem = "";

  constructor(folder: string, settings: Readonly<Record<string, Partial<PluginSettings>>>) {
    this.folder = folder;
    const config: PluginsConfig = {
      ...NO_PLUGINS,
      enabled: true,
      directory: folder,
      plugins: new Map(
        Object.entries(settings).map(([name, more]) => [
          name,
          { ...NO_PLUGINS.others, file: `${folder}/${name}.wasm`, ...more },
        ]),
      ),
    };
    this.registry = new PluginRegistry({
      config,
      memory: new PluginMemory(() => {}),
      publish: (plugins) => {
        if (this.problem !== "") return Promise.reject(new Error(this.problem));
        this.specs.push(plugins);
        this.published.push(plugins.map(({ name }) => name).sort().join(" "));
        return Promise.resolve();
      },
      onNews: (news) => void this.news.push(news),
    });
  }

  static async make(
    files: Readonly<Record<string, Uint8Array>>,
    settings: Readonly<Record<string, Partial<PluginSettings>>> = {},
  ): Promise<Fixture> {
    const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
    for (const [name, bytes] of Object.entries(files)) {
      await Deno.writeFile(`${folder}/${name}`, bytes);
    }
    return new Fixture(folder, settings);
  }

  /** Looks once more, and waits for so many news. */
  async check(news: number): Promise<void> {
    this.registry.check();
    await eventually("something is said", () => this.news.length >= news);
  }

  /** What was said: the kind, and of which plugin. */
  said(): string[] {
    return this.news.map((news) => {
      if (news.kind === "ignored") return `ignored: ${news.warning}`;
      return `${news.kind} ${"spec" in news ? news.spec.name : news.plugin}`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.registry.stop();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("PluginRegistry loads, replaces and removes, and publishes all of them each time", async () => {
  await using world = await Fixture.make({ "a.wasm": COUNTER, "b.wasm": COUNTER });
  await world.registry.start();
  deepEqual(world.published, ["a", "a b"]);
  await Deno.writeFile(`${world.folder}/a.wasm`, counterPlugin(77));
  await world.check(3);
  deepEqual(world.published.at(-1), "a b");
  const [first, second] = [world.specs[1]!, world.specs[2]!];
  const generation = (specs: readonly PluginSpec[], wanted: string) =>
    specs.find(({ name }) => name === wanted)!.generation;
  equal(generation(second, "b"), generation(first, "b"), "b is the same");
  equal(generation(second, "a") > generation(first, "b"), true, "a is another one");
  await Deno.remove(`${world.folder}/b.wasm`);
  await world.check(4);
  deepEqual(world.published.at(-1), "a");
  deepEqual(world.said(), ["loaded a", "loaded b", "swapped a", "removed b"]);
  deepEqual(world.registry.running.map(({ name }) => name), ["a"]);
});

Deno.test("PluginRegistry goes on with what runs when something cannot be used", async () => {
  await using world = await Fixture.make({ "a.wasm": COUNTER });
  await world.registry.start();
  const [running] = world.registry.running;
  await Deno.writeFile(`${world.folder}/a.wasm`, COUNTER.subarray(0, 50));
  await world.check(2);
  deepEqual(world.registry.running, [running]);
  const refused = world.news[1]!;
  equal(refused.kind === "refused" && refused.isOldRunning, true);
  world.problem = "worker 1: it does not start";
  await Deno.writeFile(`${world.folder}/a.wasm`, counterPlugin(777));
  await world.check(3);
  deepEqual(world.registry.running, [running], "not all workers could use it");
  const { states, loads } = world.registry.life();
  deepEqual(states, { running: 1, off: 0, refused: 1 });
  deepEqual([...loads], [["loaded", 1], ["module", 1], ["start", 1]]);
  world.problem = "";
  world.registry.check();
  // At once: the look that was just asked for would take half a file as it is.
  Deno.writeFileSync(`${world.folder}/a.wasm`, counterPlugin(7777));
  await world.check(4);
  deepEqual(world.registry.life().states, { running: 1, off: 0, refused: 0 });
});

Deno.test("PluginRegistry does not start without what must not be missing", async () => {
  const settings = { a: { onFailure: "closed" }, b: { enabled: false } } as const;
  await using world = await Fixture.make({ "b.wasm": COUNTER }, settings);
  await rejects(world.registry.start(), /^Error: Cannot do without plugins .*plugins\.a/);
  deepEqual(world.registry.life().states, { running: 0, off: 1, refused: 1 });
});

Deno.test("PluginRegistry does not start without what must not be missing by its manifest", async () => {
  const encoder = new TextEncoder();
  const manifest = encoder.encode("permissions: [reject]\nonFailure: closed\n");
  const cases: readonly (readonly [files: Record<string, Uint8Array>, starts: boolean])[] = [
    [{ "a.wasm": COUNTER, "a.yaml": manifest }, false], // what it asks for is not granted
    [{ "a.wasm": COUNTER.subarray(0, 50), "a.yaml": manifest }, false],
    [{ "a.wasm": COUNTER, "a.yaml": encoder.encode("permissions: [reject]\n") }, true],
  ];
  for (const [files, starts] of cases) {
    await using world = await Fixture.make(files);
    if (starts) await world.registry.start();
    else await rejects(world.registry.start(), /onFailure closed: .*plugins\.a: /);
  }
  const settings = { a: { onFailure: "open", isOnFailureWritten: true } } as const;
  await using named = await Fixture.make({ "a.yaml": manifest }, settings);
  await named.registry.start();
  deepEqual(named.registry.life().states.refused, 1, "its operator says that it may be missing");
});

Deno.test("PluginRegistry says what in the folder is no plugin, once", async () => {
  await using world = await Fixture.make({ "1st.wasm": COUNTER, "notes.txt": COUNTER });
  await world.registry.start();
  world.registry.check();
  await Deno.writeFile(`${world.folder}/a.wasm`, COUNTER);
  await world.check(2);
  const [ignored, ...others] = world.said();
  match(ignored!, /^ignored: ".*1st\.wasm" is not loaded: the name of a plugin must be/);
  deepEqual(others, ["loaded a"]);
});
