/**
 * What plugins of one thread signal, and what the operator's policies make of it: a call's verdict
 * and its signals meet the policies before anybody else sees them.
 *
 * @module
 */

import { Act } from "../act/act.ts";
import { type ActOptions, policyLabels } from "../act/options.ts";
import type { Clock } from "../base/clock.ts";
import type { HookEvent } from "../hooks/event.ts";
import type { Signal } from "../hooks/signal.ts";
import type { Verdict } from "../hooks/verdict.ts";
import { ActCells } from "../observe/act_cells.ts";
import type { LogSink } from "../observe/log_record.ts";
import type { PluginSignal } from "../plugin_host/plugin_ports.ts";
import type { LivePlugin } from "./plugin_plane.ts";

/** Nothing was signalled. Never written to. */
const NONE: Signal[] = [];

/** Signals of the call that runs: no call runs within another. */
export class PluginSignals {
  readonly #act: Act;
  #heard = NONE;

  constructor(act: Act) {
    this.#act = act;
  }

  /** The plugin whose call runs has sent a signal; the host limits how many. */
  hear({ name, metadata }: PluginSignal): void {
    if (this.#heard === NONE) this.#heard = [];
    this.#heard.push({ name, metadata });
  }

  /** A plugin, called as before, whose verdicts are what policies make of them. */
  judged(plugin: LivePlugin): LivePlugin {
    const { name, priority, hooks, mayRespond } = plugin;
    return {
      name,
      priority,
      hooks,
      mayRespond,
      messageTypes: (hook) => plugin.messageTypes(hook),
      call: (event) => this.#judge(name, event, plugin.call(event)),
      close: () => plugin.close(),
    };
  }

  /** Gives up what webhooks have not sent yet. */
  close(): void {
    this.#act.close();
  }

  #judge(plugin: string, event: HookEvent, verdict: Verdict): Verdict {
    const signals = this.#heard;
    if (signals === NONE) return verdict;
    this.#heard = NONE;
    return this.#act.decide(plugin, signals, event, verdict);
  }
}

/**
 * Gives one thread its policies.
 *
 * @param cells Where it counts; nobody else writes there.
 */
export function pluginSignals(
  options: ActOptions,
  cells: SharedArrayBuffer,
  thread: { readonly log: LogSink; readonly clock: Clock; readonly fetch: typeof fetch },
): PluginSignals {
  const act = new Act(options, {
    ...thread,
    epochMs: Date.now,
    cells: new ActCells(policyLabels(options).length, cells),
    random: Math.random,
  });
  return new PluginSignals(act);
}
