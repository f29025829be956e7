/**
 * A plugin in many versions: each says which one it is, in answers and in what it counts.
 *
 * @module
 */

import { TEXT_AT } from "./plugins.ts";
import { assemble } from "./wasm.ts";

/** What is asked to hear a version; also of a statement that is prepared. */
export const WHICH = "select 'v000'";

/**
 * Counts each query that runs (not one that is only prepared) in `seen_total{version="v007"}`, and
 * puts its version in the place of the one in {@linkcode WHICH}.
 *
 * @param version From 0 to 999.
 */
export function versionPlugin(version: number): Uint8Array<ArrayBuffer> {
  const name = `v${String(version).padStart(3, "0")}`;
  const series = `seen_total{version=\\22${name}\\22}`;
  const text = WHICH.replace("v000", name);
  return assemble(`(module
    (import "sluice" "metric" (func $metric (param i32 i32 i32) (result i32)))
    (import "sluice" "metric_record" (func $record (param i32 f64) (result i32)))
    (import "sluice" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "sluice" "write" (func $write (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const ${TEXT_AT}) "${series}")
    (data (i32.const ${TEXT_AT + 64}) "${text}")
    (global $seen (mut i32) (i32.const 0))
    (func (export "sluice_event") (result i32) (i32.const 1024))
    (func (export "sluice_init") (result i32)
      (global.set $seen (call $metric (i32.const 0) (i32.const ${TEXT_AT})
        (i32.const ${series.replaceAll("\\22", '"').length})))
      (i32.const 0))
    (func (export "onQuery") (result i32)
      ;; The phase: 2 is Parse, 3 is Execute, where nothing can be replaced.
      (if (i32.ne (i32.load8_u (i32.const 1054)) (i32.const 2))
        (then (drop (call $record (global.get $seen) (f64.const 1)))))
      (if (i32.eq (i32.load8_u (i32.const 1054)) (i32.const 3)) (then (return (i32.const 0))))
      (i32.store (i32.const 0) (i32.const 0))
      (drop (call $read (i32.const 1) (i32.const 8) (i32.const 0) (i32.const 4)))
      (if (i32.ne (i32.load (i32.const 0)) (i32.const 0x30303076)) ;; v000
        (then (return (i32.const 0))))
      (drop (call $write (i32.const ${TEXT_AT + 64}) (i32.const ${text.length})))
      (i32.const 1)))`);
}
