import { deepEqual, equal, ok } from "node:assert/strict";
import { loadConfig } from "../../src/config/load.ts";
import {
  nameList,
  printable,
  printableMessage,
  Problems,
  problemsText,
  quote,
} from "../../src/config/problems.ts";

Deno.test("Problems keeps 1000 and says that there are more", () => {
  const problems = new Problems();
  for (let line = 1_500; line > 0; line--) {
    problems.add({ file: "f", line, column: 1, path: "p" }, "m");
  }
  const sorted = problems.sorted("s.yaml");
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
  equal(printableMessage("x".repeat(400) + "\u001b"), "x".repeat(400) + "…");
  equal(printableMessage(`${"x".repeat(399)}\u001b`), `${"x".repeat(399)}\\u{1b}`);
});

Deno.test("nameList shows at most ten names", () => {
  equal(nameList([]), "none");
  equal(nameList(["a", "b"]), "a, b");
  deepEqual(nameList(Array.from({ length: 12 }, (_, i) => `n${i}`)).split(", ").length, 10);
});

/** Values that people paste, each with the password "s3cret" somewhere in it, in its ways. */
const WITH_PASSWORD: readonly string[] = [
  "postgres://app:s3cret@db:5432/x",
  "postgres://:s3cret@db:5432/x",
  "postgres://app:/s3cret@db:5432/x",
  "postgres://app:@s3cret@db:5432/x",
  "postgres://app: s3cret@db:5432/x",
  "app:s3cret@db:5432",
  "postgres://db:5432/x?user=app&password=s3cret",
  "postgres://db:5432/x?PASSWORD=s3cret&user=app",
  "host=db passwd=s3cret",
  "postgres://app:s3cret@" + "x".repeat(200),
  "x".repeat(70) + "://app:s3cret@db",
];

Deno.test("printable never shows a password of a URL", () => {
  for (const text of WITH_PASSWORD) {
    ok(text.includes("s3cret"));
    const shown = printable(text);
    ok(!shown.includes("s3c"), shown);
  }
  equal(printable("postgres://app:s3cret@db:5432/x"), "postgres:...@db:5432/x");
});

Deno.test("printable shows addresses that hold no password as they are", () => {
  for (
    const text of ["db:5432", "[fe80::1]:5432", "postgres://db:5432/x", "app@db:5432", "@", ":"]
  ) {
    equal(printable(text), text);
  }
});

Deno.test("problemsText shows no password, from the file or from the environment", () => {
  const smallest = (address: string, more = "") =>
    "servers: { default: { address: 127.0.0.1:15432 } }\n" +
    `clients: { default: { address: ${address} } }\n${more}`;
  const load = (text: string, env: Readonly<Record<string, string>> = {}) => {
    const loaded = loadConfig({ text, fileName: "s.yaml", env, cores: 2 });
    ok(!loaded.ok, text);
    const shown = problemsText(loaded.problems);
    ok(!shown.includes("s3cret"), shown);
    return shown;
  };
  const hint = /where a URL has no place: write its host:port only\n$/;
  for (const value of WITH_PASSWORD) {
    const fromFile = load(smallest(JSON.stringify(value)));
    const fromEnv = load(smallest("a:1"), { SLUICE_CLIENTS_DEFAULT_ADDRESS: value });
    for (const shown of [fromFile, fromEnv]) equal(hint.test(shown), value.includes("://"), shown);
    load(smallest("a:1"), { SLUICE_METRICS_PATH: value });
    load(smallest("a:1", `loggers: { a: { level: ${JSON.stringify(value)} } }\n`));
    load(smallest("a:1", `proxies: { a: { client: ${JSON.stringify(value)} } }\n`));
    load(smallest("a:1", `pools: { ${JSON.stringify(value)}: {} }\n`));
    load(smallest("a:1", `${JSON.stringify(value)}: 1\n`));
  }
  load("postgres://app:s3cret@db:5432/x");
  load(smallest("*postgres://app:s3cret@db"));
});
