/**
 * One plugin in one worker: an instance of its module, called for one event at a time. Nothing that
 * a plugin does reaches the session but a verdict that was checked. A call that fails costs the
 * plugin its instance: what was left half done in its memory is gone with it.
 *
 * @module
 */

import { utf8 } from "../base/bytes.ts";
import { messageOf } from "../base/errors.ts";
import type { Subscriber } from "../hooks/chain.ts";
import { FIELD, HookEvent } from "../hooks/event.ts";
import { HOOK, type HookName, HOOKS, MESSAGE_HOOKS } from "../hooks/hooks.ts";
import { FORWARD, type Verdict } from "../hooks/verdict.ts";
import { inputOf, takeOutput } from "./extism_abi.ts";
import { ExtismMemory } from "./extism_memory.ts";
import { FailureDebt } from "./failure_debt.ts";
import { FailureLog } from "./failure_log.ts";
import { HostContext } from "./host_context.ts";
import { HttpRequests, type HttpResponse } from "./http_requests.ts";
import { type HookExport, InstanceLoader, type PluginInstance } from "./instance_loader.ts";
import { checkModule } from "./module_checks.ts";
import { importsOf } from "./module_imports.ts";
import { PluginCounters } from "./plugin_counters.ts";
import { PluginError } from "./plugin_error.ts";
import { PluginTrap, reasonOf } from "./plugin_failure.ts";
import type { PluginPorts } from "./plugin_ports.ts";
import type { PluginBuffers, PluginSpec } from "./plugin_spec.ts";
import { failingVerdict, verdictOf } from "./verdicts.ts";

/**
 * Reading clock and fuel takes as long as a short call: only one call of so many is measured, and
 * of more once there have been many.
 */
const CALLS_PER_MEASUREMENT = { first: 16, later: 64 };
const FIRST_CALLS = 1_024;

const ABI = 1;

const UINT32 = 2 ** 32;

const ALL_TYPES = new Uint8Array(256).fill(1);
const NO_TYPES = new Uint8Array(256);

const CLIENT_HOOKS: readonly HookName[] = ["onTrafficFromClient", "onTrafficToServer"];

/** A plugin that runs, until it is switched off. */
export class Plugin implements Subscriber {
  readonly name: string;
  readonly priority: number;
  readonly hooks: readonly number[];
  readonly mayRespond: boolean;
  readonly spec: PluginSpec;
  readonly #context: HostContext;
  readonly #counters: PluginCounters;
  readonly #extism: ExtismMemory | undefined;
  readonly #loader: InstanceLoader;
  readonly #failures: FailureLog;
  readonly #debt: FailureDebt;
  /** Undefined: the plugin is switched off. */
  #instance: PluginInstance | undefined;
  #calls = 0;
  #measuredCalls = 0;
  /** Which call is measured next, from 1. */
  #nextMeasured = 1;

  private constructor(
    spec: PluginSpec,
    module: WebAssembly.Module,
    buffers: PluginBuffers,
    ports: PluginPorts,
  ) {
    this.spec = spec;
    this.name = spec.name;
    this.priority = spec.priority;
    this.hooks = spec.hooks;
    this.mayRespond = spec.permissions.includes("respond");
    this.#counters = new PluginCounters(buffers.counters);
    const http = new HttpRequests({
      hosts: spec.hosts,
      fetch: ports.fetch,
      clock: ports.clock,
      onResponse: (response) => this.#onHttpResponse(response),
    });
    this.#context = new HostContext(spec, ports, this.#counters, buffers.metrics, http);
    this.#failures = new FailureLog(spec, ports);
    this.#debt = new FailureDebt(ports.clock);
    this.#extism = spec.abi === "extism" ? new ExtismMemory(this.#context) : undefined;
    const imports = importsOf(module, this.#context, this.#extism);
    this.#loader = new InstanceLoader(module, imports, this.#context);
  }

  /**
   * Makes the plugin's first instance.
   *
   * @param buffers Counters of this worker, which no other plugin writes to meanwhile.
   * @throws {PluginError} If the module cannot be run: it imports what there is not, does not
   * export what its specification says, or fails while it starts.
   */
  static async create(
    spec: PluginSpec,
    buffers: PluginBuffers,
    ports: PluginPorts,
  ): Promise<Plugin> {
    let module: WebAssembly.Module;
    try {
      module = await WebAssembly.compile(spec.module as Uint8Array<ArrayBuffer>);
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError)) throw error;
      throw new PluginError(spec.name, `it is no valid module: ${error.message}`);
    }
    checkModule(module, spec);
    const plugin = new Plugin(spec, module, buffers, ports);
    try {
      plugin.#instance = await plugin.#loader.first();
    } catch (error) {
      const words = plugin.#wordsOf(error);
      plugin.close();
      throw new PluginError(spec.name, `it does not start: ${words}`);
    }
    plugin.#counters.setOff(false);
    return plugin;
  }

  /** Off means that its failure policy is followed without calling it. */
  get state(): "running" | "off" {
    return this.#instance === undefined ? "off" : "running";
  }

  /** Units that the last call used; of one that failed, nobody knows. */
  get fuelUsed(): number {
    const left = this.#instance === undefined ? 0 : Number(this.#instance.fuel.value);
    return this.spec.fuelPerCall - Math.max(0, left);
  }

  /** Bytes of its instance's memory. */
  get memorySize(): number {
    return this.#instance === undefined ? 0 : this.#context.memory.bytes.length;
  }

  messageTypes(hook: number): Uint8Array {
    const name = HOOKS[hook - 1]?.name;
    if (name === undefined) return NO_TYPES;
    if (!MESSAGE_HOOKS.includes(name)) return ALL_TYPES;
    const { clientMessageTypes, serverMessageTypes } = this.spec;
    return CLIENT_HOOKS.includes(name) ? clientMessageTypes : serverMessageTypes;
  }

  /** Never throws. Must not be called while it runs. */
  call(event: HookEvent): Verdict {
    const instance = this.#instance;
    const context = this.#context;
    if (instance === undefined) return failingVerdict(event, context);
    const hook = instance.hooks[event.hook];
    if (hook === undefined) return FORWARD;
    if (this.#debt.isResting) {
      this.#counters.countFailure("rest");
      return failingVerdict(event, context);
    }
    context.begin(event);
    this.#calls += 1;
    const isMeasured = this.#calls === this.#nextMeasured;
    const startMs = isMeasured ? performance.now() : 0;
    instance.refuel();
    let verdict: Verdict;
    try {
      if (instance.eventPointer !== undefined) this.#writeEvent(event, instance.eventPointer);
      const result = this.#extism === undefined ? hook() : this.#callExtism(hook, event);
      verdict = verdictOf(result, event, context);
    } catch (error) {
      verdict = this.#failed(error, event);
    }
    this.#counters.countCall(event.hook, verdict);
    if (isMeasured) this.#countCost(instance, performance.now() - startMs);
    context.end();
    return verdict;
  }

  /** Nothing runs any more: requests that wait for an answer are ended. */
  close(): void {
    this.#instance = undefined;
    this.#context.http.close();
    this.#context.attach(undefined, undefined);
  }

  /** It stands for itself and those since the last that was measured. */
  #countCost(instance: PluginInstance, durationMs: number): void {
    const calls = this.#calls - this.#measuredCalls;
    const { first, later } = CALLS_PER_MEASUREMENT;
    this.#measuredCalls = this.#calls;
    this.#nextMeasured = this.#calls + (this.#calls < FIRST_CALLS ? first : later);
    this.#counters.countCost(durationMs / 1000, this.#unitsUsed(instance), calls);
  }

  #unitsUsed({ fuel }: PluginInstance): number {
    return this.spec.fuelPerCall - Math.max(0, Number(fuel.value));
  }

  /** As `wit/README.md` lays it out. Unused bytes are the plugin's own zeros. */
  #writeEvent(event: HookEvent, pointer: number): void {
    const { view } = this.#context.memory;
    const { ports } = this.#context;
    const session = event.session?.number ?? 0;
    const timeMs = ports.wallMs();
    view.setUint32(pointer, ABI | (event.hook << 16), true);
    view.setUint32(pointer + 4, event.flags, true);
    view.setUint32(pointer + 8, session, true);
    view.setUint32(pointer + 12, session / UINT32, true);
    view.setUint32(pointer + 16, timeMs, true);
    view.setUint32(pointer + 20, timeMs / UINT32, true);
    view.setUint32(pointer + 24, event.payload.length, true);
    view.setUint32(
      pointer + 28,
      event.messageType | (event.transactionStatus << 8) | (event.phase << 16),
      true,
    );
    view.setUint32(pointer + 32, event.request, true);
    view.setUint32(pointer + 36, event.request / UINT32, true);
    view.setUint32(pointer + 40, event.durationUs, true);
    view.setUint32(pointer + 44, event.durationUs / UINT32, true);
    view.setUint32(pointer + 48, event.rows, true);
    view.setUint32(pointer + 52, ports.worker, true);
    view.setUint32(pointer + 56, 0, true);
    view.setUint32(pointer + 60, 0, true);
  }

  #callExtism(hook: HookExport, event: HookEvent): unknown {
    const extism = this.#extism!;
    extism.begin(inputOf(event, this.#context));
    const result = hook();
    if (extism.error !== "") throw new PluginTrap("error", extism.error);
    if (result !== 0) throw new PluginTrap("error", `it returned ${String(result)}`);
    return takeOutput(extism.output, this.#context);
  }

  /** Counts and reports a failure, and makes a new instance or gives the plugin up. */
  #failed(thrown: unknown, event: HookEvent): Verdict {
    const reason = reasonOf(thrown, this.#context.isOutOfFuel);
    this.#counters.countFailure(reason);
    const words = this.#wordsOf(thrown);
    this.#failures.count();
    const units = this.#unitsUsed(this.#instance!);
    const startMs = performance.now();
    const problem = this.#failures.isTooMany
      ? `${this.spec.failuresMax} calls failed within ${this.spec.failureWindowMs} ms`
      : this.#renew();
    const restMs = this.#debt.add(units, performance.now() - startMs);
    const rest = restMs > 0 ? `; it is not called for ${Math.ceil(restMs)} ms` : "";
    this.#failures.report(HOOKS[event.hook - 1]!.name, reason, words + rest);
    if (problem !== undefined) this.#switchOff(problem);
    return failingVerdict(event, this.#context);
  }

  /** @returns Why there is no new instance; undefined if there is one. */
  #renew(): string | undefined {
    this.#context.attach(undefined, undefined);
    try {
      this.#instance = this.#loader.again();
      return undefined;
    } catch (error) {
      this.#counters.countFailure("init");
      return `it could not be started again: ${this.#wordsOf(error)}`;
    }
  }

  #switchOff(problem: string): void {
    this.close();
    this.#counters.setOff(true);
    this.#context.ports.onStateChange(this.name, "off", problem);
  }

  #wordsOf(thrown: unknown): string {
    switch (reasonOf(thrown, this.#context.isOutOfFuel)) {
      case "fuel":
        return "it used all of its fuel";
      case "stack":
        return "it called too deeply";
      default:
        return messageOf(thrown);
    }
  }

  #onHttpResponse({ request, status, body, problem }: HttpResponse): void {
    if (!this.hooks.includes(HOOK.onHook)) return;
    const event = new HookEvent();
    event.clear(HOOK.onHook, undefined);
    event.request = request;
    event.payload = body;
    event.fields.set(FIELD.httpStatus, utf8(status === undefined ? "" : String(status)));
    event.fields.set(FIELD.message, utf8(problem));
    this.#context.ports.onResponse(event);
  }
}
