/**
 * The plugins of this repository as their users have them: built from source, in a gateway in front
 * of a real server.
 *
 * @module
 */

import { parse } from "yaml";
import { configFor, type Gateway, type Sections, type Settings, startGateway } from "./gateway.ts";
import { buildPlugin, isMissing } from "./plugin_builds.ts";
import { type ServerScene, type Stories, testOnServers } from "./stories.ts";

const PLUGINS = new URL("../../plugins/", import.meta.url).pathname;

/** What may differ from one gateway with plugins to another. */
export interface PluginsOptions {
  /**
   * By a plugin's name: its group in the configuration. Where that does not say otherwise, the
   * plugin is granted what its manifest asks for, and nothing passes without it.
   */
  readonly plugins: Readonly<Record<string, Sections>>;
  /** Keys of `plugins` beside the groups. */
  readonly keys?: Sections;
  readonly settings?: Settings;
}

/**
 * Starts a gateway, and waits for its plugins.
 *
 * @throws {Error} If this machine cannot build a plugin, or the gateway cannot run it.
 */
export async function startWithPlugins(
  server: { readonly host: string; readonly port: number },
  { plugins, keys = {}, settings = {} }: PluginsOptions,
): Promise<Gateway> {
  const names = Object.keys(plugins);
  const groups: Record<string, Sections> = {};
  for (const [name, group] of Object.entries(plugins)) {
    const { permissions = [] } = parse(await Deno.readTextFile(manifestOf(name)));
    groups[name] = { onFailure: "closed", permissions, ...group };
  }
  const config = {
    ...configFor(`${server.host}:${server.port}`, settings),
    plugins: { directory: await folderWith(names), ...keys, ...groups },
  };
  const gateway = await startGateway({ config });
  for (const plugin of names) await gateway.untilLogged("plugin loaded", { plugin });
  return gateway;
}

/**
 * Registers stories about a plugin, for the newest server. On a machine that cannot build the
 * plugin they are ignored, and the test's name says why. Call it with `await` at the top level.
 *
 * @param programs PostgreSQL's programs that the stories run.
 */
export async function testShippedPlugin(
  name: string,
  programs: readonly string[],
  stories: Stories<ServerScene>,
): Promise<void> {
  const wasm = await buildPlugin(PLUGINS + name);
  if (isMissing(wasm)) {
    Deno.test({ name: `Plugin ${name} (${wasm})`, ignore: true, fn: () => {} });
    return;
  }
  await testOnServers(`Plugin ${name}`, { newestOnly: true, programs }, stories);
}

const folders = new Map<string, Promise<string>>();

/** A folder that gateways can load these plugins from; it is there until all tests are done. */
function folderWith(names: readonly string[]): Promise<string> {
  const key = names.join();
  const folder = folders.get(key) ?? makeFolder(names);
  folders.set(key, folder);
  return folder;
}

async function makeFolder(names: readonly string[]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-plugins-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  for (const name of names) {
    const wasm = await buildPlugin(PLUGINS + name);
    if (isMissing(wasm)) throw new Error(wasm);
    await Deno.writeFile(`${folder}/${name}.wasm`, wasm);
    await Deno.copyFile(manifestOf(name), `${folder}/${name}.yaml`);
  }
  return folder;
}

function manifestOf(name: string): string {
  return `${PLUGINS}${name}/${name}.yaml`;
}
