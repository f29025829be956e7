/**
 * What counts as a difference, and how the page shows it.
 *
 * @module
 */

import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import { compare, count } from "./compare.ts";
import { exceptionFor, EXCEPTIONS } from "./exceptions.ts";
import { differencesOf, type Row, withTable } from "./page.ts";
import { pythonSuites } from "./python_suites.ts";
import type { Outcome, Results, Suite } from "./suite.ts";
import { type Label, targetOf } from "./targets.ts";

function results(outcomes: Readonly<Record<string, Outcome>>): Results {
  return new Map(
    Object.entries(outcomes).map(([name, outcome]) => [name, { outcome, message: "" }]),
  );
}

const SUITE: Suite = { ...pythonSuites()[0]!, name: "nobody's", driver: "nobody 1.0" };

function row(through: Readonly<Partial<Record<Label, Results>>>): Row {
  const runs = new Map(
    Object.entries(through).map(([label, results]) => [
      label as Label,
      { suite: SUITE.name, driver: SUITE.driver, label, seconds: 1, results },
    ]),
  );
  return { suite: SUITE, runs };
}

Deno.test("compare finds tests that pass directly and not through the gateway, and only those", () => {
  const direct = results({
    a: "passed",
    b: "passed",
    c: "passed",
    d: "passed",
    e: "failed",
    f: "skipped",
  });
  const through = results({ a: "passed", b: "failed", c: "skipped", e: "passed", new: "failed" });
  const { compared, differences } = compare(direct, through);
  equal(compared, 4);
  deepEqual(differences.map(({ test, outcome }) => [test, outcome]), [
    ["b", "failed"],
    ["c", "skipped"],
    ["d", "missing"],
  ]);
  deepEqual(count(direct), { passed: 4, failed: 1, skipped: 1 });
});

Deno.test("withTable replaces what is between the markers, and keeps the rest", () => {
  const page = "# Title\n\n<!-- table begins -->\nold\n<!-- table ends -->\n\nafter\n";
  const direct = results({ a: "passed", b: "passed", c: "failed", d: "skipped" });
  const rows = [row({ direct, transaction: results({ a: "passed", b: "failed" }) })];
  const text = withTable(page, rows);
  match(text, /^# Title\n/);
  match(text, /\nafter\n$/);
  ok(!text.includes("old"));
  match(text, /\| nobody 1\.0 \| 2 \| - \| 1 \(-1\) \| 1 \+ 1 \|/);
  match(text, /nobody's, transaction: `b` failed/);
  equal(withTable(text, rows), text, "a second time changes nothing");
});

Deno.test("withTable refuses a page without markers", () => {
  throws(() => withTable("# Title", []), /must have/);
});

Deno.test("differencesOf says nothing where no direct run is known", () => {
  deepEqual(differencesOf([row({ session: results({ a: "failed" }) })]), []);
});

Deno.test("differencesOf looks at what is asked for", () => {
  const [direct, other] = [results({ a: "passed" }), results({ a: "failed" })];
  const rows = [row({ direct, relay: other, session: other })];
  deepEqual(differencesOf(rows).map(({ label }) => label), ["session"]);
  deepEqual(differencesOf(rows, ["direct", "relay"]).map(({ label }) => label), ["relay"]);
});

Deno.test("exceptionFor matches suite, mode and test", () => {
  const only = { suites: ["s"], labels: ["session"] as const, test: /\.test_x$/, why: "Because." };
  equal(exceptionFor("s", "session", "a.test_x", [only]), only);
  equal(exceptionFor("s", "session", "a.test_xy", [only]), undefined);
  equal(exceptionFor("s", "transaction", "a.test_x", [only]), undefined);
  equal(exceptionFor("t", "session", "a.test_x", [only]), undefined);
});

Deno.test("EXCEPTIONS each say why in a whole sentence", () => {
  for (const { why } of EXCEPTIONS) match(why, /^[A-Z`][^]*\.$/);
});

Deno.test("targetOf reads a URL, with PostgreSQL's defaults", () => {
  deepEqual(targetOf("postgres://me:p%40ss@[::1]:6543"), {
    host: "::1",
    port: 6543,
    user: "me",
    password: "p@ss",
  });
  deepEqual(targetOf("postgres://localhost"), {
    host: "localhost",
    port: 5432,
    user: "postgres",
    password: "",
  });
});
