/**
 * Plugins for tests: modules in text form, metered as any, and run with ports that remember.
 *
 * @module
 */

import { utf8 } from "../../src/base/bytes.ts";
import { LateMap } from "../../src/base/late_collections.ts";
import { FIELD, HookEvent, type SessionFacts } from "../../src/hooks/event.ts";
import { HOOK, type HookName, HOOKS } from "../../src/hooks/hooks.ts";
import { hostCallCost } from "../../src/plugin_host/host_costs.ts";
import { HOST_SIGNATURES } from "../../src/plugin_host/host_signatures.ts";
import { type DefinedSeries, metricBuffer } from "../../src/plugin_host/metric_cells.ts";
import { Plugin } from "../../src/plugin_host/plugin.ts";
import {
  pluginCounterBuffer,
  type PluginCounts,
  readPluginCounters,
} from "../../src/plugin_host/plugin_counters.ts";
import type {
  PluginFailure,
  PluginPorts,
  PluginSignal,
} from "../../src/plugin_host/plugin_ports.ts";
import { PERMISSIONS, type PluginSpec } from "../../src/plugin_host/plugin_spec.ts";
import { STORE_SIZE_MIN, storeBuffer } from "../../src/plugin_host/shared_store.ts";
import { FakeClock } from "./fake_clock.ts";
import { assemble, METERING } from "./wasm.ts";
import { meterModule } from "../../src/plugin_host/metering/meter.ts";

/** Where `plugin` has its event. */
export const EVENT_AT = 1024;

/** Where it has the texts that it is given. */
export const TEXT_AT = 2048;

/** Every function of module `sluice`, as imports in text form. */
export const IMPORTS = [...HOST_SIGNATURES].map(([name, { parameters, results }]) =>
  `(import "sluice" "${name}"
    (func $${name} (param ${parameters.join(" ")}) (result ${results.join(" ")})))`
).join("\n");

/**
 * A module with every import, one page of memory, and a hook whose body is `body`.
 *
 * @param more Further fields of the module.
 * @param text What is in memory at {@linkcode TEXT_AT}.
 */
export function moduleOf(body: string, more = "", text = "", hook: HookName = "onQuery"): string {
  return `(module ${IMPORTS}
    (memory (export "memory") 1 4)
    (data (i32.const ${TEXT_AT}) "${text}")
    (func (export "sluice_event") (result i32) (i32.const ${EVENT_AT}))
    (func (export "${hook}") (result i32) ${body})
    ${more})`;
}

/** A plugin that runs, and what it has done. */
export interface PluginWorld {
  readonly plugin: Plugin;
  readonly spec: PluginSpec;
  readonly clock: FakeClock;
  readonly logs: string[];
  readonly signals: PluginSignal[];
  readonly failures: PluginFailure[];
  readonly changes: string[];
  readonly series: DefinedSeries[];
  readonly metrics: SharedArrayBuffer;
  counts(): PluginCounts;
  /** Shows the plugin a query. */
  query(text: string, change?: (event: HookEvent) => void): ReturnType<Plugin["call"]>;
}

/** What a test says of a plugin; the rest is usual. */
export interface PluginOptions {
  readonly spec?: Partial<PluginSpec>;
  readonly ports?: Partial<PluginPorts>;
}

/** Runs the module that `source` says, in text form or assembled. */
export async function startPlugin(
  source: string | Uint8Array<ArrayBuffer>,
  { spec: specOptions = {}, ports: portOptions = {} }: PluginOptions = {},
): Promise<PluginWorld> {
  const spec = specOf(source, specOptions);
  const clock = new FakeClock();
  const logs: string[] = [];
  const signals: PluginSignal[] = [];
  const failures: PluginFailure[] = [];
  const changes: string[] = [];
  const series: DefinedSeries[] = [];
  const metrics = metricBuffer();
  const counters = pluginCounterBuffer();
  const ports: PluginPorts = {
    worker: 3,
    clock,
    wallMs: () => 1_750_000_000_123,
    log: (plugin, level, message) => void logs.push(`${plugin} ${level} ${message}`),
    signal: (signal) => void signals.push(signal),
    analyse: () => undefined,
    onSeries: (_, one) => void series.push(one),
    fetch: () => Promise.reject(new Error("There is no network")),
    onResponse: (event) => void plugin.call(event),
    onFailure: (failure) => void failures.push(failure),
    onStateChange: (plugin, state, reason) => void changes.push(`${plugin} ${state}: ${reason}`),
    ...portOptions,
  };
  const buffers = { metrics, counters };
  const plugin: Plugin = await Plugin.create(spec, buffers, ports);
  const query = (text: string, change?: (event: HookEvent) => void) =>
    plugin.call(queryEvent(text, change));
  return {
    plugin,
    spec,
    clock,
    logs,
    signals,
    failures,
    changes,
    series,
    metrics,
    counts: () => readPluginCounters([counters]),
    query,
  };
}

const FUEL_PER_CALL = 1_000_000;

/** What a control plane would say of a module. Hooks are those that it exports. */
export function specOf(
  source: string | Uint8Array<ArrayBuffer>,
  options: Partial<PluginSpec> = {},
): PluginSpec {
  const bytes = typeof source === "string" ? assemble(source) : source;
  const metered = meterModule(bytes, {
    ...METERING,
    initialFuel: 1_000_000,
    callFuel: options.fuelPerCall ?? FUEL_PER_CALL,
    moduleSizeMax: 20_000_000,
    memoryPagesMax: 256,
    tableSizeMax: 100_000,
    hostCallCost,
  });
  const exported = new Set(metered.exports.map(({ name }) => name));
  const isExtism = metered.imports.some(({ module }) => module === "extism:host/env");
  return {
    name: "tested",
    version: "1.0.0",
    sha256: "0".repeat(64),
    generation: 1,
    priority: 0,
    module: metered.bytes,
    abi: isExtism ? "extism" : "direct",
    hooks: HOOKS.filter(({ name }) => exported.has(name)).map(({ number }) => number),
    clientMessageTypes: new Uint8Array(256).fill(1),
    serverMessageTypes: new Uint8Array(256).fill(1),
    permissions: PERMISSIONS,
    hosts: [],
    configuration: "{}",
    onFailure: "open",
    fuelPerCall: FUEL_PER_CALL,
    memoryMax: 16 * 1_048_576,
    outputMax: 65_536,
    failuresMax: 0,
    failureWindowMs: 60_000,
    store: storeBuffer(STORE_SIZE_MIN),
    ...options,
  };
}

/** The event of a query that can be anything but executed again. */
export function queryEvent(text: string, change?: (event: HookEvent) => void): HookEvent {
  const event = new HookEvent();
  const bytes = utf8(text);
  event.clear(HOOK.onQuery, sessionOf({ user: "app", database: "shop" }));
  event.flags = 31;
  event.payload = bytes;
  event.text = bytes;
  event.phase = 1;
  event.request = 7;
  event.transactionStatus = 73;
  change?.(event);
  return event;
}

/** A session that knows these fields and one parameter. */
export function sessionOf(fields: Partial<Record<keyof typeof FIELD, string>>): SessionFacts {
  const bytes = new Map(
    Object.entries(fields).map(([name, text]) => [FIELD[name as keyof typeof FIELD], utf8(text)]),
  );
  return {
    number: 2 ** 40 + 5,
    field: (field) => bytes.get(field),
    parameter: (name) => name === "TimeZone" ? "Europe/Zürich" : undefined,
    values: new LateMap(),
  };
}
