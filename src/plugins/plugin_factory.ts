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
import type { PluginPorts, PluginSignal } from "../plugin_host/plugin_ports.ts";
import type { LivePlugin } from "./plugin_plane.ts";

/** A thread that runs plugins. */
export interface PluginThread {
  /** Number of the worker; 4,294,967,295 is the control plane. */
  readonly worker: number;
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly emit: (fact: Fact) => void;
  readonly signal: (signal: PluginSignal) => void;
  readonly analyse: PluginPorts["analyse"];
  /** A plugin has made a metric. */
  readonly onSeries: (plugin: string, generation: number, series: DefinedSeries) => void;
}

/** Number of the control plane, as plugins are told it. */
export const CONTROL_PLANE = 2 ** 32 - 1;

/**
 * Makes an instance of a plugin.
 *
 * @throws {Error} If it does not start.
 */
export async function createPlugin(
  { spec, buffers }: WorkerPlugin,
  thread: PluginThread,
): Promise<LivePlugin> {
  const { worker, clock, wallMs, emit, signal, analyse, onSeries } = thread;
  return await Plugin.create(spec, buffers, {
    worker,
    clock,
    wallMs,
    log: (plugin, level, said) => emit({ kind: "plugin_said", plugin, level, said }),
    signal,
    analyse,
    onSeries: (plugin, series) => onSeries(plugin, spec.generation, series),
    fetch: (...request) => fetch(...request),
    onFailure: (failure) => emit({ kind: "plugin_failed", ...failure }),
    onStateChange: (plugin, _state, message) =>
      emit({ kind: "plugin_switched_off", plugin, message }),
  });
}
