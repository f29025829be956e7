/**
 * Plugins that mean harm. Each waits for a query that begins with {@linkcode ATTACK}, so that a
 * test says when, and who else is there; what other queries ask for is forwarded.
 *
 * @module
 */

import { HOST_SIGNATURES } from "../../src/plugin_host/host_signatures.ts";
import { IMPORTS, TEXT_AT } from "./plugins.ts";
import { assemble } from "./wasm.ts";

/** What a query begins with that a plugin is to go wild at. */
export const ATTACK = "select 'attack'";

/** The query that stands for ordinary traffic. */
export const ORDINARY = "select 1";

/** A plugin, and what is to come of it. */
export interface HostileModule {
  /** Of the plugin. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What the configuration says of it beside its permissions. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Reasons that its failures may have; none: its attacks fail, but no call does. */
  readonly reasons: readonly string[];
  /** What attackers see: their query's result, an error with this SQLSTATE, or either. */
  readonly attackers: "served" | "refused" | "either";
}

const T = `(i32.const ${TEXT_AT})`;

/** Where the letter is copied that tells an attack from other queries. */
const LETTER_AT = 512;

/** A place for what is tried. */
const SCRATCH_AT = 600;

const PAGE_SIZE = 65_536;

/** What the modules' texts at {@linkcode TEXT_AT} begin with: a name, with digits to change. */
const NAME = "name_00000000";

interface Parts {
  /** Fields of the module behind its imports. */
  readonly more?: string;
  /** Pages of memory, first and at most. */
  readonly memory?: string;
  /** Body of sluice_init. */
  readonly init?: string;
  /** Imports beside those of module "sluice". */
  readonly imports?: string;
}

/** A module whose `$attack` runs for attacks. @param attack Locals and instructions. */
function moduleText(attack: string, parts: Parts = {}): string {
  const { more = "", memory = "1 256", init = "(i32.const 0)", imports = "" } = parts;
  return `(module ${IMPORTS} ${imports}
    (memory (export "memory") ${memory})
    (data (i32.const ${TEXT_AT}) "${NAME}")
    ;; Another name each time.
    (global $turn (mut i32) (i32.const 0))
    (func $rename
      (global.set $turn (i32.add (global.get $turn) (i32.const 1)))
      (i64.store ${`(i32.const ${TEXT_AT + 5})`} (i64.or (i64.const 0x3030303030303030)
        (i64.and (i64.const 0x0707070707070707) (i64.mul (i64.const 0x0002004010080201)
          (i64.extend_i32_u (global.get $turn)))))))
    (func (export "sluice_init") (result i32) ${init})
    (func $attack (result i32) ${attack})
    ${more}
    (func (export "onQuery") (result i32)
      (i32.store8 (i32.const ${LETTER_AT}) (i32.const 0))
      (drop (call $read (i32.const 1) (i32.const 8) (i32.const ${LETTER_AT}) (i32.const 1)))
      (if (result i32) (i32.eq (i32.load8_u (i32.const ${LETTER_AT})) (i32.const 0x61))
        (then (call $attack)) (else (i32.const 0)))))`;
}

type Expected = Partial<Pick<HostileModule, "settings" | "reasons" | "attackers">>;

function hostile(name: string, attack: string, parts: Parts, expected: Expected): HostileModule {
  return {
    name,
    bytes: assemble(moduleText(attack, parts)),
    settings: {},
    reasons: ["fuel"],
    attackers: "served",
    ...expected,
  };
}

/** Calls something for ever. */
function storm(name: string, call: string, expected: Expected = {}): HostileModule {
  return hostile(name, `(loop $storm (drop ${call}) (br $storm)) (i32.const 0)`, {}, expected);
}

/** Returns a verdict, with something written. */
function verdict(name: string, number: number, expected: Expected, write = ""): HostileModule {
  return hostile(name, `${write} (i32.const ${number})`, {}, expected);
}

const write = (pointer: number, size: number) =>
  `(drop (call $write (i32.const ${pointer}) (i32.const ${size})))`;

const column = `(drop (call $result_column ${T} (i32.const 8) (i32.const 25)))`;

/** 600 KiB of code in a function that is called once: it has to be compiled then. */
function longCode(): string {
  const line = "(local.set $a (i32.add (i32.mul (local.get $a) (i32.const 3)) (i32.const 5)))";
  return `(local $a i32) ${line.repeat(60_000)} (local.get $a)`;
}

/** Numbers that are no size, no pointer, or one at the end of memory. */
const CORNERS = [
  ...[0, 1, -1, 0x7fffffff, 0x80000000, 0xffffffff | 0, PAGE_SIZE, PAGE_SIZE - 1],
  ...[PAGE_SIZE + 1, TEXT_AT, 8, 5, 24, 4096, 2, 0xfffffff8 | 0],
];

/** Calls one of all host functions with parameters from {@linkcode CORNERS}, both by chance. */
function wrongPointers(): HostileModule {
  const functions = [...HOST_SIGNATURES];
  const corner = (i: number) =>
    `(i32.load (i32.add (i32.const 800) (i32.shl (i32.and (i32.const 15)
      (i32.load8_u (i32.const ${SCRATCH_AT + 1 + i}))) (i32.const 2))))`;
  const calls = functions.map(([name, { parameters }]) =>
    `(drop (call $${name} ${
      parameters.map((type, i) =>
        type === "i32" ? corner(i) : type === "i64" ? "(i64.const -1)" : "(f64.const nan)"
      ).join(" ")
    }))`
  );
  const blocks = functions.map((_, i) => `$b${i}`);
  const table = `(br_table ${blocks.join(" ")} $b0 (i32.rem_u
    (i32.load8_u (i32.const ${SCRATCH_AT})) (i32.const ${functions.length})))`;
  const body = calls.reduce(
    (inner, call, i) => `(block $b${i} ${inner}) ${call} (br $next)`,
    table,
  );
  const corners = CORNERS.map((value) =>
    [0, 8, 16, 24].map((shift) => `\\${(value >>> shift & 255).toString(16).padStart(2, "0")}`)
      .join("")
  ).join("");
  const attack = `(loop $next (drop (call $random (i32.const ${SCRATCH_AT}) (i32.const 16)))
    ${body}) (i32.const 0)`;
  return hostile("wrong-pointers", attack, {
    memory: "1 1",
    more: `(data (i32.const 800) "${corners}")`,
  }, {
    reasons: ["pointer", "fuel", "trap"],
    settings: { maxFailures: 0, hosts: [] },
  });
}

/** What each call may use up: time. */
const LOOPS: readonly HostileModule[] = [
  hostile("endless-loop", "(loop $l (br $l)) (i32.const 0)", {}, {}),
  storm("endless-calls", "(call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"),
  hostile(
    "endless-fill",
    `(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536))
    (br $l)) (i32.const 0)`,
    {},
    {},
  ),
  hostile("recursion", "(call $deep (i32.const 0))", {
    more: `(func $deep (param i32) (result i32)
      (i32.add (call $deep (local.get 0)) (i32.const 1)))`,
  }, { reasons: ["stack", "fuel"] }),
  hostile("mutual-recursion", "(call $a (i64.const 0))", {
    more: `(func $a (param i64) (result i32) (i32.add (i32.const 1)
        (call_indirect $table (type $t) (local.get 0) (i32.const 1))))
      (func $b (param i64) (result i32) (i32.add (i32.const 1)
        (call_indirect $table (type $t) (local.get 0) (i32.const 0))))
      (type $t (func (param i64) (result i32)))
      (table $table 2 funcref) (elem (i32.const 0) $a $b)`,
  }, { reasons: ["stack", "fuel"] }),
  hostile("deep-store", "(call $deep (i32.const 0))", {
    more: `(func $deep (param i32) (result i32)
      (drop (call $kv_set ${T} (i32.const 8) ${T} (i32.const 100) (i32.const 0)))
      (i32.add (call $deep (local.get 0)) (i32.const 1)))`,
  }, { reasons: ["stack", "fuel"] }),
  hostile("long-code", longCode(), {}, { reasons: ["verdict"] }),
];

/** What each call may use up: memory. */
const MEMORY: readonly HostileModule[] = [
  hostile(
    "memory-growth",
    `(loop $l (drop (memory.grow (i32.const 1)))
    (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)) (i32.const 1))
    (br $l)) (i32.const 0)`,
    {},
    {},
  ),
  hostile(
    "growth-in-each-call",
    `(drop (memory.grow (i32.const 1))) ${write(TEXT_AT, 8)}
    (drop (call $read (i32.const 0) (i32.const 0)
      (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 16)) (i32.const 16)))
    (i32.const 0)`,
    {},
    { reasons: [] },
  ),
  hostile("large-table", "(unreachable)", {
    more: "(table $t 100000 funcref) (elem (i32.const 0) $attack)",
  }, { reasons: ["trap"] }),
  hostile("large-memory", "(unreachable)", { memory: "256 256" }, { reasons: ["trap"] }),
];

const OUTPUT: readonly HostileModule[] = [
  hostile(
    "large-output",
    `(local $i i32) (loop $l ${write(0, PAGE_SIZE)}
    (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8192))))
    (i32.const 1)`,
    {},
    { reasons: ["output", "fuel"] },
  ),
  hostile("column-storm", `(loop $l ${column} (br $l)) (i32.const 2)`, {}, {}),
  hostile(
    "value-storm",
    `${column} (loop $l (drop (call $result_value ${T} (i32.const 8)))
    (br $l)) (i32.const 2)`,
    {},
    {},
  ),
  hostile(
    "null-storm",
    `${column} (loop $l (drop (call $result_value ${T} (i32.const -1)))
    (br $l)) (i32.const 2)`,
    {},
    {},
  ),
  storm(
    "error-storm",
    `(call $error ${T} (i32.const 5) ${T} (i32.const 9000) ${T} (i32.const 9000))`,
  ),
];

const SERVICES: readonly HostileModule[] = [
  storm("log-storm", `(call $log (i32.const 4) ${T} (i32.const 60000))`),
  storm(
    "metric-storm",
    `(block (result i32) (call $rename) (call $metric (i32.const 2) ${T} (i32.const 13)))`,
  ),
  storm(
    "signal-storm",
    `(call $signal ${T} (i32.const 4) (i32.const ${SCRATCH_AT}) (i32.const 0))`,
  ),
  storm(
    "kv-storm",
    `(block (result i32) (call $rename)
      (drop (call $kv_increment ${T} (i32.const 12) (i64.const 1) (i32.const 0)))
      (call $kv_set ${T} (i32.const 1024) (i32.const 0) (i32.const 60000) (i32.const 0)))`,
  ),
  storm("kv-reading", `(call $kv_write ${T} (i32.const 13))`),
  storm("session-storm", `(call $session_set ${T} (i32.const 4096))`),
  storm("random-storm", `(call $random (i32.const 4096) (i32.const 60))`),
  storm(
    "http-storm",
    `(block (result i32) (i64.store (i32.const ${SCRATCH_AT}) (i64.const 0x544547)) ;; GET
      (i64.store (i32.const ${SCRATCH_AT + 8}) (i64.const 0x312f2f3a70747468)) ;; http://1
      (i64.store (i32.const ${SCRATCH_AT + 16}) (i64.const 0x312e302e302e3732)) ;; 27.0.0.1
      (call $http_send (i32.const ${SCRATCH_AT}) (i32.const 3) (i32.const ${SCRATCH_AT + 8})
        (i32.const 16) ${T} (i32.const 0) (i32.const 0) (i32.const 60000)))`,
  ),
  hostile(
    "parser-storm",
    `(loop $l
    (drop (call $read (i32.const 21) (i32.const 0) (i32.const 4096) (i32.const 60000)))
    (drop (call $read (i32.const 23) (i32.const 0) (i32.const 4096) (i32.const 60000)))
    (drop (call $read (i32.const 25) (i32.const 0) (i32.const 4096) (i32.const 60000)))
    (br $l)) (i32.const 0)`,
    {},
    {},
  ),
];

const VERDICTS: readonly HostileModule[] = [
  verdict("verdict-6", 6, { reasons: ["verdict"] }),
  verdict("verdict-minus", -1, { reasons: ["verdict"] }),
  verdict("verdict-huge", 0x7fffffff, { reasons: ["verdict"] }),
  verdict("route-nowhere", 5, { reasons: ["output", "verdict"], attackers: "either" }),
  verdict("zeros", 1, { reasons: ["output"] }, write(4096, 100)),
  verdict("no-query", 1, { reasons: [], attackers: "refused" }, write(TEXT_AT, 13)),
  verdict("garbage-reply", 2, { reasons: ["output"] }, write(TEXT_AT, 13)),
  verdict("no-reply", 2, { reasons: ["output"] }),
  verdict(
    "half-reply",
    2,
    { reasons: ["output"] },
    `${column} ${column}
    (drop (call $result_value ${T} (i32.const 3)))`,
  ),
];

const FAILING: readonly HostileModule[] = [
  hostile("trap-open", "(unreachable)", {}, { reasons: ["trap"] }),
  hostile("trap-closed", "(unreachable)", {}, {
    reasons: ["trap"],
    settings: { onFailure: "closed", maxFailures: 0 },
    attackers: "refused",
  }),
  hostile("no-second-start", "(unreachable)", { init: startsOnly(1) }, {
    reasons: ["trap", "init"],
  }),
  hostile("endless-second-start", "(unreachable)", {
    init: startsOnly(1).replace("(i32.const 1)", "(loop $l (result i32) (br $l))"),
  }, { reasons: ["trap", "init"] }),
  wrongPointers(),
];

/** Starts well in the control plane and so many workers, and never again. */
function startsOnly(workers: number): string {
  return `(if (result i32) (i64.gt_s (call $kv_increment ${T} (i32.const 5) (i64.const 1)
    (i32.const 0)) (i64.const ${workers + 1})) (then (i32.const 1)) (else (i32.const 0)))`;
}

/** A module of Extism's kind that allocates in the host for ever. */
function allocations(): HostileModule {
  const text = `(module
    (import "sluice" "read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
    (memory (export "memory") 1)
    (func (export "onQuery") (result i32)
      (drop (call $read (i32.const 1) (i32.const 8) (i32.const 0) (i32.const 1)))
      (if (i32.ne (i32.load8_u (i32.const 0)) (i32.const 0x61)) (then (return (i32.const 0))))
      (loop $l (drop (call $alloc (i64.const 1))) (br $l)) (i32.const 0)))`;
  return {
    name: "extism-allocations",
    bytes: assemble(text),
    settings: {},
    reasons: ["fuel", "output", "trap"],
    attackers: "served",
  };
}

/** Every plugin that can be loaded, for gateways of one worker. */
export const HOSTILE_MODULES: readonly HostileModule[] = [
  ...LOOPS,
  ...MEMORY,
  ...OUTPUT,
  ...SERVICES,
  ...VERDICTS,
  ...FAILING,
  allocations(),
];
