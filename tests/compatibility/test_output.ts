/**
 * Reads what `go test -json` and Rust's `cargo test` print.
 *
 * @module
 */

import { addResult, type Outcome, type Results, type TestResult } from "./suite.ts";

/** `go doc test2json`: the end of a test, or a line that it printed. */
interface GoEvent {
  readonly Action: string;
  readonly Package?: string;
  readonly Test?: string;
  readonly Output?: string;
}

const GO_ENDS: Readonly<Record<string, Outcome>> = {
  pass: "passed",
  fail: "failed",
  skip: "skipped",
};

/** Lines kept of what one test prints. */
const GO_OUTPUT_LINES_MAX = 40;

/** A folder of `testing.T.TempDir` in a name: its digits are others in each run. */
const GO_TEMPORARY = /(\/tmp\/Test\w*?)\d+(?=\/\d{3}\/)/g;

/**
 * Tests and their parts, named `package/Test/part`. A test that began and did not end (the program
 * panicked, or was ended) counts as failed.
 */
export function parseGoTest(text: string): Results {
  const results = new Map<string, TestResult>();
  const printed = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue;
    const { Action, Package = "", Test, Output = "" }: GoEvent = JSON.parse(line);
    if (Test === undefined) continue;
    const name = `${Package}/${Test.replaceAll(GO_TEMPORARY, "$1")}`;
    const lines = printed.get(name) ?? [];
    printed.set(name, lines);
    if (Action === "output" && lines.length < GO_OUTPUT_LINES_MAX) lines.push(Output);
    const end = GO_ENDS[Action];
    if (end === undefined) continue;
    addResult(results, name, end, lines.join(""));
    printed.delete(name);
  }
  for (const [name, lines] of printed) {
    addResult(results, name, "failed", `It did not end.\n${lines.join("")}`);
  }
  return results;
}

const RUST_ENDS: Readonly<Record<string, Outcome>> = {
  ok: "passed",
  FAILED: "failed",
  ignored: "skipped",
};

/** Tests of one or more executables, by name, with what failing ones printed. */
export function parseCargoTest(text: string): Results {
  const results = new Map<string, TestResult>();
  const ends = /^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)/gm;
  for (const [, name = "", end = ""] of text.matchAll(ends)) {
    const outcome = RUST_ENDS[end]!;
    const message = outcome === "failed" ? rustOutput(text, name) : "";
    addResult(results, name, outcome, message);
  }
  return results;
}

/** What a failed test printed: a block below its name, up to that of the next one. */
function rustOutput(text: string, name: string): string {
  const heading = `\n---- ${name} stdout ----\n`;
  const from = text.indexOf(heading);
  if (from < 0) return "";
  const block = text.slice(from + heading.length);
  const end = block.search(/^(?:---- .* stdout ----|failures:)$/m);
  return end < 0 ? block : block.slice(0, end);
}
