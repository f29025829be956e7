/**
 * The failures of one plugin: how many there were lately, and reports of them that are no storm
 * when every message fails.
 *
 * @module
 */

import type { FailureReason } from "./plugin_failure.ts";
import type { PluginPorts } from "./plugin_ports.ts";
import type { PluginSpec } from "./plugin_spec.ts";

const REPORT_INTERVAL_MS = 1000;

/** Of one plugin in one worker. */
export class FailureLog {
  readonly #spec: PluginSpec;
  readonly #ports: PluginPorts;
  /** When the last ones were, as many as are allowed. */
  readonly #timesMs: number[] = [];
  #reportedMs = -Infinity;
  #unreported = 0;

  constructor(spec: PluginSpec, ports: PluginPorts) {
    this.#spec = spec;
    this.#ports = ports;
  }

  /** A call has failed. */
  count(): void {
    const { failuresMax } = this.#spec;
    this.#unreported += 1;
    if (failuresMax === 0) return;
    this.#timesMs.push(this.#ports.clock.nowMs());
    if (this.#timesMs.length > failuresMax) this.#timesMs.shift();
  }

  /** Says of the call that was counted last what there is to say. */
  report(hook: string, reason: FailureReason, message: string): void {
    const nowMs = this.#ports.clock.nowMs();
    const { name } = this.#spec;
    if (nowMs - this.#reportedMs < REPORT_INTERVAL_MS) return;
    const count = this.#unreported;
    this.#ports.onFailure({ plugin: name, hook, reason, message, count });
    this.#reportedMs = nowMs;
    this.#unreported = 0;
  }

  /** Whether there were as many within the window as switch a plugin off. */
  get isTooMany(): boolean {
    const { failuresMax, failureWindowMs } = this.#spec;
    if (failuresMax === 0 || this.#timesMs.length < failuresMax) return false;
    return this.#ports.clock.nowMs() - this.#timesMs[0]! <= failureWindowMs;
  }
}
