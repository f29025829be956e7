/**
 * How fast query texts are scanned, and how much garbage that makes. The goal is less than a
 * microsecond for a text of 100 bytes, and no garbage for texts that leave no state behind.
 *
 *     deno run -A --v8-flags=--expose-gc bench/scan_bench.ts
 *
 * @module
 */

import { utf8 } from "../src/base/bytes.ts";
import { print } from "../src/cli/terminal.ts";
import { QueryScanner } from "../src/postgres/sql/query_scanner.ts";
import { spreadOf } from "./statistics.ts";

/** Texts as applications, drivers and ORMs send them, by what they are. */
const TEXTS: Readonly<Record<string, string>> = {
  "BEGIN": "BEGIN",
  "COMMIT": "COMMIT",
  "pgbench select": "SELECT abalance FROM pgbench_accounts WHERE aid = 4242;",
  "pgbench insert": "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES " +
    "(7, 1, 4242, -1234, CURRENT_TIMESTAMP);",
  "select, 100 bytes": "SELECT id, name, email FROM users WHERE tenant_id = $1 AND status = $2 " +
    "ORDER BY created DESC LIMIT 1",
  "ORM, quoted": 'SELECT "users"."id", "users"."name", "users"."created_at" FROM "users" WHERE ' +
    '"users"."tenant_id" = $1 AND "users"."deleted_at" IS NULL ORDER BY "users"."id" LIMIT 20',
  "join, 350 bytes": "WITH recent AS (SELECT o.id, o.total FROM orders o WHERE o.created_at > " +
    "now() - interval '7 days' /* last week */) SELECT c.name, count(*) AS orders, sum(r.total) " +
    "FROM recent r JOIN order_lines l ON l.order_id = r.id LEFT JOIN customers c ON c.id = " +
    "l.customer_id WHERE c.country IN ('DE', 'FR', 'IT') GROUP BY c.name HAVING count(*) > 3",
  "insert of 10 kB": `INSERT INTO documents (body) VALUES ('${"lorem ipsum ".repeat(850)}')`,
  "500 rows": `INSERT INTO points (x, y) VALUES ${"(123.45, 678.90), ".repeat(500)}(0, 0)`,
  "SET": "SET search_path TO tenant_42, public",
  "set_config": "SELECT set_config('app.tenant', $1, false)",
  "PREPARE": "PREPARE get_user (int) AS SELECT * FROM users WHERE id = $1",
};

const WARM_UP_MS = 300;
const ROUNDS = 9;
const ROUND_MS = 60;

/** Scans a text for about so long. @returns Nanoseconds a scan. */
function scanFor(scanner: QueryScanner, text: Uint8Array, durationMs: number): number {
  let scans = 0;
  let elapsedMs = 0;
  const startedMs = performance.now();
  do {
    for (let i = 0; i < 200; i++) checkCount(scanner.scan(text, true).statementCount);
    scans += 200;
    elapsedMs = performance.now() - startedMs;
  } while (elapsedMs < durationMs);
  return elapsedMs * 1e6 / scans;
}

/** Bytes of garbage a scan, or undefined where the collector cannot be called. */
function garbageOf(scanner: QueryScanner, text: Uint8Array): number | undefined {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return undefined;
  const scans = 1_000; // few enough that nothing is collected meanwhile
  collect();
  const before = Deno.memoryUsage().heapUsed;
  for (let i = 0; i < scans; i++) checkCount(scanner.scan(text, true).statementCount);
  return (Deno.memoryUsage().heapUsed - before) / scans;
}

/** A scanner that sees nothing would be a fast one. */
function checkCount(statementCount: number): void {
  if (statementCount !== 1) throw new Error(`${statementCount} statements were found instead of 1`);
}

function measure(scanner: QueryScanner, name: string, text: Uint8Array): void {
  const rounds = Array.from({ length: ROUNDS }, () => scanFor(scanner, text, ROUND_MS));
  const { median, min, max } = spreadOf(rounds);
  const garbage = garbageOf(scanner, text);
  print(
    `${name.padEnd(18)} ${String(text.length).padStart(6)} bytes: ${
      median.toFixed(0).padStart(6)
    }` +
      ` ns (${min.toFixed(0)}..${max.toFixed(0)}), ${(median / text.length).toFixed(2)} ns a byte` +
      (garbage === undefined ? "\n" : `, ${garbage.toFixed(0)} bytes of garbage\n`),
  );
}

if (import.meta.main) {
  const scanner = new QueryScanner();
  const texts = Object.entries(TEXTS).map(([name, text]) => [name, utf8(text)] as const);
  // All of them first, as in a gateway: a scanner that has seen one text only is faster.
  for (let i = 0; i < 3; i++) {
    for (const [, text] of texts) scanFor(scanner, text, WARM_UP_MS / 3);
  }
  for (const [name, text] of texts) measure(scanner, name, text);
}
