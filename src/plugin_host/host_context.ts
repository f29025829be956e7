/**
 * What host functions work on: one plugin's memory, the call that runs, and what that call has
 * used so far of what it may use.
 *
 * @module
 */

import type { HookEvent } from "../hooks/event.ts";
import { CallOutput } from "./call_output.ts";
import { GuestMemory } from "./guest_memory.ts";
import { HostFields } from "./host_fields.ts";
import type { HttpRequests } from "./http_requests.ts";
import { LogQuota } from "./log_quota.ts";
import { PluginMetrics } from "./metric_cells.ts";
import type { PluginCounters } from "./plugin_counters.ts";
import { PluginTrap } from "./plugin_failure.ts";
import type { PluginPorts } from "./plugin_ports.ts";
import { type Permission, PERMISSIONS, type PluginSpec } from "./plugin_spec.ts";
import { SharedStore } from "./shared_store.ts";

/** What one call may do. */
export const CALL_LIMIT = {
  keyValueOperations: 1000,
  signals: 16,
  metricDefinitions: 256,
  httpRequests: 16,
  captures: 1,
} as const;

/** From so many bytes on, copying them is charged beside the call of the host function. */
const CHARGED_SIZE_MIN = 1024;

/** 8 bytes for a unit, as for the module's own memory.copy. */
const BYTES_PER_UNIT_BITS = 3;

/** One plugin's. Its memory and fuel change with each instance. */
export class HostContext {
  readonly spec: PluginSpec;
  readonly ports: PluginPorts;
  readonly counters: PluginCounters;
  readonly memory = new GuestMemory();
  readonly output: CallOutput;
  readonly fields: HostFields;
  readonly logQuota: LogQuota;
  readonly store: SharedStore | undefined;
  readonly metrics: PluginMetrics;
  readonly http: HttpRequests;
  /** Each permission: whether the plugin has it. */
  readonly may: Readonly<Record<Permission, boolean>>;
  /** Undefined while no hook runs. */
  event: HookEvent | undefined;
  keyValueOperations = 0;
  signals = 0;
  metricDefinitions = 0;
  httpRequests = 0;
  captures = 0;
  #fuel: WebAssembly.Global | undefined;

  constructor(
    spec: PluginSpec,
    ports: PluginPorts,
    counters: PluginCounters,
    metrics: SharedArrayBuffer,
    http: HttpRequests,
  ) {
    this.spec = spec;
    this.ports = ports;
    this.counters = counters;
    this.http = http;
    this.output = new CallOutput(spec.outputMax);
    this.may = Object.fromEntries(
      PERMISSIONS.map((one) => [one, spec.permissions.includes(one)]),
    ) as Record<Permission, boolean>;
    this.logQuota = new LogQuota(ports.clock);
    this.store = spec.store === undefined ? undefined : new SharedStore(spec.store, ports.wallMs);
    this.metrics = new PluginMetrics(metrics, (series) => ports.onSeries(spec.name, series));
    this.fields = new HostFields(this);
  }

  /** Another instance is used from now on, or none. */
  attach(
    memory: WebAssembly.Memory | undefined,
    fuel: WebAssembly.Global | undefined,
  ): void {
    this.memory.attach(memory);
    this.#fuel = fuel;
  }

  /** A call begins: of a hook, or without an event when an instance is made. */
  begin(event: HookEvent | undefined): void {
    this.event = event;
    this.output.clear();
    this.fields.clear();
    this.keyValueOperations = 0;
    this.signals = 0;
    this.metricDefinitions = 0;
    this.httpRequests = 0;
    this.captures = 0;
  }

  /** The call is over: what it held is let go. */
  end(): void {
    this.event = undefined;
    this.output.clear();
    this.fields.clear();
  }

  /** Whether the instance has used more than it was given. */
  get isOutOfFuel(): boolean {
    return this.#fuel !== undefined && this.#fuel.value < 0n;
  }

  /**
   * Takes fuel for work of the host.
   *
   * @param units A whole number, below 2^53.
   * @throws {PluginTrap} If there is not so much left.
   */
  charge(units: number): void {
    if (this.#fuel === undefined) return;
    const left = this.#fuel.value - BigInt(units);
    this.#fuel.value = left;
    if (left < 0n) throw new PluginTrap("fuel", "it used all of its fuel, in a host function");
  }

  /** The same for copying bytes; what the price of every host call covers costs nothing more. */
  chargeBytes(size: number): void {
    if (size >= CHARGED_SIZE_MIN) this.charge(size >>> BYTES_PER_UNIT_BITS);
  }
}
