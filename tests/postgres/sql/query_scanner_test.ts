import { deepEqual, equal, ok } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { addToHash, FOLD } from "../../../src/postgres/sql/keywords.ts";
import { QueryScanner } from "../../../src/postgres/sql/query_scanner.ts";
import { COMMANDS } from "../../../src/postgres/sql/traits.ts";
import { COMMAND_EXAMPLES } from "./command_examples.ts";
import { type Example, seen, traitsOf } from "./examples.ts";
import { BACKSLASH_EXAMPLES, LEXICAL_EXAMPLES, REFUSED_EXAMPLES } from "./lexical_examples.ts";
import { PARAMETER_EXAMPLES } from "./parameter_examples.ts";

const EXAMPLES = [
  ...LEXICAL_EXAMPLES,
  ...REFUSED_EXAMPLES,
  ...PARAMETER_EXAMPLES,
  ...COMMAND_EXAMPLES,
];

function check(examples: readonly Example[], standardConformingStrings = true): void {
  ok(examples.length > 0);
  for (const [text, expected] of examples) {
    deepEqual(seen(text, standardConformingStrings), expected, text);
  }
}

Deno.test("QueryScanner cuts a text as the server does", () => {
  check(LEXICAL_EXAMPLES);
});

Deno.test("QueryScanner takes what no server takes", () => check(REFUSED_EXAMPLES));

Deno.test("QueryScanner knows what a backslash is without standard_conforming_strings", () => {
  check(BACKSLASH_EXAMPLES, false);
});

Deno.test("QueryScanner names the parameters that a text sets", () => check(PARAMETER_EXAMPLES));

Deno.test("QueryScanner finds what holds a session to its server", () => check(COMMAND_EXAMPLES));

Deno.test("QueryScanner reads no byte outside of the view it is given", () => {
  for (const [text, expected] of EXAMPLES) {
    const bytes = utf8(text);
    const buffer = new Uint8Array(bytes.length + 20).fill(0x27);
    buffer.set(utf8("SET a.a=1;"));
    buffer.set(bytes, 10);
    deepEqual(seen(buffer.subarray(10, 10 + bytes.length)), expected, text);
  }
});

Deno.test("QueryScanner finds the same in any case and after anything else", () => {
  for (const [text, expected] of EXAMPLES) {
    traitsOf("PREPARE a AS SELECT 'b"); // nothing of it is left
    if (/['"$\\]/.test(text)) continue;
    const ascii = (change: (letters: string) => string) => text.replaceAll(/[a-z]+/gi, change);
    deepEqual(seen(ascii((letters) => letters.toUpperCase())), expected, text);
    deepEqual(seen(ascii((letters) => letters.toLowerCase())), expected, text);
  }
});

Deno.test("QueryScanner sees at a glance that most queries are plain", () => {
  const scanner = new QueryScanner();
  const isPlain = (text: string) => {
    const bytes = utf8(`;${text}'`);
    return scanner.scanPlain(bytes, 1, bytes.length - 1) !== undefined;
  };
  for (
    const text of [
      "SELECT abalance FROM pgbench_accounts WHERE aid = 4242;",
      "UPDATE pgbench_tellers SET tbalance = tbalance + -12 WHERE tid = 7 ; \n",
      "insert\ninto t (a, b) values ($1, 'it''s -- no /* comment')",
      'delete from "t" where "a""b" = (select max(a) from u)',
      "SELECT 1+-1",
    ]
  ) equal(isPlain(text), true, text);
  for (
    const text of [
      "SELECT",
      "SELECTED 1",
      "SELECT 1; SELECT 2",
      "SELECT (1;",
      "SELECT 1 -- comment",
      "SELECT 1 /* comment */",
      "SELECT $a$b$a$",
      "SELECT 'a\\'",
      "SELECT 'é'",
      "SELECT 'a",
      "SELECT 1 INTO t",
      "INSERT t",
      "INSERT INTO temp x",
      "SELECT set_config('a.b', 'c', false)",
      'SELECT "set_config"(1)',
      'SELECT U&"d\\0061t"',
      "SELECT U&\"set!005fconfig\" UESCAPE '!'",
      "UPDATE pg_settings SET setting = 1",
      "BEGIN",
      "WITH a AS (SELECT 1) SELECT 2",
    ]
  ) equal(isPlain(text), false, text);
});

Deno.test("QueryScanner adds up what the statements of a text do", () => {
  for (const [text, expected] of [...PARAMETER_EXAMPLES, ...COMMAND_EXAMPLES]) {
    const around = seen(`SELECT 1; ${text}; SELECT 2`);
    const hasPrepare = expected.names?.some((name) => name.startsWith("prepare ")) ?? false;
    const pins = expected.pins ?? [];
    deepEqual(around, {
      ...expected,
      command: "select",
      count: (expected.count ?? 1) + 2,
      ...(hasPrepare ? { pins: [...new Set([...pins, "prepare"])] } : {}),
    }, text);
  }
});

Deno.test("QueryScanner knows every command by its whole first word", () => {
  for (const command of COMMANDS) {
    equal(traitsOf(`${command} x`).command, command);
    equal(traitsOf(`/* begin */ ( ${command.toUpperCase()}(x)); move`).command, command);
    for (const word of [`${command}s`, `${command}_`, `x${command}`, command.slice(1)]) {
      equal(traitsOf(`${word} x`).command, "other", word);
    }
  }
});

Deno.test("QueryScanner takes no word for a command because their hashes are equal", () => {
  let collisions = 0;
  for (const command of COMMANDS) {
    // Two less in the last byte but one, and twice 31 more in the last one.
    const word = utf8(command);
    word[word.length - 2]! -= 2;
    word[word.length - 1]! += 2 * 31;
    const hash = (bytes: Uint8Array) =>
      bytes.reduce((hash, byte) => addToHash(hash, byte | FOLD), 0);
    if (hash(word) !== hash(utf8(command)) || word[word.length - 2]! < 0x61) continue;
    collisions += 1;
    equal(traitsOf(word).command, "other", command);
  }
  ok(collisions > 10);
});

Deno.test("QueryScanner gives the ranges of names, quotes included", () => {
  for (const [text] of COMMAND_EXAMPLES) {
    const bytes = utf8(text);
    for (const { use, name, start, end } of traitsOf(bytes).statementNames) {
      const range = bytes.subarray(start, end);
      if (use === "deallocate all") {
        deepEqual([name, new TextDecoder().decode(range).toUpperCase()], ["", "ALL"], text);
        continue;
      }
      const again = traitsOf(new Uint8Array([...utf8("EXECUTE "), ...range])).statementNames;
      deepEqual(again, [{ use: "execute", name, start: 8, end: 8 + range.length }], text);
    }
  }
  const ranges = (text: string) =>
    traitsOf(text).statementNames.map(({ start, end }) => [start, end]);
  deepEqual(ranges("EXECUTE p"), [[8, 9]]);
  deepEqual(ranges('DEALLOCATE é; EXECUTE "p""q"(1)'), [[11, 13], [23, 29]]);
  deepEqual(ranges("EXECUTE U&\"p\" UESCAPE '!' (1)"), [[8, 25]]);
  deepEqual(ranges('EXECUTE U&"p" (1)'), [[8, 13]]);
});

Deno.test("QueryScanner keeps at most 16 names and says that there are more", () => {
  const settings = (count: number) =>
    Array.from({ length: count }, (_, i) => `SET app.p${i} = 1; SET app.p0 = 2`).join(";");
  equal(traitsOf(settings(16)).parameters.length, 16);
  equal(traitsOf(settings(16)).setsUnknownParameter, false);
  equal(traitsOf(settings(17)).parameters.length, 16);
  equal(traitsOf(settings(17)).setsUnknownParameter, true);
  const executions = (count: number) => "EXECUTE p;".repeat(count);
  equal(traitsOf(executions(16)).statementNames.length, 16);
  equal(traitsOf(executions(16)).hasMoreStatementNames, false);
  equal(traitsOf(executions(17)).statementNames.length, 16);
  equal(traitsOf(executions(17)).hasMoreStatementNames, true);
  equal(traitsOf(`${executions(16)}PREPARE p AS SELECT 1`).pins[0], "prepare");
  deepEqual(seen(`SET ${"a".repeat(60)}${`.${"a".repeat(60)}`.repeat(5)} = 1`).flags, [
    "setsUnknownParameter",
  ]);
  deepEqual(seen(`SET a${".a".repeat(8)} = 1`).flags, ["setsUnknownParameter"]);
  deepEqual(seen(`SET a${".a".repeat(7)} = 1`).parameters, [`a${".a".repeat(7)}`]);
});

Deno.test("QueryScanner gives the same traits for texts that leave nothing behind", () => {
  const first = traitsOf("SELECT 1");
  traitsOf("SET a.a = 1");
  equal(traitsOf("SELECT a, b FROM t WHERE c = 'x';"), first);
  equal(traitsOf("BEGIN"), traitsOf("BEGIN READ ONLY"));
  equal(Object.isFrozen(first) && Object.isFrozen(first.pins), true);
  const setting = traitsOf("SET a.a = 1");
  traitsOf("SET b.b = 1");
  deepEqual(setting.parameters, ["a.a"], "and does not change what it gave");
});

Deno.test("QueryScanner takes every byte for what it is, UTF-8 or not", () => {
  for (let byte = 0; byte < 256; byte++) {
    const text = new Uint8Array([...utf8("SELECT 1"), byte, ...utf8(" ; SET a.a = 1")]);
    const isClosing = !['"', "'", "("].includes(String.fromCharCode(byte));
    deepEqual(seen(text).parameters, isClosing ? ["a.a"] : undefined, String(byte));
    equal(traitsOf(text).isOpaque, !isClosing);
  }
  const inLatin1 = new Uint8Array([...utf8("PREPARE p"), 0xe9, ...utf8(" AS SELECT 1")]);
  deepEqual(seen(inLatin1).names, ["prepare p\ufffd"]);
});
