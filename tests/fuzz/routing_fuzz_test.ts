/**
 * Compares what is said of the shape of a text with what its own tree says, for texts that are made
 * of what is hard to tell apart. The shape may be said to ask for more, never for less.
 *
 * @module
 */

import { deepEqual, ok } from "node:assert/strict";
import { textOf, utf8 } from "../../src/base/bytes.ts";
import { SqlParser } from "../../src/postgres/parser/sql_parser.ts";
import { classOf } from "../../src/postgres/routing/classify.ts";
import { StatementClassifier } from "../../src/postgres/routing/statement_classifier.ts";
import { ShapeReader } from "../../src/postgres/routing/text_shape.ts";
import { OTHERS, READ_FUNCTIONS, READS, WRITES } from "../postgres/routing/statements.ts";
import { fuzz, type Random } from "../support/random.ts";

const parser = await SqlParser.load();
const classifier = await StatementClassifier.load({
  readFunctions: READ_FUNCTIONS,
  needsTables: true,
});
const shapes = new ShapeReader(64 * 1024);

const EXAMPLES = [...READS, ...WRITES, ...OTHERS].map(([, text]) => text);

/** Pieces that stand between the tokens of an example, or in place of some. */
const PIECES = [
  ...["'", "''", "'a'", "E'", "E'\\''", "e'a'", "U&'", 'U&"a"', "x'1'", "b'0'", "n'a'", "'\n'"],
  ...["\\", "\\'", '"', '""', '"a"', "$$", "$$a$$", "$a$", "$b$", "$1", "$2", "$", "$$'$$"],
  ...["--", "-", "\n", "\r", " ", "\t", "\f", "\v", "/*", "*/", "/**/", "/*'*/", "--'\n", "/"],
  ...["1", "23", "1.5", ".5", "1e5", "0x1f", "1_0", "1.", ",", ", 2", ", 'b'", ", $3", "(", ")"],
  ...["(1, 2)", "[", "]", "(1", "('a', 'b')", ";", "a", "é", "_", ".", "=", "*", "::", ":="],
  ...[" UESCAPE '!'", " AS ", " f(", " nextval('q')", "; DELETE FROM t", " FOR UPDATE", "EXPLAIN "],
] as const;

const TOKENS = /\s+|\w+|'[^']*'|[^]/g;

/** An example with a few changes. */
function changed(random: Random): string {
  const tokens = [...random.pick(EXAMPLES).matchAll(TOKENS)].map(([token]) => token);
  for (let i = random.below(4); i >= 0; i--) {
    const place = random.below(tokens.length + 1);
    tokens.splice(place, random.oneIn(3) ? 1 : 0, random.pick(PIECES));
  }
  return tokens.join("");
}

/** A query of expressions that are mostly right. */
function query(random: Random): string {
  const expressions = Array.from({ length: 1 + random.below(4) }, () => {
    const [a, b, c] = [random.pick(PIECES), random.pick(PIECES), random.pick(PIECES)];
    return random.pick([
      `'${a}${b}'`,
      `E'${a}\\'${b}'`,
      `$$${a}${b}$$`,
      `$q$${a}${b}$q$`,
      `"${a}${b}"`,
      `a IN (1, ${random.below(99)}, ${a})`,
      `'x'${b}${c}`,
      `ARRAY[1, 2, ${random.below(99)}]`,
      `/*${a}${b}*/ 1`,
      `f(${a}, 'b')`,
    ]);
  });
  const end = random.pick(["", " FROM t", "; DELETE FROM t", " -- a", " /* ' */", " FOR UPDATE"]);
  return `SELECT ${expressions.join(random.pick([", ", ",", " + ", " , "]))}${end}`;
}

/** Texts that are said to write though their own trees do not. */
const stricter: string[] = [];
let parsed = 0;

function check(text: string): void {
  const exact = parser.statements(utf8(text));
  if (typeof exact === "string") return;
  parsed += 1;
  const wanted = classOf(exact, READ_FUNCTIONS);
  const found = classifier.classify(utf8(text));
  if (found.kind === "write" && (wanted.kind !== "write" || found.reads === undefined)) {
    if (wanted.kind !== "write") stricter.push(text);
    return;
  }
  const { kind, reads, writes } = wanted;
  const message = `${text}\n${textOf(shapes.read(utf8(text))!)}`;
  deepEqual([found.kind, found.reads, found.writes], [kind, reads, writes], message);
}

Deno.test("A shape is said to do what its text does", async () => {
  for (const text of EXAMPLES) check(text);
  // Its tree has no file, since the parser leaves out what is empty.
  deepEqual(stricter, ["COPY t TO ''"], "nothing is lost of what people write");
  parsed = 0;
  stricter.length = 0;
  const { isWhole } = await fuzz(4_000, (random) => {
    check(random.oneIn(2) ? changed(random) : query(random));
  });
  ok(!isWhole || parsed > 1_000, `${parsed} texts were right`);
  deepEqual(stricter.filter((text) => !/TO\s+''/.test(text)), []);
});

Deno.test("A shape is not longer than its text, but for strings that are empty", async () => {
  await fuzz(2_000, (random) => {
    const text = random.oneIn(2) ? changed(random) : query(random);
    const size = shapes.read(utf8(text))?.length ?? 0;
    ok(size <= utf8(text).length + text.split("''").length - 1, text);
  });
});
