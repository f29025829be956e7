/**
 * Imports point one way: a room may import its own files and rooms on lower levels, and of those
 * that say so only who is named. Adding a room means adding it here.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { type Source, sources } from "../support/sources.ts";

/** Rooms by level, low to high; rooms on one level do not know each other. "" is src itself. */
const LEVELS: readonly (readonly string[])[] = [
  ["base"],
  ["postgres/secrets", "plugin_host/metering", "expressions"],
  ["config", "observe", "postgres/wire", "postgres/sql", "postgres/parser"],
  ["net", "hooks", "postgres/auth"],
  ["upstream"],
  ["pool", "plugin_host", "cluster", "act"],
  ["postgres", "trino", "raw"],
  ["admin"],
  [""],
  ["cli"],
];

/** Rooms that only those named may import, whatever their level. */
const ONLY_FROM: Readonly<Record<string, readonly string[]>> = {
  "config": ["", "cli"],
  "postgres/wire": ["postgres/auth", "postgres", "cli"],
  "postgres/sql": ["postgres", ""],
  "postgres/parser": ["postgres", "", "cli"],
  "postgres/secrets": ["config", "postgres/auth", "postgres", ""],
  "postgres/auth": ["postgres", ""],
  "postgres": [""],
  "trino": [""],
  "raw": [""],
  "plugin_host": ["admin", "", "cli"],
  "plugin_host/metering": ["plugin_host"],
  "cluster": ["admin", ""],
  "act": ["", "cli"],
  "hooks": ["plugin_host", "act", "postgres", "trino", "raw", "", "cli"],
};

/** Packages from npm, and the only rooms that may know them. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "@extism/extism": ["plugin_host"],
  "@marcbachmann/cel-js": ["expressions"],
  "ajv": ["config"],
  "commander": ["cli"],
  "libpg-query": ["postgres/parser"],
  "pino": ["observe"],
  "pino-pretty": ["observe"],
  "postgres": ["cli"],
  "pg": ["cli"],
  "prom-client": ["observe"],
  "yaml": ["config"],
};

/** Rooms that are pure: they import nothing but what is below them, not even from Node. */
const PURE: ReadonlySet<string> = new Set([
  "postgres/secrets",
  "postgres/wire",
  "postgres/sql",
  "postgres/parser",
  "plugin_host/metering",
  "pool",
  "upstream",
  "postgres",
]);

/** What is imported that is no code, by the only file that may. */
const DATA: Readonly<Record<string, string>> = { "src/version.ts": "deno.json" };

/** "src/postgres/wire/framer.ts" is in "postgres/wire": the longest room that holds it. */
function roomOf(path: string): string | undefined {
  const inside = path.replace(/^src\//, "");
  // Folders of src itself, not rooms of their own.
  if (!inside.includes("/") || /^(?:plugins|health|operator)\//.test(inside)) return "";
  const rooms = LEVELS.flat().filter((room) => room !== "" && inside.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0];
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  const level = (room: string) => LEVELS.findIndex((rooms) => rooms.includes(room));
  return level(to) < level(from) && (ONLY_FROM[to]?.includes(from) ?? true);
}

/** What a file imports, by any of the ways there are. */
function importsOf(text: string): string[] {
  const forms = [
    /^(?:import|export)\b[^;"]*?\bfrom\s*"([^"]+)"/gm,
    /^import\s+"([^"]+)"/gm,
    /\bimport\(\s*"([^"]+)"/g,
    /new URL\("(\.[^"]+\.ts)"/g,
  ];
  return forms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1]!));
}

/** Why each wrong import of `source` is wrong. */
function wrongImports({ path, text }: Source): string[] {
  const from = roomOf(path);
  if (from === undefined) return [`${path}: its folder is in no level`];
  const wrong: string[] = [];
  for (const target of importsOf(text)) {
    if (!target.startsWith(".")) {
      const name = target.replace(/^(node:)?/, "$1");
      const isNode = name.startsWith("node:");
      const isAllowed = isNode ? !PURE.has(from) : PACKAGES[name]?.includes(from) ?? false;
      if (!isAllowed) wrong.push(`${path} -> ${target}`);
      continue;
    }
    const to = join(dirname(path), target);
    if (DATA[path] === to) continue;
    const room = roomOf(to);
    const isInside = to.startsWith("src/") && room !== undefined;
    if (!isInside || !mayImport(from, room)) wrong.push(`${path} -> ${to}`);
  }
  return wrong;
}

Deno.test("Imports point one way", async () => {
  const all = await sources("src");
  ok(all.length > 50, "the files are found");
  deepEqual(all.flatMap(wrongImports), []);
});

Deno.test("Imports of main.ts are of the command line only", async () => {
  const [main] = await sources("main.ts");
  for (const target of importsOf(main!.text)) ok(target.startsWith("./src/cli/"), target);
});

Deno.test("Imports of tests are nobody's but theirs", async () => {
  for (const { path, text } of await sources("src", "main.ts", "bench")) {
    const own = path.startsWith("bench/") ? [] : importsOf(text);
    const wrong = own.filter((target) => /(^|\/)(tests|bench)\//.test(target));
    deepEqual(wrong, [], path);
  }
});

Deno.test("wrongImports notices what is wrong, and nothing else", () => {
  const notices = (path: string, text: string) => wrongImports({ path, text }).length > 0;
  const wrong: readonly (readonly [string, string])[] = [
    ["src/base/a.ts", 'import { x } from "../net/socket.ts";'],
    ["src/observe/a.ts", 'import { x } from "../net/socket.ts";'],
    ["src/observe/a.ts", 'import { x } from "../config/config.ts";'],
    ["src/admin/a.ts", 'import type { x } from "../config/config.ts";'],
    ["src/pool/a.ts", 'export { x } from "../postgres/session.ts";'],
    ["src/pool/a.ts", 'import "../app.ts";'],
    ["src/upstream/a.ts", 'import { x } from "../postgres/wire/framer.ts";'],
    ["src/app.ts", 'import { x } from "./postgres/wire/framer.ts";'],
    ["src/app.ts", 'import { x } from "./cli/run.ts";'],
    ["src/app.ts", 'await import("./cli/run.ts");'],
    ["src/postgres/wire/a.ts", 'import { x } from "../session.ts";'],
    ["src/postgres/a.ts", 'import { x } from "node:buffer";'],
    ["src/postgres/a.ts", 'import pg from "pg";'],
    ["src/plugins/a.ts", 'import { x } from "../cli/run.ts";'],
    ["src/postgres/a.ts", 'import { x } from "../plugins/a.ts";'],
    ["src/nowhere/a.ts", ""],
    ["src/base/a.ts", 'import { x } from "../../tests/support/random.ts";'],
    ["src/base/a.ts", 'import { x } from "npm:left-pad";'],
    ["src/base/a.ts", 'import { x } from "https://example.com/x.ts";'],
    ["src/pool/a.ts", 'new Worker(new URL("../app.ts", import.meta.url))'],
  ];
  for (const [path, text] of wrong) equal(notices(path, text), true, `${path}: ${text}`);
  const right: readonly (readonly [string, string])[] = [
    ["src/postgres/a.ts", 'import { x } from "./wire/framer.ts";'],
    ["src/postgres/wire/a.ts", 'import { x } from "../../base/bytes.ts";'],
    ["src/app.ts", 'import { x } from "./config/config.ts";'],
    ["src/plugins/a.ts", 'import { x } from "../data_plane_messages.ts";'],
    ["src/cli/demo/a.ts", 'import { x } from "../../app.ts";\nimport pg from "pg";'],
    ["src/cli/a.ts", 'import { x } from "../version.ts";'],
    ["src/observe/a.ts", 'import { x } from "node:process";'],
  ];
  for (const [path, text] of right) equal(notices(path, text), false, `${path}: ${text}`);
});
