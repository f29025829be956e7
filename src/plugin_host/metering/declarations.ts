/**
 * What a module says about itself before its code: types, imports, and which functions it has.
 *
 * @module
 */

import { readIndex } from "./instructions.ts";
import { InvalidModuleError } from "./invalid_module_error.ts";
import type { Reader } from "./reader.ts";
import { SECTION, type Sections } from "./sections.ts";
import {
  type FunctionType,
  readFunctionType,
  readValueType,
  refusedFeature,
} from "./value_types.ts";

/** Something that the host has to give to a module, by the two names that it asks for it. */
export type ModuleImport =
  & { readonly module: string; readonly name: string }
  & ({ readonly kind: "function"; readonly type: FunctionType } | { readonly kind: "global" });

/** What a module declares. */
export interface Declarations {
  readonly types: readonly FunctionType[];
  readonly imports: readonly ModuleImport[];
  /** The index of each function's type; those of imported functions come first. */
  readonly functionTypes: readonly number[];
  /** How many of the functions are imported. */
  readonly importedFunctionCount: number;
  /** Globals, those imported included. */
  readonly globalCount: number;
}

/** What imports and exports are, by their codes. */
export const KINDS = ["function", "table", "memory", "global"] as const;

const TAG_KIND = 4;
const MUTABLE_BIT = 1;

/** @throws {InvalidModuleError} If something is malformed or not allowed. */
export function readDeclarations({ contents }: Sections): Declarations {
  const types = readTypes(contents.get(SECTION.type));
  const functionTypes: number[] = [];
  const imports = readImports(contents.get(SECTION.import), types, functionTypes);
  const importedFunctionCount = functionTypes.length;
  readFunctions(contents.get(SECTION.function), types.length, functionTypes);
  const globals = contents.get(SECTION.global);
  const ownGlobalCount = globals === undefined ? 0 : globals.copy().count("globals");
  const globalCount = imports.length - importedFunctionCount + ownGlobalCount;
  return { types, imports, functionTypes, importedFunctionCount, globalCount };
}

/** Reads the code of what an import or export is. */
export function readKind(reader: Reader): typeof KINDS[number] {
  const start = reader.offset;
  const code = reader.byte();
  const kind = KINDS[code];
  if (kind !== undefined) return kind;
  if (code === TAG_KIND) throw refusedFeature("exception handling", start);
  throw new InvalidModuleError(`nothing that is imported or exported has code ${code}`, start);
}

/** Reads whether a global may change. */
export function readMutability(reader: Reader): boolean {
  const start = reader.offset;
  const flags = reader.byte();
  if (flags <= MUTABLE_BIT) return flags === MUTABLE_BIT;
  throw new InvalidModuleError(`a global has unknown flags ${flags}`, start);
}

function readTypes(reader: Reader | undefined): FunctionType[] {
  if (reader === undefined) return [];
  const section = reader.copy();
  const count = section.count("types");
  const types = Array.from({ length: count }, () => readFunctionType(section));
  section.expectEnd("the types");
  return types;
}

function readImports(
  reader: Reader | undefined,
  types: readonly FunctionType[],
  functionTypes: number[],
): ModuleImport[] {
  if (reader === undefined) return [];
  const section = reader.copy();
  const imports: ModuleImport[] = [];
  for (let left = section.count("imports"); left > 0; left--) {
    const module = section.text();
    const name = section.text();
    const start = section.offset;
    const kind = readKind(section);
    if (kind === "function") {
      const index = readIndex(section, "type", types.length);
      functionTypes.push(index);
      imports.push({ module, name, kind, type: types[index]! });
    } else if (kind === "global") {
      readValueType(section);
      if (readMutability(section)) throw refusedFeature("an imported mutable global", start);
      imports.push({ module, name, kind });
    } else {
      const problem = `an imported ${kind} is not allowed; the module needs one of its own`;
      throw new InvalidModuleError(problem, start);
    }
  }
  section.expectEnd("the imports");
  return imports;
}

function readFunctions(
  reader: Reader | undefined,
  typeCount: number,
  functionTypes: number[],
): void {
  if (reader === undefined) return;
  const section = reader.copy();
  for (let left = section.count("functions"); left > 0; left--) {
    functionTypes.push(readIndex(section, "type", typeCount));
  }
  section.expectEnd("the functions");
}
