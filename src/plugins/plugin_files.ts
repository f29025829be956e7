/**
 * Which plugins there are on the disk, by what the configuration names and what lies in its
 * directory, and whether their files have changed. What is being written is left alone until two
 * looks have seen the same.
 *
 * @module
 */

import { join } from "node:path";
import { systemReason } from "../base/errors.ts";
import type { PluginsConfig } from "../config/plugin_settings.ts";
import { PLUGIN_NAME_PATTERN, PLUGIN_NAME_RULE } from "../config/plugin_keys.ts";
import { printable, quote } from "../config/problems.ts";
import { manifestPath, type PluginSource } from "./plugin_loader.ts";

/** Plugins of one gateway: each costs an instance in every worker, and metrics. */
const PLUGINS_MAX = 100;

/** In a fingerprint. */
const MISSING = '"missing"';

/** A plugin whose files are there, or that the configuration names. */
export interface FoundPlugin extends PluginSource {
  /** What tells its files from those that were there before. */
  readonly fingerprint: string;
  /** Whether there is a module. */
  readonly isThere: boolean;
  /** Whether the files are as they were at the last look. */
  readonly isSettled: boolean;
}

/** What one look has found. */
export interface FoundPlugins {
  readonly plugins: readonly FoundPlugin[];
  /** What in the directory is no plugin, and why; a line each. */
  readonly warnings: readonly string[];
}

/** Looks for plugins again and again. */
export class PluginFiles {
  readonly #config: PluginsConfig;
  /** By name, at the last look. */
  #seen = new Map<string, string>();

  constructor(config: PluginsConfig) {
    this.#config = config;
  }

  /** @param isTrusted Whether files count as settled at once: nobody writes them just now. */
  look(isTrusted: boolean): FoundPlugins {
    if (!this.#config.enabled) return { plugins: [], warnings: [] };
    const warnings: string[] = [];
    const sources = [...this.#named(), ...this.#others(warnings)];
    if (sources.length > PLUGINS_MAX) {
      warnings.push(`there are more than ${PLUGINS_MAX} plugins; only the first are loaded`);
    }
    const seen = new Map<string, string>();
    const plugins = sources.slice(0, PLUGINS_MAX).map((source): FoundPlugin => {
      const fingerprint = fingerprintOf(source.file);
      seen.set(source.name, fingerprint);
      const isSettled = isTrusted || this.#seen.get(source.name) === fingerprint;
      const isThere = !fingerprint.startsWith(`[${MISSING},`);
      return { ...source, fingerprint, isThere, isSettled };
    });
    this.#seen = seen;
    return { plugins, warnings };
  }

  #named(): PluginSource[] {
    return [...this.#config.plugins].filter(([, { enabled }]) => enabled)
      .map(([name, { file, ...settings }]) => ({ name, file, settings }));
  }

  #others(warnings: string[]): PluginSource[] {
    const { directory, isDirectoryWritten, plugins, others } = this.#config;
    let files: string[];
    try {
      files = [...Deno.readDirSync(directory)].map(({ name }) => name)
        .filter((name) => name.endsWith(".wasm")).sort();
    } catch (error) {
      const isMissing = error instanceof Deno.errors.NotFound;
      if (!isMissing || isDirectoryWritten) {
        const reason = isMissing ? "it does not exist" : printable(systemReason(error));
        warnings.push(`no plugins are loaded from ${quote(directory)}: ${reason}`);
      }
      return [];
    }
    const named = new Set([...plugins.values()].map(({ file }) => file));
    const found: PluginSource[] = [];
    for (const fileName of files) {
      const file = join(directory, fileName);
      const name = fileName.slice(0, -".wasm".length);
      if (named.has(file)) continue;
      if (!new RegExp(PLUGIN_NAME_PATTERN).test(name)) {
        const rule = `the name of a plugin must be ${PLUGIN_NAME_RULE}`;
        warnings.push(`${quote(file)} is not loaded: ${rule}; rename it`);
      } else if (plugins.has(name)) {
        const rule = `plugins.${name} names another file`;
        warnings.push(`${quote(file)} is not loaded: ${rule}; rename one of them`);
      } else {
        found.push({ name, file, settings: others });
      }
    }
    return found;
  }
}

/** Of a module and the manifest beside it. */
function fingerprintOf(file: string): string {
  return JSON.stringify([file, manifestPath(file)].map((path) => {
    try {
      const { mtime, size, ino } = Deno.statSync(path);
      return [mtime?.getTime() ?? 0, size, ino];
    } catch {
      return "missing";
    }
  }));
}
