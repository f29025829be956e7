/**
 * What can be said of a module before it runs.
 *
 * @module
 */

import { HOOKS } from "../hooks/hooks.ts";
import { HOST_SIGNATURES, signatureText } from "./host_signatures.ts";
import { FUEL_EXPORT } from "./metering/meter.ts";
import { readDeclarations } from "./metering/declarations.ts";
import { findSections } from "./metering/sections.ts";
import { SLUICE_MODULE } from "./module_imports.ts";
import { PluginError } from "./plugin_error.ts";
import type { PluginSpec } from "./plugin_spec.ts";

/** @throws {PluginError} If the module cannot be a plugin, or not the one that is specified. */
export function checkModule(module: WebAssembly.Module, spec: PluginSpec): void {
  const problem = exportProblem(module, spec) ?? importProblem(spec);
  if (problem !== undefined) throw new PluginError(spec.name, problem);
}

function exportProblem(module: WebAssembly.Module, spec: PluginSpec): string | undefined {
  const kinds = new Map(WebAssembly.Module.exports(module).map(({ name, kind }) => [name, kind]));
  if (kinds.get(FUEL_EXPORT) !== "global") return "it was not metered";
  if (kinds.has("_start")) {
    return 'it exports "_start": it is a program, and must be built as a reactor (a library)';
  }
  if (kinds.get("memory") !== "memory") return 'it does not export its memory as "memory"';
  const missing = spec.hooks.map((hook) => HOOKS[hook - 1]?.name ?? `hook ${hook}`)
    .find((name) => kinds.get(name) !== "function");
  return missing === undefined ? undefined : `it does not export the function "${missing}"`;
}

function importProblem(spec: PluginSpec): string | undefined {
  const { imports } = readDeclarations(findSections(spec.module));
  for (const one of imports) {
    if (one.module !== SLUICE_MODULE || one.kind !== "function") continue;
    const expected = HOST_SIGNATURES.get(one.name);
    if (expected === undefined) continue;
    const [there, wanted] = [one.type, expected].map(signatureText);
    if (there !== wanted) {
      return `it imports "${one.name}" as ${there}, and its type is ${wanted}`;
    }
  }
  return undefined;
}
