import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { textOf, utf8 } from "../../../src/base/bytes.ts";
import {
  ANALYSED_SIZE_MAX,
  CACHED_SIZE_MAX,
  QueryAnalyser,
  TOO_LONG,
} from "../../../src/postgres/parser/query_analyser.ts";
import { analyser } from "./examples.ts";

/** Lets the promises that are pending have their turn, and what hangs on them. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

function normalised(text: string): string {
  const { error, normalised } = analyser.analyse(text);
  equal(error, undefined, text);
  return normalised;
}

Deno.test("analyse tells a syntax error and where it is", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["SELECT * FORM t", /^syntax error at or near "FORM" \(at character 10\)$/],
    ["SELECT 'é' x y", /^syntax error at or near "y" \(at character 14\)$/],
    ["SELECT 1; SELEC 2", /^syntax error at or near "SELEC" \(at character 11\)$/],
    ["SELECT (", /^syntax error at end of input \(at character 9\)$/],
    ["SELECT 'a", /^unterminated quoted string at or near "'a" \(at character 8\)$/],
    ["SELECT /* a", /^unterminated \/\* comment/],
    ["SELECT $$a", /^unterminated dollar-quoted string/],
    ["SELECT 1\0; DROP TABLE t", /character 0/],
  ];
  for (const [text, message] of cases) {
    const analysis = analyser.analyse(text);
    match(analysis.error ?? "", message, text);
    deepEqual({ ...analysis, error: "" }, {
      error: "",
      fingerprint: "",
      normalised: "",
      statements: [],
    });
  }
});

Deno.test("analyse takes a text without statements", () => {
  for (const text of ["", " ", ";", " ; ;", "-- a", "/* a */"]) {
    deepEqual(analyser.analyse(text), {
      error: undefined,
      fingerprint: "0000000000000000",
      normalised: "",
      statements: [],
    }, text);
  }
});

Deno.test("analyse gives texts that differ in constants only one fingerprint", () => {
  const fingerprint = (text: string) => analyser.analyse(text).fingerprint;
  equal(
    fingerprint("SELECT a FROM t WHERE b = 1"),
    fingerprint("select  a from T where b = 'x' -- y"),
  );
  notEqual(fingerprint("SELECT a FROM t WHERE b = 1"), fingerprint("SELECT a FROM u WHERE b = 1"));
  notEqual(fingerprint("SELECT 1"), fingerprint("SELECT 1; DELETE FROM t"));
});

Deno.test("analyse replaces constants, and strings wherever they are", () => {
  equal(
    normalised("SELECT a FROM t WHERE b = 'x' AND c > 1.5"),
    "SELECT a FROM t WHERE b = $1 AND c > $2",
  );
  equal(normalised("SELECT $1, 'x'; SELECT 2"), "SELECT $1, $2; SELECT $3");
  equal(normalised("ALTER ROLE x PASSWORD 'secret'"), "ALTER ROLE x PASSWORD $1");
  const secrets = [
    "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'secret', password 'secret')",
    "COPY t FROM PROGRAM 'curl secret'",
    "COPY (SELECT 'secret') TO 'secret'",
    "CREATE SUBSCRIPTION s CONNECTION 'password=secret' PUBLICATION p",
    "COMMENT ON TABLE t IS $a$secret 'é'$a$",
    "ALTER SYSTEM SET a = E'secret\\'secret'",
    "CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (a U&'secret', c 'é''secret')",
    "DO $$ secret $$",
    "SECURITY LABEL ON TABLE é IS 'secret\u0001'",
  ];
  for (const text of secrets) {
    equal(/secret|'/.test(normalised(text)), false, normalised(text));
    match(normalised(text), /\$[1-9]/);
  }
});

Deno.test("analyse reads bytes as UTF-8 and never throws at others", () => {
  const text = "SELECT 'é' FROM \"tä\"";
  deepEqual(analyser.analyse(utf8(text)), analyser.analyse(text));
  const latin1 = Uint8Array.from("SELECT * FROM tä WHERE b = 'é'", (c) => c.charCodeAt(0));
  deepEqual(analyser.analyse(latin1).statements[0]?.tables, [
    { schema: undefined, name: "t\ufffd", access: "read" },
  ]);
  // A first byte of two or more does not take a quote with it.
  for (const byte of [0x80, 0xc3, 0xe0, 0xf0, 0xff]) {
    const bytes = utf8("SELECT 'x'; DELETE FROM t");
    bytes[8] = byte;
    equal(analyser.analyse(bytes).statements.length, 2, `${byte}`);
  }
  equal(analyser.analyse("SELECT '\ud800'").error, undefined, "half a character");
});

Deno.test("analyse takes what is nested deeply, or says that it cannot", async () => {
  const nested = (depth: number) => `SELECT ${"(".repeat(depth)}1${")".repeat(depth)}`;
  equal(analyser.analyse(nested(5_000)).error, undefined);
  match(analyser.analyse(nested(20_000)).error ?? "", /^memory exhausted/);
  const deep: readonly string[] = [
    `SELECT 1${"+1".repeat(50_000)}`,
    `SELECT 1${"::int".repeat(50_000)}`,
    `SELECT 1${" UNION SELECT 1".repeat(50_000)}`,
    `SELECT 1 FROM a${" CROSS JOIN a".repeat(50_000)}`,
    `SELECT a${" IS NULL".repeat(50_000)}`,
    `SELECT 1${",1".repeat(500_000)}`,
  ];
  for (const text of deep) {
    match(
      analyser.analyse(text).error ?? "",
      /nested too deeply or has too many parts/,
      text.slice(0, 40),
    );
    // The instance that failed gives garbage, so another one must have taken its place.
    const after = `SELECT a FROM after_${text.length}_${text.charCodeAt(9)}`;
    equal(analyser.analyse(after).statements[0]?.tables.length, 1, text.slice(0, 40));
    await settle();
  }
});

Deno.test("analyse says so when the parser failed too often at once, and recovers", async () => {
  const deep = `SELECT 1${"+1".repeat(50_000)}`;
  for (let i = 0; i < 3; i++) ok(analyser.analyse(`${deep}${" ".repeat(i)}`).error !== undefined);
  match(analyser.analyse("SELECT 'recovers'").error ?? "", /restarted/);
  await settle();
  equal(analyser.analyse("SELECT 'recovers'").error, undefined, "that it failed is not kept");
});

Deno.test("analyse refuses texts for which the parser would take minutes or hours", () => {
  for (const piece of ["/*", "+", "@-", "*/"]) {
    const text = `SELECT 1 ${piece.repeat(250_000)}`;
    match(analyser.analyse(text).error ?? "", /too many parts/, piece);
  }
  match(analyser.analyse("SELECT 1;".repeat(100_000)).error ?? "", /too many parts/);
  const frame = `/${"*".repeat(98)}/\n-- ${"=".repeat(97)}\n`;
  equal(analyser.analyse(`${frame.repeat(100)}SELECT 1`).error, undefined);
});

Deno.test("analyse has a limit for the length of a text", async () => {
  const ofSize = (size: number) => `SELECT '${"x".repeat(size - 9)}'`;
  equal(analyser.analyse(ofSize(ANALYSED_SIZE_MAX)).error, undefined);
  equal(analyser.analyse(ofSize(ANALYSED_SIZE_MAX + 1)).error, TOO_LONG);
  equal(analyser.analyse(utf8(ofSize(ANALYSED_SIZE_MAX + 1))).error, TOO_LONG);
  equal(analyser.analyse(`SELECT '${"é".repeat(ANALYSED_SIZE_MAX / 2)}'`).error, TOO_LONG);
  const own = await QueryAnalyser.load();
  own.analyse(ofSize(CACHED_SIZE_MAX + 1));
  equal(own.cachedCount, 0);
  own.analyse(ofSize(CACHED_SIZE_MAX));
  equal(own.cachedCount, 1);
});

Deno.test("analyse gives the same analysis again for a text that it keeps", async () => {
  const own = await QueryAnalyser.load();
  const first = own.analyse("SELECT 1");
  equal(own.analyse("SELECT 1"), first);
  equal(own.analyse(utf8("SELECT 1")), first);
  equal(own.analyse("SELECT 1 FORM"), own.analyse("SELECT 1 FORM"));
  equal(own.cachedCount, 2);
});

Deno.test("analyse keeps memory bounded over many different texts", async () => {
  const script = fileURLToPath(new URL("../../support/analyse_many.ts", import.meta.url));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script],
    stdin: "null",
  }).output();
  const said = textOf(stdout);
  ok(said.startsWith("{"), textOf(stderr));
  const { grownMiB, count, size } = JSON.parse(said);
  ok(count <= 4_096 && count > 1_000, `${count} entries`);
  ok(size <= 8 * 1024 * 1024, `${size} bytes`);
  ok(grownMiB < 150, `${grownMiB} MiB more`);
});
