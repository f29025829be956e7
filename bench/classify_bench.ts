/**
 * How long it takes to tell reads from writes: for a text that came before, for one that differs in
 * its values only, for one of a new shape, and for texts that are made to be slow.
 *
 *     deno run -A bench/classify_bench.ts
 *
 * @module
 */

import { utf8 } from "../src/base/bytes.ts";
import { print } from "../src/cli/terminal.ts";
import {
  PARSED_SIZE_MAX,
  StatementClassifier,
} from "../src/postgres/routing/statement_classifier.ts";
import type { StatementKind } from "../src/postgres/routing/statement_class.ts";
import { spreadOf } from "./statistics.ts";

/** Texts by what they are. NAME makes a shape new, NUMBER a text. */
const TEXTS: Readonly<Record<string, readonly [kind: StatementKind, text: string]>> = {
  "BEGIN": ["begin", "BEGIN"],
  "pgbench select": ["read", "SELECT NAME FROM pgbench_accounts WHERE aid = NUMBER;"],
  "select, 100 bytes": [
    "read",
    "SELECT id, name, email FROM users WHERE tenant_id = $1 AND status = $2 AND n = NUMBER " +
    "ORDER BY NAME DESC LIMIT 1",
  ],
  "ORM, quoted": [
    "read",
    'SELECT "users"."id", "users"."name", "users"."created_at" FROM "users" WHERE ' +
    '"users"."tenant_id" = $1 AND "users"."NAME" = NUMBER ORDER BY "users"."id" LIMIT 20',
  ],
  "join, 400 bytes": [
    "read",
    "WITH recent AS (SELECT o.id, o.total FROM orders o WHERE o.created_at > " +
    "now() - interval '7 days' /* last week */) SELECT c.name, count(*) AS orders, sum(r.total) " +
    "FROM recent r JOIN order_lines l ON l.order_id = r.id LEFT JOIN customers c ON c.id = " +
    "l.customer_id WHERE c.NAME IN ('DE', 'FR', 'IT') GROUP BY c.name HAVING count(*) > NUMBER",
  ],
  "insert": ["write", "INSERT INTO points (NAME, y) VALUES (NUMBER, $1)"],
  "WITH insert": ["write", "WITH n AS (INSERT INTO t (a) VALUES (NUMBER) RETURNING NAME) TABLE n"],
  "list of 10 kB": ["read", `SELECT NAME FROM t WHERE i IN (${"1234567, ".repeat(1_100)}NUMBER)`],
  "names, 10 kB": ["read", `SELECT NAME, NUMBER, ${"column_of_t, ".repeat(770)} 1 FROM t`],
  "insert of 10 kB": ["write", `INSERT INTO t VALUES (NUMBER, '${"lorem ipsum ".repeat(850)}')`],
};

/** Texts as long as may be, which take the parser or what comes behind it long. */
const SLOW: Readonly<Record<string, (size: number) => string>> = {
  "columns": (size) => `SELECT NAME${",a".repeat(size / 2 - 10)} FROM t`,
  "mixed constants": (size) => `SELECT NAME${",1,''".repeat(size / 5 - 10)} FROM t`,
  "parameters": (size) => `SELECT NAME FROM t WHERE i IN (${"$1,1,".repeat(size / 5 - 20)}$1)`,
  "calls": (size) => `SELECT NAME${",f()".repeat(size / 4 - 10)} FROM t`,
  "statements": (size) => `SELECT NAME;${"TABLE t;".repeat(size / 8 - 10)}`,
  "parentheses": (size) => `SELECT NAME,${"(".repeat(size / 2 - 20)}a${")".repeat(size / 2 - 20)}`,
  "joins": (size) => `SELECT NAME FROM t${",t".repeat(size / 2 - 20)}`,
};

const ROUNDS = 9;
const ROUND_MS = 60;
const FRESH_CALLS = 500;

let number = 0;

function fill(text: string, isNewShape: boolean): Uint8Array {
  number += 1;
  return utf8(
    text.replace("NUMBER", String(number)).replace("NAME", isNewShape ? `c${number}` : "column_a"),
  );
}

/** @returns Nanoseconds a call, over the texts again and again. */
function time(classifier: StatementClassifier, kind: string, texts: readonly Uint8Array[]): number {
  let calls = 0;
  let elapsedMs = 0;
  const startedMs = performance.now();
  do {
    for (const text of texts) {
      // One that is not understood would be a fast one.
      if (classifier.classify(text).kind !== kind) throw new Error(`This should be a ${kind}`);
    }
    calls += texts.length;
    elapsedMs = performance.now() - startedMs;
  } while (elapsedMs < ROUND_MS);
  return elapsedMs * 1e6 / calls;
}

/** @returns Nanoseconds a call, each with a text of a new shape. */
function timeFresh(classifier: StatementClassifier, kind: string, text: string): number {
  const texts = Array.from({ length: FRESH_CALLS }, () => fill(text, true));
  const startedMs = performance.now();
  for (const one of texts) {
    if (classifier.classify(one).kind !== kind) throw new Error(`This should be a ${kind}`);
  }
  return (performance.now() - startedMs) * 1e6 / FRESH_CALLS;
}

function microseconds(measureOnce: () => number): string {
  measureOnce();
  const { median, min, max } = spreadOf(Array.from({ length: ROUNDS }, measureOnce));
  const show = (value: number) => (value / 1e3).toFixed(value < 1e4 ? 2 : 0);
  return `${show(median).padStart(6)} us (${show(min)}..${show(max)})`;
}

if (import.meta.main) {
  const classifier = await StatementClassifier.load();
  for (const [name, [kind, text]] of Object.entries(TEXTS)) {
    const same = Array.from({ length: 20 }, () => fill(text, false));
    const values = Array.from({ length: 5_000 }, () => fill(text, false));
    print(
      `${name.padEnd(18)} ${String(text.length).padStart(6)} bytes: again ` +
        `${microseconds(() => time(classifier, kind, same))}, other values ` +
        `${microseconds(() => time(classifier, kind, values))}, new ` +
        `${microseconds(() => timeFresh(classifier, kind, text))}\n`,
    );
  }
  for (const [name, make] of Object.entries(SLOW)) {
    const times = Array.from({ length: 5 }, () => {
      const text = fill(make(PARSED_SIZE_MAX), true);
      const startedMs = performance.now();
      const { kind } = classifier.classify(text);
      return [performance.now() - startedMs, kind] as const;
    });
    const { median, max } = spreadOf(times.map(([elapsedMs]) => elapsedMs));
    const kinds = [...new Set(times.map(([, kind]) => kind))].join(", ");
    print(
      `${name.padEnd(18)} 16 KiB: ${median.toFixed(1)} ms, at most ${max.toFixed(1)}; ${kinds}\n`,
    );
  }
}
