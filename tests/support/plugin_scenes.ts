/**
 * The plugins of this repository as their users have them: built from source, in a gateway in front
 * of a real database.
 *
 * @module
 */

import { configFor, type Gateway, type Sections, type Settings, startGateway } from "./gateway.ts";
import { buildPlugin, isMissing } from "./plugin_builds.ts";
import { type ServerScene, type Stories, testOnServers } from "./stories.ts";

const PLUGINS = new URL("../../plugins/", import.meta.url).pathname;

/** A plugin that gateways can load. */
export interface ShippedPlugin {
  readonly name: string;
  /** With its module and its manifest. */
  readonly folder: string;
}

/** What stories about a plugin need. */
export interface PluginScene extends ServerScene {
  readonly plugin: ShippedPlugin;
}

/**
 * Registers stories about a plugin of this repository, for the newest server. On a machine that
 * cannot build the plugin they are ignored, and the test's name says why. Call it with `await` at
 * the top level.
 *
 * @param name Its folder in `plugins`.
 */
export async function testShippedPlugin(
  name: string,
  programs: readonly string[],
  stories: Stories<PluginScene>,
): Promise<void> {
  const wasm = await buildPlugin(`${PLUGINS}${name}`);
  if (isMissing(wasm)) {
    Deno.test({ name: `Plugin ${name} (${wasm})`, ignore: true, fn: () => {} });
    return;
  }
  const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await Deno.writeFile(`${folder}/${name}.wasm`, wasm);
  await Deno.copyFile(`${PLUGINS}${name}/${name}.yaml`, `${folder}/${name}.yaml`);
  const plugin = { name, folder };
  const told = Object.entries(stories).map(([sentence, story]) =>
    [
      sentence,
      (scene: ServerScene, step: Deno.TestContext) => story({ ...scene, plugin }, step),
    ] as const
  );
  const options = { newestOnly: true, programs };
  await testOnServers(`Plugin ${name}`, options, Object.fromEntries(told));
}

/**
 * Starts a gateway with the plugin.
 *
 * @param group The plugin's own group in the configuration.
 * @param plugins Keys of `plugins` beside it.
 */
export async function startWithPlugin(
  { server, plugin }: PluginScene,
  group: Sections,
  settings: Settings = {},
  plugins: Sections = {},
): Promise<Gateway> {
  const address = `${server.host}:${server.port}`;
  const own = { [plugin.name]: { onFailure: "closed", ...group } };
  const gateway = await startGateway({
    config: {
      ...configFor(address, settings),
      plugins: { directory: plugin.folder, ...plugins, ...own },
    },
  });
  await gateway.untilLogged("plugin loaded", { plugin: plugin.name });
  return gateway;
}
