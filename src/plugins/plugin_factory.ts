/**
 * Makes plugins in one thread: gives them what they ask the gateway for.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { WorkerPlugin } from "../data_plane_messages.ts";
import type { Fact } from "../observe/facts.ts";
import type { DefinedSeries } from "../plugin_host/metric_cells.ts";
import { Plugin } from "../plugin_host/plugin.ts";
import type { PluginPorts } from "../plugin_host/plugin_ports.ts";
import type { LivePlugin } from "./plugin_plane.ts";
import type { PluginSignals } from "./plugin_signals.ts";

/** A thread that runs plugins. */
export interface PluginThread {
  /** Number of the worker; 4,294,967,295 is the control plane. */
  readonly worker: number;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly emit: (fact: Fact) => void;
  readonly signals: PluginSignals;
  readonly analyse: PluginPorts["analyse"];
  /** A plugin has made a metric. */
  readonly onSeries: (plugin: string, generation: number, series: DefinedSeries) => void;
}

/** Number of the control plane, as plugins are told it. */
export const CONTROL_PLANE = 2 ** 32 - 1;

/**
 * Makes an instance of a plugin. What its calls come to is what the policies make of it.
 *
 * @throws {Error} If it does not start.
 */
export async function createPlugin(
  { spec, buffers }: WorkerPlugin,
  thread: PluginThread,
): Promise<LivePlugin> {
  const { worker, clock, fetch, wallMs, emit, signals, analyse, onSeries } = thread;
  let judged: LivePlugin | undefined = undefined;
  const plugin = await Plugin.create(spec, buffers, {
    worker,
    clock,
    wallMs,
    log: (plugin, level, said) => emit({ kind: "plugin_said", plugin, level, said }),
    signal: (signal) => signals.hear(signal),
    analyse,
    onSeries: (plugin, series) => onSeries(plugin, spec.generation, series),
    fetch,
    onResponse: (event) => void judged?.call(event),
    onFailure: (failure) => emit({ kind: "plugin_failed", ...failure }),
    onStateChange: (plugin, _state, message) =>
      emit({ kind: "plugin_switched_off", plugin, message }),
  });
  return judged = signals.judged(plugin);
}
