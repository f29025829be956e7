/**
 * Runs on real servers what the analysis is tested with, in transactions that are read-only: what
 * is said to change nothing is taken, and what PostgreSQL refuses there is said to write.
 *
 * @module
 */

import assert from "node:assert/strict";
import pg from "pg";
import { COMMAND_EXAMPLES, SESSION_EXAMPLES } from "../postgres/parser/command_examples.ts";
import type { Example } from "../postgres/parser/examples.ts";
import { analyser } from "../postgres/parser/examples.ts";
import { QUERY_EXAMPLES } from "../postgres/parser/query_examples.ts";
import { testOnEachServer } from "../support/postgres.ts";

const SCHEMA = `
  CREATE SCHEMA s;
  CREATE TABLE t (a int, b text);
  CREATE TABLE u (a int);
  CREATE TABLE w (a int);
  CREATE TABLE k (a int PRIMARY KEY);
  CREATE TABLE p (a int, b text) PARTITION BY LIST (a);
  CREATE TABLE s.t3 (a int);
  CREATE TABLE "Mixed Case" (a int);
  CREATE VIEW v AS SELECT 1 AS a;
  CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
  CREATE INDEX i ON t (a);
  CREATE SEQUENCE q;
  CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
  CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
  CREATE PROCEDURE pr(int) LANGUAGE sql AS 'SELECT 1';
  INSERT INTO t VALUES (1, 'x');
  INSERT INTO u VALUES (1);
`;

/** ERRCODE_READ_ONLY_SQL_TRANSACTION in `errcodes.txt` */
const READ_ONLY_TRANSACTION = "25006";

/** Writes that leave no trace in tables here: some servers take them, or all of them do. */
const MAY_BE_TAKEN: ReadonlySet<string> = new Set([
  "EXPLAIN ANALYZE CREATE TABLE n AS SELECT * FROM t",
  "SELECT lo_create(0)",
  "SELECT pg_advisory_xact_lock(1)",
  "SELECT pg_notify('a', 'b')",
  "SELECT set_config('app.a', 'x', true)",
  "SELECT txid_current()",
  "WITH x AS (TABLE u) MERGE INTO t USING x ON false WHEN MATCHED THEN DO NOTHING",
]);

/** Runs a text in a transaction of its own. @returns The SQLSTATE, if it failed. */
async function run(port: number, text: string): Promise<string | undefined> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("PREPARE known (int) AS SELECT $1; BEGIN READ ONLY");
    await client.query(text);
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await client.end();
  }
}

await testOnEachServer("QueryAnalyser says of statements what a server says", {
  auth: "trust",
}, async ({ port }) => {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  await client.connect();
  await client.query(SCHEMA);
  await client.end();
  const wrong: string[] = [];
  let refused = 0;
  let taken = 0;
  const check = async ([text]: Example, isSession: boolean) => {
    const [statement] = analyser.analyse(text).statements;
    const code = await run(port, text);
    if (code === READ_ONLY_TRANSACTION) refused += 1;
    else taken += 1;
    const isTaken = code === undefined;
    const isExpected = statement!.isReadOnly || isSession
      ? isTaken
      : code === READ_ONLY_TRANSACTION || (isTaken && MAY_BE_TAKEN.has(text));
    if (!isExpected) wrong.push(`${text}: ${code ?? "is taken"}`);
  };
  for (const example of [...QUERY_EXAMPLES, ...COMMAND_EXAMPLES]) await check(example, false);
  for (const example of SESSION_EXAMPLES) await check(example, true);
  assert.deepEqual(wrong, []);
  assert.ok(refused > 80 && taken > 80, `${refused} refused, ${taken} taken`);
});
