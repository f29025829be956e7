/**
 * Throws texts at the query scanner: pieces of SQL in any order, texts made to be slow, and texts
 * that it knows with others around them. Statements are counted a second time by slow regular
 * expressions, which share nothing with the scanner.
 *
 * @module
 */

import { deepEqual, equal, ok } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { QueryScanner } from "../../src/postgres/sql/query_scanner.ts";
import type { Traits } from "../../src/postgres/sql/traits.ts";
import { COMMAND_EXAMPLES } from "../postgres/sql/command_examples.ts";
import { traitsOf } from "../postgres/sql/examples.ts";
import { LEXICAL_EXAMPLES } from "../postgres/sql/lexical_examples.ts";
import { PARAMETER_EXAMPLES } from "../postgres/sql/parameter_examples.ts";
import { fuzz, type Random } from "../support/random.ts";

const EXAMPLES = [...LEXICAL_EXAMPLES, ...PARAMETER_EXAMPLES, ...COMMAND_EXAMPLES]
  .map(([text]) => text);

/** Pieces that are hard to tell apart when they meet. */
const PIECES = [
  ...["'", "''", "E'", "e", "U&'", 'U&"', "x'", "n'", "'\n'", "\\", "\\'", "\\\\", '"', '""'],
  ...["$", "$$", "$a$", "$b$", "$1", "a", "$a", "1", "_", "é", "1e", "a.b", "=", "*", ",", "::"],
  ...["--", "-", "\n", "\r", " ", "\t", "/*", "*/", "/", "*", "(", ")", ";", ";", ";", "+"],
  ...["SET ", "app.x", " TO ", "set_config(", "'app.x'", "false)", "true)", "RESET ", "ALL"],
  ...["PREPARE ", "EXECUTE ", "DEALLOCATE ", "EXPLAIN ", "CREATE ", "TEMP ", "TABLE ", " AS "],
  ...["SELECT ", "INTO ", "pg_temp", "pg_advisory_lock(", "LISTEN ", "DECLARE ", "WITH HOLD "],
  ...["ON COMMIT DROP", "UESCAPE '!'", "SESSION ", "LOCAL ", "BEGIN", "COMMIT", "ROLLBACK TO a"],
] as const;

function piecesOf(random: Random, countMax: number): string {
  return Array.from({ length: random.below(countMax) }, () => random.pick(PIECES)).join("");
}

/** What must be true of all traits. */
function checkTraits(traits: Traits, text: Uint8Array): void {
  ok(traits.parameters.length <= 16 && traits.statementNames.length <= 16);
  ok(traits.statementCount <= text.length);
  equal(traits.command === "none", traits.statementCount === 0);
  for (const { name, start, end } of traits.statementNames) {
    ok(start >= 0 && start < end && end <= text.length);
    ok(utf8(name).length <= 3 * 63);
  }
  for (const name of traits.parameters) equal(name, name.replaceAll(/[A-Z]/g, "?"));
}

/** The text's statements, and whether it ends inside of something; slow, and on its own. */
function countStatements(text: string, standardConformingStrings: boolean): [number, boolean] {
  const space = "[ \\t\\n\\r\\f\\v]";
  const horizontal = "(?:[ \\t\\f\\v]|--[^\\n\\r]*)*";
  const escaped = "(?:[^'\\\\]|\\\\[^]|'')*'(?!')";
  const next = `${horizontal}[\\n\\r](?:${space}|--[^\\n\\r]*[\\n\\r])*'`;
  const escapedString = `'${escaped}(?:${next}${escaped})*(?!${next})`;
  const plainString = "'(?:[^']|'')*'(?!')";
  const token = new RegExp(
    [
      `(?<skipped>${space}+|--[^\\n\\r]*)`,
      "(?<comment>/\\*)",
      `e${escapedString}|(?:u&|[bx])${plainString}`,
      `n?${standardConformingStrings ? plainString : escapedString}`,
      '(?:u&)?"(?:[^"]|"")*"(?!")',
      "(?<cut>(?:e|u&|[bxn])?'|(?:u&)?\")",
      "(?<tag>\\$(?:[a-z_\\u0080-\\uffff][a-z0-9_\\u0080-\\uffff]*)?\\$)",
      "[a-z_\\u0080-\\uffff][a-z0-9_$\\u0080-\\uffff]*",
      "\\$?[0-9]+",
      "[^]",
    ].join("|"),
    "iy",
  );
  let [count, depth, isInside] = [0, 0, false];
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const match = token.exec(text)!;
    const groups = match.groups!;
    if (groups["skipped"] !== undefined) continue;
    if (groups["comment"] !== undefined) {
      const end = commentEnd(text, at);
      if (end === undefined) return [count, true];
      token.lastIndex = end;
      continue;
    }
    if (match[0] === ";" && depth === 0) {
      isInside = false;
      continue;
    }
    if (!isInside) count += 1;
    isInside = true;
    if (groups["cut"] !== undefined) return [count, true];
    const tag = groups["tag"];
    if (tag !== undefined) {
      const end = text.indexOf(tag, token.lastIndex);
      if (end === -1) return [count, true];
      token.lastIndex = end + tag.length;
    }
    if (match[0] === "(") depth += 1;
    if (match[0] === ")") depth = Math.max(0, depth - 1);
  }
  return [count, depth > 0];
}

function commentEnd(text: string, start: number): number | undefined {
  let depth = 0;
  for (const { 0: mark, index } of text.slice(start).matchAll(/\/\*|\*\//g)) {
    depth += mark === "/*" ? 1 : -1;
    if (depth === 0) return start + index + 2;
  }
  return undefined;
}

Deno.test("QueryScanner counts the statements that regular expressions count", async () => {
  let cut = 0;
  let whole = 0;
  const { isWhole } = await fuzz(5_000, (random) => {
    const text = piecesOf(random, 24);
    const isStandard = !random.oneIn(4);
    const traits = traitsOf(text, isStandard);
    const [count, isCut] = countStatements(text, isStandard);
    equal(traits.statementCount, count, JSON.stringify(text));
    equal(traits.isOpaque, isCut, JSON.stringify(text));
    if (isCut) cut += 1;
    else whole += count;
  });
  ok(!isWhole || cut > 500 && whole > 500, `${cut} ${whole}`);
});

Deno.test("QueryScanner's quick look takes nothing for plain that its scan does not", async () => {
  const scanner = new QueryScanner();
  const begins = ["SELECT ", "select", "INSERT INTO ", "insert  into", "UPDATE ", "Delete from "];
  let plain = 0;
  const { isWhole } = await fuzz(20_000, (random) => {
    const text = utf8(`${random.pick(begins)}${piecesOf(random, 8)}`);
    if (random.oneIn(4)) text[random.below(text.length)] = random.below(256);
    traitsOf(text, !random.oneIn(4)); // compares
    if (scanner.scanPlain(text, 0, text.length) !== undefined) plain += 1;
  });
  ok(!isWhole || plain > 500, `${plain}`);
});

Deno.test("QueryScanner takes any bytes and keeps its limits", async () => {
  await fuzz(5_000, (random) => {
    const text = random.oneIn(2)
      ? random.bytes(random.below(60))
      : utf8(piecesOf(random, 60)).map((byte) => random.oneIn(30) ? random.below(256) : byte);
    const isStandard = !random.oneIn(4);
    const copy = text.slice();
    const traits = traitsOf(text, isStandard);
    checkTraits(traits, text);
    deepEqual(text, copy);
    deepEqual(new QueryScanner().scan(text, isStandard), traits, "a new one finds the same");
  });
});

Deno.test("QueryScanner finds in many statements what it finds in each", async () => {
  await fuzz(1_000, (random) => {
    const texts = Array.from({ length: 1 + random.below(5) }, () => random.pick(EXAMPLES));
    const gaps = [";", ";;", " ; ", ";\n", "\n;--;\n", "/*;*/;", "; /* ' */ "];
    const joined = traitsOf(texts.map((text) => `${text}\n${random.pick(gaps)}`).join(""));
    const each = texts.map((text) => traitsOf(text));
    const all = <Item>(items: (traits: Traits) => readonly Item[]) => each.flatMap(items);
    equal(joined.statementCount, each.reduce((sum, traits) => sum + traits.statementCount, 0));
    deepEqual(joined.parameters, [...new Set(all(({ parameters }) => parameters))].slice(0, 16));
    const names = ({ statementNames }: Traits) =>
      statementNames.map(({ use, name }) => `${use} ${name}`);
    deepEqual(names(joined), all(names).slice(0, 16));
    deepEqual(joined.unpins, [...new Set(all(({ unpins }) => unpins))]);
    const pins = new Set(all((traits) => traits.pins));
    if (joined.statementCount > 1 && all(names).some((name) => name.startsWith("prepare "))) {
      pins.add("prepare");
    }
    deepEqual([...joined.pins].sort(), [...pins].sort());
    for (const [key, value] of Object.entries(joined)) {
      if (typeof value !== "boolean") continue;
      equal(value, each.some((traits) => traits[key as keyof Traits] === true), key);
    }
  });
});

/** Beginnings and what follows them, over and over: each is 1 MB long. */
const HOSTILE: readonly (readonly [beginning: string, repeated: string])[] = [
  ...["'", '"', "$", "$a", "$a$", "$$ $", "(", ")", ";", "-", "--", "/*", "/**/", "/*/", "*/"]
    .map((repeated) => ["", repeated] as const),
  ...["E'", "E''\n", "E'' --\n", "E'\\", 'U&"', 'U&"\\', 'U&"a" ', 'U&"a" UESCAPE ', "x'"]
    .map((repeated) => ["", repeated] as const),
  ...["$a$", "$aaaaaaaaaaaaaaaaaaaa$", `$${"a".repeat(500_000)}$`].flatMap((tag) => [
    [tag, tag.slice(0, -1)] as const,
    [tag, `$${tag.slice(2)}`] as const,
  ]),
  ["SELECT ", "set_config("],
  ["SELECT ", "set_config('a.a',"],
  ["SELECT ", "set_config('a.a','x',"],
  ["SELECT ", 'U&"set_config"('],
  ["SELECT ", "pg_advisory_lock /* */ "],
  ["SELECT ", "INTO "],
  ["SELECT ", "INTO TEMP "],
  ["CREATE TEMP TABLE x ", "ON COMMIT "],
  ["CREATE TABLE x ", "AS /* */ EXECUTE "],
  ["CREATE TABLE ", "pg_temp "],
  ["CREATE FUNCTION f() ", "BEGIN /**/ ATOMIC "],
  ["CREATE FUNCTION f() BEGIN ATOMIC ", "CASE "],
  ["CREATE FUNCTION f() ", 'U&"pg_temp" '],
  ["SET ", "SESSION "],
  ["SET ", "a."],
  ["", "SET a.a = 1;"],
  ["", "SET "],
  ["", "SET SESSION;"],
  ["", "DEALLOCATE PREPARE "],
  ["", "PREPARE a AS SELECT 1;"],
  ["", "DECLARE;"],
  ["DECLARE ", "WITH "],
  ["EXPLAIN ", "("],
  ["EXPLAIN ", "ANALYZE "],
  ["", "EXPLAIN ("],
  ["", "EXPLAIN();"],
];

Deno.test("QueryScanner takes a time in proportion to a text, so this test ends", () => {
  for (const [beginning, repeated] of HOSTILE) {
    const size = 1024 * 1024;
    const text = utf8(beginning + repeated.repeat(Math.ceil(size / repeated.length)));
    checkTraits(traitsOf(text, true), text);
    if (repeated.includes("'")) checkTraits(traitsOf(text, false), text);
  }
});
