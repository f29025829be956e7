/**
 * What modules of other languages' toolchains find of WASI.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, equal, match, rejects } from "node:assert/strict";
import { type PluginOptions, startPlugin } from "../support/plugins.ts";

const WASI = "wasi_snapshot_preview1";

/** A module whose hook traps unless `condition` is true. */
function wasiModule(condition: string, data = ""): string {
  const imports = Object.entries({
    "fd_write": "i32 i32 i32 i32",
    "fd_read": "i32 i32 i32 i32",
    "fd_fdstat_get": "i32 i32",
    "fd_close": "i32",
    "args_sizes_get": "i32 i32",
    "environ_get": "i32 i32",
    "clock_time_get": "i32 i64 i32",
    "random_get": "i32 i32",
    "poll_oneoff": "i32 i32 i32 i32",
    "fd_prestat_get": "i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
  }).map(([name, parameters]) =>
    `(import "${WASI}" "${name}" (func $${name} (param ${parameters}) (result i32)))`
  );
  return `(module ${imports.join("\n")}
    (import "${WASI}" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 1024) "${data}")
    (func (export "_initialize") (i32.store8 (i32.const 900) (i32.const 1)))
    (func (export "onQuery") (result i32)
      (if (i32.eqz ${condition}) (then (unreachable))) (i32.const 0)))`;
}

async function reason(condition: string, data = ""): Promise<string | undefined> {
  const { query, failures } = await startPlugin(wasiModule(condition, data));
  query("a");
  return failures[0]?.reason;
}

/** Calls fd_write for texts in memory, each with its size, and says what reached the log. */
async function written(fd: number, texts: readonly string[], options: PluginOptions = {}) {
  const all = texts.join("");
  let at = 1024;
  const vectors = texts.map((text, i) => {
    const put = `(i32.store (i32.const ${64 + i * 8}) (i32.const ${at}))
      (i32.store (i32.const ${68 + i * 8}) (i32.const ${text.length}))`;
    at += text.length;
    return put;
  });
  const call = `(call $fd_write (i32.const ${fd}) (i32.const 64) (i32.const ${texts.length})
    (i32.const 32))`;
  const condition = `(block (result i32) ${vectors.join(" ")}
    (i32.and (i32.eqz ${call}) (i32.eq (i32.load (i32.const 32)) (i32.const ${all.length}))))`;
  const data = all.replaceAll("\n", "\\n");
  const { query, logs, failures } = await startPlugin(wasiModule(condition, data), options);
  query("a");
  query("b");
  return { logs, reason: failures[0]?.reason };
}

Deno.test("Lines on standard output and error are records of the log", async () => {
  const out = await written(1, ["hel", "lo\nwor", "ld\n\nrest"]);
  assertEquals(out, {
    logs: ["hello", "world", "resthello", "world"].map((line) => `tested info ${line}`),
    reason: undefined,
  });
  const error = await written(2, ["a\n"]);
  assertEquals(error.logs, ["tested warn a", "tested warn a"]);
  const silent = await written(1, ["a\n"], { spec: { permissions: [] } });
  assertEquals(silent, { logs: [], reason: undefined });
  equal((await written(3, ["a"])).reason, "trap", "EBADF");
  const long = await written(1, ["x".repeat(9000), "\n"]);
  equal(long.logs[0]?.length, "tested info ".length + 4096);
});

Deno.test("There are no arguments, environment or files, and _initialize is called", async () => {
  const isZero = (call: string) => `(i32.eqz ${call})`;
  const at = "(i32.const 8)";
  equal(await reason("(i32.load8_u (i32.const 900))"), undefined);
  equal(await reason(isZero(`(call $args_sizes_get ${at} (i32.const 16))`)), undefined);
  equal(await reason(isZero(`(call $environ_get ${at} ${at})`)), undefined);
  equal(await reason(isZero(`(call $fd_fdstat_get (i32.const 1) ${at})`)), undefined);
  const is = (call: string, value: number) => `(i32.eq ${call} (i32.const ${value}))`;
  equal(await reason(is(`(call $fd_fdstat_get (i32.const 3) ${at})`, 8)), undefined);
  equal(await reason(is(`(call $fd_prestat_get (i32.const 3) ${at})`, 8)), undefined);
  equal(await reason(is("(call $fd_close (i32.const 3))", 8)), undefined);
  const open = `(call $path_open ${"(i32.const 0)".repeat(5)} (i64.const 0) (i64.const 0)
    (i32.const 0) (i32.const 0))`;
  equal(await reason(is(open, 52)), undefined, "ENOSYS");
});

Deno.test("Clocks and random bytes work, and nothing waits", async () => {
  const time = (clock: number) =>
    `(call $clock_time_get (i32.const ${clock}) (i64.const 0) (i32.const 8))`;
  const isTime = `(block (result i32) (drop ${time(0)})
    (i64.eq (i64.load (i32.const 8)) (i64.const 1750000000123000000)))`;
  equal(await reason(isTime), undefined);
  equal(await reason(`(i32.eq ${time(9)} (i32.const 28))`), undefined);
  const isNotZero = `(block (result i32) (drop ${time(1)})
    (i64.ne (i64.load (i32.const 8)) (i64.const 0)))`;
  equal(await reason(isNotZero), undefined, "Go ends itself if the monotonic clock is 0");
  const random = `(block (result i32) (drop (call $random_get (i32.const 8) (i32.const 16)))
    (i64.ne (i64.load (i32.const 8)) (i64.const 0)))`;
  equal(await reason(random), undefined);
  // Two subscriptions: 8 bytes for whom, and then a byte: 0 is of a clock, 1 of a file.
  const poll = `(block (result i32)
    (i64.store (i32.const 64) (i64.const 5)) (i64.store (i32.const 112) (i64.const 6))
    (i32.store8 (i32.const 120) (i32.const 1))
    (drop (call $poll_oneoff (i32.const 64) (i32.const 256) (i32.const 2) (i32.const 512)))
    (i32.and
      (i32.and (i32.eq (i32.load (i32.const 512)) (i32.const 2))
        (i64.eq (i64.load (i32.const 256)) (i64.const 5)))
      (i32.and (i32.eqz (i32.load16_u (i32.const 264)))
        (i32.eq (i32.load16_u (i32.const 296)) (i32.const 8)))))`;
  equal(await reason(poll), undefined);
});

Deno.test("Pointers are checked, and an exit ends the call", async () => {
  const end = "(i32.const 65533)";
  for (
    const call of [
      `(call $args_sizes_get (i32.const 0) ${end})`,
      `(call $clock_time_get (i32.const 0) (i64.const 0) ${end})`,
      `(call $random_get ${end} (i32.const 4))`,
      `(call $fd_write (i32.const 1) ${end} (i32.const 1) (i32.const 0))`,
      `(call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) ${end})`,
      `(call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 0))`,
      `(call $fd_fdstat_get (i32.const 1) (i32.const -8))`,
      `(call $poll_oneoff (i32.const 0) ${end} (i32.const 1) (i32.const 0))`,
    ]
  ) equal(await reason(call, "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff"), "pointer", call);
  const exit = "(block (result i32) (call $proc_exit (i32.const 3)) (i32.const 1))";
  const { query, failures } = await startPlugin(wasiModule(exit));
  query("a");
  assertEquals([failures[0]?.reason, failures[0]?.message], [
    "trap",
    "it ended itself with exit code 3",
  ]);
});

Deno.test("abort of AssemblyScript ends the call with its words, and no other import of env is there", async () => {
  const text = (words: string) =>
    `\\${(words.length * 2).toString(16).padStart(2, "0")}\\00\\00\\00` +
    Array.from(words, (one) => `${one}\\00`).join("");
  const source = (name: string) =>
    `(module (import "env" "${name}" (func $abort (param i32 i32 i32 i32)))
    (memory (export "memory") 1) (data (i32.const 8) "${text("bad")}")
    (data (i32.const 108) "${text("a.ts")}")
    (func (export "onQuery") (result i32)
      (call $abort (i32.const 12) (i32.const 112) (i32.const 3) (i32.const 4)) (i32.const 0)))`;
  const { query, failures } = await startPlugin(source("abort"));
  query("a");
  equal(failures[0]?.message, "it ended itself at a.ts:3:4: bad");
  equal(failures[0]?.reason, "trap");
  await rejects(startPlugin(source("console.log")), (error: Error) => {
    match(error.message, /"console.log" of "env", which there is not/);
    return true;
  });
});
