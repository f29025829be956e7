/**
 * What `go test -json` and `cargo test` print.
 *
 * @module
 */

import { deepEqual, equal, match } from "node:assert/strict";
import type { Results } from "./suite.ts";
import { parseCargoTest, parseGoTest } from "./test_output.ts";

function outcomes(results: Results): Record<string, string> {
  return Object.fromEntries([...results].map(([name, { outcome }]) => [name, outcome]));
}

function goLog(...events: readonly Record<string, string>[]): string {
  return events.map((event) => `${JSON.stringify({ Package: "p", ...event })}\n`).join("");
}

Deno.test("parseGoTest reads tests and their parts, and no packages", () => {
  const results = parseGoTest(
    "# a line of the compiler's\n" + goLog(
      { Action: "start" },
      { Action: "run", Test: "TestA" },
      { Action: "run", Test: "TestA/part" },
      { Action: "output", Test: "TestA/part", Output: "a_test.go:1: no\n" },
      { Action: "fail", Test: "TestA/part" },
      { Action: "fail", Test: "TestA" },
      { Action: "run", Test: "TestB" },
      { Action: "pass", Test: "TestB" },
      { Action: "skip", Test: "TestC" },
      { Action: "fail" },
    ),
  );
  deepEqual(outcomes(results), {
    "p/TestA/part": "failed",
    "p/TestA": "failed",
    "p/TestB": "passed",
    "p/TestC": "skipped",
  });
  equal(results.get("p/TestA/part")?.message, "a_test.go:1: no");
});

Deno.test("parseGoTest counts a test that did not end as failed", () => {
  const results = parseGoTest(goLog(
    { Action: "run", Test: "TestHangs" },
    { Action: "output", Test: "TestHangs", Output: "panic: test timed out\n" },
  ));
  deepEqual(outcomes(results), { "p/TestHangs": "failed" });
  match(results.get("p/TestHangs")!.message, /did not end[^]*timed out/);
});

Deno.test("parseGoTest gives a test the same name in each run, temporary folders or not", () => {
  const name = (digits: string) => {
    const Test = `TestFile/file='/tmp/TestFile${digits}/001/x'_n=12`;
    return [...parseGoTest(goLog({ Action: "pass", Test })).keys()];
  };
  deepEqual(name("123456"), name("98"));
  deepEqual(name("1"), ["p/TestFile/file='/tmp/TestFile/001/x'_n=12"]);
  const issue = parseGoTest(goLog({ Action: "pass", Test: "TestIssue447/part" }));
  deepEqual([...issue.keys()], ["p/TestIssue447/part"]);
});

Deno.test("parseCargoTest reads how tests ended, and what failing ones printed", () => {
  const results = parseCargoTest(`
running 4 tests
test runtime::tcp ... ok
test runtime::unix_socket ... FAILED
test parse::bad - should panic ... ok
test slow ... ignored

failures:

---- runtime::unix_socket stdout ----

thread 'x' panicked at tests/test/main.rs:58:5:
no

---- other stdout ----
something else

failures:
    runtime::unix_socket
`);
  deepEqual(outcomes(results), {
    "runtime::tcp": "passed",
    "runtime::unix_socket": "failed",
    "parse::bad": "passed",
    "slow": "skipped",
  });
  match(results.get("runtime::unix_socket")!.message, /^thread 'x'[^]*no$/);
});
