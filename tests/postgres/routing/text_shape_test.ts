import { equal } from "node:assert/strict";
import { textOf, utf8 } from "../../../src/base/bytes.ts";
import { ShapeReader } from "../../../src/postgres/routing/text_shape.ts";

const reader = new ShapeReader(1_000);

function shapeOf(text: string): string | undefined {
  const shape = reader.read(utf8(text));
  return shape === undefined ? undefined : textOf(shape);
}

Deno.test("ShapeReader leaves of a text what its meaning depends on", () => {
  const table: readonly (readonly [text: string, shape: string | undefined])[] = [
    ["", ""],
    ["  SELECT\t1 ", "select 1"],
    ['SELECT "A"."b", É', 'select "A"."b", É'],
    ["SELECT/* a */A--b\n,C", "select a ,c"],
    ["SELECT 'a', '', E'\\'', $$a$$, $b$'$b$", "select '1', '1', '1', '1', '1'"],
    ["SELECT U&'a', U&\"B\", X'1F', b'01', N'n'", "select U&'a', U&\"B\", X'1F', b'01', N'n'"],
    ["SELECT U&'!0061' UESCAPE '!', 'a'", "select U&'!0061' uescape '!', '1'"],
    ["SELECT 'a'\n'b'\n'c' AS d", "select '1' as d"],
    ["SELECT 12, 3.45, .5, 1e5, 0x1f, 1_000", "select 1, 1.1, .1, 1e5, 0x1f, 1_000"],
    ["SELECT 12from t", "select 12from t"],
    ["SELECT $1, $23, a$1", "select $1, $1, a$1"],
    ["SELECT a<=b, a< =b", "select a<=b, a< =b"],
    ["EXPLAIN (ANALYZE 0, COSTS 'off') SELECT 7", "explain (analyze 0, costs 'off') select 7"],
    ["f(1, 2, 3)", "f(1)"],
    ["f('a','b' , 'c')", "f('1')"],
    ["($1,$2,$3)", "($1)"],
    ["x[1, 2]", "x[1]"],
    ["f(1, 2, 'a', 'b')", "f(1, '1', '1')"],
    ["f(1, a, 2, 3)", "f(1, a, 1, 1)"],
    ["f(1, 2 + 3)", "f(1, 1 + 1)"],
    ["f(1, 2, 3.5, 4)", "f(1, 1.1, 1)"],
    ["f(1.5, 2)", "f(1.1, 1)"],
    ["f((1, 2), (3, 4))", "f((1), (1))"],
    ["f(1,, 2)", "f(1,, 1)"],
    ["1, 2, 3", "1, 1, 1"],
    ["SELECT 'a", undefined],
    ['SELECT "a', undefined],
    ["SELECT /* a", undefined],
    ["SELECT $a$ $b$", undefined],
  ];
  for (const [text, shape] of table) equal(shapeOf(text), shape, text);
});

Deno.test("ShapeReader forgets the text before", () => {
  equal(shapeOf("f(1, "), "f(1,");
  equal(shapeOf("2)"), "1)");
  equal(shapeOf("EXPLAIN SELECT 'a"), undefined);
  equal(shapeOf("SELECT 'a'"), "select '1'");
});

Deno.test("ShapeReader keeps within its memory", () => {
  const list = (piece: string) => Array.from({ length: 333 }, () => piece).join(",");
  equal(shapeOf(list("''")), list("'1'"));
});

Deno.test("ShapeReader gives the word that a text begins with", () => {
  const words: readonly (readonly [text: string, word: string | undefined])[] = [
    ["Select 1", "select"],
    ["; ((/* a */ with", "with"],
    ["reindex", ""],
    ['"select"', ""],
    ["(1", ""],
    ["", undefined],
    [" ; -- a", undefined],
  ];
  for (const [text, word] of words) equal(reader.firstWord(utf8(text)), word, text);
});
