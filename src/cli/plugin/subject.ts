/**
 * Which plugin a command is about, and what it would be granted.
 *
 * @module
 */

import { basename, resolve } from "node:path";
import type { Config } from "../../config/config.ts";
import type { PluginsConfig, PluginSettings } from "../../config/plugin_settings.ts";
import { loadConfig, problemsText } from "../../config/load.ts";
import { PLUGIN_NAME_PATTERN, PLUGIN_NAME_RULE } from "../../config/plugin_keys.ts";
import {
  type LoadedPlugin,
  loadPlugin,
  type PluginContents,
  PluginRefusedError,
  type PluginSource,
  readPlugin,
} from "../../plugins/plugin_loader.ts";
import { isConfigured, readConfig } from "../config_source.ts";
import { EXIT, type ExitCode } from "../exit_code.ts";
import { printError } from "../terminal.ts";

/** What there is where nothing is configured. No way leads to these addresses. */
const UNCONFIGURED = '{servers: {a: {address: "127.0.0.1:0"}}, clients: {a: {address: "a:1"}}}';

/** A plugin that a command is about. */
export interface Subject {
  readonly source: PluginSource;
  /** Whether the configuration says what it is granted; else it is granted all that it asks for. */
  readonly isConfigured: boolean;
  readonly contents: PluginContents;
}

/** What a configuration says of plugins that it does not name, where there is none. */
export function unconfiguredPlugins(): PluginsConfig {
  const text = UNCONFIGURED;
  const result = loadConfig({ text, fileName: undefined, env: {}, cores: 1, ignoredEnv: [] });
  if (!result.ok) throw new Error(problemsText(result.problems));
  return result.config.plugins;
}

/**
 * The configuration's plugins.
 *
 * @param file As the user named it; undefined to look in the usual places, where none need be.
 * @returns Undefined if it cannot be used: the user has been told.
 */
export function configuredPlugins(file: string | undefined): PluginsConfig | undefined {
  if (file === undefined && !isConfigured()) return unconfiguredPlugins();
  return readConfig(file)?.plugins;
}

/**
 * Reads the plugin in a file.
 *
 * @param configFile Says what it is granted; undefined grants all that the manifest asks for.
 * @returns An exit code if it cannot be read: the user has been told why.
 */
export async function readSubject(
  file: string,
  configFile: string | undefined,
): Promise<Subject | ExitCode> {
  const name = basename(file).replace(/\.wasm$/, "");
  if (!file.endsWith(".wasm") || !new RegExp(PLUGIN_NAME_PATTERN).test(name)) {
    printError(
      `sluice: ${JSON.stringify(file)} cannot be a plugin: its file is called NAME.wasm, and a ` +
        `name is ${PLUGIN_NAME_RULE}\n`,
    );
    return EXIT.usage;
  }
  let config: Config | undefined;
  if (configFile !== undefined) {
    config = readConfig(configFile);
    if (config === undefined) return EXIT.config;
  }
  const { plugins, others } = config?.plugins ?? unconfiguredPlugins();
  const source = { name, file, settings: settingsFor(name, file, plugins, others) };
  try {
    const contents = await readPlugin(source);
    const { manifest } = contents;
    const isConfigured = config !== undefined;
    if (isConfigured) return { source, isConfigured, contents };
    const { permissions, hosts } = manifest;
    const settings = { ...source.settings, permissions, hosts };
    return { source: { ...source, settings }, isConfigured, contents };
  } catch (error) {
    return sayRefused(error, configFile !== undefined);
  }
}

/**
 * Checks the plugin against what it is granted.
 *
 * @returns An exit code if it is refused: the user has been told why.
 */
export async function loadSubject(subject: Subject): Promise<LoadedPlugin | ExitCode> {
  try {
    return await loadPlugin(subject.source);
  } catch (error) {
    return sayRefused(error, subject.isConfigured);
  }
}

/** Why a plugin is refused, a line each; places in a configuration only where there is one. */
export function refusalText(error: PluginRefusedError, isConfigured: boolean): string {
  const isPlaced = isConfigured || error.result === "manifest";
  return isPlaced
    ? problemsText(error.problems)
    : error.problems.map(({ message }) => `${message}\n`).join("");
}

function sayRefused(error: unknown, isConfigured: boolean): ExitCode {
  if (!(error instanceof PluginRefusedError)) throw error;
  const lines = refusalText(error, isConfigured).trimEnd().split("\n");
  printError(lines.map((line) => `sluice: ${line}\n`).join(""));
  return EXIT.failed;
}

function settingsFor(
  name: string,
  file: string,
  plugins: PluginsConfig["plugins"],
  others: PluginSettings,
): PluginSettings {
  const path = resolve(file);
  const byFile = [...plugins.values()].find((one) => resolve(one.file) === path);
  return byFile ?? plugins.get(name) ?? others;
}
