import assert from "node:assert/strict";
import { asMarkdown, asText } from "../../bench/report.ts";
import {
  middleHalfOfRatios,
  percentile,
  spreadOf,
  spreadOfRatios,
} from "../../bench/statistics.ts";

Deno.test("spreadOf takes the middle value, or the mean of the two in the middle", () => {
  assert.deepEqual(spreadOf([9, 1, 5]), { median: 5, min: 1, max: 9 });
  assert.deepEqual(spreadOf([10, 9, 1, 2]), { median: 5.5, min: 1, max: 10 });
  assert.deepEqual(spreadOf([7]), { median: 7, min: 7, max: 7 });
});

Deno.test("spreadOfRatios compares round by round, not median by median", () => {
  // The machine was ten times slower in the first round: the ratios do not show it.
  assert.deepEqual(spreadOfRatios([1, 20, 30], [2, 40, 60]), { median: 0.5, min: 0.5, max: 0.5 });
});

Deno.test("middleHalfOfRatios leaves away the quarter at each end", () => {
  const references = [10, 10, 10, 10, 10];
  const ratios = middleHalfOfRatios([1, 10, 20, 30, 900], references);
  assert.deepEqual(ratios, { median: 2, min: 1, max: 3 });
});

Deno.test("percentile is the nearest rank", () => {
  const values = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  assert.equal(percentile(values, 0.5), 50);
  assert.equal(percentile(values, 0.99), 99);
  assert.equal(percentile([3], 0.99), 3);
  assert.ok(Number.isNaN(percentile([], 0.5)));
});

Deno.test("asText aligns words left and numbers right", () => {
  const table = { header: ["a", "b", "c"], rows: [["long", "x", "10"], ["s", "yy", "9"]] };
  assert.equal(asText(table), "a     b    c\nlong  x   10\ns     yy   9\n");
  const rows = [["x", "y", "10", "won"], ["x", "y", "9", ""]];
  const text = asText({ header: ["a", "b", "c", "remarks"], rows, isLastText: true });
  assert.equal(text, "a  b   c  remarks\nx  y  10  won\nx  y   9\n");
});

Deno.test("asMarkdown makes a table", () => {
  const table = { header: ["a", "b", "c"], rows: [["1", "2", "3"]] };
  assert.equal(asMarkdown(table), "| a | b | c |\n| --- | --- | ---: |\n| 1 | 2 | 3 |\n");
  assert.match(asMarkdown({ ...table, isLastText: true }), /\| --- \| --- \| --- \|/);
});
