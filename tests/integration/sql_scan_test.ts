/**
 * Runs on real servers what the scanner is tested with: each text has as many statements as it has
 * results, and what it leaves behind in its session is never more than what was found in it.
 *
 * @module
 */

import assert from "node:assert/strict";
import pg from "pg";
import { COMMAND_EXAMPLES } from "../postgres/sql/command_examples.ts";
import { traitsOf } from "../postgres/sql/examples.ts";
import { BACKSLASH_EXAMPLES, LEXICAL_EXAMPLES } from "../postgres/sql/lexical_examples.ts";
import { PARAMETER_EXAMPLES } from "../postgres/sql/parameter_examples.ts";
import { testOnEachServer } from "../support/postgres.ts";

const SCHEMA = `
  CREATE TABLE t (a int, b text);
  CREATE TABLE t1 (a int);
  CREATE TABLE temp (a int);
  CREATE SEQUENCE s;
  CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
  INSERT INTO t VALUES (1, 'x');
`;

/** What a text may take for granted in its session. The library brings parameters of its own. */
const SESSION = `
  LOAD 'plpgsql';
  PREPARE known AS SELECT 1 AS a;
  PREPARE known_int (int) AS SELECT $1 AS a;
`;

const KNOWN_NAMES = ["known", "known_int"];

/** What a session has, each kind a query for one column of names. */
const STATE = {
  "parameters": `SELECT lower(name) || '=' || setting FROM pg_settings
    WHERE name !~ '^(transaction_|is_superuser)' UNION ALL
    SELECT 'role=' || current_setting('role') UNION ALL
    SELECT 'session_authorization=' || session_user`,
  "names": "SELECT name FROM pg_prepared_statements",
  "listen": "SELECT pg_listening_channels()",
  "holdable cursor": "SELECT name FROM pg_cursors WHERE is_holdable",
  "advisory lock": `SELECT objid::text FROM pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid()`,
  "temporary object": `SELECT relname FROM pg_class
    WHERE relnamespace = pg_my_temp_schema() UNION ALL
    SELECT proname FROM pg_proc WHERE pronamespace = pg_my_temp_schema()`,
} as const;

type Kind = keyof typeof STATE;
type State = Readonly<Record<Kind, readonly string[]>>;

const STATE_QUERY = Object.entries(STATE)
  .map(([kind, query]) => `SELECT '${kind}', * FROM (${query}) AS "${kind}"`).join(" UNION ALL ");

async function stateOf(client: pg.Client): Promise<State> {
  const rows: [Kind, string][] = (await client.query({ text: STATE_QUERY, rowMode: "array" })).rows;
  const namesOf = (kind: Kind) => rows.filter(([of]) => of === kind).map(([, name]) => name);
  const kinds = Object.keys(STATE) as Kind[];
  return Object.fromEntries(kinds.map((kind) => [kind, namesOf(kind)])) as Record<Kind, string[]>;
}

/** Runs a text in a session of its own, where nothing else is going on. */
async function runExample(port: number, text: string, isStandard: boolean): Promise<void> {
  const client = await connect(port);
  try {
    await client.query(SESSION);
    if (!isStandard) await client.query("SET standard_conforming_strings = off");
    const before = await stateOf(client);
    const results: { command: string | null }[] = [await client.query(text)].flat();
    await client.query("ROLLBACK");
    const found = traitsOf(text, isStandard);
    const ran = results.filter(({ command }) => command !== null).length;
    assert.equal(found.statementCount, ran, `statements of: ${text}`);
    compare(text, isStandard, before, await stateOf(client));
  } catch (cause) {
    throw new Error(`It failed with: ${text}`, { cause });
  } finally {
    await client.end();
  }
}

/** What is new was found in the text. Where it may be undone by the same text, it may be old. */
function compare(text: string, isStandard: boolean, before: State, after: State): void {
  const found = traitsOf(text, isStandard);
  const isNew = (kind: Kind) => after[kind].filter((name) => !before[kind].includes(name));
  const isReset = found.resetsAllParameters || found.discards.includes("all");
  if (!found.setsUnknownParameter && !isReset) {
    const changed = isNew("parameters").map((entry) => entry.slice(0, entry.indexOf("=")));
    for (const name of changed) assert.ok(found.parameters.includes(name), `${name} of: ${text}`);
  }
  const prepared = found.statementNames.filter(({ use }) => use === "prepare");
  for (const name of isNew("names")) {
    assert.ok(prepared.some((one) => one.name === name), `${name} of: ${text}`);
  }
  for (const { use, name } of found.statementNames) {
    const known = [...KNOWN_NAMES, ...prepared.map((one) => one.name), ""];
    assert.ok(known.includes(name), `${use} "${name}" of: ${text}`);
    if (use === "deallocate") assert.ok(!after.names.includes(name), `${name} of: ${text}`);
    if (use === "deallocate all") assert.deepEqual(after.names, [], text);
  }
  for (const kind of ["listen", "holdable cursor", "advisory lock", "temporary object"] as const) {
    const isPinned = found.pins.includes(kind);
    assert.equal(isPinned, isNew(kind).length > 0, `${kind} of: ${text}`);
  }
}

async function connect(port: number): Promise<pg.Client> {
  const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
  await client.connect();
  return client;
}

await testOnEachServer("QueryScanner sees what a server does with the same text", {
  auth: "trust",
  settings: { "max_prepared_transactions": "2" },
}, async ({ port }) => {
  const client = await connect(port);
  await client.query(SCHEMA);
  await client.end();
  for (const [text] of [...LEXICAL_EXAMPLES, ...PARAMETER_EXAMPLES, ...COMMAND_EXAMPLES]) {
    await runExample(port, text, true);
  }
  for (const [text] of BACKSLASH_EXAMPLES) await runExample(port, text, false);
});
