/**
 * Throws texts at the analysis of queries: pieces of SQL in any order, statements that are known
 * with parts of others in them, and any bytes.
 *
 * @module
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import {
  signalLines,
  statementLines,
  tableLines,
} from "../../src/postgres/parser/analysis_lines.ts";
import type { QueryAnalysis } from "../../src/postgres/parser/query_analysis.ts";
import {
  COMMAND_EXAMPLES,
  OTHER_EXAMPLES,
  SESSION_EXAMPLES,
} from "../postgres/parser/command_examples.ts";
import { analyser } from "../postgres/parser/examples.ts";
import { QUERY_EXAMPLES } from "../postgres/parser/query_examples.ts";
import { fuzz, type Random } from "../support/random.ts";

const EXAMPLES = [...QUERY_EXAMPLES, ...COMMAND_EXAMPLES, ...SESSION_EXAMPLES, ...OTHER_EXAMPLES]
  .map(([text]) => text);

/** Pieces that mean something to the parser, or end what another began. */
const PIECES = [
  ...["SELECT ", "FROM ", "WHERE ", "a", "t", "1", "'x'", ", ", " = ", " AND ", " OR ", "(", ")"],
  ...["WITH ", "RECURSIVE ", " AS ", "UNION ", "INSERT INTO ", "VALUES ", "UPDATE ", "SET "],
  ...["DELETE ", "MERGE ", "USING ", "JOIN ", "ON ", "f(", "*", ";", "--", "/*", "*/", "'", '"'],
  ...["$$", "$1", "E'\\", "U&'", "\n", " ", "é", "\u0001", "\ud800", "::", "[", "]", "NOT ", "IN "],
  ...["NULL ", "true ", "LIMIT ", "FOR UPDATE ", "EXPLAIN ANALYZE ", "CREATE TABLE ", "DROP "],
] as const;

/** What must be true of every analysis. */
function checkAnalysis(analysis: QueryAnalysis): void {
  const { error, fingerprint, normalised, statements } = analysis;
  match(fingerprint, error === undefined ? /^[0-9a-f]{16}$/ : /^$/);
  if (error !== undefined) {
    ok(error.length > 0);
    deepEqual([normalised, statements.length], ["", 0]);
  }
  for (const { kind, tables, isReadOnly, isLocking } of statements) {
    match(kind, /^[A-Z]+(?: [A-Z]+)*$/);
    if (isReadOnly) equal(isLocking, false);
    if (isReadOnly && kind !== "EXPLAIN") ok(tables.every(({ access }) => access === "read"));
    if (isReadOnly) match(kind, /^(?:SELECT|SHOW|EXPLAIN|COPY)$/);
  }
  const lines = statementLines(analysis).split("\n").length;
  if (statements.length > 0) equal(lines, statements.length);
  // deno-lint-ignore no-control-regex -- that there are none is what is checked
  equal(/[\u0000-\u0009\u000b-\u001f]/.test(tableLines(analysis) + signalLines(analysis)), false);
}

/** A statement whose words are partly those of another. */
function mixed(random: Random): string {
  const words = random.pick(EXAMPLES).split(" ");
  const others = random.pick(EXAMPLES).split(" ");
  const from = random.below(words.length);
  words.splice(from, random.below(3), ...others.slice(random.below(others.length)));
  return words.join(" ");
}

Deno.test("QueryAnalyser takes pieces of SQL in any order", async () => {
  let known = 0;
  let wrong = 0;
  const { isWhole } = await fuzz(3_000, (random) => {
    const length = random.below(30);
    const text = random.oneIn(2)
      ? mixed(random)
      : Array.from({ length }, () => random.pick(PIECES)).join("");
    const analysis = analyser.analyse(text);
    checkAnalysis(analysis);
    if (analysis.error === undefined) known += 1;
    else wrong += 1;
  });
  ok(!isWhole || (known > 100 && wrong > 100), `${known} parsed, ${wrong} did not`);
});

Deno.test("QueryAnalyser takes any bytes", async () => {
  await fuzz(2_000, (random) => {
    const text = random.oneIn(3)
      ? random.bytes(random.below(60))
      : utf8(random.pick(EXAMPLES)).map((byte) => random.oneIn(20) ? random.below(256) : byte);
    const copy = text.slice();
    checkAnalysis(analyser.analyse(text));
    deepEqual(text, copy);
  });
});

Deno.test("QueryAnalyser comes to an end with texts that repeat one piece", async () => {
  for (const beginning of ["", "SELECT 1 FROM t WHERE a = "]) {
    for (
      const piece of [
        ...PIECES,
        "SELECT 1;",
        "(SELECT ",
        "a.",
        "-",
        "a AND ",
        "t, ",
        "1,",
        "+",
        "@+",
      ]
    ) {
      const text = beginning + piece.repeat(Math.ceil(20_000 / piece.length));
      checkAnalysis(analyser.analyse(text));
      // What broke the parser is replaced between two events.
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
});
