/**
 * Makes instances of a plugin's module. The first one is made by Extism, from the module and the
 * functions that we give it.
 *
 * Those behind it, after failures, are made from the same module and the same functions without
 * Extism: it only makes instances with a promise, and a message that waits for the next instance
 * cannot wait for that, as sessions are synchronous.
 *
 * @module
 */

import createPlugin from "@extism/extism";
import type { Clock } from "../base/clock.ts";
import { hookNames, HOOKS } from "../hooks/hooks.ts";
import type { HostContext } from "./host_context.ts";
import type { HostFunction } from "./host_functions.ts";
import { FUEL_EXPORT, REFUEL_EXPORT } from "./metering/meter.ts";
import type { ModuleImports } from "./module_imports.ts";
import { PluginTrap } from "./plugin_failure.ts";

/** Bytes of the event that the host writes. */
const EVENT_SIZE = 64;

const EVENT_ALIGNMENT = 8;

/** Units for the first instance: Go's runtime needs a million of them, before sluice_init. */
export const INIT_FUEL_MIN = 20_000_000;

/** Later instances may use so many times what the first one used, and a call's fuel. */
const AGAIN_TIMES = 2;

/** Extism's promise may never be settled; seconds are more than the largest module needs. */
const LOAD_TIMEOUT_MS = 30_000;

/**
 * `(module (import "a" "a" (func (result i32))))`: can be linked with a function of that type only,
 * which is the one way that JavaScript has to tell.
 */
const RETURNS_INTEGER = new WebAssembly.Module(
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // header
    ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f], // types: () -> i32
    ...[0x02, 0x07, 0x01, 0x01, 0x61, 0x01, 0x61, 0x00, 0x00], // imports: a.a of type 0
  ]),
);

/** A hook as the module exports it; what it returns is checked later. */
export type HookExport = () => unknown;

/** An instance that can be called. */
export interface PluginInstance {
  readonly fuel: WebAssembly.Global;
  /** Sets the fuel to what a call may use. */
  readonly refuel: () => void;
  /** Where the event goes; undefined if the module does not want it. */
  readonly eventPointer: number | undefined;
  /** By a hook's number. */
  readonly hooks: readonly (HookExport | undefined)[];
}

/** Makes the instances of one plugin, one at a time. */
export class InstanceLoader {
  readonly #module: WebAssembly.Module;
  readonly #imports: ModuleImports;
  readonly #context: HostContext;
  /** What the first instance used to start. */
  #startUnits = 0;

  constructor(module: WebAssembly.Module, imports: ModuleImports, context: HostContext) {
    this.#module = module;
    this.#imports = imports;
    this.#context = context;
  }

  /** @throws Whatever ends the module's start functions, or refuses it. */
  async first(): Promise<PluginInstance> {
    this.#context.begin(undefined);
    const loading = createPlugin(this.#module, {
      useWasi: false,
      runInWorker: false,
      functions: functionsFor(this.#imports) as ExtismFunctions,
    });
    const extism = await within(loading, LOAD_TIMEOUT_MS, this.#context.ports.clock);
    const instance = await extism.getInstance();
    this.#checkSignatures(instance);
    const given = Math.max(INIT_FUEL_MIN, this.#context.spec.fuelPerCall);
    const started = this.#start(instance, given);
    this.#startUnits = given - Number(started.fuel.value);
    return started;
  }

  /** The same without waiting, while others wait: so it is not given as much to do so. */
  again(): PluginInstance {
    this.#context.begin(undefined);
    const instance = new WebAssembly.Instance(this.#module, this.#imports);
    // As Extism does for the first one, of modules that were written in Haskell.
    functionOf(instance, "hs_init")?.();
    const { fuelPerCall } = this.#context.spec;
    return this.#start(instance, AGAIN_TIMES * this.#startUnits + fuelPerCall);
  }

  /** @throws {PluginTrap} If what the host calls is no function as `wit/README.md` says. */
  #checkSignatures(instance: WebAssembly.Instance): void {
    const { hooks } = this.#context.spec;
    for (const name of [...hookNames(hooks), "sluice_event", "sluice_init"]) {
      const found = functionOf(instance, name);
      if (found === undefined) continue;
      try {
        new WebAssembly.Instance(RETURNS_INTEGER, { a: { a: found as HostFunction } });
      } catch (error) {
        if (!(error instanceof WebAssembly.LinkError)) throw error;
        throw new PluginTrap("init", `its export "${name}" is not of type () -> i32`);
      }
    }
  }

  #start(instance: WebAssembly.Instance, units: number): PluginInstance {
    const context = this.#context;
    const { hooks } = context.spec;
    const fuel = instance.exports[FUEL_EXPORT];
    const { memory } = instance.exports;
    const refuel = functionOf(instance, REFUEL_EXPORT) as (() => void) | undefined;
    const isMetered = fuel instanceof WebAssembly.Global && refuel !== undefined;
    if (!isMetered || !(memory instanceof WebAssembly.Memory)) {
      throw new PluginTrap("init", "it has no memory, or was not metered");
    }
    context.attach(memory, fuel);
    fuel.value = BigInt(units);
    functionOf(instance, "_initialize")?.();
    const eventPointer = this.#eventPointer(functionOf(instance, "sluice_event"));
    const result = functionOf(instance, "sluice_init")?.() ?? 0;
    if (result !== 0) {
      const reason = context.output.rejection?.message ?? `it returned ${String(result)}`;
      throw new PluginTrap("init", `sluice_init refused: ${reason}`);
    }
    const byNumber: (HookExport | undefined)[] = new Array(HOOKS.length + 1).fill(undefined);
    for (const hook of hooks) byNumber[hook] = functionOf(instance, HOOKS[hook - 1]!.name);
    return { fuel, refuel, eventPointer, hooks: byNumber };
  }

  #eventPointer(where: HookExport | undefined): number | undefined {
    if (where === undefined) return undefined;
    const pointer = Number(where()) >>> 0;
    if (pointer % EVENT_ALIGNMENT !== 0) {
      throw new PluginTrap("pointer", `sluice_event returned ${pointer}, no multiple of 8`);
    }
    this.#context.memory.check(pointer, EVENT_SIZE);
    return pointer;
  }
}

type ExtismFunctions = NonNullable<NonNullable<Parameters<typeof createPlugin>[1]>["functions"]>;

/**
 * The functions as Extism takes them. It binds its own context as the first parameter of each,
 * which none of ours wants, and a bound function is slower to call: so `bind` gives the function
 * itself. Those of `extism:host/env` take the place of its own.
 */
function functionsFor(imports: ModuleImports): ModuleImports {
  for (const functions of Object.values(imports)) {
    for (const one of Object.values(functions)) {
      Object.defineProperty(one, "bind", { value: (): HostFunction => one, configurable: true });
    }
  }
  return imports;
}

function functionOf(instance: WebAssembly.Instance, name: string): HookExport | undefined {
  const found = instance.exports[name];
  return typeof found === "function" ? found as HookExport : undefined;
}

/** @throws {PluginTrap} If it takes longer. */
async function within<Result>(
  promise: Promise<Result>,
  limitMs: number,
  clock: Clock,
): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const timer = clock.after(limitMs, () => {
    late.reject(new PluginTrap("init", `it could not be loaded within ${limitMs} ms`));
  });
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    timer.cancel();
  }
}
