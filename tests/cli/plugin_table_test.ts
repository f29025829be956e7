import { equal } from "node:assert/strict";
import { grouped, harmless, listed, tableText } from "../../src/cli/plugin/table.ts";

Deno.test("tableText sets columns under each other, and numbers to the right", () => {
  const rows = [["name", "calls", "state"], ["a", "1,000", "fine"], ["long name", "2", ""]];
  equal(
    tableText(rows, [1]),
    "name       calls  state\na          1,000  fine\nlong name      2\n",
  );
  equal(tableText([]), "");
});

Deno.test("harmless keeps a plugin's text on one line, short, and without escape sequences", () => {
  equal(harmless("a\n\x1b[31mb\u202ec"), "a [31mb c");
  equal(harmless("x".repeat(501)), `${"x".repeat(500)}…`);
});

Deno.test("grouped and listed are for people", () => {
  equal(grouped(5_000_000), "5,000,000");
  equal(listed([]), "-");
  equal(listed(["a", "b"]), "a, b");
});
