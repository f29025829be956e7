/**
 * Looks at the module of a plugin before it is run: what it exports and imports has to be what
 * `wit/README.md` says. It comes out metered.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import { HOOKS } from "../hooks/hooks.ts";
import { hostCallCost } from "./host_costs.ts";
import { HOST_SIGNATURES, signatureText } from "./host_signatures.ts";
import { INIT_FUEL_MIN } from "./instance_loader.ts";
import type { ModuleImport } from "./metering/declarations.ts";
import { type MeteredModule, meterModule } from "./metering/meter.ts";
import type { ModuleExport } from "./metering/references.ts";
import { findSections } from "./metering/sections.ts";
import type { MemoryPages } from "./metering/storage.ts";
import type { FunctionType } from "./metering/value_types.ts";

/** Bytes of a module's file. */
export const MODULE_SIZE_MAX = 64 * 1_048_576;

/** Where a module may keep its manifest. */
const MANIFEST_SECTION = "sluice.manifest";

/** Elements of a table: one for each function that a module may call indirectly. */
const TABLE_SIZE_MAX = 100_000;

const PAGE_SIZE = 65_536;

/** Import modules, beside `sluice`. */
const WASI = "wasi_snapshot_preview1";
const EXTISM = "extism:host/env";

const VERDICT_TYPE: FunctionType = { parameters: [], results: ["i32"] };
const NOTHING_TYPE: FunctionType = { parameters: [], results: [] };

/** What a module may export beside hooks, if it exports it. */
const OTHER_EXPORTS: ReadonlyMap<string, FunctionType> = new Map([
  ["sluice_event", VERDICT_TYPE],
  ["sluice_init", VERDICT_TYPE],
  ["_initialize", NOTHING_TYPE],
]);

/** A module is valid, but no plugin. */
class WrongModuleError extends Error {
  override readonly name = "WrongModuleError";
}

/** A module that can be run. */
export interface PluginModule {
  /** Metered. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly abi: "direct" | "extism";
  /** Numbers of the hooks that it exports. */
  readonly hooks: readonly number[];
  readonly imports: readonly ModuleImport[];
  /** Everything that it exports itself, hooks included. */
  readonly exports: readonly ModuleExport[];
  /** Of its memory, at first and at most, as it is metered. */
  readonly memoryPages: MemoryPages | undefined;
}

/** Limits that the module is metered for. */
export interface ModuleLimits {
  /** In bytes. */
  readonly memoryMax: number;
  readonly fuelPerCall: number;
}

/**
 * Finds the manifest in a module.
 *
 * @returns Text of its custom section; undefined if it has none.
 * @throws {Error} If it is no module, or no text.
 */
export function manifestOf(bytes: Uint8Array): string | undefined {
  const manifest = findSections(bytes).customSections.get(MANIFEST_SECTION);
  return manifest === undefined ? undefined : manifestText(manifest);
}

/**
 * Reads and meters a module.
 *
 * @throws {Error} If it is no plugin; it says why.
 */
export async function readPluginModule(
  bytes: Uint8Array,
  { memoryMax, fuelPerCall }: ModuleLimits,
): Promise<PluginModule> {
  const module = meterModule(bytes, {
    memoryPagesMax: Math.trunc(memoryMax / PAGE_SIZE),
    tableSizeMax: TABLE_SIZE_MAX,
    moduleSizeMax: MODULE_SIZE_MAX,
    initialFuel: Math.max(INIT_FUEL_MIN, fuelPerCall),
    callFuel: fuelPerCall,
    hostCallCost,
  });
  const hooks = hooksOf(module);
  for (const one of module.imports) checkImport(one);
  // Metering takes a module apart, but only the engine knows whether its code is valid.
  await WebAssembly.compile(module.bytes);
  const isExtism = module.imports.some((one) => one.module === EXTISM);
  return {
    bytes: module.bytes,
    abi: isExtism ? "extism" : "direct",
    hooks,
    imports: module.imports,
    exports: module.exports,
    memoryPages: module.memoryPages,
  };
}

function hooksOf({ exports }: MeteredModule): readonly number[] {
  if (exports.some(({ name }) => name === "_start")) {
    throw new WrongModuleError(
      "it exports _start, which makes it a program; build it as a reactor",
    );
  }
  const memory = exports.find(({ name }) => name === "memory");
  if (memory?.kind !== "memory") throw new WrongModuleError("it exports no memory called memory");
  for (const [name, type] of OTHER_EXPORTS) {
    const found = exports.find((one) => one.name === name);
    if (found !== undefined) checkType(found, type);
  }
  const hooks = HOOKS.filter(({ name }) => {
    const found = exports.find((one) => one.name === name);
    if (found !== undefined) checkType(found, VERDICT_TYPE);
    return found !== undefined;
  });
  if (hooks.length === 0) throw new WrongModuleError(noHooksText(exports));
  return hooks.map(({ number }) => number);
}

function noHooksText(exports: readonly ModuleExport[]): string {
  const names = HOOKS.map(({ name }) => name);
  for (const { name } of exports) {
    const guess = nearest(name, names);
    if (guess !== undefined) return `it exports no hook; is its ${name} meant to be ${guess}?`;
  }
  return "it exports no hook, such as onQuery: () -> i32";
}

function checkType(found: ModuleExport, type: FunctionType): void {
  const expected = signatureText(type);
  if (found.kind !== "function") {
    throw new WrongModuleError(`its export ${found.name} is a ${found.kind}; expected ${expected}`);
  }
  const is = signatureText(found.type);
  if (is !== expected) {
    throw new WrongModuleError(`its export ${found.name} is ${is}; expected ${expected}`);
  }
}

function checkImport(one: ModuleImport): void {
  const name = `"${one.module}" "${one.name}"`;
  if (one.module === WASI || one.module === EXTISM) return; // theirs is checked when it is made
  if (one.module !== "sluice") {
    const known = ["sluice", WASI, EXTISM].join(", ");
    throw new WrongModuleError(`it imports ${name}; there are only the modules ${known}`);
  }
  const type = HOST_SIGNATURES.get(one.name);
  if (type === undefined || one.kind !== "function") {
    const guess = nearest(one.name, HOST_SIGNATURES.keys());
    const hint = guess === undefined
      ? "docs/plugins/reference.md says what there is"
      : `did you mean "${guess}"?`;
    throw new WrongModuleError(`it imports ${name}, which there is not; ${hint}`);
  }
  const [is, expected] = [signatureText(one.type), signatureText(type)];
  if (is === expected) return;
  throw new WrongModuleError(`it imports ${name} as ${is}; it is ${expected}`);
}

function manifestText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new WrongModuleError(`its section ${MANIFEST_SECTION} is no text in UTF-8`);
  }
}
