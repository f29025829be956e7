import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { compile, EXPRESSION_SIZE_MAX } from "../../src/expressions/expression.ts";
import { ExpressionError } from "../../src/expressions/expression_error.ts";
import { expressionValue } from "../../src/expressions/value.ts";
import { Random } from "../support/random.ts";

const VARIABLES = { signal: "map", user: "string", hook: "string", isOn: "bool" } as const;

function valuesOf(signal: unknown) {
  return { signal: expressionValue(signal), user: "bob", hook: "onQuery", isOn: true };
}

function evaluate(text: string, signal: unknown = {}): boolean {
  return compile(text, VARIABLES).evaluate(valuesOf(signal));
}

/** The message and the place of what `run` throws. */
function errorOf(run: () => unknown): readonly [message: string, offset: number] {
  try {
    run();
  } catch (error) {
    ok(error instanceof ExpressionError, String(error));
    return [error.message, error.offset];
  }
  throw new Error("nothing was thrown");
}

Deno.test("Expression evaluates conditions on text, numbers, lists and maps", () => {
  const signal = { score: 0.9, n: 3, words: ["a", "b"], deep: { on: true }, nothing: null };
  const holds: readonly string[] = [
    "true",
    "isOn",
    'signal.score > 0.8 && hook == "onQuery" && user != "admin"',
    "signal.n == 3 && signal.n >= 3 && signal.n < 4",
    '"a" in signal.words && !("c" in signal.words)',
    'signal.words.exists(word, word == "b") && signal.words.all(word, word.size() == 1)',
    'signal.words.filter(word, word != "a").size() == 1',
    'signal.exists(key, key == "deep")',
    'signal.deep.on && signal["deep"].on',
    "has(signal.n) && !has(signal.m)",
    "signal.nothing == null",
    'user.startsWith("b") && user.endsWith("b") && user.contains("o")',
    'user.matches("^b[aeiou]b$") && "x.matches".contains("matches")',
    'user . matches("o") && ("matches" + user).matches("matchesb")',
    'user.upperAscii() == "BOB" ? true : false',
    'user in ["bob", "alice"]',
    "int(signal.score) == 0 && double(signal.n) == 3.0",
    'false && signal.missing == 1 || user == "bob"',
  ];
  for (const text of holds) equal(evaluate(text, signal), true, text);
  equal(evaluate('user == "alice"'), false);
});

Deno.test("Expression comes to text where text is asked for", () => {
  const key = compile('user + "@" + hook', VARIABLES, "string");
  equal(key.evaluateText(valuesOf({})), "bob@onQuery");
  deepEqual([...key.uses].sort(), ["hook", "user"]);
  deepEqual(errorOf(() => compile("isOn", VARIABLES, "string")), [
    "expected text; got a value of type bool",
    0,
  ]);
  const any = compile("signal.n", VARIABLES, "string");
  deepEqual(errorOf(() => any.evaluateText(valuesOf({ n: 3 }))), [
    "expected text as the result; got a number",
    0,
  ]);
});

Deno.test("compile says what is wrong, and where", () => {
  const cases: readonly (readonly [text: string, message: RegExp, offset: number])[] = [
    ["", /Unexpected/, 0],
    ["1 +", /Unexpected token: EOF/, 3],
    ['usr == "x"', /Unknown variable: usr/, 0],
    ['isOn && user == 3 && hook == ""', /^the types do not fit: string == int$/, 8],
    ["user", /expected a condition, which is true or false; got a value of type string/, 0],
    ['isOn && user.matches("a(")', /not a regular expression: /, 21],
    ["user.matches(hook)", /a regular expression in quotes/, 13],
    [`user.matches("${"a".repeat(201)}")`, /at most 200 characters/, 13],
    ['user.detects("a")', /there is no method detects here/, 5],
    ["signal.l.map(x, x) == []", /there is no method map here/, 9],
    ['cel.bind(x, user, x == "")', /there is no method bind here/, 4],
    ['user.split("") == []', /there is no method split here/, 5],
    ['bytes(user) == b""', /there is no function bytes here/, 0],
    ["signal.constructor.constructor('x')()", /./, 0],
    [`${"(".repeat(40)}isOn${")".repeat(40)}`, /depth/i, 0],
    [`true${" && true".repeat(300)}`, /longer than/, EXPRESSION_SIZE_MAX],
  ];
  for (const [text, message, offset] of cases) {
    const [found, at] = errorOf(() => compile(text, VARIABLES));
    ok(message.test(found), `${text}: ${found}`);
    if (!message.test("depth") && message.source !== ".") equal(at, offset, text);
    ok(!found.includes("\n"), found);
  }
});

Deno.test("Expression throws when there is no answer", () => {
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ["signal.missing == 1", /No such key: missing/],
    ["signal.n", /expected true or false as the result; got a number/],
    ["signal.n + 1 == 2", /^the types do not fit: /],
    ['int(signal.text) == 1 || user == ""', /^int\(\) type error$/],
    ["signal.l[9] == 1", /out of bounds/],
    ["1 / int(signal.zero) == 1", /division by zero/],
    ['signal.long.matches("(a?){90}x")', /matches could take too long/],
    ['signal.l.exists(x, signal.many.all(y, y.matches("b+")))', /matches could take too long/],
  ];
  const signal = {
    n: 3,
    text: "secret",
    l: [1, 2],
    zero: 0,
    long: "b".repeat(1_000),
    many: Array(100).fill("b".repeat(80)),
  };
  for (const [text, message] of cases) {
    const [found] = errorOf(() => evaluate(text, signal));
    ok(message.test(found), `${text}: ${found}`);
    ok(!found.includes("secret"), found);
  }
});

Deno.test("Expression sees nothing of JavaScript's objects", () => {
  for (const name of ["constructor", "__proto__", "toString", "size", "get", "hasOwnProperty"]) {
    equal(evaluate(`"${name}" in signal`), false, name);
    throws(() => evaluate(`signal["${name}"] == 1`), ExpressionError, name);
  }
  // Not even a plugin that chooses such names confuses it.
  const signal = JSON.parse('{"constructor": "x", "__proto__": {"polluted": true}, "n": 1}');
  equal(evaluate('signal.constructor == "x" && signal.n == 1', signal), true);
  throws(() => evaluate("signal.polluted", signal), ExpressionError);
  equal(({} as Record<string, unknown>)["polluted"], undefined);
});

Deno.test("compile refuses what could take long", () => {
  const nested = (depth: number): string =>
    depth === 0 ? 'user == "x"' : `signal.l.exists(x${depth}, ${nested(depth - 1)})`;
  compile(nested(1), VARIABLES);
  compile("signal.l.exists(x, signal.m.exists(y, x > y))", VARIABLES);
  const doubled = "[signal.l + signal.l + signal.l].exists(x, x.exists(y, x.exists(z, y == z)))";
  for (
    const text of [
      nested(3),
      doubled,
    ]
  ) {
    ok(/could take too long/.test(errorOf(() => compile(text, VARIABLES))[0]), text);
  }
});

Deno.test("Expression tries regular expressions in linear time", () => {
  const slow = compile('signal.text.matches("^(a+)+$")', VARIABLES);
  equal(slow.evaluate(valuesOf({ text: `${"a".repeat(900)}b` })), false);
  equal(slow.evaluate(valuesOf({ text: "a".repeat(900) })), true);
});

Deno.test("expressionValue refuses data that is too large", () => {
  const deep = (depth: number): unknown => depth === 0 ? 1 : [deep(depth - 1)];
  const wide = Array.from({ length: 100 }, (_, i) => i);
  const cases: readonly unknown[] = [
    Array(101).fill(1),
    Object.fromEntries(Array.from({ length: 101 }, (_, i) => [i, i])),
    deep(11),
    Array(11).fill(wide),
    { text: "a".repeat(8_193) },
  ];
  for (const json of cases) {
    ok(/the data is too large/.test(errorOf(() => expressionValue(json))[0]));
  }
  expressionValue([wide, deep(9), "a".repeat(8_192), { a: null }]);
});

/** Pieces of which most sentences are wrong, and some are right. */
const PIECES =
  "signal . score user hook == != < > && || ! ( ) [ ] { } , : ? 1 0.5 -1 \"a\" 'b' null true " +
  "has size exists all filter map in x + - * / % .? \\ \" b'' r'' ` 1u 99999999999999999999 " +
  "__proto__ constructor cel bind dyn type int string \u{1F600} \0 \n // a(b exists(x,x) ==";

Deno.test("compile and evaluate throw nothing but ExpressionError, whatever they are given", () => {
  const random = new Random(Number(Deno.env.get("SEED") ?? 7));
  const pieces = PIECES.split(" ");
  const valid = [
    'signal.score > 0.8 && hook == "onQuery" && user != "admin"',
    'signal.words.exists(word, word.matches("^a+$") || word in ["x", user])',
  ];
  const rounds = Number(Deno.env.get("FUZZ_ROUNDS") ?? 3_000);
  let evaluated = 0;
  for (let round = 0; round < rounds; round++) {
    let text = "";
    if (round % 2 === 0) {
      for (let left = 1 + random.below(12); left > 0; left--) {
        text += pieces[random.below(pieces.length)]! + (random.below(2) === 0 ? " " : "");
      }
    } else {
      const base = valid[random.below(valid.length)]!;
      const [at, end] = [random.below(base.length), random.below(base.length)];
      text = base.slice(0, at) + pieces[random.below(pieces.length)]! + base.slice(end);
    }
    try {
      compile(text, VARIABLES).evaluate(valuesOf({ score: 0.9, words: ["a", 1, null], x: {} }));
      evaluated += 1;
    } catch (error) {
      ok(error instanceof ExpressionError, `${JSON.stringify(text)}: ${error}`);
      ok(error.offset >= 0 && error.offset <= text.length, `${JSON.stringify(text)}`);
    }
  }
  ok(evaluated > 0, "no expression was right");
});
