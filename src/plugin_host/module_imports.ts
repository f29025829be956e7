/**
 * Everything that a plugin's module imports, made for it.
 *
 * @module
 */

import { EXTISM_MODULE, EXTISM_REFUSED, type ExtismMemory } from "./extism_memory.ts";
import type { HostContext } from "./host_context.ts";
import { type HostFunction, hostFunctions, type HostModule } from "./host_functions.ts";
import { PluginError } from "./plugin_error.ts";
import { PluginTrap } from "./plugin_failure.ts";
import { WASI_MODULE, wasiFunctions } from "./wasi_shim.ts";

/** Name of our own import module. */
export const SLUICE_MODULE = "sluice";

/** Name of the module from which AssemblyScript imports what its runtime needs. */
const ENV_MODULE = "env";

/** What a module imports, by import module and name. */
export type ModuleImports = Record<string, Record<string, HostFunction>>;

/**
 * Makes just what the module imports.
 *
 * @param extism Undefined for a module that is not of that ABI.
 * @throws {PluginError} If it imports what there is not.
 */
export function importsOf(
  module: WebAssembly.Module,
  context: HostContext,
  extism: ExtismMemory | undefined,
): ModuleImports {
  const imports = WebAssembly.Module.imports(module);
  const wasiNames = imports.filter((one) => one.module === WASI_MODULE).map(({ name }) => name);
  const modules: Readonly<Record<string, HostModule>> = {
    [SLUICE_MODULE]: hostFunctions(context),
    [WASI_MODULE]: wasiFunctions(context, wasiNames),
    [ENV_MODULE]: environmentFunctions(context),
    ...(extism === undefined ? {} : { [EXTISM_MODULE]: extism.functions }),
  };
  const made: ModuleImports = {};
  for (const { module: from, name, kind } of imports) {
    const served = Object.hasOwn(modules, from) ? modules[from]! : {};
    if (kind !== "function" || !Object.hasOwn(served, name)) {
      throw new PluginError(context.spec.name, problemOf(from, name, kind));
    }
    (made[from] ??= {})[name] = served[name]!;
  }
  return made;
}

function problemOf(from: string, name: string, kind: string): string {
  const what = `it imports the ${kind} "${name}" of "${from}"`;
  if (from === EXTISM_MODULE && Object.hasOwn(EXTISM_REFUSED, name)) {
    return `${what}, which is refused: use ${EXTISM_REFUSED[name]} of "${SLUICE_MODULE}"`;
  }
  return `${what}, which there is not: there are functions of "${SLUICE_MODULE}", as ` +
    `wit/README.md says, and of "${WASI_MODULE}"`;
}

/** What AssemblyScript's compiler adds to every module, unless it is told not to. */
function environmentFunctions({ memory }: HostContext): HostModule {
  // Its texts are UTF-16, and their size stands before them.
  const textAt = (pointer: number): string => {
    const start = pointer >>> 0;
    if (start < 4 || start > memory.bytes.length) return "";
    const size = Math.min(memory.view.getUint32(start - 4, true), 512);
    if (start + size > memory.bytes.length) return "";
    return new TextDecoder("utf-16le").decode(memory.viewOf(start, size));
  };
  return {
    abort(message: number, file: number, line: number, column: number): never {
      const place = `${textAt(file)}:${line >>> 0}:${column >>> 0}`;
      throw new PluginTrap("trap", `it ended itself at ${place}: ${textAt(message)}`);
    },
    seed: (): number => crypto.getRandomValues(new Uint32Array(1))[0]!,
  };
}
