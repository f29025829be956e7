/**
 * Small plugins in the text format.
 *
 * @module
 */

import { assemble } from "./wasm.ts";

/** Counts its ticks in a metric. @param by What each tick adds. */
export function counterPlugin(by: number, init = 0): Uint8Array<ArrayBuffer> {
  return assemble(`(module
    (import "sluice" "metric" (func $metric (param i32 i32 i32) (result i32)))
    (import "sluice" "metric_record" (func $record (param i32 f64) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "ticks_total")
    (global $ticks (mut i32) (i32.const 0))
    (func (export "sluice_init") (result i32)
      (global.set $ticks (call $metric (i32.const 0) (i32.const 64) (i32.const 11)))
      (i32.const ${init}))
    (func (export "onTick") (result i32)
      (drop (call $record (global.get $ticks) (f64.const ${by})))
      (i32.const 0)))`);
}

/** Adds 1 to `ticks_total` with each tick. */
export const COUNTER = counterPlugin(1);

/** Exports hooks that do nothing. */
export function forwardingPlugin(hooks: readonly string[]): Uint8Array<ArrayBuffer> {
  const functions = hooks.map((name) => `(func (export "${name}") (result i32) (i32.const 0))`);
  return assemble(`(module (memory (export "memory") 1) ${functions.join(" ")})`);
}

/** JSON that {@linkcode SIGNALLER} says with each signal. */
const METADATA = '{"score":0.9,"level":"warn"}';

/**
 * Sends a signal for each query that begins with a comment: with `/*alarm*\/ select 1` it is
 * called `alarm`. It forwards everything.
 */
export const SIGNALLER = assemble(`(module
  (import "sluice" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "sluice" "signal" (func $signal (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "${METADATA.replaceAll('"', "\\22")}")
  (func (export "onQuery") (result i32)
    (local $end i32)
    (drop (call $read (i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 4096)))
    (if (i32.ne (i32.load16_u (i32.const 1024)) (i32.const 0x2a2f))
      (then (return (i32.const 0))))
    (local.set $end (i32.const 1026))
    (loop $next
      (if (i32.ne (i32.load8_u (local.get $end)) (i32.const 0x2a))
        (then
          (local.set $end (i32.add (local.get $end) (i32.const 1)))
          (br $next))))
    (drop (call $signal (i32.const 1026) (i32.sub (local.get $end) (i32.const 1026))
      (i32.const 64) (i32.const ${METADATA.length})))
    (i32.const 0)))`);

/** Writes a text to the log at each of some hooks. Needs the permission `log`. */
export function sayingPlugin(texts: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const functions = Object.entries(texts).map(([hook, text], index) => {
    const at = 64 * (index + 1);
    return `(data (i32.const ${at}) "${text}")
      (func (export "${hook}") (result i32)
        (drop (call $log (i32.const 2) (i32.const ${at}) (i32.const ${text.length})))
        (i32.const 0))`;
  });
  return assemble(`(module
    (import "sluice" "log" (func $log (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    ${functions.join("\n")})`);
}

/** Puts a text in the configuration's place. Needs the permission `replace`. */
export function configuringPlugin(text: string): Uint8Array<ArrayBuffer> {
  return assemble(`(module
    (import "sluice" "write" (func $write (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "${text.replaceAll('"', "\\22")}")
    (func (export "onConfigLoaded") (result i32)
      (drop (call $write (i32.const 64) (i32.const ${text.length})))
      (i32.const 1)))`);
}
