/**
 * `docs/metrics.md` lists exactly the metrics that there are, and `docs/logging.md` the messages.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, ok as assert } from "node:assert/strict";
import { LOG_VALUE_LENGTH_MAX } from "../../src/observe/log_format.ts";
import { metricReference } from "../../src/observe/metrics.ts";
import { CLIENT_STATE_CELL, SERVER_STATE_CELL } from "../../src/observe/state_cells.ts";

async function page(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../../docs/${name}`, import.meta.url));
}

Deno.test("metricReference() is the table of docs/metrics.md, row by row", async () => {
  const rows = (await page("metrics.md")).split("\n").filter((line) => /^\| `\w+` \|/.test(line));
  const expected = metricReference().map(({ name, type, labels, help }) =>
    `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`
  );
  assertEquals(rows, expected, "Write the rows into docs/metrics.md as they are expected");
});

Deno.test("docs/metrics.md names no metric that does not exist", async () => {
  const names = new Set(
    metricReference().flatMap(({ name, type }) =>
      type === "histogram" ? ["", "_bucket", "_sum", "_count"].map((end) => name + end) : [name]
    ),
  );
  const named = (await page("metrics.md")).match(/\b(?:sluice|process)_[a-z_]*[a-z]\b/g) ?? [];
  assert(named.length > names.size / 2, "The page is empty");
  assertEquals(named.filter((name) => !names.has(name)), []);
});

Deno.test("docs/metrics.md explains every state", async () => {
  const text = await page("metrics.md");
  for (const state of [...Object.keys(CLIENT_STATE_CELL), ...Object.keys(SERVER_STATE_CELL)]) {
    assert(text.includes(`\`${state}\``), state);
  }
});

/** The rows of a table of docs/logging.md, as "level message"; 0 is what the data plane logs. */
async function loggingTable(index: number): Promise<string[]> {
  const tables = (await page("logging.md")).split("| Level | `msg` | When |").slice(1);
  assertEquals(tables.length, 2);
  const rows = tables[index]!.matchAll(/^\| (error|warn|info|debug|trace) \| `([^`]+)` \|/gm);
  return [...rows].map(([, level, message]) => `${level} ${message}`);
}

async function sourceOf(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../../src/${path}`, import.meta.url));
}

Deno.test("docs/logging.md names every message of the data plane's log, and no other", async () => {
  const listed = new Set((await loggingTable(0)).map((row) => row.replace(/^\w+ /, "")));
  const said = new Set<string>();
  for (const file of ["fact_log.ts", "recorder.ts", "log.ts"]) {
    const source = await sourceOf(`observe/${file}`);
    const table = /const MESSAGES[^{]*\{([^}]*)\}/.exec(source)?.[1] ?? "";
    for (const [, message] of table.matchAll(/: "(.+)",$/gm)) said.add(message!);
    for (const [, message] of source.matchAll(/^ +message: "(.+)",$/gm)) said.add(message!);
  }
  assert(said.size > 5, "No messages were found in the source");
  assertEquals([...listed].sort(), [...said].sort());
  assert((await page("logging.md")).includes(`cut at ${LOG_VALUE_LENGTH_MAX} characters`));
});

Deno.test("docs/logging.md names every message of the control plane's log, and no other", async () => {
  const said: string[] = [];
  for (const file of ["app.ts", "cli/run.ts", "worker_fleet.ts"]) {
    const source = await sourceOf(file);
    const calls = [...source.matchAll(/(?:\bwrite|#log)\((?:log, )?"(\w+)", (?:"([^"]+)")?/g)];
    assert(calls.length > 0, `No messages were found in ${file}`);
    // What has no text of its own passes on the text of an error.
    said.push(...calls.filter(([, , text]) => text).map(([, level, text]) => `${level} ${text}`));
  }
  assertEquals((await loggingTable(1)).sort(), said.sort());
});
