/**
 * `docs/metrics.md` lists exactly the metrics that there are, and `docs/logging.md` the messages.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, ok as assert } from "node:assert/strict";
import { LOG_NAME_LENGTH_MAX } from "../../src/observe/log_format.ts";
import { levelOf, recordOf } from "../../src/observe/fact_log.ts";
import {
  AUTHENTICATION_FAILURES,
  CLOSE_REASONS,
  MIRROR_DROPS,
  MIRROR_RESULTS,
  PIN_REASONS,
  TLS_VERSIONS,
} from "../../src/observe/label_values.ts";
import { metricReference } from "../../src/observe/metrics.ts";
import { CLIENT_STATE_CELL, SERVER_STATE_CELL } from "../../src/observe/state_cells.ts";
import { flagNames } from "../../src/health/server_words.ts";
import { CHECK_FAILURES } from "../../src/upstream/health/check.ts";
import { FACT_SAMPLES } from "../observe/fact_samples.ts";

async function page(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../../docs/${name}`, import.meta.url));
}

Deno.test("metricReference() is the table of docs/metrics.md, row by row", async () => {
  const row = /^\| `(?:sluice|process)_\w+` \|/;
  const rows = (await page("metrics.md")).split("\n").filter((line) => row.test(line));
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

Deno.test("docs/metrics.md explains every value that a label may have", async () => {
  const explained = (await page("metrics.md")).split("## Reference")[1]!;
  const values = [
    ...Object.keys(CLIENT_STATE_CELL),
    ...Object.keys(SERVER_STATE_CELL),
    ...Object.keys(flagNames(0)),
    ...CHECK_FAILURES,
    ...[AUTHENTICATION_FAILURES, CLOSE_REASONS, PIN_REASONS, TLS_VERSIONS].flat(),
    ...[MIRROR_DROPS, MIRROR_RESULTS].flat(),
  ];
  for (const value of values) {
    assert(explained.includes(`\`${value.replaceAll(" ", "_")}\``), value);
  }
});

/** A row of a table of docs/logging.md. */
interface LoggingRow {
  readonly level: string;
  readonly message: string;
  readonly fields: readonly string[];
}

/** The rows of one of the two tables; 0 is what the data plane logs. */
async function loggingTable(index: number): Promise<LoggingRow[]> {
  const head = "| Level | `msg` | Fields | When, and what to do |";
  const tables = (await page("logging.md")).split(head).slice(1);
  assertEquals(tables.length, 2);
  const cells = /^\| (error|warn|info|debug|trace) \| `([^`]+)` \| ([^|]*)\|[^|]*\|$/gm;
  return [...tables[index]!.matchAll(cells)].map(([, level, message, fields]) => ({
    level: level!,
    message: message!,
    fields: [...fields!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
  }));
}

async function sourceOf(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../../src/${path}`, import.meta.url));
}

Deno.test("docs/logging.md names every message of the data plane's log, and no other", async () => {
  const listed = new Set((await loggingTable(0)).map(({ message }) => message));
  const said = new Set<string>();
  for (const file of ["fact_log.ts", "recorder.ts", "limited_log.ts", "log.ts"]) {
    const source = await sourceOf(`observe/${file}`);
    const table = /const MESSAGES[^{]*\{([^}]*)\}/.exec(source)?.[1] ?? "";
    for (const [, message] of table.matchAll(/: "(.+)",$/gm)) said.add(message!);
    for (const [, message] of source.matchAll(/^ +message: "(.+)",$/gm)) said.add(message!);
  }
  assert(said.size > 5, "No messages were found in the source");
  assertEquals([...listed].sort(), [...said].sort());
  assert((await page("logging.md")).includes(`cut at ${LOG_NAME_LENGTH_MAX} characters`));
});

Deno.test("docs/logging.md names every message of the control plane's log, and no other", async () => {
  const said: string[] = [];
  const files = [
    "app.ts",
    "cli/run.ts",
    "worker_fleet.ts",
    "plugins/plugin_control.ts",
    "health/health_log.ts",
    "operator/operator.ts",
    "operator/operator_control.ts",
  ];
  for (const file of files) {
    const source = await sourceOf(file);
    const calls = [...source.matchAll(/(?:\bwrite|#log)\((?:log, )?"(\w+)", (?:"([^"]+)")?/g)];
    assert(calls.length > 0, `No messages were found in ${file}`);
    // What has no text of its own passes on the text of an error.
    said.push(...calls.filter(([, , text]) => text).map(([, level, text]) => `${level} ${text}`));
  }
  const listed = (await loggingTable(1)).map(({ level, message }) => `${level} ${message}`);
  assertEquals(listed.sort(), said.sort());
});

Deno.test("docs/logging.md names the level and the fields of every fact that is logged", async () => {
  const rows = await loggingTable(0);
  const loggedIn = { peer: "x", login: { user: "u", database: "d" } };
  for (const fact of Object.values(FACT_SAMPLES)) {
    const level = levelOf(fact, loggedIn);
    if (level === undefined) continue;
    const { message, fields } = recordOf(fact, undefined, level, 0);
    const row = rows.find((one) => one.level === level && one.message === message);
    assertEquals(row?.fields.toSorted(), Object.keys(fields).sort(), `${level} ${message}`);
  }
  // A message that comes at two levels has the same fields at both.
  for (const { message, fields } of rows) {
    for (const other of rows.filter((one) => one.message === message)) {
      assertEquals(other.fields, fields, message);
    }
  }
});
