import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { concat, utf8 } from "../../../src/base/bytes.ts";
import {
  CLASSIFIED_SIZE_MAX,
  PARSED_SIZE_MAX,
  StatementClassifier,
} from "../../../src/postgres/routing/statement_classifier.ts";
import { type Example, OTHERS, READ_FUNCTIONS, READS, WRITES } from "./statements.ts";

const EXAMPLES = [...READS, ...WRITES, ...OTHERS];

const options = { readFunctions: READ_FUNCTIONS };
const classifier = await StatementClassifier.load(options);
const withTables = await StatementClassifier.load({ ...options, needsTables: true });

function tablesOf(names = ""): string[] | undefined {
  return names === "?" ? undefined : names.split(", ").filter((name) => name !== "").sort();
}

function sorted(names: readonly string[] | undefined): string[] | undefined {
  return names === undefined ? undefined : [...names].sort();
}

function checkTables([, text, reads, writes]: Example): void {
  const found = withTables.classify(utf8(text));
  deepEqual([sorted(found.reads), sorted(found.writes)], [tablesOf(reads), tablesOf(writes)], text);
}

Deno.test("classify says of each example what it is", () => {
  ok(EXAMPLES.length >= 150, `${EXAMPLES.length} examples`);
  equal(new Set(EXAMPLES.map(([, text]) => text)).size, EXAMPLES.length, "no example is twice");
  for (const [kind, text] of EXAMPLES) {
    equal(classifier.classify(utf8(text)).kind, kind, text);
    equal(withTables.classify(utf8(text)).kind, kind, text);
  }
});

Deno.test("classify says the same when a text comes again", () => {
  for (const [kind, text] of [...EXAMPLES, ...EXAMPLES, ...EXAMPLES]) {
    equal(classifier.classify(utf8(text)).kind, kind, text);
  }
});

Deno.test("classify names the tables of each example that are read, and those written", () => {
  for (const example of EXAMPLES) checkTables(example);
});

Deno.test("classify takes a write behind anything for a write, and so before it", () => {
  for (const [kind, text] of [...READS, ...OTHERS]) {
    if (text.includes("--")) continue;
    for (const both of [`${text}; DELETE FROM t`, `DELETE FROM t; ${text}`]) {
      equal(classifier.classify(utf8(both)).kind, "write", `${both}: ${kind}`);
    }
  }
});

Deno.test("classify tells of a write without parsing it that its tables are not known", () => {
  const { reads, writes } = classifier.classify(utf8("INSERT INTO t VALUES (1)"));
  deepEqual([reads, writes], [undefined, undefined]);
});

Deno.test("classify needs the name of a function to know that it reads", async () => {
  const strict = await StatementClassifier.load();
  equal(strict.classify(utf8("SELECT area_of(1)")).kind, "write");
  equal(strict.classify(utf8("SELECT lower('A')")).kind, "read");
});

Deno.test("classify takes what is too long for a write", () => {
  const long = (size: number) => utf8(`SELECT '${"x".repeat(size - 9)}'`);
  equal(classifier.classify(long(CLASSIFIED_SIZE_MAX)).kind, "read");
  equal(classifier.classify(long(CLASSIFIED_SIZE_MAX + 1)).kind, "write");
  const names = (count: number) => utf8(`SELECT ${"c,".repeat(count)}1`);
  const countMax = (PARSED_SIZE_MAX - "SELECT 1".length) / 2;
  equal(classifier.classify(names(countMax)).kind, "read");
  equal(classifier.classify(names(countMax + 1)).kind, "write");
  const list = `SELECT a FROM t WHERE a IN (${"$1, ".repeat(5_000)}$1) AND b IN (${
    "1,".repeat(9)
  }1)`;
  equal(classifier.classify(utf8(list)).kind, "read");
});

Deno.test("classify never throws, whatever the bytes are", () => {
  for (const text of [[0], [0xff], [0x27], [0x24], [0x2f, 0x2a], [0x45, 0x27, 0x5c]]) {
    classifier.classify(Uint8Array.from(text));
    classifier.classify(concat(utf8("SELECT "), Uint8Array.from(text)));
  }
  equal(classifier.classify(utf8("SELECT \0 1")).kind, "write");
  equal(classifier.classify(concat(utf8("SELECT '"), Uint8Array.of(0xe9), utf8("'"))).kind, "read");
  equal(classifier.classify(concat(utf8("TABLE t"), Uint8Array.of(0xe9))).kind, "read");
  const deep = `SELECT ${"(".repeat(8_000)}1${")".repeat(8_000)}`;
  ok(["read", "write"].includes(classifier.classify(utf8(deep)).kind));
  const operators = `SELECT 1${" + 1".repeat(4_000)}`;
  ok(["read", "write"].includes(classifier.classify(utf8(operators)).kind));
  equal(classifier.classify(utf8("SELECT 1")).kind, "read");
});

Deno.test("classify keeps one shape for texts that differ in their values, and no more", async () => {
  const fresh = await StatementClassifier.load();
  const [first, ...others] = Array.from(
    { length: 50 },
    (_, i) => fresh.classify(utf8(`SELECT a FROM t WHERE a = ${i} AND b = 'x${i}' -- ${i}`)),
  );
  for (const other of others) equal(other, first, "it is the same object");
  equal(fresh.cachedCount, 1);
  notEqual(fresh.classify(utf8("SELECT a FROM t WHERE b = 1 AND a = 'x'")), first);
  equal(fresh.cachedCount, 2);
});

Deno.test("classify keeps a text that comes a second time", async () => {
  const fresh = await StatementClassifier.load();
  const text = utf8("SELECT a FROM t WHERE a = 1");
  const counts = [1, 2, 3].map(() => {
    fresh.classify(text);
    return fresh.cachedCount;
  });
  deepEqual(counts, [1, 2, 2]);
});

Deno.test("classify keeps memory bounded over many different texts", async () => {
  const fresh = await StatementClassifier.load();
  for (let i = 0; i < 5_000; i++) {
    const text = utf8(`TABLE t${i}`);
    fresh.classify(text);
    fresh.classify(text);
  }
  ok(fresh.cachedCount > 4_096 && fresh.cachedCount <= 8_192, String(fresh.cachedCount));
  ok(fresh.cachedSize <= 8 * 1024 * 1024, String(fresh.cachedSize));
});
