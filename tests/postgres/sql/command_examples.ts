/**
 * Texts with commands that leave state behind, or only look as if they did.
 *
 * @module
 */

import type { Command, Pin } from "../../../src/postgres/sql/traits.ts";
import type { Example, FlagName, Seen } from "./examples.ts";

function flags(command: Command, ...flags: readonly FlagName[]): Seen {
  return flags.length === 0 ? { command } : { command, flags };
}

function pins(command: Command, ...pins: readonly Pin[]): Seen {
  return { command, pins };
}

function creates(...pins: readonly Pin[]): Seen {
  return { command: "create", flags: ["changesSchema"], ...(pins.length > 0 ? { pins } : {}) };
}

function names(command: Command, ...names: readonly string[]): Seen {
  return { command, names };
}

const TEMPORARY = "temporary object";
const SELECTS_INTO: Seen = flags("select", "changesSchema");
const SELECTS_INTO_TEMP: Seen = { ...SELECTS_INTO, pins: [TEMPORARY] };

/** Those that a server takes. A transaction that a text begins is ended by it, or afterwards. */
export const COMMAND_EXAMPLES: readonly Example[] = [
  // Transactions.
  ["BEGIN", flags("begin", "beginsTransaction")],
  ["BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY", flags("begin", "beginsTransaction")],
  ["START TRANSACTION READ WRITE", flags("start", "beginsTransaction")],
  ["COMMIT", flags("commit")],
  ["COMMIT WORK", flags("commit")],
  ["END TRANSACTION", flags("end")],
  ["ABORT", flags("abort")],
  ["ROLLBACK", flags("rollback")],
  ["ROLLBACK TRANSACTION AND NO CHAIN", flags("rollback")],
  ["BEGIN; SELECT 1; COMMIT AND CHAIN", {
    ...flags("begin", "beginsTransaction"),
    count: 3,
  }],
  ["BEGIN; SAVEPOINT a; ROLLBACK WORK TO a; RELEASE SAVEPOINT a; END", {
    ...flags("begin", "beginsTransaction"),
    count: 5,
  }],
  ["BEGIN; SAVEPOINT a; ROLLBACK TO SAVEPOINT a", {
    ...flags("begin", "beginsTransaction"),
    count: 3,
  }],
  ["BEGIN; PREPARE TRANSACTION 'p1'", {
    ...flags("begin", "beginsTransaction"),
    count: 2,
  }],
  ["COMMIT PREPARED 'p1'", { command: "commit" }],
  // Prepared statements.
  ["PREPARE p AS SELECT 1", names("prepare", "prepare p")],
  ["PREPARE P1 (int, text) AS SELECT $1, $2", names("prepare", "prepare p1")],
  ['PREPARE "P;"AS SELECT 1', names("prepare", "prepare P;")],
  ['PREPARE "a""b" AS SELECT 1', names("prepare", 'prepare a"b')],
  ['PREPARE U&"\\0070\\+000071" AS SELECT 1', names("prepare", "prepare pq")],
  ["PREPARE U&\"!0070!!\" UESCAPE '!' AS SELECT 1", names("prepare", "prepare p!")],
  ["PREPARE Ünï AS SELECT 1", names("prepare", "prepare Ünï")],
  [`PREPARE ${"p".repeat(62)}éx AS SELECT 1`, names("prepare", `prepare ${"p".repeat(62)}`)],
  [`PREPARE ${"p".repeat(61)}éx AS SELECT 1`, names("prepare", `prepare ${"p".repeat(61)}é`)],
  ["PREPARE transaction AS SELECT 1", names("prepare", "prepare transaction")],
  ["PREPARE transaction (int) AS SELECT $1", names("prepare", "prepare transaction")],
  ["/* a */ PREPARE/* b */p/* c */AS SELECT 1;", names("prepare", "prepare p")],
  ["PREPARE p AS SELECT 1; EXECUTE p", {
    ...names("prepare", "prepare p", "execute p"),
    count: 2,
    pins: ["prepare"],
  }],
  ["SELECT 1; PREPARE p AS SELECT 1", {
    ...names("select", "prepare p"),
    count: 2,
    pins: ["prepare"],
  }],
  ["PREPARE p AS INSERT INTO t (a) SELECT 1", names("prepare", "prepare p")],
  ["EXECUTE known", names("execute", "execute known")],
  ["EXECUTE Known ;", names("execute", "execute known")],
  ["EXECUTE known_int(1 + 1)", names("execute", "execute known_int")],
  ["EXPLAIN EXECUTE known", names("explain", "execute known")],
  ["EXPLAIN ANALYZE VERBOSE EXECUTE known", names("explain", "execute known")],
  ["EXPLAIN ANALYSE EXECUTE known", names("explain", "execute known")],
  ["EXPLAIN (ANALYZE, COSTS off) EXECUTE known_int(1)", names("explain", "execute known_int")],
  ["EXPLAIN (FORMAT json) SELECT 1 AS execute", { command: "explain" }],
  ["CREATE TABLE c1 AS EXECUTE known", { ...creates(), names: ["execute known"] }],
  ["CREATE UNLOGGED TABLE c2 (a) WITH (fillfactor = 50) AS EXECUTE known_int (1)", {
    ...creates(),
    names: ["execute known_int"],
  }],
  ["EXPLAIN CREATE TABLE c3 AS EXECUTE known", {
    ...flags("explain", "changesSchema"),
    names: ["execute known"],
  }],
  ["CREATE TABLE c4 AS SELECT a AS execute FROM t", creates()],
  ["CREATE TABLE c6 AS SELECT 1 AS pg_temp", creates()],
  ["CREATE TABLE c7 (a int GENERATED ALWAYS AS IDENTITY)", creates()],
  ["CREATE VIEW c5 AS SELECT a AS execute FROM t", creates()],
  ["GRANT EXECUTE ON FUNCTION f() TO postgres", { command: "other" }],
  ["DEALLOCATE known", names("deallocate", "deallocate known")],
  ["DEALLOCATE PREPARE known", names("deallocate", "deallocate known")],
  ['DEALLOCATE "known"', names("deallocate", "deallocate known")],
  ["DEALLOCATE ALL", names("deallocate", "deallocate all")],
  ["DEALLOCATE PREPARE ALL", names("deallocate", "deallocate all")],
  ["PREPARE prepare AS SELECT 1; DEALLOCATE prepare", {
    ...names("prepare", "prepare prepare", "deallocate prepare"),
    count: 2,
    pins: ["prepare"],
  }],
  ['PREPARE "all" AS SELECT 1; DEALLOCATE "all"', {
    ...names("prepare", "prepare all", "deallocate all"),
    count: 2,
    pins: ["prepare"],
  }],
  // DISCARD.
  ["DISCARD ALL", { command: "discard", discards: ["all"] }],
  ["DISCARD PLANS", { command: "discard", discards: ["plans"] }],
  ["DISCARD SEQUENCES; DISCARD TEMP; DISCARD TEMPORARY", {
    command: "discard",
    count: 3,
    discards: ["sequences", "temp"],
  }],
  // Notifications, cursors, libraries.
  ["LISTEN channel", pins("listen", "listen")],
  ['SELECT 1; LISTEN "A;b"', { ...pins("select", "listen"), count: 2 }],
  ["UNLISTEN *", { command: "unlisten", unpins: ["unlisten all"] }],
  ["UNLISTEN channel", { command: "unlisten" }],
  ["NOTIFY channel, 'x'", { command: "notify" }],
  ["DECLARE c CURSOR WITH HOLD FOR SELECT 1", pins("declare", "holdable cursor")],
  ["DECLARE c NO SCROLL CURSOR WITH/**/HOLD FOR SELECT 1", pins("declare", "holdable cursor")],
  ["BEGIN; DECLARE c CURSOR FOR SELECT 1; COMMIT", {
    ...flags("begin", "beginsTransaction"),
    count: 3,
  }],
  ["BEGIN; DECLARE c CURSOR WITHOUT HOLD FOR WITH hold AS (SELECT 1) TABLE hold; END", {
    ...flags("begin", "beginsTransaction"),
    count: 3,
  }],
  ["CLOSE ALL", { command: "close", unpins: ["close all"] }],
  ["LOAD 'plpgsql'", pins("load", "load")],
  ["BEGIN; LOCK TABLE t IN ACCESS SHARE MODE; END", {
    ...flags("begin", "beginsTransaction"),
    count: 3,
  }],
  // Advisory locks.
  ["SELECT pg_advisory_lock(1)", pins("select", "advisory lock")],
  ["SELECT pg_advisory_lock_shared(1, 2)", pins("select", "advisory lock")],
  ["SELECT pg_catalog . pg_try_advisory_lock (1)", pins("select", "advisory lock")],
  ['SELECT "pg_try_advisory_lock_shared"(1)', pins("select", "advisory lock")],
  ['SELECT * FROM U&"pg_\\0061dvisory_lock"(1)', pins("select", "advisory lock")],
  ["SELECT PG_ADVISORY_LOCK(a) FROM t", pins("select", "advisory lock")],
  ["WITH l AS (SELECT pg_advisory_lock(1)) SELECT * FROM l", pins("with", "advisory lock")],
  ["SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)", { command: "select" }],
  ["SELECT pg_advisory_unlock(1)", { command: "select" }],
  ["SELECT pg_advisory_unlock_all()", { command: "select", unpins: ["advisory unlock all"] }],
  ["SELECT 'pg_advisory_lock(1)', 1 AS pg_advisory_lock", { command: "select" }],
  ["INSERT INTO t (a) SELECT 1 WHERE pg_try_advisory_lock(1)", pins("insert", "advisory lock")],
  // Temporary objects.
  ["CREATE TEMP TABLE x1 (a int)", creates(TEMPORARY)],
  ["CREATE TEMPORARY TABLE IF NOT EXISTS x1 (a int)", creates(TEMPORARY)],
  ["CREATE LOCAL TEMP TABLE x1 (a int)", creates(TEMPORARY)],
  ["CREATE GLOBAL TEMPORARY TABLE x1 (a int)", creates(TEMPORARY)],
  ["CREATE TEMP SEQUENCE x1", creates(TEMPORARY)],
  ["CREATE TEMP VIEW x1 AS SELECT 1 AS a", creates(TEMPORARY)],
  ["CREATE OR REPLACE TEMP VIEW x1 AS SELECT 1 AS a", creates(TEMPORARY)],
  ["CREATE TEMP RECURSIVE VIEW x1 (a) AS SELECT 1", creates(TEMPORARY)],
  ["CREATE TEMP TABLE x1 AS SELECT 1 AS a", creates(TEMPORARY)],
  ["CREATE TEMP TABLE x1 ON COMMIT DELETE ROWS AS SELECT 1 AS a", creates(TEMPORARY)],
  ["CREATE TEMP TABLE x1 ON COMMIT PRESERVE ROWS AS EXECUTE known", {
    ...creates(TEMPORARY),
    names: ["execute known"],
  }],
  ["CREATE TEMP TABLE x1 (a int) ON COMMIT DROP", creates()],
  ["CREATE TEMP TABLE x1 (a int) ON COMMIT/**/DROP; SELECT 1", { ...creates(), count: 2 }],
  ["CREATE TEMP TABLE x1 ON COMMIT DROP AS SELECT 1 AS a", creates()],
  ["CREATE TEMP TABLE x1 ON COMMIT DROP AS SELECT 1 AS a; CREATE TEMP TABLE x2 (a int)", {
    ...creates(TEMPORARY),
    count: 2,
  }],
  ["SELECT 1; CREATE TEMP TABLE x1 (a int); SELECT 2", {
    ...pins("select", TEMPORARY),
    count: 3,
    flags: ["changesSchema"],
  }],
  ["CREATE TABLE pg_temp.x1 (a int)", creates(TEMPORARY)],
  ['CREATE TABLE "pg_temp"."x1" (a int)', creates(TEMPORARY)],
  ["CREATE TABLE pg_temp.x1 (a int) ON COMMIT DROP", creates()],
  ["CREATE VIEW pg_temp.x1 AS SELECT 1 AS a", creates(TEMPORARY)],
  ["CREATE TYPE pg_temp.x1 AS (a int)", creates(TEMPORARY)],
  ["CREATE FUNCTION pg_temp.x1() RETURNS int RETURN 1", creates(TEMPORARY)],
  ['CREATE FUNCTION "pg_temp".x1() RETURNS int AS $$SELECT 1$$ LANGUAGE sql', creates(TEMPORARY)],
  ["EXPLAIN ANALYZE CREATE TEMP TABLE x1 AS SELECT 1 AS a", {
    ...flags("explain", "changesSchema"),
    pins: [TEMPORARY],
  }],
  ["SELECT 1 AS a INTO TEMP x1", SELECTS_INTO_TEMP],
  ["SELECT 1 AS a INTO TEMPORARY TABLE x1", SELECTS_INTO_TEMP],
  ['SELECT 1 AS a INTO LOCAL TEMP "x1"', SELECTS_INTO_TEMP],
  ["SELECT 1 AS a INTO pg_temp.x1", SELECTS_INTO_TEMP],
  ['SELECT 1 AS a INTO TABLE "pg_temp".x1', SELECTS_INTO_TEMP],
  ["WITH w AS (SELECT 1 AS a) SELECT * INTO TEMP x1 FROM w", {
    ...flags("with", "changesSchema"),
    pins: [TEMPORARY],
  }],
  ["SELECT 1 AS a INTO i1", SELECTS_INTO],
  ["SELECT a INTO temporary FROM t", SELECTS_INTO],
  ["SELECT a INTO pg_temp FROM t", SELECTS_INTO],
  ['SELECT a AS "into" FROM t', { command: "select" }],
  ["INSERT INTO temp (a) VALUES (1)", { command: "insert" }],
  ["INSERT INTO temp VALUES (1)", { command: "insert" }],
  ["INSERT INTO temp AS x (a) SELECT 1", { command: "insert" }],
  ["WITH w AS (INSERT INTO temp DEFAULT VALUES RETURNING a) SELECT * FROM w", { command: "with" }],
  ["SELECT temp.a, temporary FROM temp, (SELECT 1 AS temporary) x", { command: "select" }],
  ["TRUNCATE temp", { command: "truncate" }],
  ["DROP TABLE IF EXISTS pg_temp.nothing", flags("drop", "changesSchema")],
  // Sequences.
  ["SELECT nextval('s'), currval('s')", flags("select")],
  ["SELECT nextval('s'), pg_catalog.lastval()", flags("select")],
  ["SELECT setval('s', 7), nextval('s')", { command: "select" }],
  ["SELECT 1 AS currval, 2 AS lastval", { command: "select" }],
  // Others.
  ["ALTER TABLE t ADD COLUMN IF NOT EXISTS c int", flags("alter", "changesSchema")],
  ["CREATE INDEX ON t (a)", creates()],
  ["DROP TABLE IF EXISTS nothing", flags("drop", "changesSchema")],
  ["DO 'BEGIN END'", flags("do", "isOpaque")],
  ["CALL p()", flags("call", "isOpaque")],
  ["DELETE FROM t WHERE a = -1", { command: "delete" }],
  ["TABLE t", { command: "table" }],
  ["VALUES (1), (2)", { command: "values" }],
  ["COPY t TO '/dev/null'", { command: "copy" }],
  ["EXPLAIN (SELECT 1)", { command: "explain" }],
  ["COMMENT ON TABLE t IS 'create temp table; listen'", { command: "other" }],
  ["SELECT a AS listen, b AS load, 1 AS prepare FROM t", { command: "select" }],
];
