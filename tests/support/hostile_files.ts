/**
 * Files that are no plugins, or that must not become one.
 *
 * @module
 */

import type { Random } from "./random.ts";
import { assemble } from "./wasm.ts";

/** A plugin's files, and how their refusal is counted. */
export interface HostileFile {
  /** Of the plugin. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Text of the manifest beside the module. */
  readonly manifest?: string;
  readonly result: string;
}

const HOOK = '(func (export "onQuery") (result i32) (i32.const 0))';
const MEMORY = '(memory (export "memory") 1)';

function file(name: string, fields: string, result = "module"): HostileFile {
  return { name, bytes: assemble(`(module ${fields})`), result };
}

function withManifest(name: string, manifest: string, result: string): HostileFile {
  return { ...file(name, `${MEMORY} ${HOOK}`, result), manifest };
}

/** Ten times ten times ten aliases, and so on: 10^9 values. */
function aliases(): string {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 9; i++) {
    lines.push(`a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]`);
  }
  return `${lines.join("\n")}\nhooks: *a8\n`;
}

const deepYaml = `config: ${"[".repeat(20_000)}${"]".repeat(20_000)}\n`;

const growing = `(func (export "sluice_init") (result i32)
  (loop $l (drop (memory.grow (i32.const 1))) (br $l)) (i32.const 0))`;

const deep = `(func $deep (export "sluice_init") (result i32)
  (i32.add (call $deep) (i32.const 1)))`;

/** Every file that is to be refused. */
export const HOSTILE_FILES: readonly HostileFile[] = [
  file("unknown-import", `(import "sluice" "open_file" (func)) ${MEMORY} ${HOOK}`),
  file("unknown-module", `(import "env" "system" (func (param i32))) ${MEMORY} ${HOOK}`),
  file("memory-import", `(import "sluice" "memory" (memory 1)) ${HOOK}`),
  file("global-import", `(import "sluice" "read" (global i32)) ${MEMORY} ${HOOK}`),
  file("wrong-import", `(import "sluice" "write" (func (param i64))) ${MEMORY} ${HOOK}`),
  file("wrong-hook", `${MEMORY} (func (export "onQuery") (param i32) (result i32) (local.get 0))`),
  file("wrong-init", `${MEMORY} ${HOOK} (func (export "sluice_init") (param i64))`),
  file("hook-is-global", `${MEMORY} (global (export "onQuery") i32 (i32.const 0))`),
  file("own-fuel", `${MEMORY} ${HOOK} (global (export "__sluice_fuel") i64 (i64.const -1))`),
  file("no-memory", HOOK),
  file("memory-is-function", `${HOOK} (func (export "memory"))`),
  file("too-large-memory", `(memory (export "memory") 257) ${HOOK}`),
  file("too-large-table", `${MEMORY} (table 100001 funcref) ${HOOK}`),
  file("program", `${MEMORY} ${HOOK} (func (export "_start"))`),
  file("no-hook", MEMORY),
  file(
    "bad-event",
    `${MEMORY} ${HOOK} (func (export "sluice_event") (result i32)
    (i32.const -8))`,
    "start",
  ),
  file(
    "endless-init",
    `${MEMORY} ${HOOK} (func (export "sluice_init") (result i32)
    (loop $l (br $l)) (i32.const 0))`,
    "start",
  ),
  file("endless-start", `${MEMORY} ${HOOK} (func $f (loop $l (br $l))) (start $f)`, "start"),
  file("deep-init", `${MEMORY} ${HOOK} ${deep}`, "start"),
  file("growing-init", `${MEMORY} ${HOOK} ${growing}`, "start"),
  file("trap-init", `${MEMORY} ${HOOK} (func (export "_initialize") unreachable)`, "start"),
  file("data-outside", `${MEMORY} ${HOOK} (data (i32.const 65530) "0123456789")`, "start"),
  { name: "empty", bytes: new Uint8Array(), result: "module" },
  { name: "zeros-only", bytes: new Uint8Array(1_000_000), result: "module" },
  withManifest("yaml-aliases", aliases(), "manifest"),
  withManifest("yaml-depth", deepYaml, "manifest"),
  withManifest("yaml-large", `description: ${"x".repeat(10_000_000)}\n`, "unreadable"),
  withManifest("yaml-binary", "\0\x01\x02", "manifest"),
  withManifest("yaml-other", "- a\n- b\n", "manifest"),
];

/** A plugin that uses much of what there is, and leaves traffic alone. */
export const BUSY: Uint8Array<ArrayBuffer> = assemble(`(module
  (import "sluice" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "sluice" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "sluice" "metric" (func $metric (param i32 i32 i32) (result i32)))
  (import "sluice" "metric_record" (func $record (param i32 f64) (result i32)))
  (import "sluice" "kv_set" (func $kv_set (param i32 i32 i32 i32 i32) (result i32)))
  (import "sluice" "kv_get" (func $kv_get (param i32 i32 i32 i32) (result i32)))
  (import "sluice" "kv_increment" (func $kv_increment (param i32 i32 i64 i32) (result i64)))
  (import "sluice" "session_set" (func $session_set (param i32 i32) (result i32)))
  (memory (export "memory") 2 8)
  (data (i32.const 64) "queries_total")
  (global $queries (mut i32) (i32.const 0))
  (table 2 funcref) (elem (i32.const 0) $count $keep)
  (type $step (func (param i32) (result i32)))
  (func $count (param i32) (result i32)
    (drop (call $record (global.get $queries) (f64.const 1)))
    (i32.wrap_i64 (call $kv_increment (i32.const 64) (i32.const 7) (i64.const 1) (i32.const 0))))
  (func $keep (param $size i32) (result i32)
    (drop (call $kv_set (i32.const 1024) (i32.const 16) (i32.const 64) (local.get $size)
      (i32.const 1000)))
    (drop (call $session_set (i32.const 1024) (i32.const 32)))
    (call $kv_get (i32.const 1024) (i32.const 16) (i32.const 4096) (i32.const 100)))
  (func (export "sluice_event") (result i32) (i32.const 512))
  (func (export "sluice_init") (result i32)
    (global.set $queries (call $metric (i32.const 0) (i32.const 64) (i32.const 13)))
    (i32.const 0))
  (func (export "onQuery") (result i32) (local $i i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 256)))
    (loop $next
      (drop (call_indirect (type $step) (i32.const 100) (i32.and (local.get $i) (i32.const 1))))
      (memory.fill (i32.const 2048) (local.get $i) (i32.const 64))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
        (i32.const 6))))
    (i32.const 0)))`);

/** {@linkcode BUSY}, broken: cut off, or with some of its bytes changed, doubled or left out. */
export function mutation(random: Random): Uint8Array<ArrayBuffer> {
  let bytes = BUSY.slice();
  const at = () => 8 + random.below(bytes.length - 8);
  if (random.oneIn(10)) return bytes.slice(0, random.below(bytes.length));
  for (let i = random.below(4); i >= 0; i--) {
    const place = at();
    if (random.oneIn(8)) {
      const end = place + random.below(8);
      const tail = bytes.slice(random.oneIn(2) ? end : place);
      bytes = new Uint8Array([...bytes.slice(0, random.oneIn(2) ? end : place), ...tail]);
    } else {
      bytes[place] = random.oneIn(2) ? bytes[place]! ^ (1 << random.below(8)) : random.below(256);
    }
  }
  return bytes;
}
