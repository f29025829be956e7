/**
 * Makes an untrusted WebAssembly module safe to run on the thread that also serves clients: it
 * stops when its fuel is used up, and memory and tables have a maximum. This happens once, when a
 * plugin is loaded; the result is an ordinary module, which `new WebAssembly.Module` validates.
 *
 * Fuel is a global. A unit of it is about one instruction; `function_meter.ts` says how exactly it
 * is counted, and `charges.ts` what costs more. Imported functions get a wrapper that charges
 * before it calls; whatever named the function, be it a call, a table or an export, names the
 * wrapper instead. Indexes stay what they were, as all that is added stands behind what there is.
 *
 * @module
 */

import { assert } from "../../base/assert.ts";
import { ADDED_TYPES, addedFunctionTypes, copyCode, meteredIndexes } from "./code.ts";
import { type Declarations, type ModuleImport, readDeclarations } from "./declarations.ts";
import { InvalidModuleError } from "./invalid_module_error.ts";
import { copyElements, copyExports, copyStart, type ModuleExport } from "./references.ts";
import { copyAll, SectionCopier } from "./section_copier.ts";
import { findSections, SECTION } from "./sections.ts";
import { copyGlobals, copyMemory, copyTables, type MemoryPages } from "./storage.ts";
import { unsignedLeb } from "./writer.ts";

export { InvalidModuleError } from "./invalid_module_error.ts";
export { FUEL_EXPORT, REFUEL_EXPORT } from "./references.ts";

/** What a module may have, and what it pays for. All numbers are safe integers from 0. */
export interface MeteringOptions {
  /** Pages of 64 KiB. */
  readonly memoryPagesMax: number;
  /** Elements of each table. */
  readonly tableSizeMax: number;
  /** Bytes of the module. The metered one may have four times as many. */
  readonly moduleSizeMax: number;
  /** The fuel at instantiation, when the start function runs. */
  readonly initialFuel: number;
  /** The fuel of each call, to which {@linkcode REFUEL_EXPORT} sets it. */
  readonly callFuel: number;
  /** What a call of an imported function costs, in units. Called once for each; must not throw. */
  readonly hostCallCost: (module: string, name: string) => number;
}

/** A module that is safe to run, if `new WebAssembly.Module` accepts it. */
export interface MeteredModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly imports: readonly ModuleImport[];
  /** What the module exports itself: the fuel is not among them. */
  readonly exports: readonly ModuleExport[];
  /** Contents by name; only "sluice.manifest" is kept, in the metered module none is. */
  readonly customSections: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** The memory's first and largest size; undefined if the module has no memory. */
  readonly memoryPages: MemoryPages | undefined;
}

/** How much larger than the largest module a metered one may be. */
const GROWTH_MAX = 4;

const HEADER_SIZE = 8;

/**
 * Meters a module. The export {@linkcode FUEL_EXPORT} of its instances is a mutable i64 global:
 * the host sets it before a call, to less than 2^62, or has {@linkcode REFUEL_EXPORT} do that. When
 * it would go below zero, the code traps with `unreachable`, and the global stays negative: that
 * tells this from other traps.
 *
 * @throws {InvalidModuleError} If the module is cut off, malformed, too large, or uses what is not
 * allowed. Nothing else is thrown, whatever the bytes are.
 */
export function meterModule(bytes: Uint8Array, options: MeteringOptions): MeteredModule {
  const { moduleSizeMax, initialFuel, callFuel } = options;
  for (const fuel of [initialFuel, callFuel]) {
    assert(Number.isSafeInteger(fuel) && fuel >= 0, "fuel is whole and not negative");
  }
  if (bytes.length > moduleSizeMax) {
    const problem = `the module has ${bytes.length} bytes, more than ${moduleSizeMax}`;
    throw new InvalidModuleError(problem, moduleSizeMax);
  }
  const sections = findSections(bytes);
  const declarations = readDeclarations(sections);
  const sizeMax = HEADER_SIZE + GROWTH_MAX * moduleSizeMax;
  const module = new SectionCopier(sections.contents, bytes.subarray(0, HEADER_SIZE), sizeMax);
  const { exports, memoryPages } = copySections(module, declarations, options, sizeMax);
  const { imports } = declarations;
  const { customSections } = sections;
  return { bytes: module.finish(), imports, exports, customSections, memoryPages };
}

/** Copies the sections in their order, those that get additions even if there are none so far. */
function copySections(
  module: SectionCopier,
  declarations: Declarations,
  { memoryPagesMax, tableSizeMax, initialFuel, callFuel, hostCallCost }: MeteringOptions,
  sizeMax: number,
): { exports: ModuleExport[]; memoryPages: MemoryPages | undefined } {
  const indexes = meteredIndexes(declarations);
  const costs = declarations.imports.filter(({ kind }) => kind === "function")
    .map(({ module, name }) => hostCallCost(module, name));
  let exports: ModuleExport[] = [];
  let memoryPages: MemoryPages | undefined;
  module.copyAndAdd(SECTION.type, ADDED_TYPES);
  module.copy(SECTION.import, copyAll);
  module.copyAndAdd(SECTION.function, addedFunctionTypes(declarations).map(unsignedLeb));
  module.copy(SECTION.table, (from, to) => copyTables(from, to, tableSizeMax));
  module.copy(SECTION.memory, (from, to) => memoryPages = copyMemory(from, to, memoryPagesMax));
  module.make(SECTION.global, (from, to) => copyGlobals(from, to, indexes, initialFuel));
  module.make(SECTION.export, (from, to) => exports = copyExports(from, to, indexes, declarations));
  module.copy(SECTION.start, (from, to) => copyStart(from, to, indexes));
  module.copy(SECTION.element, (from, to) => copyElements(from, to, indexes));
  module.copy(SECTION.dataCount, copyAll);
  module.make(SECTION.code, (from, to) => {
    copyCode(from, to, declarations, costs, callFuel, sizeMax);
  });
  module.copy(SECTION.data, copyAll);
  return { exports, memoryPages };
}
