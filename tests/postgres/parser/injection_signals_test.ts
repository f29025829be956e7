import { deepEqual, equal } from "node:assert/strict";
import type { InjectionSignal } from "../../../src/postgres/parser/query_analysis.ts";
import { analyser } from "./examples.ts";

/** Texts, and the signals of their last statement. */
const EXAMPLES: readonly (readonly [text: string, ...signals: InjectionSignal[]])[] = [
  // Tautologies.
  ["SELECT * FROM t WHERE a = 1 OR 1 = 1", "tautology"],
  ["SELECT * FROM t WHERE a = '' OR 'a' = 'a'", "tautology"],
  ["SELECT * FROM t WHERE a = 1 AND 1 = 1", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR true", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR NOT false", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR 't'::bool", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR 2 > 1", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR 1 + 1 = 2", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR 'a' LIKE '%'", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR 1 IN (1, 2)", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR 1 BETWEEN 0 AND 2", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR NOT (1 = 2)", "tautology"],
  ["SELECT * FROM t WHERE NOT (a = 1 AND false)", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR a = a", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR NULL IS NULL", "tautology"],
  ["SELECT * FROM t WHERE a = 1 OR '1' = 1", "tautology"],
  ["SELECT * FROM t JOIN u ON 1 = 1", "tautology"],
  ["SELECT a FROM t GROUP BY a HAVING 1 = 1", "tautology"],
  ["SELECT * FROM t WHERE a IN (SELECT 1 FROM u WHERE 1 = 1)", "tautology"],
  ["UPDATE t SET a = 1 WHERE b = 2 OR 1 = 1", "tautology"],
  ["DELETE FROM t WHERE true", "tautology"],
  ["DELETE FROM t WHERE 1 = 1", "tautology"],
  ["SELECT * FROM t WHERE 1 = 0"],
  ["SELECT * FROM t WHERE a = 1 AND 'a' = 'b'"],
  ["SELECT * FROM t WHERE a = 1 OR false"],
  ["SELECT * FROM t WHERE a = 1 OR NULL"],
  ["SELECT * FROM t WHERE true"],
  ["SELECT * FROM t WHERE true AND a = 1"],
  ["SELECT * FROM t JOIN u ON true"],
  ["SELECT * FROM t WHERE a = $1 OR $2 = 1"],
  ["SELECT * FROM t WHERE current_setting('a') = 'b'"],
  ["SELECT * FROM t x, t y WHERE x.a = y.a"],
  ["SELECT 1 = 1, a OR true FROM t"],
  // Comments.
  ["SELECT * FROM t WHERE a = 'x' --' AND b = 'y'", "comment"],
  ["SELECT * FROM t WHERE a = 'x'--", "comment"],
  ["SELECT * FROM t WHERE a = 'x' /* y */ -- z \n ", "comment"],
  ["SELECT 1; --", "comment"],
  ["SELECT '--'"],
  ["SELECT '--' AS \"--\", $$--$$"],
  ["-- name: GetT\nSELECT * FROM t"],
  ["SELECT 1 -- one\n, 2"],
  ["SELECT 1\n-- the end"],
  ["SELECT 1 /* traceparent='00-1' */"],
  ["SELECT 1 /* -- */"],
  ["SELECT 5 - -1"],
  // More statements than one.
  ["SELECT 1; DROP TABLE t", "stacked"],
  ["SELECT 1; DELETE FROM t WHERE a = 1 --", "stacked", "comment"],
  ["SELECT 1;;"],
  ["SELECT ';'"],
  // UNION with constants.
  ["SELECT a FROM t WHERE b = 1 UNION SELECT NULL", "union-null"],
  ["SELECT a, b FROM t UNION ALL SELECT NULL, 'x'::text", "union-null"],
  ["SELECT a FROM t UNION SELECT version()", "union-null"],
  ["SELECT a FROM t UNION SELECT NULL FROM u", "union-null"],
  ["SELECT a FROM t UNION VALUES (1)", "union-null"],
  ["SELECT a FROM t UNION SELECT a FROM u UNION SELECT NULL", "union-null"],
  ["SELECT a FROM t UNION SELECT 1 UNION SELECT a FROM u", "union-null"],
  ["SELECT a FROM t UNION SELECT a FROM u"],
  ["SELECT a, NULL FROM t UNION ALL SELECT a, b FROM u"],
  ["SELECT 'all', count(*) FROM t UNION ALL SELECT b, count(*) FROM t GROUP BY b"],
  ["WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT a + 1 FROM x) TABLE x"],
  ["SELECT 1 UNION SELECT 2"],
  // Functions and files.
  ["SELECT * FROM t WHERE a = 1 AND pg_sleep(5) IS NULL", "sleep"],
  ["SELECT pg_catalog.PG_SLEEP_FOR('1 hour')", "sleep"],
  ["SELECT pg_read_file('/etc/passwd')", "file-access"],
  ["SELECT * FROM pg_ls_dir('.')", "file-access"],
  ["SELECT lo_import('/etc/passwd')", "file-access"],
  ["COPY t FROM '/x'", "file-access"],
  ["COPY t TO PROGRAM 'x'", "file-access"],
  ["LOAD 'x'", "file-access"],
  ["COPY t FROM STDIN"],
  ["SELECT my_pg_sleep(1)"],
  // Catalogues.
  ["SELECT a FROM t UNION SELECT table_name FROM information_schema.tables", "catalog"],
  ["SELECT a FROM t WHERE a = (SELECT count(*) FROM pg_class)", "catalog"],
  ["SELECT a FROM t, pg_catalog.pg_user", "catalog"],
  ["SELECT * FROM pg_class JOIN information_schema.tables ON true"],
  ["SELECT * FROM t JOIN my.pg_class ON true"],
];

Deno.test("QueryAnalyser finds the signals of each example", () => {
  for (const [text, ...signals] of EXAMPLES) {
    const { error, statements } = analyser.analyse(text);
    equal(error, undefined, text);
    deepEqual([...statements.at(-1)!.injectionSignals].sort(), [...signals].sort(), text);
  }
});

Deno.test("QueryAnalyser gives each statement the signals of the whole text", () => {
  const { statements } = analyser.analyse("SELECT pg_sleep(1); SELECT 2 --");
  deepEqual(statements.map(({ injectionSignals }) => injectionSignals), [
    ["sleep", "stacked", "comment"],
    ["stacked", "comment"],
  ]);
});
