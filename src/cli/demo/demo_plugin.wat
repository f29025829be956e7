;; The plugin of `sluice demo`: answers "select plugin()" itself, and counts how often it did.
;; What the numbers mean is in wit/README.md. A test keeps the bytes in demo_plugin.ts equal to it.
(module
  (import "sluice" "read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "sluice" "result_column" (func $column (param i32 i32 i32) (result i32)))
  (import "sluice" "result_value" (func $value (param i32 i32) (result i32)))
  (import "sluice" "metric" (func $metric (param i32 i32 i32) (result i32)))
  (import "sluice" "metric_record" (func $record (param i32 f64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "select plugin()")
  (data (i32.const 96) "plugin")
  (data (i32.const 128) "Hello from a WebAssembly plugin")
  (data (i32.const 192) "answers_total")
  (global $answers (mut i32) (i32.const 0))

  ;; Where the host writes the event of a call.
  (func (export "sluice_event") (result i32) (i32.const 1024))

  (func (export "sluice_init") (result i32)
    (global.set $answers (call $metric (i32.const 0) (i32.const 192) (i32.const 13)))
    (i32.const 0))

  (func (export "onQuery") (result i32)
    ;; The flag can-respond.
    (if (i32.eqz (i32.and (i32.load (i32.const 1028)) (i32.const 2)))
      (then (return (i32.const 0))))
    (if (i32.eqz (call $is_asked
        (call $read (i32.const 1) (i32.const 0) (i32.const 2048) (i32.const 16))))
      (then (return (i32.const 0))))
    (drop (call $record (global.get $answers) (f64.const 1)))
    (drop (call $column (i32.const 96) (i32.const 6) (i32.const 25)))
    (drop (call $value (i32.const 128) (i32.const 31)))
    (i32.const 2))

  ;; Whether the query's text is the one, with or without a semicolon behind it.
  (func $is_asked (param $size i32) (result i32)
    (if (i32.ne (local.get $size) (i32.const 15))
      (then
        (if (i32.or
            (i32.ne (local.get $size) (i32.const 16))
            (i32.ne (i32.load8_u (i32.const 2063)) (i32.const 59)))
          (then (return (i32.const 0))))))
    ;; Fifteen bytes, as two times eight that overlap.
    (i32.and
      (i64.eq (i64.load (i32.const 2048)) (i64.load (i32.const 64)))
      (i64.eq (i64.load (i32.const 2055)) (i64.load (i32.const 71))))))
