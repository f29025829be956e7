import { deepEqual, equal, ok } from "node:assert/strict";
import type { Place } from "../../src/config/problems.ts";
import { load, notesOf, problemsOf, SMALLEST } from "./defaults.ts";

function withPlugins(...lines: readonly string[]): string {
  return `${SMALLEST}plugins:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** The text of `place`, without the file's name. */
function at(place: Place | undefined): string {
  return `${place?.line}:${place?.column} ${place?.path}`;
}

Deno.test("loadConfig reads plugins and what is beside them", () => {
  const { plugins } = load(withPlugins(
    "tickInterval: 250ms",
    "hello: { priority: 7, permissions: [kv, respond], memoryMax: 100KiB, sha256: '" +
      `${"AB".repeat(32)}' }`,
    "directory: /srv/plugins",
    "other: { file: x.wasm, onFailure: closed, hosts: ['api.example.com:8443'] }",
    "far: { file: ../far/away.wasm }",
  ));
  equal(plugins.directory, "/srv/plugins");
  equal(plugins.isDirectoryWritten, true);
  equal(plugins.tickIntervalMs, 250);
  deepEqual([...plugins.plugins].map(([name, { file }]) => [name, file]), [
    ["hello", "/srv/plugins/hello.wasm"],
    ["other", "/srv/plugins/x.wasm"],
    ["far", "../far/away.wasm"],
  ]);
  const hello = plugins.plugins.get("hello")!;
  equal(hello.priority, 7);
  equal(hello.sha256, "ab".repeat(32));
  equal(hello.memoryMax, 65_536, "whole pages");
  deepEqual(hello.permissions, ["kv", "respond"]);
  equal(plugins.plugins.get("other")!.onFailure, "closed");
  deepEqual(plugins.plugins.get("other")!.hosts, ["api.example.com:8443"]);
  equal(plugins.others.onFailure, "open");
});

Deno.test("loadConfig finds relative plugins from the folder of the file", () => {
  const loaded = load(withPlugins("directory: ./p", "hello: {}"), {}, {
    SLUICE_PLUGINS_HELLO_PRIORITY: "3",
    SLUICE_PLUGINS_NEW_PERMISSIONS: "kv,log",
    SLUICE_PLUGINS_TICK_INTERVAL: "2s",
    SLUICE_PLUGINS_NEW_CONFIG: '{"a":[1]}',
  });
  const { plugins } = loaded;
  equal(plugins.plugins.get("hello")!.file, "p/hello.wasm");
  equal(plugins.plugins.get("hello")!.priority, 3);
  deepEqual(plugins.plugins.get("new")!.permissions, ["kv", "log"]);
  deepEqual(plugins.plugins.get("new")!.config.json, { a: [1] });
  equal(plugins.tickIntervalMs, 2_000);
});

Deno.test("loadConfig keeps a plugin's own keys as JSON, with the place of each", () => {
  const text = withPlugins(
    "hello:",
    "  config:",
    "    greeting: hi",
    "    quoted: '5'",
    "    number: -1.5e3",
    "    none:",
    "    rules:",
    '      - { table: "a/b", isOn: true }',
    "      - [x, ~]",
    '    token: "${TOKEN}"',
  );
  const { json, places } = load(text, {}, { TOKEN: "12345" }).plugins.plugins.get("hello")!.config;
  deepEqual(json, {
    greeting: "hi",
    quoted: "5",
    number: -1500,
    none: null,
    rules: [{ table: "a/b", isOn: true }, ["x", null]],
    token: "12345",
  });
  equal(at(places.get("/greeting")), "10:17 plugins.hello.config.greeting");
  equal(at(places.get("/rules/0/table")), "15:20 plugins.hello.config.rules.0.table");
  equal(at(places.get("/rules/1")), "16:11 plugins.hello.config.rules.1");
});

/** Lines below `plugins:`, and what is wrong with them. */
const PROBLEMS: readonly (readonly [lines: readonly string[], problem: string])[] = [
  [["directry: ./p"], '8:3: plugins.directry: unknown key; did you mean "directory"?'],
  [
    ["hello: { priorty: 5 }"],
    '8:12: plugins.hello.priorty: unknown key; did you mean "priority"?',
  ],
  [
    ["hello: wasm"],
    '8:10: plugins.hello: expected the keys of a plugin; got "wasm"',
  ],
  [
    ["hello: { permissions: [kv, respnd] }"],
    "8:30: plugins.hello.permissions: expected a list of at most 11 words: each one of replace, " +
    "respond, reject, close, route, parse, signal, log, kv, session, http; " +
    'got "respnd"; did you mean "respond"?',
  ],
  [
    ["a.b: {}"],
    "8:3: plugins.a.b: the name of a plugin must be 1 to 63 letters, digits, _ and -, a letter " +
    'first, and no key; got "a.b"; did you mean "a-b"?',
  ],
  [
    ['hello: { config: { token: "${NO_SUCH}" } }'],
    "8:29: plugins.hello.config.token: the environment variable NO_SUCH is not set; set it",
  ],
  [
    ["hello: { config: [password1] }"],
    "8:20: plugins.hello.config: expected keys and values; got a list",
  ],
];

Deno.test("loadConfig says what is wrong with plugins, and where", () => {
  for (const [lines, problem] of PROBLEMS) {
    equal(problemsOf(withPlugins(...lines)), `s.yaml:${problem}\n`, lines.join());
  }
  const variable = { SLUICE_PLUGINS_HELLO_CONFIG: "sesame" };
  equal(
    problemsOf(SMALLEST, {}, variable),
    "environment: SLUICE_PLUGINS_HELLO_CONFIG: expected keys and values; got what is no JSON " +
      "object\n",
  );
});

Deno.test("loadConfig stops at keys that are inside of themselves", () => {
  const text = withPlugins("hello:", "  config: &a", "    b: *a");
  ok(problemsOf(text).includes("more than 32 keys and lists inside each other"));
});

Deno.test("loadConfig has no notes on plugins without a directory that somebody wrote", () => {
  equal(notesOf(withPlugins("enabled: true")), "");
});
