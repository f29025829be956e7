/**
 * `sluice plugin list`: the plugins that a gateway with this configuration would load.
 *
 * @module
 */

import { messageOf } from "../../base/errors.ts";
import { hookNames } from "../../hooks/hooks.ts";
import { type FoundPlugin, PluginFiles } from "../../plugins/plugin_files.ts";
import { loadPlugin, PluginRefusedError, readPlugin } from "../../plugins/plugin_loader.ts";
import { isConfigured } from "../config_source.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { print, printError } from "../terminal.ts";
import { configuredPlugins, refusalText } from "./subject.ts";
import { harmless, listed, tableText } from "./table.ts";
import { Trial } from "./trial.ts";

/** Digits of a checksum that people compare. */
const SHORT_SHA256 = 12;

/** One plugin; the shape of an item of `--json`. */
export interface ListedPlugin {
  readonly name: string;
  readonly file: string;
  readonly state: "would run" | "refused" | "disabled";
  /** Why it is refused, a line each; "" if it is not. */
  readonly reason: string;
  readonly version: string;
  readonly priority: number;
  readonly hooks: readonly string[];
  readonly granted: readonly string[];
  readonly asked: readonly string[];
  /** "" if it could not be read, and so for version, hooks and asked. */
  readonly sha256: string;
}

/** Lists plugins; the exit code says whether all of them would run. */
export async function listPlugins(
  { config: configFile, json = false }: { readonly config?: string; readonly json?: boolean },
): Promise<ExitCode> {
  const config = configuredPlugins(configFile);
  if (config === undefined) return EXIT.config;
  const { plugins, warnings } = new PluginFiles(config).look(true);
  const disabled = [...config.plugins].filter(([, { enabled }]) => !enabled)
    .map(([name, { file, ...settings }]) => ({ name, file, settings }));
  const isPlaced = configFile !== undefined || isConfigured();
  const found: ListedPlugin[] = [];
  for (const plugin of plugins) found.push(await describe(plugin, isPlaced));
  for (const plugin of disabled) found.push(described(plugin, "disabled", ""));
  found.sort((a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1));
  for (const warning of warnings) printError(`note: ${warning}\n`);
  if (json) print(`${JSON.stringify(found, null, 2)}\n`);
  else print(listText(found, config.directory, config.enabled));
  return found.some(({ state }) => state === "refused") ? EXIT.failed : EXIT.ok;
}

async function describe(plugin: FoundPlugin, isPlaced: boolean): Promise<ListedPlugin> {
  let known: Partial<ListedPlugin> = {};
  try {
    const { sha256, manifest, module } = await readPlugin(plugin);
    const { version, permissions, hosts } = manifest;
    const hooks = manifest.hooks ?? hookNames(module.hooks);
    known = { sha256, version, hooks, asked: [...permissions, ...hosts] };
    const loaded = await loadPlugin(plugin);
    using _started = await Trial.start(loaded, plugin.settings.kvMax);
    return { ...described(plugin, "would run", ""), ...known };
  } catch (error) {
    const reason = error instanceof PluginRefusedError
      ? refusalText(error, isPlaced).trimEnd()
      : harmless(messageOf(error));
    return { ...described(plugin, "refused", reason), ...known };
  }
}

function described(
  { name, file, settings }: Pick<FoundPlugin, "name" | "file" | "settings">,
  state: ListedPlugin["state"],
  reason: string,
): ListedPlugin {
  const { priority, permissions, hosts } = settings;
  const granted = [...permissions, ...hosts];
  return {
    name,
    file,
    state,
    reason,
    version: "",
    priority,
    hooks: [],
    granted,
    asked: [],
    sha256: "",
  };
}

function listText(
  plugins: readonly ListedPlugin[],
  directory: string,
  isEnabled: boolean,
): string {
  if (!isEnabled) return "no plugins are loaded: plugins.enabled is false\n";
  if (plugins.length === 0) return `there are no plugins in ${directory}\n`;
  const heading = ["name", "version", "state", "priority", "hooks", "granted", "asks for"];
  const rows = plugins.map((one) => [
    one.name,
    one.version === "" ? "-" : one.version,
    one.state,
    String(one.priority),
    listed(one.hooks),
    listed(one.granted),
    listed(one.asked),
    one.sha256 === "" ? "-" : one.sha256.slice(0, SHORT_SHA256),
    one.file,
  ]);
  const reasons = plugins.filter(({ reason }) => reason !== "").map(({ name, reason }) =>
    reason.split("\n").map((line) => `${name}: ${line}\n`).join("")
  );
  const table = tableText([[...heading, "SHA-256", "file"], ...rows], [3]);
  return reasons.length === 0 ? table : `${table}\n${reasons.join("")}`;
}
