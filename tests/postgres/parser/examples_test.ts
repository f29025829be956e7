import { deepEqual, equal, ok } from "node:assert/strict";
import { COMMAND_EXAMPLES, OTHER_EXAMPLES, SESSION_EXAMPLES } from "./command_examples.ts";
import { analyser, expectedOf, inShort } from "./examples.ts";
import { QUERY_EXAMPLES } from "./query_examples.ts";

const EXAMPLES = [...QUERY_EXAMPLES, ...COMMAND_EXAMPLES, ...SESSION_EXAMPLES, ...OTHER_EXAMPLES];

Deno.test("QueryAnalyser finds what each example says", () => {
  ok(EXAMPLES.length >= 150, `${EXAMPLES.length} examples`);
  equal(new Set(EXAMPLES.map(([text]) => text)).size, EXAMPLES.length, "no example is twice");
  for (const example of EXAMPLES) {
    const [text] = example;
    const { error, fingerprint, statements } = analyser.analyse(text);
    equal(error, undefined, text);
    equal(/^[0-9a-f]{16}$/.test(fingerprint), true, text);
    deepEqual(statements.map(inShort), [expectedOf(example)], text);
  }
});

Deno.test("QueryAnalyser finds in many statements what it finds in each", () => {
  const texts = EXAMPLES.slice(0, 100);
  const { statements } = analyser.analyse(texts.map(([text]) => `${text};\n`).join(""));
  deepEqual(statements.map(inShort), texts.map(expectedOf));
});
