/**
 * What a checked configuration says of plugins: see `config.ts`.
 *
 * @module
 */

import type { Permission } from "../base/permissions.ts";
import type { FreeKeys } from "./free_keys.ts";
import type { Place } from "./problems.ts";

/** What is said of one plugin, but for where its module is. */
export interface PluginSettings {
  readonly enabled: boolean;
  /** In lower case; "" takes any file. */
  readonly sha256: string;
  /** Lower is earlier. */
  readonly priority: number;
  readonly onFailure: "open" | "closed";
  /** Whether somebody wrote it: otherwise the plugin's manifest may say another. */
  readonly isOnFailureWritten: boolean;
  readonly fuelPerCall: number;
  /** Whether somebody wrote it: otherwise the plugin's manifest may ask for another number. */
  readonly isFuelWritten: boolean;
  /** In bytes: a multiple of 65,536. */
  readonly memoryMax: number;
  readonly isMemoryWritten: boolean;
  readonly outputMax: number;
  readonly kvMax: number;
  /** Failures within `failureWindowMs` that switch it off in a worker; 0 never does. */
  readonly failuresMax: number;
  readonly failureWindowMs: number;
  readonly permissions: readonly Permission[];
  readonly hosts: readonly string[];
  /** What the plugin is told, and where that is written. Secret. */
  readonly config: FreeKeys;
  /** Where the group is written; where `plugins` is, for a plugin without a group. */
  readonly place: Place;
}

/** A plugin that the configuration names. */
export interface PluginConfig extends PluginSettings {
  /** Path of the module. */
  readonly file: string;
}

/** WebAssembly plugins. */
export interface PluginsConfig {
  readonly directory: string;
  /** False when nobody wrote it: then nobody has to make it. */
  readonly isDirectoryWritten: boolean;
  readonly enabled: boolean;
  readonly tickIntervalMs: number;
  readonly plugins: ReadonlyMap<string, PluginConfig>;
  /** Of the modules in the directory that no group names. */
  readonly others: PluginSettings;
}
