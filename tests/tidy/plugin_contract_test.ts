/**
 * `wit/sluice.wit` says what plugins and the gateway agree on; the program, the page on it and the
 * SDKs must say the same.
 *
 * @module
 */

import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { FIELD, HookEvent, IS, PHASE } from "../../src/hooks/event.ts";
import { CAN, HOOK, HOOKS, MESSAGE_HOOKS } from "../../src/hooks/hooks.ts";
import { VERDICT } from "../../src/hooks/verdict.ts";
import { LOG_LEVELS } from "../../src/observe/log_record.ts";
import { HOST_SIGNATURES } from "../../src/plugin_host/host_signatures.ts";
import { CONTRACT, type Contract, parseContract, WIT } from "../support/plugin_contract.ts";
import { kebab, SDK_READERS, type SdkReader } from "../support/sdk_sources.ts";

const README = await textOf("wit/README.md");

/** Sizes of the event's types, and how the page calls them. */
const SIZES: Readonly<Record<string, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  phase: 1,
  "event-flags": 4,
};

async function textOf(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
}

function importName(name: string): string {
  return name.replaceAll("-", "_");
}

function kebabKeys(numbers: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(numbers).map(([name, one]) => [kebab(name), one]));
}

/** Where each field of the event lies. */
function layoutOf({ event }: Contract): { name: string; offset: number; size: number }[] {
  let offset = 0;
  return event.map(([name, type]) => {
    const size = SIZES[type]!;
    const field = { name, offset, size };
    offset += size;
    return field;
  });
}

/** Rows of the table of wit/README.md that begins with this head, as cells. */
function table(head: string): string[][] {
  const start = README.indexOf(`\n| ${head}`);
  ok(start !== -1, `wit/README.md has no table '${head}'`);
  const rows = README.slice(start + 1).split("\n\n")[0]!.split("\n").slice(2);
  return rows.filter((row) => row.startsWith("|")).map((row) =>
    row.split("|").slice(1, -1).map((cell) => cell.trim())
  );
}

/** What is wrong with what an SDK says. @throws {Error} If it is not what the contract says. */
function checkSdk(read: SdkReader, source: string): void {
  const facts = read(source);
  deepEqual(facts.enums, CONTRACT.enums);
  deepEqual(facts.hooks, kebabKeys(HOOK));
  deepEqual(facts.event, layoutOf(CONTRACT).map(({ name, size }) => [name, size]));
  deepEqual(
    facts.imports,
    Object.fromEntries(
      Object.entries(CONTRACT.host).map(([name, type]) => [importName(name), type]),
    ),
  );
}

Deno.test("The program's hooks are those of sluice.wit, with their verdicts", () => {
  const said = CONTRACT.hooks.map(([name, verdicts]) => [name, [...verdicts].sort()]);
  const known = HOOKS.map(({ name, can }) => [
    kebab(name),
    Object.entries(CAN).filter(([, bit]) => (can & bit) !== 0).map(([verdict]) => verdict).sort(),
  ]);
  deepEqual(known, said);
  deepEqual(HOOKS.map(({ number }) => number), HOOKS.map((_, index) => index + 1));
  for (const name of MESSAGE_HOOKS) ok(kebab(name).startsWith("on-traffic-"), name);
});

Deno.test("The program's numbers are those of sluice.wit", () => {
  const { enums } = CONTRACT;
  deepEqual(kebabKeys(VERDICT), enums["verdict"]);
  deepEqual(kebabKeys(PHASE), enums["phase"]);
  deepEqual(kebabKeys(FIELD), enums["field"]);
  deepEqual(LOG_LEVELS, Object.keys(enums["log-level"]!));
  const can = Object.fromEntries(Object.entries(CAN).map(([name, bit]) => [`can-${name}`, bit]));
  deepEqual({ ...can, ...kebabKeys(IS) }, enums["event-flags"]);
});

Deno.test("The program's event has what sluice.wit says", () => {
  const event = new HookEvent();
  const elsewhere = ["abi", "time-ms", "payload-size", "worker", "reserved", "reserved2"];
  for (const [name] of CONTRACT.event) {
    if (elsewhere.includes(name)) continue;
    const property = name.replaceAll(/-(\w)/g, (_, letter) => letter.toUpperCase());
    ok(property in event, name);
  }
});

Deno.test("The host has every import with its type", () => {
  const known = [...HOST_SIGNATURES].map((
    [name, { parameters, results }],
  ) => [name, `${parameters.join(" ")} -> ${results.join(" ")}`]);
  deepEqual(known, Object.entries(CONTRACT.host).map(([name, type]) => [importName(name), type]));
});

Deno.test("wit/README.md has every import with its type", () => {
  const rows = table("import ").map(([name, type]) => {
    const [, parameters, result] = /^`\((.*)\) -> (\w+)`$/.exec(type!)!;
    const types = parameters!.split(", ").map((one) => one.split(" ").at(-1));
    return [name!.replaceAll("`", ""), `${types.join(" ")} -> ${result}`];
  });
  const said = Object.entries(CONTRACT.host);
  deepEqual(rows, said.map(([name, type]) => [importName(name), type]));
});

Deno.test("wit/README.md has the event's layout", () => {
  const rows = table("offset ").map(([offset, size, what]) => ({
    name: /`([\w-]+)`/.exec(what!)?.[1] ?? "unused",
    offset: Number(offset),
    size: SIZES[size!],
  }));
  const layout = layoutOf(CONTRACT);
  deepEqual(
    rows,
    layout.map((one) => one.name.startsWith("reserved") ? { ...one, name: "unused" } : one),
  );
  const { offset, size } = layout.at(-1)!;
  equal(offset + size, 64);
  for (const field of layout) equal(field.offset % field.size, 0, `${field.name} is aligned`);
});

Deno.test("wit/README.md has every verdict, error and permission", () => {
  const { enums } = CONTRACT;
  const verdicts = [...README.matchAll(/^- \*\*([\w-]+)\*\* \((\d)\)/gm)];
  deepEqual(Object.fromEntries(verdicts.map(([, name, n]) => [name, Number(n)])), enums["verdict"]);
  const errors = table("in `sluice.wit`           |").at(-1)![1]!.matchAll(/(-\d) `([\w-]+)`/g);
  deepEqual(Object.fromEntries([...errors].map(([, n, name]) => [name, Number(n)])), {
    ...enums["host-error"],
  });
  const listed = /The others: `([\w\s]+)`/.exec(README)![1]!.split(/\s+/);
  const needed = [...WIT.matchAll(/Permission: (\w+)/g)].map(([, name]) => name!);
  deepEqual([...new Set(needed)].sort(), listed.sort());
});

/** Changes of an SDK that must not go unnoticed: a name, a number, an order, a size, a type. */
const WRONG: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  "assemblyscript/sluice.ts": [
    ["enum Verdict { forward, replace,", "enum Verdict { replace, forward,"],
    ["tls = 256", "tls = 1024"],
    ["statementName,", "statement,"],
    ["onNewPool,", "onPool,"],
    ["overLimit = -3", "overLimit = -5"],
    ["enum Clock { wall, monotonic }", "enum Clock { wall }"],
    ["  phase: u8;", "  phase: u16;"],
    ["  timeMs: u64;", "  time: u64;"],
    ['@external("sluice", "kv_set")', '@external("sluice", "kv_put")'],
    ["by: i64, ttl: i32): i64", "by: i32, ttl: i32): i64"],
  ],
  "c/sluice.h": [
    ["SLUICE_FORWARD, SLUICE_REPLACE,", "SLUICE_REPLACE, SLUICE_FORWARD,"],
    ["SLUICE_TLS = 256", "SLUICE_TLS = 1024"],
    ["SLUICE_FIELD_STATEMENT_NAME,", "SLUICE_FIELD_STATEMENT,"],
    ["SLUICE_HOOK_onNewPool,", "SLUICE_HOOK_onPool,"],
    ["SLUICE_ERROR_OVER_LIMIT = -3", "SLUICE_ERROR_OVER_LIMIT = -5"],
    ["    uint8_t phase;", "    uint16_t phase;"],
    ["    uint64_t time_ms;", "    uint64_t time;"],
    ['SLUICE_IMPORT("kv_set")', 'SLUICE_IMPORT("kv_put")'],
    ['SLUICE_IMPORT("clock") int64_t', 'SLUICE_IMPORT("clock") int32_t'],
  ],
  "zig/sluice.zig": [
    ["enum(i32) { forward, replace,", "enum(i32) { replace, forward,"],
    ["    tls: bool,\n    pooled: bool,", "    pooled: bool,\n    tls: bool,"],
    ["    statement_name,", "    statement,"],
    ["    onNewPool,", "    onPool,"],
    ["over_limit = -3", "over_limit = -5"],
    ["    reserved: u8,", "    reserved: u16,"],
    ["    time_ms: u64,", "    time: u64,"],
    ['extern "sluice" fn kv_set(', 'extern "sluice" fn kv_put('],
    ["fn clock(which: i32) i64", "fn clock(which: i32) i32"],
  ],
};

for (const [file, read] of Object.entries(SDK_READERS)) {
  Deno.test(`plugins/sdk/${file} has the contract's names, numbers, layout and types`, async () => {
    checkSdk(read, await textOf(`plugins/sdk/${file}`));
  });

  Deno.test(`What is wrong with plugins/sdk/${file} is noticed`, async () => {
    const source = await textOf(`plugins/sdk/${file}`);
    for (const [from, to] of WRONG[file]!) {
      equal(source.split(from).length, 2, `'${from}' is there once`);
      throws(() => checkSdk(read, source.replace(from, to)), `${from} -> ${to}`);
    }
  });
}

Deno.test("parseContract notices what it does not know", () => {
  const replaced: readonly (readonly [string, string])[] = [
    ["by: s64", "by: s16"],
    ["interface hooks {", "interface other {"],
    ["record event {", "record another {"],
  ];
  for (const [from, to] of replaced) {
    ok(WIT.includes(from));
    throws(() => parseContract(WIT.replace(from, to)), from);
  }
  equal(CONTRACT.package, "sluice:plugin@0.1.0");
  equal(Object.keys(CONTRACT.host).length, WIT.match(/^ {4}[\w-]+: func/gm)!.length - HOOKS.length);
});
