/**
 * Loads every plugin once without running any, so that the check of a configuration can say what is
 * wrong with them.
 *
 * @module
 */

import type { PluginsConfig } from "../config/plugin_settings.ts";
import type { Problem } from "../config/problems.ts";
import { PluginFiles } from "./plugin_files.ts";
import { loadPlugin, PluginRefusedError } from "./plugin_loader.ts";

/** What was found. */
export interface CheckedPlugins {
  /** How many could be run, as far as can be said without running them. */
  readonly count: number;
  readonly problems: readonly Problem[];
  /** What in the directory is not loaded, a line each. */
  readonly warnings: readonly string[];
}

/** Loads plugins as at a start. */
export async function checkPlugins(config: PluginsConfig): Promise<CheckedPlugins> {
  const { plugins, warnings } = new PluginFiles(config).look(true);
  const problems: Problem[] = [];
  let count = 0;
  for (const plugin of plugins) {
    try {
      await loadPlugin(plugin);
      count += 1;
    } catch (error) {
      if (!(error instanceof PluginRefusedError)) throw error;
      problems.push(...error.problems);
    }
  }
  return { count, problems, warnings };
}
