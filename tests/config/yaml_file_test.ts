import { deepEqual, equal, ok } from "node:assert/strict";
import { loadConfig, type Problem, problemsText } from "../../src/config/load.ts";

const SMALLEST = "servers: { a: { address: a:1 } }\nclients: { a: { address: b:1 } }\n";

function load(text: string) {
  return loadConfig({ text, fileName: "s.yaml", env: {}, cores: 1 });
}

function poolSizes(text: string): Record<string, number> {
  const loaded = load(SMALLEST + text);
  ok(loaded.ok, loaded.ok ? "" : problemsText(loaded.problems));
  return Object.fromEntries([...loaded.config.pools].map(([name, { size }]) => [name, size]));
}

function problemsIn(text: string): readonly Problem[] {
  const loaded = load(text);
  return loaded.ok ? [] : loaded.problems;
}

Deno.test("YamlFile follows aliases and merge keys; own keys win, then the earlier merge", () => {
  const text = `pools:
  a: &a { size: 1 }
  b: *a
  c: { <<: *a }
  d: { <<: *a, size: 2 }
  e: { size: 3, <<: *a }
  f: { <<: [{ waitersMax: 5 }, *a, { size: 9 }] }
  g: { size: &n 7 }
  h: { size: *n }
  "i": { "size": 8 }
`;
  deepEqual(poolSizes(text), { a: 1, b: 1, c: 1, d: 2, e: 3, f: 1, g: 7, h: 7, i: 8 });
});

Deno.test("YamlFile takes the last anchor before an alias", () => {
  const text = "pools: { a: { size: &n 1 }, b: { size: *n }, c: { size: &n 2 }, d: { size: *n } }";
  deepEqual(poolSizes(text), { a: 1, b: 1, c: 2, d: 2 });
});

Deno.test("YamlFile finds a place behind a byte order mark and with Windows line ends", () => {
  const text = `\uFEFFfoo: 1\r\n${SMALLEST.replaceAll("\n", "\r\n")}bar: 1\r\n`;
  deepEqual(problemsIn(text).map(({ line, column, path }) => [line, column, path]), [
    [1, 1, "foo"],
    [4, 1, "bar"],
  ]);
});

Deno.test("YamlFile refuses a file above 1 MiB in bytes, and takes one of exactly 1 MiB", () => {
  const fill = (size: number) => SMALLEST + "#".repeat(size - SMALLEST.length);
  equal(problemsIn(fill(1_048_576)).length, 0);
  deepEqual(problemsIn(fill(1_048_577)).map(({ message }) => message), [
    "the file is larger than 1048576 bytes",
  ]);
  const twoBytes = SMALLEST + "#" + "é".repeat(600_000);
  equal(problemsIn(twoBytes).length, 1);
});

Deno.test("YamlFile stops aliases that expand to too much, and merges in a circle", () => {
  const keys = Array.from({ length: 2_000 }, (_, i) => `k${i}: 1`).join(", ");
  const uses = Array.from({ length: 900 }, (_, i) => `  p${i}: { <<: [*b, *b] }`).join("\n");
  const bomb = problemsIn(`${SMALLEST}pools:\n  a: &b { ${keys} }\n${uses}\n`);
  equal(bomb.length, 1_001); // every one an unknown key, then the line that says there are more
  ok(bomb.at(-1)?.message.startsWith("more than 1000 problems"));

  const list = Array.from({ length: 99 }, () => "*m").join(", ");
  const circle = problemsIn(`${SMALLEST}pools: { a: &m { <<: [${list}] } }\n`);
  ok(circle.some(({ message }) => message === "more than 10 merges inside each other"));

  const names = Array.from({ length: 99 }, () => "a").join(", ");
  const many = Array.from({ length: 5_000 }, () => "{ <<: *l }").join(", ");
  ok(
    problemsIn(`${SMALLEST}pools: { a: &l { size: [${names}] }, b: { <<: [${many}] } }`).length > 0,
  );
});

Deno.test("YamlFile says that nesting is too deep instead of running out of stack", () => {
  for (const open of ["[", "{a: ", "- ", "? "]) {
    const problems = problemsIn(open.repeat(5_000));
    ok(problems.length > 0, open);
    for (const { message } of problems) ok(message.startsWith("not valid YAML: "), message);
  }
});

Deno.test("YamlFile reports one syntax problem for each line", () => {
  const problems = problemsIn("a: [\n]]]]]\nb: ]]]]\n");
  const lines = problems.map(({ line }) => line);
  ok(lines.length > 0);
  deepEqual(lines, [...new Set(lines)]);
});

Deno.test("YamlFile takes no more than 1000 groups in a section", () => {
  const groups = (count: number) => Array.from({ length: count }, (_, i) => `p${i}: {}`).join(", ");
  equal(problemsIn(`${SMALLEST}pools: { ${groups(999)}, a: {} }`).length, 0);
  const [problem, ...others] = problemsIn(`${SMALLEST}pools: { ${groups(1_001)} }`);
  equal(problem?.message, "more than 1000 groups in pools");
  equal(others.length, 0);
});

Deno.test("YamlFile never repeats what a terminal would act on", () => {
  const texts = ['"\\e[31m": 1', 'servers: { "\\u202Ea": { "\\0": "\\x9b" } }', "a: *\u2028b"];
  for (const text of texts) {
    for (const line of problemsText(problemsIn(text)).trimEnd().split("\n")) {
      // deno-lint-ignore no-control-regex
      ok(!/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/.test(line), line);
    }
  }
  const long = problemsIn(`${"k".repeat(500)}: 1`)[0]!;
  equal(long.path, "k".repeat(80) + "…");
});
