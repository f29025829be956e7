/**
 * Statements that read and change rows.
 *
 * @module
 */

import type { Example } from "./examples.ts";

type Rest = readonly [kind: string, is: string, tables?: string, functions?: string];

/** What a query that only reads is, where its line is too long to say so. */
function reads(tables = "", functions = ""): Rest {
  return ["SELECT", "read", tables, functions];
}

const SYNTAX = "btrim, extract, now, position";
const UPDATES_FROM: Rest = ["UPDATE", "write", "r u, w t"];

/** Their tables are those of the integration test's schema, so that a server takes them. */
export const QUERY_EXAMPLES: readonly Example[] = [
  // Plain queries.
  ["SELECT 1", "SELECT", "read"],
  ["SELECT", "SELECT", "read"],
  ["SELECT a FROM t", "SELECT", "read", "r t"],
  ["select A from T", "SELECT", "read", "r t"],
  ['SELECT * FROM "Mixed Case"', "SELECT", "read", "r Mixed Case"],
  ["SELECT * FROM public.t", "SELECT", "read", "r public.t"],
  ["SELECT * FROM postgres.public.t", "SELECT", "read", "r public.t"],
  ["SELECT * FROM ONLY t", "SELECT", "read", "r t"],
  ["SELECT * FROM t, u", "SELECT", "read", "r t, r u"],
  ["SELECT * FROM t a, t b", "SELECT", "read", "r t"],
  ["SELECT * FROM t, public.t AS p", "SELECT", "read", "r public.t, r t"],
  ["TABLE t", "SELECT", "read", "r t"],
  ["VALUES (1), (2)", "SELECT", "read"],
  ["(SELECT a FROM t)", "SELECT", "read", "r t"],
  ["SELECT a FROM t WHERE a = 1 ORDER BY b LIMIT 1 OFFSET 2", "SELECT", "read", "r t"],
  ["SELECT DISTINCT ON (a) a FROM t", "SELECT", "read", "r t"],
  ["SELECT * FROM t TABLESAMPLE system (50)", "SELECT", "read", "r t"],
  ["SELECT * FROM v", "SELECT", "read", "r v"],
  ["SELECT * FROM s.t3", "SELECT", "read", "r s.t3"],
  // Joins and subqueries.
  ["SELECT * FROM t JOIN u ON t.a = u.a", "SELECT", "read", "r t, r u"],
  ["SELECT * FROM t NATURAL JOIN u", "SELECT", "read", "r t, r u"],
  ["SELECT * FROM t LEFT JOIN (u CROSS JOIN w) ON true", "SELECT", "read", "r t, r u, r w"],
  ["SELECT * FROM t FULL JOIN u USING (a)", "SELECT", "read", "r t, r u"],
  ["SELECT * FROM (SELECT a FROM t) AS x", "SELECT", "read", "r t"],
  ["SELECT * FROM t, LATERAL (SELECT * FROM u WHERE u.a = t.a) x", "SELECT", "read", "r t, r u"],
  ["SELECT (SELECT max(a) FROM u) FROM t", "SELECT", "read", "r t, r u", "max"],
  ["SELECT * FROM t WHERE a IN (SELECT a FROM u)", "SELECT", "read", "r t, r u"],
  ["SELECT * FROM t WHERE EXISTS (SELECT FROM u)", "SELECT", "read", "r t, r u"],
  ["SELECT * FROM t WHERE a = ANY (SELECT a FROM u)", "SELECT", "read", "r t, r u"],
  ["SELECT ARRAY(SELECT a FROM t)", "SELECT", "read", "r t"],
  ["SELECT a FROM t GROUP BY a HAVING a > (SELECT 1 FROM u LIMIT 1)", "SELECT", "read", "r t, r u"],
  ["SELECT a FROM t ORDER BY (SELECT 1 FROM u LIMIT 1)", "SELECT", "read", "r t, r u"],
  ["SELECT a FROM t LIMIT (SELECT count(*) FROM u)", "SELECT", "read", "r t, r u", "count"],
  ["SELECT CASE WHEN EXISTS (TABLE u) THEN 1 END FROM t", "SELECT", "read", "r t, r u"],
  ["SELECT COALESCE((SELECT a FROM u LIMIT 1), 1)", "SELECT", "read", "r u"],
  // Set operations.
  ["SELECT a FROM t UNION SELECT a FROM u", "SELECT", "read", "r t, r u"],
  ["SELECT a FROM t UNION ALL SELECT a FROM u EXCEPT TABLE w", "SELECT", "read", "r t, r u, r w"],
  ["(TABLE u) INTERSECT (TABLE w ORDER BY 1 LIMIT 1)", "SELECT", "read", "r u, r w"],
  ["VALUES (1) UNION SELECT a FROM u", "SELECT", "read", "r u"],
  // WITH: names, order, shadows.
  ["WITH x AS (SELECT a FROM t) SELECT * FROM x", "SELECT", "read", "r t"],
  ["WITH x AS (TABLE t), y AS (TABLE x) SELECT * FROM y, u", "SELECT", "read", "r t, r u"],
  ["WITH t AS (SELECT * FROM t) SELECT * FROM t", "SELECT", "read", "r t"],
  ["WITH t AS (SELECT 1 AS a) SELECT * FROM t", "SELECT", "read"],
  ["WITH t AS (SELECT 1 AS a) SELECT * FROM public.t", "SELECT", "read", "r public.t"],
  ["WITH x AS (TABLE u), u AS (SELECT 1) SELECT * FROM x, u", "SELECT", "read", "r u"],
  ["WITH RECURSIVE x AS (SELECT 1 AS a UNION SELECT a + 1 FROM x WHERE a < 3) TABLE x", ...reads()],
  ["WITH RECURSIVE x AS (TABLE y), y AS (TABLE t) TABLE x", "SELECT", "read", "r t"],
  ["WITH x AS (SELECT 1) SELECT * FROM (WITH x AS (TABLE t) TABLE x) z", "SELECT", "read", "r t"],
  ["SELECT * FROM (WITH u AS (SELECT 1) TABLE u) z, u", "SELECT", "read", "r u"],
  ["SELECT (WITH t AS (SELECT 1) SELECT 1 FROM t), (SELECT a FROM t LIMIT 1)", ...reads("r t")],
  ["(WITH u AS (SELECT 1 AS a) TABLE u) UNION SELECT a FROM u", "SELECT", "read", "r u"],
  ["WITH u AS (SELECT 1 AS a) SELECT a FROM t UNION SELECT a FROM u", "SELECT", "read", "r t"],
  ["WITH x AS (WITH y AS (TABLE t) TABLE y) TABLE x", "SELECT", "read", "r t"],
  ["WITH x AS (SELECT 1) SELECT * FROM t WHERE a IN (TABLE x)", "SELECT", "read", "r t"],
  ['WITH "T" AS (SELECT 1) SELECT * FROM t', "SELECT", "read", "r t"],
  ["WITH x AS MATERIALIZED (TABLE t) SELECT * FROM x", "SELECT", "read", "r t"],
  // Functions.
  ["SELECT now(), Lower('A'), pg_catalog.upper('a')", ...reads("", "lower, now, pg_catalog.upper")],
  ["SELECT count(*), sum(a) FILTER (WHERE a > abs(-1)) FROM t", ...reads("r t", "abs, count, sum")],
  ["SELECT row_number() OVER (ORDER BY length(b)) FROM t", ...reads("r t", "length, row_number")],
  ["SELECT * FROM generate_series(1, 2)", "SELECT", "read", "", "generate_series"],
  [
    "SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY[1]))",
    ...reads("", "generate_series, unnest"),
  ],
  ["SELECT EXTRACT(year FROM now()), trim('a'), position('a' IN 'b')", ...reads("", SYNTAX)],
  ["SELECT now() AT TIME ZONE 'UTC', current_user, CURRENT_DATE", ...reads("", "now, timezone")],
  ["SELECT COALESCE(1, 2), NULLIF(1, 2), GREATEST(1, 2)", "SELECT", "read"],
  ["SELECT f(1)", "SELECT", "read", "", "f"],
  ["SELECT a FROM t WHERE f(a) > 0 ORDER BY f(2)", "SELECT", "read", "r t", "f"],
  ["SELECT string_agg(b, ',' ORDER BY upper(b)) FROM t", ...reads("r t", "string_agg, upper")],
  ["SELECT nextval('q')", "SELECT", "write", "", "nextval"],
  ["SELECT pg_catalog.setval('q', 1)", "SELECT", "write", "", "pg_catalog.setval"],
  ["SELECT lo_create(0)", "SELECT", "write", "", "lo_create"],
  ["SELECT set_config('app.a', 'x', true)", "SELECT", "write", "", "set_config"],
  ["SELECT pg_advisory_xact_lock(1)", "SELECT", "write", "", "pg_advisory_xact_lock"],
  ["SELECT pg_notify('a', 'b')", "SELECT", "write", "", "pg_notify"],
  ["SELECT txid_current()", "SELECT", "write", "", "txid_current"],
  ["SELECT currval('q') FROM t WHERE false", "SELECT", "read", "r t", "currval"],
  // Locks.
  ["SELECT * FROM t FOR UPDATE", "SELECT", "write locking", "r t"],
  ["SELECT * FROM t x, u FOR SHARE OF x SKIP LOCKED", "SELECT", "write locking", "r t, r u"],
  ["SELECT * FROM t FOR NO KEY UPDATE NOWAIT", "SELECT", "write locking", "r t"],
  ["SELECT * FROM (SELECT * FROM t FOR KEY SHARE) x", "SELECT", "write locking", "r t"],
  ["WITH x AS (SELECT * FROM t FOR UPDATE) SELECT 1 FROM x", "SELECT", "write locking", "r t"],
  // INTO.
  ["SELECT a INTO n FROM t", "SELECT INTO", "write", "r t, w n"],
  ["SELECT a INTO s.n FROM t UNION SELECT a FROM u", "SELECT INTO", "write", "r t, r u, w s.n"],
  // INSERT.
  ["INSERT INTO t VALUES (1)", "INSERT", "write", "w t"],
  ["INSERT INTO s.t3 DEFAULT VALUES", "INSERT", "write", "w s.t3"],
  ["INSERT INTO t SELECT * FROM u", "INSERT", "write", "r u, w t"],
  ["INSERT INTO t SELECT * FROM t", "INSERT", "write", "r t, w t"],
  ["INSERT INTO t (a) VALUES ((SELECT max(a) FROM u))", "INSERT", "write", "r u, w t", "max"],
  ["INSERT INTO t (a) VALUES (f(1)) RETURNING f(a)", "INSERT", "write", "w t", "f"],
  ["INSERT INTO k VALUES (1) ON CONFLICT DO NOTHING", "INSERT", "write", "w k"],
  [
    "INSERT INTO k VALUES (1) ON CONFLICT (a) DO UPDATE SET a = (SELECT 1 FROM u)",
    "INSERT",
    "write",
    "r u, w k",
  ],
  ["WITH x AS (TABLE u) INSERT INTO t SELECT * FROM x", "INSERT", "write", "r u, w t"],
  ["WITH t AS (SELECT 1) INSERT INTO t SELECT * FROM t", "INSERT", "write", "w t"],
  ["INSERT INTO t WITH x AS (TABLE u) TABLE x", "INSERT", "write", "r u, w t"],
  // UPDATE.
  ["UPDATE t SET a = 1 WHERE a = 2", "UPDATE", "write", "w t"],
  ["UPDATE t SET a = 1", "UPDATE", "write without-where", "w t"],
  ["UPDATE ONLY t AS x SET a = 1 WHERE true", "UPDATE", "write", "w t"],
  ["UPDATE t SET a = u.a FROM u WHERE t.a = u.a", "UPDATE", "write", "r u, w t"],
  ["UPDATE t SET (a, b) = (SELECT 1, 'x' FROM u LIMIT 1) WHERE a = 1", ...UPDATES_FROM],
  ["UPDATE t SET a = 1 WHERE a IN (SELECT a FROM u)", "UPDATE", "write", "r u, w t"],
  ["UPDATE t SET a = 1 FROM t AS o WHERE t.a = o.a", "UPDATE", "write", "r t, w t"],
  ["WITH x AS (TABLE u) UPDATE t SET a = 1 FROM x WHERE t.a = x.a", ...UPDATES_FROM],
  // DELETE.
  ["DELETE FROM t WHERE a = 1", "DELETE", "write", "w t"],
  ["DELETE FROM t", "DELETE", "write without-where", "w t"],
  ["DELETE FROM t USING u, w WHERE t.a = u.a", "DELETE", "write", "r u, r w, w t"],
  [
    "DELETE FROM t RETURNING (SELECT 1 FROM u LIMIT 1)",
    "DELETE",
    "write without-where",
    "r u, w t",
  ],
  // Data-modifying WITH.
  ["WITH x AS (DELETE FROM t WHERE a = 1 RETURNING *) SELECT * FROM x", "SELECT", "write", "w t"],
  ["WITH x AS (DELETE FROM t RETURNING *) TABLE x", "SELECT", "write without-where", "w t"],
  ["WITH x AS (UPDATE t SET a = 1) SELECT 1", "SELECT", "write without-where", "w t"],
  ["WITH x AS (INSERT INTO t TABLE u RETURNING a) TABLE x", "SELECT", "write", "r u, w t"],
  [
    "WITH x AS (DELETE FROM t) UPDATE u SET a = 1 WHERE a = 2",
    "UPDATE",
    "write without-where",
    "w t, w u",
  ],
  // MERGE.
  ["MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE", "MERGE", "write", "r u, w t"],
  [
    "MERGE INTO t USING (TABLE u) x ON t.a = x.a WHEN NOT MATCHED THEN INSERT VALUES (f(1))",
    "MERGE",
    "write",
    "r u, w t",
    "f",
  ],
  [
    "WITH x AS (TABLE u) MERGE INTO t USING x ON false WHEN MATCHED THEN DO NOTHING",
    "MERGE",
    "write",
    "r u, w t",
  ],
];
