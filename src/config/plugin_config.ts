/**
 * What a configuration says of plugins. What is in their modules and manifests is looked at later,
 * by whoever loads them.
 *
 * @module
 */

import { join } from "node:path";
import { type CheckedGroup, defaultGroup } from "./check.ts";
import type { PluginsConfig, PluginSettings } from "./plugin_settings.ts";
import type { ConfigFiles } from "./config_files.ts";
import type { Values } from "./key.ts";
import { PLUGIN_KEYS, type PLUGINS_KEYS, wholePages } from "./plugin_keys.ts";

/** Without problems no value is missing; with some, nobody uses what this returns. */
export function pluginsConfig(
  groups: ReadonlyMap<string, CheckedGroup<typeof PLUGIN_KEYS>>,
  own: CheckedGroup<typeof PLUGINS_KEYS>,
  files: ConfigFiles,
): PluginsConfig {
  const { enabled = true, tickInterval = 0, directory: written = "" } = own.values;
  const directory = files.resolve(written);
  const others = defaultGroup("plugins", PLUGIN_KEYS, "", own.place);
  return {
    directory,
    isDirectoryWritten: own.written.has("directory"),
    enabled,
    tickIntervalMs: tickInterval,
    plugins: new Map(
      [...groups].map(([name, group]) => {
        const { file = "" } = group.values;
        const isInside = !file.includes("/");
        const path = isInside ? join(directory, file === "" ? `${name}.wasm` : file) : file;
        return [name, { file: isInside ? path : files.resolve(path), ...settingsOf(group) }];
      }),
    ),
    others: settingsOf(others),
  };
}

function settingsOf({ values, written, place }: CheckedGroup<typeof PLUGIN_KEYS>): PluginSettings {
  const complete = values as Values<typeof PLUGIN_KEYS>;
  return {
    enabled: complete.enabled,
    sha256: complete.sha256?.toLowerCase(),
    priority: complete.priority,
    onFailure: complete.onFailure,
    isOnFailureWritten: written.has("onFailure"),
    fuelPerCall: complete.fuelPerCall,
    isFuelWritten: written.has("fuelPerCall"),
    memoryMax: wholePages(complete.memoryMax),
    isMemoryWritten: written.has("memoryMax"),
    outputMax: complete.outputMax,
    kvMax: complete.kvMax,
    failuresMax: complete.maxFailures,
    failureWindowMs: complete.failureWindow,
    permissions: complete.permissions,
    hosts: complete.hosts,
    config: complete.config,
    place,
  };
}
