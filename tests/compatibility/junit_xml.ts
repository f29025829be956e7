/**
 * Reads test reports in JUnit's XML as pytest and Maven's Surefire write them. Only what is needed
 * is understood: test cases, and how they ended.
 *
 * @module
 */

import { addResult, type Outcome, type Results, type TestResult } from "./suite.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

/** An element within a test case that says that it did not pass. */
const ENDS: readonly (readonly [pattern: RegExp, outcome: Outcome])[] = [
  [/<(?:failure|error)\b([^>]*?)(?:\/>|>([\s\S]*?)<\/(?:failure|error)>)/, "failed"],
  [/<skipped\b([^>]*?)(?:\/>|>([\s\S]*?)<\/skipped>)/, "skipped"],
];

/**
 * The test cases of a report, named `classname.name`.
 *
 * @throws {Error} If the text is not such a report to its end: the program was killed.
 */
export function parseJUnit(xml: string): Results {
  if (!/<\/testsuites?>\s*$/.test(xml) && !/<testsuites?\b[^>]*\/>\s*$/.test(xml)) {
    throw new Error("Cannot read the JUnit report: it must end with </testsuite>");
  }
  const results = new Map<string, TestResult>();
  // An attribute's value holds no "<" and may hold ">", and CDATA may hold anything.
  const cases = /<testcase\b((?:\s+[\w:.-]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const [, attributes = "", content = ""] of withoutOutput(xml).matchAll(cases)) {
    const name = `${attribute(attributes, "classname")}.${attribute(attributes, "name")}`;
    addResult(results, name, ...endOf(content));
  }
  return results;
}

/** What tests printed: may be large, and look like XML in CDATA. */
function withoutOutput(xml: string): string {
  return xml.replaceAll(/<(system-(?:out|err))\b[^>]*>[\s\S]*?<\/\1>/g, "");
}

function endOf(content: string): [Outcome, string] {
  for (const [pattern, outcome] of ENDS) {
    const found = pattern.exec(content);
    if (found === null) continue;
    const [, attributes = "", text = ""] = found;
    return [outcome, attribute(attributes, "message") || unescape(text)];
  }
  return ["passed", ""];
}

function attribute(attributes: string, name: string): string {
  const found = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes);
  return unescape(found?.[1] ?? "");
}

function unescape(text: string): string {
  return text.replaceAll(/<!\[CDATA\[([\s\S]*?)\]\]>|&(#?\w+);/g, (whole, data, entity) => {
    if (data !== undefined) return data;
    if (entity.startsWith("#x")) return String.fromCodePoint(parseInt(entity.slice(2), 16));
    if (entity.startsWith("#")) return String.fromCodePoint(Number(entity.slice(1)));
    return ENTITIES[entity] ?? whole;
  });
}
