/**
 * The control plane's side of plugins: which there are, which of them run, and what becomes of it
 * when their files change. A plugin that cannot be used changes nothing: what ran before goes on.
 *
 * @module
 */

import { messageOf } from "../base/errors.ts";
import type { PluginsConfig } from "../config/plugin_settings.ts";
import type { PluginLife } from "../observe/plugin_life_metrics.ts";
import type { PluginReading } from "../observe/plugin_metrics.ts";
import { type FoundPlugin, PluginFiles } from "./plugin_files.ts";
import { storeBuffer } from "../plugin_host/shared_store.ts";
import type { FailurePolicy, PluginSpec } from "../plugin_host/plugin_spec.ts";
import {
  type LoadedPlugin,
  loadPlugin,
  type LoadResult,
  PluginRefusedError,
} from "./plugin_loader.ts";
import type { PluginMemory } from "./plugin_memory.ts";

/** How often files are looked at, in milliseconds. */
const INTERVAL_MS = 1_000;

/** What happened to a plugin, for the log. */
export type PluginNews =
  | { readonly kind: "loaded" | "swapped"; readonly spec: PluginSpec }
  | { readonly kind: "removed"; readonly plugin: string }
  | {
    readonly kind: "refused";
    readonly plugin: string;
    readonly result: LoadResult;
    readonly error: string;
    /** Whether an older version goes on. */
    readonly isOldRunning: boolean;
  }
  /** Something in the directory is no plugin. */
  | { readonly kind: "ignored"; readonly warning: string };

/** What a {@linkcode PluginRegistry} works with. */
export interface PluginRegistryParts {
  readonly config: PluginsConfig;
  readonly memory: PluginMemory;
  /** Has everybody run these plugins and no others. @throws {Error} If somebody cannot. */
  readonly publish: (plugins: readonly PluginSpec[]) => Promise<void>;
  readonly onNews: (news: PluginNews) => void;
}

/** Every plugin of one gateway. */
export class PluginRegistry {
  readonly #parts: PluginRegistryParts;
  readonly #files: PluginFiles;
  /** What runs, by name. */
  #running = new Map<string, PluginSpec>();
  /** Fingerprints of the files that were tried last, by name. */
  readonly #tried = new Map<string, string>();
  readonly #refused = new Set<string>();
  /** Those that were away at the last look: a file that is replaced may be away for a moment. */
  #missing = new Set<string>();
  #warned = new Set<string>();
  readonly #loads = new Map<LoadResult, number>();
  /** A plugin's store stays when the plugin is replaced. */
  readonly #stores = new Map<string, SharedArrayBuffer>();
  #lastGeneration = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Looks run one after the other. */
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: PluginRegistryParts) {
    this.#parts = parts;
    this.#files = new PluginFiles(parts.config);
  }

  /**
   * Loads all plugins that there are, before anybody is served.
   *
   * @throws {Error} If one cannot be used without which traffic is to be refused.
   */
  async start(): Promise<void> {
    const problems: string[] = [];
    await this.#look(true, (error, onFailure) => {
      if (onFailure === "closed") problems.push(error);
    });
    if (problems.length === 0) return;
    const advice = "correct that, or write onFailure: open for what may be missing";
    throw new Error(
      `Cannot do without plugins of onFailure closed: ${problems.join("; ")}; ${advice}`,
    );
  }

  /** Looks for changed files from now on. */
  watch(): void {
    if (!this.#parts.config.enabled) return;
    this.#timer = setInterval(() => this.#lookSoon(false), INTERVAL_MS);
  }

  /** Looks at once, and takes files as they are. */
  check(): void {
    this.#lookSoon(true);
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** What runs. */
  get running(): readonly PluginSpec[] {
    return [...this.#running.values()];
  }

  /** What was counted of each plugin that runs. */
  readings(): readonly PluginReading[] {
    const { memory } = this.#parts;
    return [...this.#running.keys()].map((plugin) => ({ plugin, ...memory.countsOf(plugin) }));
  }

  /** Which plugins there are, as the metrics show it. */
  life(): PluginLife {
    const { memory, config } = this.#parts;
    const loaded = [...this.#running.values()];
    const isOff = ({ name }: PluginSpec) => memory.countsOf(name).workersOff > 0;
    const switchedOff = loaded.filter(isOff).length;
    const disabled = [...config.plugins.values()].filter(({ enabled }) => !enabled).length;
    return {
      loaded,
      states: {
        running: loaded.length - switchedOff,
        off: switchedOff + disabled,
        refused: this.#refused.size,
      },
      loads: this.#loads,
    };
  }

  #lookSoon(isTrusted: boolean): void {
    this.#looking = this.#looking.then(async () => {
      if (!this.#isStopped) await this.#look(isTrusted, () => {});
    });
  }

  async #look(
    isTrusted: boolean,
    onRefused: (error: string, onFailure: FailurePolicy) => void,
  ): Promise<void> {
    const { plugins, warnings } = this.#files.look(isTrusted);
    this.#warn(warnings);
    for (const plugin of plugins) {
      const { name, fingerprint, isSettled, isThere } = plugin;
      if (!isSettled || this.#tried.get(name) === fingerprint) continue;
      if (!isThere && this.#running.has(name)) continue; // removed, see below
      this.#tried.set(name, fingerprint);
      await this.#load(plugin, onRefused);
    }
    await this.#removeMissing(plugins, isTrusted);
  }

  async #load(
    plugin: FoundPlugin,
    onRefused: (error: string, onFailure: FailurePolicy) => void,
  ): Promise<void> {
    const { name } = plugin;
    const before = this.#running.get(name);
    let { onFailure } = plugin.settings;
    try {
      const loaded = await loadPlugin(plugin);
      onFailure = loaded.onFailure;
      const spec = this.#specOf(loaded);
      await this.#publish(new Map(this.#running).set(name, spec));
      this.#refused.delete(name);
      this.#count("loaded");
      this.#parts.onNews({ kind: before === undefined ? "loaded" : "swapped", spec });
    } catch (error) {
      const isRefused = error instanceof PluginRefusedError;
      const result = isRefused ? error.result : "start";
      this.#refused.add(name);
      this.#count(result);
      const isOldRunning = before !== undefined;
      const message = messageOf(error);
      this.#parts.onNews({ kind: "refused", plugin: name, result, error: message, isOldRunning });
      onRefused(message, isRefused ? error.onFailure : onFailure);
    }
  }

  #specOf(loaded: LoadedPlugin): PluginSpec {
    this.#lastGeneration += 1;
    const { name, permissions } = loaded;
    const store = permissions.includes("kv") ? this.#storeOf(name) : undefined;
    return { ...loaded, generation: this.#lastGeneration, store };
  }

  #storeOf(name: string): SharedArrayBuffer {
    const { plugins, others } = this.#parts.config;
    const store = this.#stores.get(name) ?? storeBuffer((plugins.get(name) ?? others).kvMax);
    this.#stores.set(name, store);
    return store;
  }

  async #publish(running: Map<string, PluginSpec>): Promise<void> {
    await this.#parts.publish([...running.values()]);
    this.#running = running;
  }

  /** What two looks did not find, or one that is trusted, is removed. */
  async #removeMissing(found: readonly FoundPlugin[], isTrusted: boolean): Promise<void> {
    const there = new Set(
      found.filter(({ isThere }) => isThere).map(({ name }) => name),
    );
    const missing = new Set([...this.#tried.keys()].filter((name) => !there.has(name)));
    for (const name of missing) {
      if (!isTrusted && !this.#missing.has(name)) continue;
      if (this.#running.has(name)) await this.#remove(name);
      // What the configuration names and is not there stays refused.
      const isNamed = found.some((plugin) => plugin.name === name);
      if (!isNamed) this.#refused.delete(name);
      if (!isNamed) this.#tried.delete(name);
    }
    this.#missing = missing;
  }

  async #remove(name: string): Promise<void> {
    const running = new Map(this.#running);
    running.delete(name);
    try {
      await this.#publish(running);
    } catch (error) {
      const warning = `plugin ${name} cannot be removed: ${messageOf(error)}`;
      return this.#parts.onNews({ kind: "ignored", warning });
    }
    this.#stores.delete(name);
    this.#tried.delete(name);
    this.#parts.memory.closePlugin(name);
    this.#parts.onNews({ kind: "removed", plugin: name });
  }

  /** Says each warning once, for as long as it lasts. */
  #warn(warnings: readonly string[]): void {
    for (const warning of warnings) {
      if (!this.#warned.has(warning)) this.#parts.onNews({ kind: "ignored", warning });
    }
    this.#warned = new Set(warnings);
  }

  #count(result: LoadResult): void {
    this.#loads.set(result, (this.#loads.get(result) ?? 0) + 1);
  }
}
