import { deepEqual, equal, ok } from "node:assert/strict";
import { freeKeys } from "../../src/config/free_keys.ts";
import { type ManifestNames, parseManifest } from "../../src/config/plugin_manifest.ts";
import { Problems, problemsText } from "../../src/config/problems.ts";
import { load, SMALLEST } from "./defaults.ts";

const NAMES: ManifestNames = {
  hooks: ["onQuery", "onRow", "onTick"],
  clientMessages: ["Query", "Parse"],
  serverMessages: ["DataRow"],
};

function problemsIn(text: string): string {
  const problems = new Problems();
  parseManifest(text, "hello.yaml", NAMES, problems);
  return problemsText(problems.sorted("hello.yaml"));
}

function parse(text: string) {
  const problems = new Problems();
  const manifest = parseManifest(text, "hello.yaml", NAMES, problems);
  ok(manifest !== undefined, problemsText(problems.sorted("hello.yaml")));
  return manifest;
}

const FULL = `name: hello
version: 1.0.0
description: Says hello.
hooks: [onQuery]
messageTypes:
  client: [Query]
permissions: [respond, reject, kv]
hosts: ["example.com"]
onFailure: closed
limits: { fuelPerCall: 50000000, memoryMax: 100001KiB }
config:
  type: object
  required: [table]
  properties:
    greeting: { type: string, default: hello, maxLength: 5 }
    token: { type: string, writeOnly: true, secret: true, pattern: "^[a-z]+$" }
    times: { enum: [1, 2] }
    table: { type: string }
    nested:
      type: object
      default: {}
      properties: { depth: { type: integer, default: 3 } }
    rules: { type: array, items: { type: object, additionalProperties: false } }
  additionalProperties: false
`;

Deno.test("parseManifest reads what a plugin says about itself", () => {
  const { configuration, ...manifest } = parse(FULL);
  deepEqual(manifest, {
    name: "hello",
    version: "1.0.0",
    description: "Says hello.",
    hooks: ["onQuery"],
    clientMessages: ["Query"],
    serverMessages: undefined,
    permissions: ["respond", "reject", "kv"],
    hosts: ["example.com"],
    onFailure: "closed",
    limits: { fuelPerCall: 50_000_000, memoryMax: 1562 * 65_536 },
  });
  ok(configuration !== undefined);
  equal(parse("").configuration, undefined);
  equal(parse("").hooks, undefined);
  equal(parse("").onFailure, undefined);
});

Deno.test("parseManifest says what is wrong, and where", () => {
  const wrong: readonly (readonly [text: string, problem: string])[] = [
    ["hook: [onQuery]", '1:1: hook: unknown key; did you mean "hooks"?'],
    [
      "hooks: [onQuery, onRaw]",
      "1:18: hooks: expected a list of at most 100 hooks: each one of onQuery, onRow, onTick; " +
      'got "onRaw"; did you mean "onRow"?',
    ],
    [
      "permissions: [kw]",
      "1:15: permissions: expected a list of at most 100 words: each one of replace, respond, " +
      'reject, close, route, parse, signal, log, kv, session, http; got "kw"',
    ],
    [
      "messageTypes: { client: [DataRow] }",
      "1:26: messageTypes.client: expected a list of at most 100 messages: each one of Query, " +
      'Parse; got "DataRow"',
    ],
    [
      "onFailure: shut",
      '1:12: onFailure: expected one of open, closed; got "shut"',
    ],
    [
      "permissions: [log]\nonFailure: closed",
      "2:1: onFailure: closed is for plugins with the permission reject; add it to permissions, " +
      "or write open",
    ],
    ["- a", "1:1: expected keys; got a list"],
    ["messageTypes: x", "1:15: messageTypes: expected the keys client,server"],
    [
      "a: [",
      "1:5: not valid YAML: Flow sequence in block collection must be sufficiently" +
      " indented and end with a ]",
    ],
  ];
  for (const [text, problem] of wrong) equal(problemsIn(text), `hello.yaml:${problem}\n`, text);
});

Deno.test("parseManifest refuses what is no JSON Schema, or could take for ever", () => {
  const place = "hello.yaml:1:1: config: not valid as JSON Schema draft 7: ";
  for (
    const [schema, reason] of [
      ["{ type: strang }", "schema is invalid: data/type must be"],
      ["{ typ: string }", 'strict mode: unknown keyword: "typ"'],
      ["{ $ref: '#/nowhere' }", "can't resolve reference"],
      ["{ type: string, pattern: '(a)\\1' }", ""],
      ["{ type: string, pattern: '(?=a)' }", ""],
    ] as const
  ) {
    const said = problemsIn(`config: ${schema}`);
    ok(said.startsWith(place + reason), said);
  }
});

Deno.test("ConfigurationSchema fills in every default", () => {
  const { configuration } = parse(FULL);
  const { config } = load(`${SMALLEST}plugins: { hello: { config: { table: t } } }\n`)
    .plugins.plugins.get("hello")!;
  const problems = new Problems();
  deepEqual(configuration!.check(config, problems), {
    table: "t",
    greeting: "hello",
    nested: { depth: 3 },
  });
  equal(problems.count, 0);
  deepEqual(config.json, { table: "t" }, "what was written stays");
});

Deno.test("ConfigurationSchema knows whether there is a key to be told", () => {
  const hasKeys = (schema: string) => parse(`config: ${schema}`).configuration!.hasKeys;
  for (const schema of ["{}", "{ type: object, properties: {}, additionalProperties: false }"]) {
    equal(hasKeys(schema), false, schema);
  }
  for (const word of ["properties: { a: { type: string } }", "required: [a]", "minProperties: 1"]) {
    equal(hasKeys(`{ ${word} }`), true, word);
  }
  equal(hasKeys("{ additionalProperties: { type: string } }"), true);
});

Deno.test("ConfigurationSchema places what is wrong, and never repeats a value", () => {
  const { configuration } = parse(FULL);
  const text = `${SMALLEST}plugins:
  hello:
    config:
      greting: secret1
      token: "SECRET2"
      times: 3
      nested: { depth: secret4 }
      rules:
        - { odd: secret5 }
`;
  const { config } = load(text).plugins.plugins.get("hello")!;
  const problems = new Problems();
  configuration!.check(config, problems);
  const said = problemsText(problems.sorted("s.yaml"));
  equal(
    said,
    `\
s.yaml:10:7: plugins.hello.config: the key "table" is required; add it
s.yaml:10:16: plugins.hello.config.greting: unknown key "greting"; did you mean "greeting"?
s.yaml:11:14: plugins.hello.config.token: the value must match pattern "^[a-z]+$"
s.yaml:12:14: plugins.hello.config.times: expected one of 1, 2
s.yaml:13:24: plugins.hello.config.nested.depth: expected integer
s.yaml:15:18: plugins.hello.config.rules.0.odd: unknown key "odd"; the keys here are none
`,
  );
  ok(!/secret\d/i.test(said));
});

Deno.test("ConfigurationSchema places what a variable says at the variable", () => {
  const { configuration } = parse(FULL);
  const place = { file: "environment", line: 1, column: 1, path: "SLUICE_PLUGINS_HELLO_CONFIG" };
  const read = freeKeys().read({
    kind: "text",
    text: '{"table": "t", "nested": {"depth": "x"}}',
    isQuoted: false,
    place,
  });
  ok(read.ok);
  const problems = new Problems();
  configuration!.check(read.value, problems);
  equal(
    problemsText(problems.sorted("")),
    "environment: SLUICE_PLUGINS_HELLO_CONFIG: expected integer\n",
  );
});

Deno.test("ConfigurationSchema checks each value with its own expression", () => {
  const { configuration } = parse(`config:
  type: object
  properties:
    first: { type: string, pattern: "^a+$" }
    second: { type: string, pattern: "^b+$" }
`);
  const { config } = load(
    `${SMALLEST}plugins: { hello: { config: { first: aa, second: bb } } }\n`,
  ).plugins.plugins.get("hello")!;
  const problems = new Problems();
  configuration!.check(config, problems);
  equal(problems.count, 0);
});

Deno.test("parseManifest lets a plugin ask for so much, and no more", () => {
  deepEqual(parse("name: hello\n").limits, { fuelPerCall: undefined, memoryMax: undefined });
  deepEqual(parse("limits: { memoryMax: 64KiB }\n").limits.fuelPerCall, undefined);
  const cases: readonly (readonly [limits: string, message: RegExp])[] = [
    ["fuelPerCall: 50000001", /limits\.fuelPerCall: expected a whole number from 1000 to 50000000/],
    ["memoryMax: 161MiB", /limits\.memoryMax: expected a size from 64KiB to 160MiB/],
    ["fuel: 5", /limits\.fuel: unknown key/],
  ];
  for (const [limits, message] of cases) {
    const problem = problemsIn(`limits: { ${limits} }\n`);
    ok(message.test(problem), problem);
  }
});
