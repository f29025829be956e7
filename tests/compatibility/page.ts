/**
 * Writes the measured part of docs/compatibility.md, between its two markers.
 *
 * @module
 */

import { compare, count, type Difference } from "./compare.ts";
import { type Exception, exceptionFor } from "./exceptions.ts";
import type { StoredRun } from "./store.ts";
import type { Suite } from "./suite.ts";
import type { Label } from "./targets.ts";

const BEGIN = "<!-- table begins -->";
const END = "<!-- table ends -->";

/** Columns besides the direct run: what the gateway's users can choose. */
const COLUMNS: readonly (readonly [label: Label, title: string])[] = [
  ["session", "session"],
  ["transaction", "transaction"],
];

/** A suite, with its last run through each thing it was run through. */
export interface Row {
  readonly suite: Suite;
  readonly runs: ReadonlyMap<Label, StoredRun>;
}

/** A difference, and why it is one if that is known. */
export interface Explained extends Difference {
  readonly suite: string;
  readonly label: Label;
  readonly exception: Exception | undefined;
}

/** All differences between direct runs and those through what `labels` say. */
export function differencesOf(
  rows: readonly Row[],
  labels: readonly Label[] = COLUMNS.map(([label]) => label),
): readonly Explained[] {
  return rows.flatMap(({ suite: { name }, runs }) => {
    const direct = runs.get("direct");
    if (direct === undefined) return [];
    return labels.flatMap((label) => {
      const run = runs.get(label);
      if (run === undefined || label === "direct") return [];
      return compare(direct.results, run.results).differences.map((difference): Explained => ({
        ...difference,
        suite: name,
        label,
        exception: exceptionFor(name, label, difference.test),
      }));
    });
  });
}

/**
 * The page with what the rows say between its markers.
 *
 * @throws {Error} If the page lacks a marker.
 */
export function withTable(page: string, rows: readonly Row[]): string {
  const from = page.indexOf(BEGIN);
  const to = page.indexOf(END);
  if (from < 0 || to < from) throw new Error(`The page must have ${BEGIN} and then ${END}`);
  const parts = [BEGIN, table(rows), scopes(rows), exceptionsList(rows), unexplainedList(rows)];
  const text = parts.filter((part) => part !== "").join("\n\n");
  return `${page.slice(0, from)}${text}\n\n${page.slice(to)}`;
}

function table(rows: readonly Row[]): string {
  const titles = COLUMNS.map(([, title]) => title);
  const lines = [
    `| suite | direct | ${titles.join(" | ")} | fail or skip directly too |`,
    `| --- | ---: | ${titles.map(() => "---:").join(" | ")} | ---: |`,
  ];
  for (const { suite, runs } of rows) {
    const direct = runs.get("direct");
    if (direct === undefined) continue;
    const { passed, failed, skipped } = count(direct.results);
    const cells = COLUMNS.map(([label]) => cell(direct, runs.get(label)));
    const both = `${failed} + ${skipped}`;
    lines.push(`| ${suite.driver} | ${passed} | ${cells.join(" | ")} | ${both} |`);
  }
  return lines.join("\n");
}

function scopes(rows: readonly Row[]): string {
  const measured = rows.filter(({ runs }) => runs.has("direct"));
  return measured.map(({ suite }) => `- ${suite.driver}: ${suite.scope}`).join("\n");
}

function cell(direct: StoredRun, run: StoredRun | undefined): string {
  if (run === undefined) return "-";
  const { compared, differences } = compare(direct.results, run.results);
  const same = compared - differences.length;
  return differences.length === 0 ? String(same) : `${same} (-${differences.length})`;
}

function exceptionsList(rows: readonly Row[]): string {
  const tests = new Map<string, Set<string>>();
  for (const { suite, test, exception } of differencesOf(rows)) {
    if (exception === undefined) continue;
    const names = tests.get(exception.why) ?? new Set();
    tests.set(exception.why, names.add(`${suite} \`${lastPartOf(test)}\``));
  }
  if (tests.size === 0) return "";
  const items = [...tests].map(([why, names]) => `- ${why} (${[...names].join(", ")})`);
  return ["### Exceptions", ...items].join("\n\n");
}

/** What stands behind the name of a package, of a module or of a class. */
function lastPartOf(test: string): string {
  return /(?:^|[./])(Test\w+(?:\/.*)?|\w+(?:\[.*)?)$/.exec(test)?.[1] ?? test;
}

function unexplainedList(rows: readonly Row[]): string {
  const unexplained = differencesOf(rows).filter(({ exception }) => exception === undefined);
  if (unexplained.length === 0) return "";
  const items = unexplained.map(({ suite, label, test, outcome }) =>
    `- ${suite}, ${label}: \`${test}\` ${outcome}`
  );
  return `### Not explained yet\n\n${items.join("\n")}`;
}
