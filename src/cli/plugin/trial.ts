/**
 * Runs a plugin without a gateway: nothing that it does leaves the process, and everything that it
 * does is seen.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../../base/clock.ts";
import { utf8 } from "../../base/bytes.ts";
import type { HookEvent } from "../../hooks/event.ts";
import type { Verdict } from "../../hooks/verdict.ts";
import type { LoadedPlugin } from "../../plugins/plugin_loader.ts";
import { metricBuffer } from "../../plugin_host/metric_cells.ts";
import { Plugin } from "../../plugin_host/plugin.ts";
import { pluginCounterBuffer } from "../../plugin_host/plugin_counters.ts";
import type { FailureReason } from "../../plugin_host/plugin_failure.ts";
import type { PluginPorts } from "../../plugin_host/plugin_ports.ts";
import { storeBuffer } from "../../plugin_host/shared_store.ts";
import { TextAnalysis } from "../../text_analysis.ts";
import { message } from "../../postgres/wire/messages.ts";

/** Longer than what is reported, and counted, as one. */
const BETWEEN_CALLS_MS = 2_000;

/** Of the plugin's log, before a failure. */
const LOG_LINES_MAX = 3;

/** What a reply that a plugin stores looks like. */
const REPLY = message(0x43, utf8("SELECT 0\0"));

/** How a call failed. */
export interface TrialFailure {
  readonly reason: FailureReason;
  readonly message: string;
  /** What the plugin wrote to the log in this call, at most the last few lines. */
  readonly log: readonly string[];
}

/** What a call came to. */
export interface TrialCall {
  readonly verdict: Verdict["kind"];
  readonly failure: TrialFailure | undefined;
  /** Units; 0 if it failed, as nobody knows then. */
  readonly fuel: number;
}

/** A plugin that is tried. */
export class Trial implements Disposable {
  readonly plugin: Plugin;
  /** How often it has sent each signal. */
  readonly signals: ReadonlyMap<string, number>;
  /** Names of its metrics, with their labels. */
  readonly metrics: ReadonlySet<string>;
  readonly #notes: Notes;

  private constructor(plugin: Plugin, notes: Notes) {
    this.plugin = plugin;
    this.#notes = notes;
    this.signals = notes.signals;
    this.metrics = notes.metrics;
  }

  /**
   * @param kvMax Bytes of its key-value store.
   * @throws {Error} If it does not start.
   */
  static async start(loaded: LoadedPlugin, kvMax: number): Promise<Trial> {
    const notes = new Notes();
    const has = (one: LoadedPlugin["permissions"][number]) => loaded.permissions.includes(one);
    const spec = {
      ...loaded,
      generation: 1,
      failuresMax: 0, // it is called to the end
      store: has("kv") ? storeBuffer(kvMax) : undefined,
    };
    const buffers = { metrics: metricBuffer(), counters: pluginCounterBuffer() };
    const texts = new TextAnalysis();
    await texts.provide(new Set(spec.permissions));
    let plugin: Plugin | undefined = undefined;
    const onAnswer = (event: HookEvent) => {
      notes.beginAnswer();
      plugin?.call(event);
    };
    plugin = await Plugin.create(spec, buffers, portsFor(notes, texts, onAnswer));
    return new Trial(plugin, notes);
  }

  /** Calls a hook. */
  call(event: HookEvent): TrialCall {
    const notes = this.#notes;
    notes.beginCall();
    let onReply: ((messages: Uint8Array) => void) | undefined;
    event.capture = (_sizeMax, onDone) => {
      onReply = onDone;
      return true;
    };
    const { kind } = this.plugin.call(event);
    notes.isCalling = false;
    onReply?.(REPLY);
    const { failure } = notes;
    return { verdict: kind, failure, fuel: failure === undefined ? this.plugin.fuelUsed : 0 };
  }

  /** Failures of calls that answers to the plugin's own requests led to, once they are there. */
  async lateFailures(): Promise<readonly TrialFailure[]> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    return this.#notes.lateFailures;
  }

  [Symbol.dispose](): void {
    this.plugin.close();
  }
}

/** What a plugin has done. */
class Notes {
  readonly signals = new Map<string, number>();
  readonly metrics = new Set<string>();
  readonly lateFailures: TrialFailure[] = [];
  failure: TrialFailure | undefined;
  isCalling = false;
  shiftMs = 0;
  #log: string[] = [];

  /** Each call is long after the last one, so that its failure is reported by itself. */
  beginCall(): void {
    this.failure = undefined;
    this.isCalling = true;
    this.#log = [];
    this.shiftMs += BETWEEN_CALLS_MS;
  }

  /** The same for a call that nobody waits for: a request has come to nothing. */
  beginAnswer(): void {
    this.beginCall();
    this.isCalling = false;
  }

  log(text: string): void {
    this.#log.push(text);
    if (this.#log.length > LOG_LINES_MAX) this.#log.shift();
  }

  fail(reason: FailureReason, message: string): void {
    const failure = { reason, message, log: [...this.#log] };
    if (this.isCalling) this.failure = failure;
    else this.lateFailures.push(failure);
  }
}

function portsFor(
  notes: Notes,
  texts: TextAnalysis,
  onAnswer: (event: HookEvent) => void,
): PluginPorts {
  return {
    worker: 0,
    clock: { ...SYSTEM_CLOCK, nowMs: () => SYSTEM_CLOCK.nowMs() + notes.shiftMs },
    wallMs: Date.now,
    log: (_plugin, level, text) => notes.log(`${level}: ${text}`),
    signal: ({ name }) => notes.signals.set(name, (notes.signals.get(name) ?? 0) + 1),
    analyse: texts.analyse,
    onSeries: (_plugin, { name }) => notes.metrics.add(name),
    fetch: () => Promise.reject(new Error("nothing is sent while a plugin is tried")),
    onResponse: onAnswer,
    onFailure: ({ reason, message }) => notes.fail(reason, message),
    onStateChange: (_plugin, _state, reason) => notes.fail("init", reason),
  };
}
