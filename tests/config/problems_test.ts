import { deepEqual, equal } from "node:assert/strict";
import { nameList, printable, Problems, problemsText, quote } from "../../src/config/problems.ts";

Deno.test("Problems keeps 1000 and says that there are more", () => {
  const problems = new Problems();
  for (let line = 1_500; line > 0; line--) {
    problems.add({ file: "f", line, column: 1, path: "p" }, "m");
  }
  const sorted = problems.sorted();
  equal(problems.count, 1_500);
  equal(sorted.length, 1_001);
  equal(sorted[0]?.line, 501);
  equal(sorted.at(-1)?.message, "more than 1000 problems; fix the ones above first");
});

Deno.test("problemsText is one line for each problem, with a position only in files", () => {
  const place = { line: 7, column: 3, message: "m" };
  const text = problemsText([
    { ...place, file: "a.yaml", path: "x.y" },
    { ...place, file: "a.yaml", path: "" },
    { ...place, file: "environment", path: "SLUICE_X" },
  ]);
  equal(text, "a.yaml:7:3: x.y: m\na.yaml:7:3: m\nenvironment: SLUICE_X: m\n");
  equal(problemsText([]), "");
});

Deno.test("printable cuts at 80 characters and escapes what a terminal acts on", () => {
  equal(printable("x".repeat(80)), "x".repeat(80));
  equal(printable("x".repeat(81)), "x".repeat(80) + "…");
  equal(printable("😀".repeat(81)), "😀".repeat(80) + "…");
  equal(printable("a\u001b[0m\n\u202eb\ud800"), "a\\u{1b}[0m\\u{a}\\u{202e}b\\u{d800}");
  equal(quote('say "x"'), '"say \\"x\\""');
});

Deno.test("nameList shows at most ten names", () => {
  equal(nameList([]), "none");
  equal(nameList(["a", "b"]), "a, b");
  deepEqual(nameList(Array.from({ length: 12 }, (_, i) => `n${i}`)).split(", ").length, 10);
});
