/**
 * Plugins of a whole gateway: ties the registry, the workers, the control plane's own instances,
 * the metrics and the log together.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../base/clock.ts";
import { textOf, utf8 } from "../base/bytes.ts";
import type { Config } from "../config/config.ts";
import { printable } from "../config/problems.ts";
import type { Replacement } from "../config/replacements.ts";
import { CAN, type HookName } from "../hooks/hooks.ts";
import type { Fact } from "../observe/facts.ts";
import { levelOf, recordOf } from "../observe/fact_log.ts";
import { LimitedLog } from "../observe/limited_log.ts";
import type { Log } from "../observe/log.ts";
import type { LogLevel } from "../observe/log_record.ts";
import type { MetricSource } from "../observe/metric_types.ts";
import type { PluginLife } from "../observe/plugin_life_metrics.ts";
import type { PluginReading } from "../observe/plugin_metrics.ts";
import { ActMemory } from "./act_memory.ts";
import { CONTROL_PLANE, createPlugin } from "./plugin_factory.ts";
import type { PluginSpec } from "../plugin_host/plugin_spec.ts";
import { PluginMemory } from "./plugin_memory.ts";
import { PluginPlane } from "./plugin_plane.ts";
import { type PluginNews, PluginRegistry } from "./plugin_registry.ts";
import { type PluginSignals, pluginSignals } from "./plugin_signals.ts";

/** Log records a second that the control plane's own plugins may cause, as in a worker. */
const LOG_RECORDS_PER_SECOND_MAX = 1000;

/** Keys that one record of the log names. */
const KEYS_SHOWN_MAX = 20;

/** The plugins of one gateway. */
export class PluginControl {
  /** Where all plugins count. */
  readonly memory: PluginMemory;
  /** Where the policies of all threads count. */
  readonly actMemory: ActMemory;
  readonly #log: Log;
  /** What plugins cause to be logged. */
  readonly #limited: LimitedLog;
  readonly #signals: PluginSignals;
  readonly #plane: PluginPlane;
  readonly #registry: PluginRegistry;
  #round = 0;
  #publish: (plugins: readonly PluginSpec[]) => Promise<void> = () => Promise.resolve();

  constructor(config: Config, log: Log) {
    this.#log = log;
    this.memory = new PluginMemory((plugin, error) =>
      write(log, "warn", "metric of plugin cannot be shown", { plugin, error })
    );
    this.#limited = new LimitedLog({
      sink: log,
      nowMs: Date.now,
      level: log.level,
      recordsPerSecondMax: LOG_RECORDS_PER_SECOND_MAX,
    });
    this.actMemory = new ActMemory(config.act);
    const cells = this.actMemory.bufferOf(CONTROL_PLANE);
    const ports = { log: this.#limited, clock: SYSTEM_CLOCK, fetch };
    const signals = this.#signals = pluginSignals(config.act, cells, ports);
    const thread = {
      worker: CONTROL_PLANE,
      clock: SYSTEM_CLOCK,
      fetch,
      wallMs: Date.now,
      emit: (fact: Fact) => this.#emit(fact),
      signals,
      analyse: () => undefined,
      onSeries: this.memory.onSeries.bind(this.memory, CONTROL_PLANE),
    };
    this.#plane = new PluginPlane({
      clock: SYSTEM_CLOCK,
      create: (given) => createPlugin(given, thread),
      provide: () => Promise.resolve(),
    });
    this.#registry = new PluginRegistry({
      config: config.plugins,
      memory: this.memory,
      publish: (plugins) => this.#apply(plugins),
      onNews: (news) => this.#tell(news),
    });
  }

  /** Metrics that plugins make. */
  get series(): MetricSource {
    return this.memory.series;
  }

  /**
   * Loads all plugins, for the control plane at first.
   *
   * @throws {Error} If one cannot be used without which traffic is to be refused.
   */
  async start(): Promise<void> {
    await this.#registry.start();
  }

  /**
   * Has the workers run all plugins from now on.
   *
   * @param publish Has them run these and no others. @throws {Error} If one cannot.
   * @throws {Error} If one cannot.
   */
  async attach(publish: (plugins: readonly PluginSpec[]) => Promise<void>): Promise<void> {
    this.#publish = publish;
    await publish(this.#registry.running);
  }

  /**
   * Shows plugins the configuration.
   *
   * @param json As `LoadedConfig` has it: without secrets.
   * @returns What they say instead, in the order in which they were asked.
   */
  configure(json: string): readonly Replacement[] {
    const log = this.#log;
    const verdicts = this.#plane.callEach("onConfigLoaded", utf8(json), CAN.replace);
    const replacements: Replacement[] = [];
    for (const [plugin, verdict] of verdicts) {
      if (verdict.kind !== "replace") continue;
      // A call that writes anything but a JSON object has failed.
      const values = JSON.parse(textOf(verdict.bytes)) as Replacement["values"];
      const keys = Object.keys(values).map(printable).slice(0, KEYS_SHOWN_MAX).join(", ");
      write(log, "info", "configuration set by plugin", { plugin, keys });
      replacements.push({ plugin, values });
    }
    return replacements;
  }

  /** Looks for changed files from now on. */
  watch(): void {
    this.#registry.watch();
  }

  /** Looks at once. */
  check(): void {
    this.#registry.check();
  }

  /** Calls a hook of the gateway's own life; the payload is a name, or "". */
  call(hook: HookName, name = ""): void {
    this.#plane.call(hook, utf8(name));
  }

  /** What was counted of each plugin that runs. */
  readings(): readonly PluginReading[] {
    return this.#registry.readings();
  }

  /** Which plugins there are, as the metrics show it. */
  life(): PluginLife {
    return this.#registry.life();
  }

  /** Loads no more. */
  stop(): void {
    this.#registry.stop();
  }

  /** Ends the control plane's own plugins. */
  close(): void {
    this.#registry.stop();
    this.#plane.close();
    this.#signals.close();
    this.#limited.flush();
  }

  /** The control plane goes first: what does not start here never reaches a worker. */
  async #apply(plugins: readonly PluginSpec[]): Promise<void> {
    const round = this.#round += 1;
    const { memory } = this;
    const given = plugins.map((spec) => ({
      spec,
      buffers: memory.buffersFor(CONTROL_PLANE, spec),
    }));
    try {
      await this.#plane.prepare(round, given);
      await this.#publish(plugins);
    } catch (error) {
      this.#plane.drop(round);
      for (const spec of plugins) memory.drop(CONTROL_PLANE, spec);
      throw error;
    }
    this.#plane.use(round);
    memory.use(CONTROL_PLANE, plugins);
  }

  #tell(news: PluginNews): void {
    const log = this.#log;
    switch (news.kind) {
      case "loaded":
        return write(log, "info", "plugin loaded", shown(news.spec));
      case "swapped":
        return write(log, "info", "plugin replaced", shown(news.spec));
      case "removed":
        return write(log, "info", "plugin removed", { plugin: news.plugin });
      case "refused": {
        const { plugin, result, error, isOldRunning } = news;
        return write(log, "error", "plugin refused", { plugin, result, error, isOldRunning });
      }
      case "ignored":
        return write(log, "warn", "plugins", { warning: news.warning });
    }
  }

  #emit(fact: Fact): void {
    const level = levelOf(fact, undefined);
    if (level === undefined) return;
    this.#limited.write(recordOf(fact, undefined, level, Date.now()));
  }
}

function shown({ name, version, sha256, priority }: PluginSpec): Record<string, string | number> {
  return { plugin: name, version, sha256, priority };
}

function write(
  log: Log,
  level: LogLevel,
  message: string,
  fields: Record<string, string | number | boolean>,
): void {
  log.write({ level, message, fields, timeMs: Date.now() });
}
