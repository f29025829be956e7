/**
 * Texts that touch session parameters, or only look as if they did.
 *
 * @module
 */

import type { Example, Seen } from "./examples.ts";

function set(...parameters: readonly string[]): Seen {
  return { command: "set", parameters };
}

function reset(...parameters: readonly string[]): Seen {
  return { command: "reset", parameters, resets: parameters };
}

function select(...parameters: readonly string[]): Seen {
  return { command: "select", parameters };
}

const SETS_NAMES_LOCALLY: Seen = { command: "set", flags: ["setsNamesLocally"] };

const UNKNOWN: Seen = { command: "select", flags: ["setsUnknownParameter"] };

const CHARACTERISTICS = [
  "default_transaction_isolation",
  "default_transaction_read_only",
  "default_transaction_deferrable",
] as const;

/** Those that a server takes. */
export const PARAMETER_EXAMPLES: readonly Example[] = [
  ["SET search_path TO a, b", set("search_path")],
  ["set Search_Path = DEFAULT", set("search_path")],
  ["SET search_path=public", set("search_path")],
  ["SET SESSION statement_timeout = '5s'", set("statement_timeout")],
  ["SET LOCAL statement_timeout = '5s'", { command: "set" }],
  ["SET app.tenant = '42'", set("app.tenant")],
  ["SET App . Tenant TO 42", set("app.tenant")],
  ['SET "App"."Tenant" TO 42', set("app.tenant")],
  ['SET U&"a\\0070p".tenant TO 42', set("app.tenant")],
  ["SET U&\"a!0070p\" UESCAPE '!'.tenant TO 42", set("app.tenant")],
  ["SET app.a.b TO 42", set("app.a.b")],
  ["SET session.uid TO 'ann'", set("session.uid")],
  ["SET session . uid = 'ann'", set("session.uid")],
  ["SET local.uid = 'ann'", set("local.uid")],
  ["SET SESSION local.uid = 'ann'", set("local.uid")],
  ["SET LOCAL session.uid = 'ann'", { command: "set" }],
  ["SET SESSION session.uid = 'ann'", set("session.uid")],
  ["SET time.zone = 'UTC'", set("time.zone")],
  ["SET TimeZone = 'UTC'", set("timezone")],
  ["SET TIME ZONE 'UTC'", set("timezone")],
  ["SET TIME ZONE LOCAL", set("timezone")],
  ["SET TIME ZONE DEFAULT", set("timezone")],
  ["SET TIME ZONE -7", set("timezone")],
  ["SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", set("timezone")],
  ["SET SESSION TIME ZONE 'UTC'", set("timezone")],
  ["SET LOCAL TIME ZONE 'UTC'", { command: "set" }],
  ["SET NAMES 'UTF8'", set("client_encoding")],
  ["SET NAMES", set("client_encoding")],
  ["SET client_encoding TO 'UTF8'", set("client_encoding")],
  ["SET SCHEMA 'public'", set("search_path")],
  ["SET XML OPTION DOCUMENT", set("xmloption")],
  ["SET ROLE postgres", set("role")],
  ["SET ROLE 'postgres'", set("role")],
  ["SET ROLE NONE", set("role")],
  ["SET role TO postgres", set("role")],
  ["SET role = 'postgres'", set("role")],
  ["SET SESSION ROLE postgres", set("role")],
  ["SET LOCAL ROLE postgres", SETS_NAMES_LOCALLY],
  ["SET LOCAL Search_Path = a", SETS_NAMES_LOCALLY],
  ["SET LOCAL SCHEMA 'public'", SETS_NAMES_LOCALLY],
  ["SELECT set_config('search_path', 'a', true)", { ...SETS_NAMES_LOCALLY, command: "select" }],
  ["SET SESSION AUTHORIZATION postgres", set("session_authorization")],
  ["SET SESSION AUTHORIZATION DEFAULT", set("session_authorization")],
  ["SET SESSION SESSION AUTHORIZATION postgres", set("session_authorization")],
  ["SET LOCAL SESSION AUTHORIZATION postgres", SETS_NAMES_LOCALLY],
  ["SET session_authorization = postgres", set("session_authorization")],
  [
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    set(...CHARACTERISTICS),
  ],
  ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", set(...CHARACTERISTICS)],
  ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", { command: "set" }],
  ["SET SESSION TRANSACTION READ ONLY", { command: "set" }],
  ["SET transaction_isolation = 'serializable'", { command: "set" }],
  ["SET TRANSACTION_READ_ONLY TO on", { command: "set" }],
  ["SET CONSTRAINTS ALL DEFERRED", { command: "set" }],
  ["SET datestyle FROM CURRENT", set("datestyle")],
  ["RESET search_path", reset("search_path")],
  ["RESET App.Tenant", reset("app.tenant")],
  ["RESET ALL", { command: "reset", flags: ["resetsAllParameters"] }],
  ["RESET ROLE", reset("role")],
  ["RESET TIME ZONE", reset("timezone")],
  ["RESET TimeZone", reset("timezone")],
  ["RESET session.uid", reset("session.uid")],
  ["RESET SESSION AUTHORIZATION", reset("session_authorization")],
  ["SET a.a = 1; SET b.b = 2; SET a.a = 3; RESET ALL", {
    command: "set",
    count: 4,
    parameters: ["a.a", "b.b"],
    resets: ["a.a", "b.b"],
    flags: ["resetsAllParameters"],
  }],
  ["SET a.a = 1; RESET ALL; SET b.b = 2; SET role = 'postgres'", {
    command: "set",
    count: 4,
    parameters: ["a.a", "b.b", "role"],
    resets: ["a.a"],
    flags: ["resetsAllParameters"],
  }],
  ["SET ROLE postgres; RESET ALL", {
    command: "set",
    count: 2,
    parameters: ["role"],
    flags: ["resetsAllParameters"],
  }],
  ["SET a.a = 1; RESET a.a; RESET b.b; SET b.b = 2; RESET c.c", {
    command: "set",
    count: 5,
    parameters: ["a.a", "b.b", "c.c"],
    resets: ["a.a", "c.c"],
  }],
  ["BEGIN; SET LOCAL a.a = 1; SET b.b = 2; COMMIT", {
    command: "begin",
    count: 4,
    parameters: ["b.b"],
    flags: ["beginsTransaction"],
  }],
  [`SET ${"a".repeat(70)}.b = 1`, set(`${"a".repeat(63)}.b`)],
  // Calls.
  ["SELECT set_config('app.a', 'b', false)", select("app.a")],
  ["SELECT SET_CONFIG('App.A', 'b', false)", select("app.a")],
  ["SELECT set_config ( 'app.a' , 'b' , false )", select("app.a")],
  ["SELECT set_config/**/('app.a', 'b', false)", select("app.a")],
  ["SELECT pg_catalog.set_config('app.a', 'b', false)", select("app.a")],
  [`SELECT "set_config"('app.a', 'b', false)`, select("app.a")],
  [`SELECT "pg_catalog"."set_config"('app.a', 'b', false)`, select("app.a")],
  [`SELECT U&"set\\005fconfig"('app.a', 'b', false)`, select("app.a")],
  ["SELECT set_config('app.a'::text, 'b'::text, false)", select("app.a")],
  ["SELECT set_config('app.a'::pg_catalog.text, 'b', false)", select("app.a")],
  ["SELECT set_config('app.a', 'b', true)", { command: "select" }],
  ["SELECT set_config('app.a', 'b', TRUE )", { command: "select" }],
  [
    "SELECT set_config('app.' || 'a', 'b', true)",
    { ...SETS_NAMES_LOCALLY, command: "select" },
  ],
  ["SELECT set_config('app.a', 'b', true AND false)", select("app.a")],
  ["SELECT set_config('app.a', 'b', 'true')", select("app.a")],
  ["SELECT set_config('app.a', 'b', NOT true)", select("app.a")],
  ["SELECT set_config('app.' || 'a', 'b', false)", UNKNOWN],
  ["SELECT set_config(('app.a'), 'b', false)", UNKNOWN],
  [String.raw`SELECT set_config(E'app.\x61', 'b', false)`, UNKNOWN],
  [String.raw`SELECT set_config(U&'app.\0061', 'b', false)`, UNKNOWN],
  ["SELECT set_config($$app.a$$, 'b', false)", UNKNOWN],
  ["SELECT set_config('app.'\n'a', 'b', false)", UNKNOWN],
  ["SELECT set_config(name, setting, false) FROM pg_settings WHERE name = 'work_mem'", UNKNOWN],
  ["SELECT set_config('app.a', set_config('app.b', 'x', false), false)", select("app.a", "app.b")],
  ["SELECT set_config('app.a', set_config('app.b', 'x', false), true)", select("app.b")],
  ["SELECT set_config('app.a', concat('b', ',', (1)), true)", { command: "select" }],
  [`SELECT set_config('app.a', ${"lower(".repeat(40)}'b'${")".repeat(40)}, true)`, select("app.a")],
  ["SELECT 1 WHERE set_config('app.a', 'b', false) = 'b'", select("app.a")],
  ["VALUES (set_config('app.a', 'b', false))", { command: "values", parameters: ["app.a"] }],
  ["WITH a AS (SELECT set_config('app.a', 'b', false)) SELECT * FROM a", {
    command: "with",
    parameters: ["app.a"],
  }],
  ["COPY (SELECT set_config('app.a', 'b', false)) TO '/dev/null'", {
    command: "copy",
    parameters: ["app.a"],
  }],
  ["UPDATE pg_settings SET setting = '9MB' WHERE name = 'work_mem'", {
    command: "update",
    flags: ["setsUnknownParameter"],
  }],
  ["UPDATE pg_catalog.pg_settings s SET setting = '9MB' WHERE s.name = 'work_mem'", {
    command: "update",
    flags: ["setsUnknownParameter"],
  }],
  // No parameters.
  ["UPDATE t SET a = 1, b = 'x'", { command: "update" }],
  ["UPDATE t SET a = 1 WHERE b IN (SELECT name FROM pg_settings)", { command: "update" }],
  ["SELECT 'set_config(''a'', ''b'', false)'", { command: "select" }],
  [`SELECT 1 AS set_config, 2 AS "set_config"`, { command: "select" }],
  [`SELECT "SET_CONFIG".a FROM t AS "SET_CONFIG"`, { command: "select" }],
  ["INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", { command: "insert" }],
  ["ALTER ROLE postgres SET app.a = 'b'", { command: "alter", flags: ["changesSchema"] }],
  ["ALTER DATABASE postgres RESET app.a", { command: "alter", flags: ["changesSchema"] }],
  ["ALTER FUNCTION f() SET app.a = 'b'", { command: "alter", flags: ["changesSchema"] }],
  ["ALTER TABLE t ALTER a SET DEFAULT 1", { command: "alter", flags: ["changesSchema"] }],
  ["SHOW search_path", { command: "show" }],
  ["SELECT current_setting('search_path')", { command: "select" }],
];
