/**
 * How long the analysis of a query's text takes: for a text that is new, and for one whose analysis
 * is kept.
 *
 *     deno run -A bench/analysis_bench.ts
 *
 * @module
 */

import { print } from "../src/cli/terminal.ts";
import { QueryAnalyser } from "../src/postgres/parser/query_analyser.ts";
import { spreadOf } from "./statistics.ts";

/** Texts by what they are. `NUMBER` makes each different. */
const TEXTS: Readonly<Record<string, string>> = {
  "SELECT 1": "SELECT NUMBER",
  "select":
    "SELECT id, name, email FROM users WHERE tenant_id = $1 AND status = $2 AND n = NUMBER " +
    "ORDER BY created DESC LIMIT 1",
  "update": "UPDATE accounts SET balance = balance + $1, changed = now() WHERE id = NUMBER",
  "report": "WITH recent AS (SELECT o.id, o.total FROM orders o WHERE o.created_at > now() - " +
    "interval '7 days'), big AS (SELECT id FROM recent WHERE total > NUMBER) SELECT c.name, " +
    "count(*) AS orders, sum(r.total) FROM recent r JOIN order_lines l ON l.order_id = r.id " +
    "LEFT JOIN customers c ON c.id = l.customer_id WHERE c.country IN ('DE', 'FR', 'IT') AND " +
    "r.id IN (SELECT id FROM big) AND NOT EXISTS (SELECT 1 FROM refunds f WHERE f.order_id = " +
    "r.id) GROUP BY c.name HAVING count(*) > 3 ORDER BY 3 DESC LIMIT 20",
};

const ROUNDS = 9;
const CALLS = 2_000;

let number = 0;

/** @returns Microseconds a call. */
function time(analyser: QueryAnalyser, textOf: () => string): number {
  const texts = Array.from({ length: CALLS }, textOf);
  const startedMs = performance.now();
  for (const text of texts) {
    // An analysis that fails would be a fast one.
    if (analyser.analyse(text).statements.length !== 1) throw new Error(`Cannot parse ${text}`);
  }
  return (performance.now() - startedMs) * 1_000 / CALLS;
}

function measure(analyser: QueryAnalyser, textOf: () => string): string {
  time(analyser, textOf);
  const rounds = Array.from({ length: ROUNDS }, () => time(analyser, textOf));
  const { median, min, max } = spreadOf(rounds);
  return `${median.toFixed(2)} us (${min.toFixed(2)}..${max.toFixed(2)})`;
}

if (import.meta.main) {
  const startedMs = performance.now();
  const rssBefore = Deno.memoryUsage().rss;
  const analyser = await QueryAnalyser.load();
  const loadMs = performance.now() - startedMs;
  const rss = (Deno.memoryUsage().rss - rssBefore) / 1024 / 1024;
  print(`load: ${loadMs.toFixed(0)} ms, ${rss.toFixed(0)} MiB\n`);
  for (const [name, text] of Object.entries(TEXTS)) {
    const fresh = measure(analyser, () => text.replace("NUMBER", String(number++)));
    const kept = measure(analyser, () => text.replace("NUMBER", "7"));
    print(
      `${name.padEnd(9)} ${String(text.length).padStart(4)} bytes: new ${fresh}, kept ${kept}\n`,
    );
  }
}
