/**
 * Plugins whose cost is measured, and gateways that run them.
 *
 * @module
 */

import { join } from "node:path";
import type { HookName } from "../src/hooks/hooks.ts";
import { buildPlugin, isMissing } from "../tests/support/plugin_builds.ts";
import { assemble } from "../tests/support/wasm.ts";

/** Where a module below has what it reads. */
const BUFFER_AT = 4096;
const BUFFER_SIZE = 61_440;

/** Reads all of a field, as far as it fits. */
function read(field: number): string {
  return `(call $read
    (i32.const ${field}) (i32.const 0) (i32.const ${BUFFER_AT}) (i32.const ${BUFFER_SIZE}))`;
}

/** Numbers of fields, as in wit/sluice.wit. */
const PAYLOAD = 0;
const TEXT = 1;

/** What the modules below do when they are called: the body of their hook. */
export const BODY = {
  /** Nothing. */
  nothing: "(i32.const 0)",
  /** Reads the query's text, and counts the query and its spaces. */
  count: `(local $at i32) (local $end i32) (local $spaces f64)
    (local.set $at (i32.const ${BUFFER_AT}))
    (local.set $end (i32.add (local.get $at) ${read(TEXT)}))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 32))
        (then (local.set $spaces (f64.add (local.get $spaces) (f64.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next)))
    (drop (call $record (global.get $queries) (f64.const 1)))
    (drop (call $record (global.get $words) (local.get $spaces)))
    (i32.const 0)`,
  /** Reads the payload. */
  look: `(drop ${read(PAYLOAD)}) (i32.const 0)`,
  /** Reads the payload, and puts a copy in its place. */
  replace: `(drop (call $write (i32.const ${BUFFER_AT}) ${read(PAYLOAD)})) (i32.const 1)`,
} as const;

/** A module with one hook, which does as `body` says. */
export function moduleFor(hook: HookName, body: string): Uint8Array<ArrayBuffer> {
  return assemble(`(module
    (import "sluice" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "sluice" "write" (func $write (param i32 i32) (result i32)))
    (import "sluice" "metric" (func $metric (param i32 i32 i32) (result i32)))
    (import "sluice" "metric_record" (func $record (param i32 f64) (result i32)))
    (memory (export "memory") 1 1)
    (data (i32.const 64) "queries_totalspaces_total")
    (global $queries (mut i32) (i32.const 0))
    (global $words (mut i32) (i32.const 0))
    (func (export "sluice_event") (result i32) (i32.const 0))
    (func (export "sluice_init") (result i32)
      (global.set $queries (call $metric (i32.const 0) (i32.const 64) (i32.const 13)))
      (global.set $words (call $metric (i32.const 0) (i32.const 77) (i32.const 12)))
      (i32.const 0))
    (func (export "${hook}") (result i32) ${body}))`);
}

/** One plugin. */
export interface MeasuredPlugin {
  readonly name: string;
  readonly module: Uint8Array<ArrayBuffer>;
  /** Its manifest, in YAML; undefined without one. */
  readonly manifest?: string;
  /** The permissions that it needs, in YAML. */
  readonly permissions?: string;
}

/** A gateway, or a session in memory, with these plugins. */
export interface Setup {
  /** What it is called in tables. */
  readonly name: string;
  /** Undefined: `plugins.enabled` is false. */
  readonly plugins: readonly MeasuredPlugin[] | undefined;
}

/** With whom all others are compared, and who is compared with it to see what is chance. */
export const REFERENCE = "plugins disabled";
const SECOND_REFERENCE = "plugins disabled, once more";

/** The template of the AssemblyScript SDK, built; or why it cannot be. */
export async function buildHello(): Promise<MeasuredPlugin | string> {
  const folder = join(import.meta.dirname!, "..", "plugins", "sdk", "assemblyscript", "template");
  const module = await buildPlugin(folder);
  if (isMissing(module)) return module;
  const manifest = await Deno.readTextFile(join(folder, "hello.yaml"));
  return { name: "hello", module, manifest, permissions: "[respond, log, kv]" };
}

/** Everything that is compared. @param hello Undefined: setups with it are left out. */
export function setupsWith(hello: MeasuredPlugin | undefined): readonly Setup[] {
  const count = (name: string) => ({ name, module: moduleFor("onQuery", BODY.count) });
  const rows = { name: "rows", module: moduleFor("onRow", BODY.look) };
  const setups: Setup[] = [
    { name: REFERENCE, plugins: undefined },
    { name: SECOND_REFERENCE, plugins: undefined },
    { name: "no plugin", plugins: [] },
    { name: "reads each query", plugins: [count("count")] },
    { name: "reads each row", plugins: [rows] },
  ];
  if (hello === undefined) return setups;
  return [
    ...setups,
    { name: "AssemblyScript template", plugins: [hello] },
    { name: "three on each query", plugins: [count("count"), hello, count("other")] },
  ];
}

/** Writes the plugins' files. @returns The section `plugins` of a gateway's configuration. */
export async function installPlugins({ plugins }: Setup, folder: string): Promise<string> {
  if (plugins === undefined) return "{ enabled: false }";
  await Deno.mkdir(folder, { recursive: true });
  const groups: string[] = [];
  for (const { name, module, manifest, permissions } of plugins) {
    await Deno.writeFile(join(folder, `${name}.wasm`), module);
    if (manifest !== undefined) await Deno.writeTextFile(join(folder, `${name}.yaml`), manifest);
    if (permissions !== undefined) groups.push(`, ${name}: { permissions: ${permissions} }`);
  }
  return `{ directory: "${folder}"${groups.join("")} }`;
}

/** Calls of plugins so far, from the text of a gateway's metrics. */
export function pluginCallsIn(metrics: string): number {
  const series = metrics.matchAll(/^sluice_plugin_calls_total\{[^}]*\} (\S+)$/gm);
  return [...series].reduce((sum, [, value]) => sum + Number(value), 0);
}
