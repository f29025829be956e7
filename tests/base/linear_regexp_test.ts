import { deepEqual, equal, throws } from "node:assert/strict";
import { LinearRegExp } from "../../src/base/linear_regexp.ts";
import { Random } from "../support/random.ts";

Deno.test("LinearRegExp finds what JavaScript finds, groups included", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["", ["", "a"]],
    ["a", ["a", "ba", "b", ""]],
    ["^a", ["a", "ba"]],
    ["a$", ["ab", "ba"]],
    ["^$", ["", "a"]],
    ["^(.*)@example\\.com$", ["ann@example.com", "ann@exampleXcom", "@example.com"]],
    ["^(a|ab)(c|bcd)(d*)$", ["abcd", "acd", "abc"]],
    ["(a+)(b?)", ["aab", "xaa", "b"]],
    ["(?:ab)+c", ["ababc", "abc", "c"]],
    ["[a-c]x[^0-9]", ["bxy", "bx1", "dxy"]],
    ["[\\]a-]b", ["]b", "ab", "-b", "b"]],
    ["[\\d_]+", ["a1_2", "a"]],
    ["\\w\\W\\d\\D\\s\\S", ["a-1b c", "a-1bcc"]],
    ["a{2}", ["a", "aa", "aaa"]],
    ["^a{1,2}$", ["", "a", "aa", "aaa"]],
    ["^a{2,}$", ["a", "aa", "aaaa"]],
    ["a||b", ["", "b"]],
    ["(x)?y", ["y", "xy"]],
    ["^.$", ["😀", "é", "ab"]],
    ["\\.\\*\\(\\\\", [".*(\\", "x"]],
  ];
  for (const [pattern, texts] of cases) {
    const expression = new LinearRegExp(pattern);
    for (const text of texts) {
      const found = new RegExp(pattern, "su").exec(text) ?? undefined;
      deepEqual(expression.exec(text), found && [...found], `/${pattern}/ on "${text}"`);
      equal(expression.test(text), found !== undefined);
    }
  }
});

/** A pattern without what only one of the engines has, and without loops over nothing. */
function randomPattern(random: Random, depth: number): string {
  const atom = () => {
    if (depth > 0 && random.oneIn(3)) return `(${randomPattern(random, depth - 1)})`;
    return random.pick(["a", "b", ".", "[ab]", "[^a]", "c"]);
  };
  const part = () => {
    const text = atom();
    if (text.startsWith("(")) return text;
    return text + random.pick(["", "", "", "*", "+", "?", "{1,2}"]);
  };
  const sequence = () => Array.from({ length: 1 + random.below(3) }, part).join("");
  const edges = [random.oneIn(3) ? "^" : "", random.oneIn(3) ? "$" : ""] as const;
  return random.oneIn(3) ? `${sequence()}|${sequence()}` : edges[0] + sequence() + edges[1];
}

Deno.test("LinearRegExp takes brackets for themselves where POSIX does", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["^a}]$", "a}]"],
    ["^[]a]+$", "]a"],
    ["^[^]a]$", "b"],
    ["^[a-]+$", "a-"],
    ["^[-a]+$", "a-"],
    ["^[{(|*.]+$", "{(|*."],
  ];
  for (const [pattern, text] of cases) equal(new LinearRegExp(pattern).test(text), true, pattern);
});

Deno.test("LinearRegExp agrees with JavaScript on random patterns", () => {
  const random = new Random(20261121);
  let matches = 0;
  for (let i = 0; i < 3000; i++) {
    const pattern = randomPattern(random, 2);
    const text = Array.from({ length: random.below(7) }, () => random.pick([..."abcd"])).join("");
    const expected = new RegExp(pattern, "su").exec(text) ?? undefined;
    deepEqual(
      new LinearRegExp(pattern).exec(text),
      expected && [...expected],
      `${pattern} ${text}`,
    );
    if (expected !== undefined) matches += 1;
  }
  equal(matches > 500 && matches < 2800, true, `${matches} matches: the patterns say something`);
});

Deno.test("LinearRegExp is done at once where backtracking would take years", () => {
  const text = "a".repeat(256);
  const slow = [
    "^(a+)+b$",
    "^(a|a)*b$",
    "^(a|aa)+b",
    "(.*)(.*)(.*)(.*)(.*)x",
    "^(a*)*b",
    "(a?){50}b",
  ];
  for (const pattern of slow) equal(new LinearRegExp(pattern).test(text), false, pattern);
});

Deno.test("LinearRegExp refuses what it does not know, and what is too large", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["(", /not closed/],
    [")", /no opening one/],
    ["(a))", /no opening one/],
    ["[a", /bracket is not closed/],
    ["[", /bracket is not closed/],
    ["[b-a]", /from a character to a later one/],
    ["[\\w-z]", /from a character to a later one/],
    ["[a-\\d]", /from a character to a later one/],
    ["[[:alpha:]]", /\[:alpha:\]/],
    ["*", /repeats nothing/],
    ["a|+", /repeats nothing/],
    ["a**", /cannot be repeated/],
    ["a+?", /none is reluctant/],
    ["^*", /cannot be repeated/],
    ["a{", /must be followed by/],
    ["a{x}", /must be followed by/],
    ["a{2,1}", /must be followed by/],
    ["a{256}", /must be followed by/],
    ["(?=a)", /only "\(\?:" is supported/],
    ["(?<n>a)", /only "\(\?:" is supported/],
    ["\\", /a backslash must come before/],
    ["\\b", /a backslash must come before/],
    ["(a)\\1", /a backslash must come before/],
    ["((a{100}){100}){100}", /at most 2000 steps/],
    ["a".repeat(1001), /at most 1000 characters/],
    ["(".repeat(100) + ")".repeat(100), /at most 20 groups/],
    ["(?:".repeat(100) + ")".repeat(100), /at most 50 deep/],
  ];
  for (const [pattern, message] of cases) {
    throws(() => new LinearRegExp(pattern), { name: "PatternError", message }, pattern);
  }
});
