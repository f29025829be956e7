/**
 * Reports as pytest and Surefire write them.
 *
 * @module
 */

import { deepEqual, equal, throws } from "node:assert/strict";
import { parseJUnit } from "./junit_xml.ts";

function outcomes(xml: string): Record<string, string> {
  return Object.fromEntries([...parseJUnit(xml)].map(([name, { outcome }]) => [name, outcome]));
}

Deno.test("parseJUnit reads how each test ended", () => {
  const xml = `<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="5">
    <testcase classname="t.A" name="passes" time="0.1" />
    <testcase classname="t.A" name="fails"><failure message="1 != 2">trace</failure></testcase>
    <testcase classname="t.A" name="errs"><error message="boom"/></testcase>
    <testcase classname="t.A" name="skips"><skipped type="x" message="why">x</skipped></testcase>
    <testcase name="also" classname="t.B" time="0"></testcase>
    </testsuite></testsuites>`;
  deepEqual(outcomes(xml), {
    "t.A.passes": "passed",
    "t.A.fails": "failed",
    "t.A.errs": "failed",
    "t.A.skips": "skipped",
    "t.B.also": "passed",
  });
  equal(parseJUnit(xml).get("t.A.fails")?.message, "1 != 2");
  equal(parseJUnit(xml).get("t.A.passes")?.message, "");
});

Deno.test("parseJUnit is not misled by what tests print, nor by their names", () => {
  const xml = `<testsuite>
    <testcase classname="c" name="a[&lt;x&gt; > &quot;y&quot; &#233;&#x41;]" time="1">
      <system-out><![CDATA[<failure message="no"/> </testcase>]]></system-out>
    </testcase>
    <testcase classname="c" name="b"><failure><![CDATA[<a> & b]]></failure></testcase>
    </testsuite>`;
  deepEqual(outcomes(xml), { 'c.a[<x> > "y" éA]': "passed", "c.b": "failed" });
  equal(parseJUnit(xml).get("c.b")?.message, "<a> & b");
});

Deno.test("parseJUnit keeps the worst of several tests with one name", () => {
  const test = (inner: string) => `<testcase classname="c" name="n">${inner}</testcase>`;
  const all = [test(""), test("<failure/>"), test("<skipped/>")];
  deepEqual(outcomes(`<testsuite>${all.join("")}</testsuite>`), { "c.n": "failed" });
  deepEqual(outcomes(`<testsuite>${all.toReversed().join("")}</testsuite>`), { "c.n": "failed" });
});

Deno.test("parseJUnit refuses a report that ends too early, and takes an empty one", () => {
  throws(() => parseJUnit('<testsuite><testcase classname="c" name="n"/>'), /must end with/);
  throws(() => parseJUnit(""), /must end with/);
  equal(parseJUnit('<testsuite name="x" tests="0"/>').size, 0);
});
