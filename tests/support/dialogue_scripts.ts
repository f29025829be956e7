/**
 * Dialogues that every way through the gateway must answer as the server itself does: queries,
 * pipelines, transactions and what large messages do. More are in the files beside this one.
 *
 * They use the schema "dialogue", which is empty whenever one begins.
 *
 * @module
 */

import { ask, mark, say, sayLast, sayUntil, type Script } from "./dialogue_recorder.ts";
import {
  bind,
  close,
  describe,
  execute,
  functionCall,
  int16,
  parseNamed,
  TYPE_OIDS,
} from "./extended_messages.ts";
import { FLUSH, int32, message, query, SYNC, TERMINATE } from "./messages.ts";

/** A script and which pool modes it makes sense in. */
export interface DialogueScript extends Script {
  /**
   * "statement": in every mode; "transaction": it has transaction blocks, which the mode
   * "statement" refuses; "session": it leaves something in the session that only one server has.
   */
  readonly needs: "statement" | "transaction" | "session";
  /** The oldest major version of PostgreSQL that knows what it uses. */
  readonly majorMin?: number;
}

/** Scripts by what they are about. */
export type DialogueScripts = Readonly<Record<string, DialogueScript>>;

const MEGABYTE = 1024 * 1024;

/** OIDs of functions in pg_proc.dat. */
const FUNCTIONS = { int4pl: 177, pi: 1610, int4div: 154 } as const;

function once(text: string, values: readonly (string | null)[] = []): Uint8Array[] {
  return [parseNamed("", text), bind({ values }), describe("P"), execute(), SYNC];
}

/** Simple queries. */
export const SIMPLE_SCRIPTS: DialogueScripts = {
  "simple queries, empty queries and several statements in one message": {
    needs: "statement",
    exchanges: [
      ask("select 1 as one, null as nothing, 'ä€😀' as text"),
      ask(""),
      ask("  ;;  "),
      ask("-- nothing but a comment"),
      ask("select 1; select 2; select generate_series(1, 3)"),
      ask("select 1; select 1/0; select 3"),
      ask("select 1; select from where; select 3"),
      ask("values (1), (2); ; values (3)"),
      say([query("select 'a'"), query("select 'b'"), query("select 1/0"), query("select 'c'")], 4),
      ask("select 'after'"),
    ],
  },
  "simple errors of many kinds, each followed by a query that works": {
    needs: "statement",
    exchanges: [
      "select from where",
      "select * from dialogue.nowhere",
      "select no_such_function()",
      "select 'x'::int",
      "select 1/0",
      "do $$ begin raise exception 'm' using errcode = 'P0042', detail = 'd', hint = 'h'; end $$",
      "copy dialogue.nowhere from stdin",
      "close nothing_open",
      "deallocate nothing_prepared",
      "execute nothing_prepared",
      "release savepoint nothing_saved",
      "select pg_cancel_backend(pg_backend_pid())",
    ].flatMap((text) => [ask(text), ask("select 'still here'")]),
  },
  "notices come in their place": {
    needs: "statement",
    exchanges: [
      ask("do $$ begin raise notice 'n'; raise warning 'w'; raise info 'i'; end $$"),
      ask("drop table if exists dialogue.never; select 1"),
      say([
        parseNamed("", "do $$ begin raise notice 'in a pipeline'; end $$"),
        bind(),
        execute(),
        ...once("select 1"),
      ]),
      ask("rollback"),
      ask("commit"),
    ],
  },
  "transactions, savepoints and failed transactions": {
    needs: "transaction",
    exchanges: [
      ask("create table dialogue.t (i int)"),
      ask("begin"),
      ask("insert into dialogue.t values (1)"),
      ask("savepoint a"),
      ask("insert into dialogue.t values (2)"),
      ask("select bad"),
      ask("select 'refused: the transaction is aborted'"),
      ask("rollback to a"),
      ask("insert into dialogue.t values (3)"),
      ask("release a"),
      ask("commit"),
      ask("table dialogue.t"),
      ask("begin; insert into dialogue.t values (4); select 1/0"),
      ask("commit"),
      ask("begin isolation level serializable read only; insert into dialogue.t values (5)"),
      ask("rollback"),
      ask("begin; begin; commit; commit"),
      ask("begin; select 1; commit and chain"),
      ask("rollback"),
      ask("insert into dialogue.t values (6); begin; insert into dialogue.t values (7)"),
      ask("rollback"),
      ask("select 1; begin; select 2"),
      ask("commit; select 3"),
      ask("table dialogue.t"),
      ask("start transaction"),
      say(once("insert into dialogue.t values ($1)", ["8"])),
      say(once("select bad")),
      say(once("select 1")),
      say(once("rollback")),
      ask("select count(*) from dialogue.t"),
    ],
  },
  "a transaction of two phases": {
    needs: "transaction",
    exchanges: [
      ask("create table dialogue.t (i int)"),
      ask("begin"),
      ask("insert into dialogue.t values (1)"),
      ask("prepare transaction 'dialogue'"),
      ask("select count(*) from dialogue.t"),
      ask("commit prepared 'dialogue'"),
      ask("select count(*) from dialogue.t"),
      ask("begin; insert into dialogue.t values (2); prepare transaction 'dialogue'"),
      ask("rollback prepared 'dialogue'"),
      ask("rollback prepared 'dialogue'"),
      ask("select count(*) from dialogue.t"),
    ],
  },
  "large objects and function calls": {
    needs: "transaction",
    exchanges: [
      ask("begin"),
      ask("select lo_from_bytea(987654, '\\x00ff10')"),
      ask("select lo_open(987654, 262144)"),
      ask("select loread(0, 2)"),
      ask("select lo_close(0)"),
      ask("rollback"),
      say([functionCall(FUNCTIONS.int4pl, ["40", "2"])]),
      say([functionCall(FUNCTIONS.pi, [])]),
      say([functionCall(FUNCTIONS.int4pl, ["40", null])]),
      say([functionCall(FUNCTIONS.int4div, ["1", "0"])]),
      say([functionCall(1, ["1"])]),
      say([functionCall(FUNCTIONS.int4pl, ["1"])]),
      say([functionCall(FUNCTIONS.int4pl, ["1", "2"]), query("select 'after a call'")], 2),
      ask("begin"),
      say([functionCall(FUNCTIONS.int4pl, ["1", "2"])]),
      say([functionCall(FUNCTIONS.int4div, ["1", "0"])]),
      say([functionCall(FUNCTIONS.int4pl, ["1", "2"])]),
      ask("rollback"),
    ],
  },
  "large rows, large parameters and large queries": {
    needs: "statement",
    exchanges: [
      ask(`select repeat('x', ${MEGABYTE})`),
      ask(`select repeat('x', ${20 * MEGABYTE})`),
      ask(`select length('${"y".repeat(MEGABYTE)}')`),
      say(once("select length($1)", ["z".repeat(MEGABYTE)])),
      say(once("select length($1), md5($1), $1", ["z".repeat(20 * MEGABYTE)])),
      say([...once("select $1", ["w".repeat(MEGABYTE)]), ...once("select 'behind it'")], 2),
      ask("select i, repeat(chr(64 + i % 26), i * 100) from generate_series(1, 500) i"),
      ask(`select ${Array.from({ length: 1000 }, (_, i) => `${i} as c${i}`).join(", ")}`),
    ],
  },
};

/** Pipelines and portals of the extended protocol. */
export const EXTENDED_SCRIPTS: DialogueScripts = {
  "extended queries one by one": {
    needs: "statement",
    exchanges: [
      say(once("select 1 as one")),
      say(once("select $1 || $2 as joined", ["a", null])),
      say(once("")),
      say([
        parseNamed("", "select $1 + $2", [TYPE_OIDS.int4, TYPE_OIDS.int8]),
        describe("S"),
        SYNC,
      ]),
      say([bind({ values: ["1", "2"] }), execute(), SYNC]),
      say([
        bind({ values: [int32(1), int32(2)], formats: [1, 0], resultFormats: [1] }),
        execute(),
        SYNC,
      ]),
      say([SYNC]),
      say([SYNC, SYNC, SYNC], 3),
    ],
  },
  "errors at Parse, Bind, Describe and Execute skip to the Sync": {
    needs: "statement",
    exchanges: [
      say([parseNamed("", "select from where"), bind(), describe("P"), execute(), SYNC]),
      say([parseNamed("", "select $1::int"), bind({ values: ["x"] }), execute(), SYNC]),
      say([parseNamed("", "select $1::int"), bind({ values: [] }), execute(), SYNC]),
      say([parseNamed("", "select 1"), bind({ formats: [7] }), execute(), SYNC]),
      say([parseNamed("", "select 1"), bind({ resultFormats: [0, 0, 0] }), execute(), SYNC]),
      say([parseNamed("", "select 1/$1::int"), bind({ values: ["0"] }), execute(), SYNC]),
      say([parseNamed("", "select 1; select 2"), bind(), execute(), SYNC]),
      say([describe("S", "nobody"), parseNamed("", "select 1"), SYNC]),
      say([describe("P", "nobody"), execute(), SYNC]),
      say([execute("nobody"), execute(), SYNC]),
      say([bind({ statement: "nobody" }), execute(), SYNC]),
      say([message("D", "Xwrong kind\0"), SYNC]),
      say([message("C", "Xwrong kind\0"), SYNC]),
      say([execute("nobody"), SYNC, ...once("select 'the next one works'"), SYNC], 3),
      say([...once("select 1/0"), ...once("select 'two'"), ...once("select bad"), SYNC], 4),
      say(once("select 'after'")),
    ],
  },
  "a broken message in a pipeline": {
    needs: "statement",
    exchanges: [
      say([parseNamed("", "select 1"), message("B", "\0\0", int16(5)), SYNC]),
      say([message("P", "no end"), SYNC]),
      say([message("E", "\0"), SYNC]),
      say(once("select 'after'")),
    ],
  },
  "Flush without Sync, and what comes then": {
    needs: "statement",
    exchanges: [
      sayUntil("1", [parseNamed("", "select generate_series(1, 5) as n"), FLUSH]),
      sayUntil("T", [bind(), describe("P"), FLUSH]),
      sayUntil("C", [execute(), FLUSH]),
      say([SYNC]),
      sayUntil("2", [
        parseNamed("f", "select $1::int"),
        bind({ statement: "f", values: ["1"] }),
        FLUSH,
      ]),
      sayUntil("C", [execute(), FLUSH, FLUSH]),
      sayUntil("E", [bind({ statement: "f", values: ["x"] }), FLUSH]),
      say([execute(), FLUSH, SYNC, ...once("select 'after'")], 2),
      say([FLUSH, close("S", "f"), SYNC]),
    ],
  },
  // What comes behind it is not compared: PostgreSQL 18.4 answers the next request with XX000.
  "a Query in the middle of a pipeline": {
    needs: "statement",
    exchanges: [say([parseNamed("", "select 1"), bind(), execute(), query("select 2"), SYNC], 2)],
  },
  "a Query in the middle of a pipeline, behind another one": {
    needs: "statement",
    exchanges: [say([query("select 1"), ...once("select 2"), query("select 3"), SYNC], 4)],
  },
  "a Query behind an error of a pipeline": {
    needs: "statement",
    exchanges: [
      say([parseNamed("", "select bad"), query("select 'skipped'"), SYNC]),
      ask("select 'not skipped'"),
    ],
  },
  "portals with row limits": {
    needs: "transaction",
    exchanges: [
      say([
        parseNamed("", "select generate_series(1, 7) as n"),
        bind(),
        execute("", 3),
        execute("", 3),
        execute("", 3),
        execute("", 3),
        SYNC,
      ]),
      say([execute("", 3), SYNC]),
      ask("begin"),
      say([
        parseNamed("", "select generate_series(1, 9) as n"),
        bind({ portal: "p" }),
        bind({ portal: "q" }),
        SYNC,
      ]),
      say([execute("p", 2), execute("q", 4), SYNC]),
      say([execute("p", 2), describe("P", "q"), SYNC]),
      say([bind({ portal: "p" }), SYNC]),
      ask("rollback"),
      say([execute("p", 2), SYNC]),
      ask("begin"),
      say([parseNamed("", "select 1"), bind({ portal: "p" }), close("P", "p"), close("P"), SYNC]),
      say([execute("p"), SYNC]),
      ask("rollback"),
      say([parseNamed("", "insert into dialogue.t values (1)"), SYNC]),
    ],
  },
  "a pipeline with many Syncs, errors between them and a transaction over them": {
    needs: "transaction",
    exchanges: [
      ask("create table dialogue.t (i int primary key)"),
      say(
        Array.from({ length: 40 }, (_, i) => once("select $1::int / $2::int", [`${i}`, `${i % 7}`]))
          .flat(),
        40,
      ),
      say([
        ...once("begin"),
        ...once("insert into dialogue.t values (1)"),
        ...once("insert into dialogue.t values (1)"),
        ...once("select 'refused'"),
        ...once("rollback"),
        ...once("select count(*) from dialogue.t"),
      ], 6),
      say([
        parseNamed("", "insert into dialogue.t values (1)"),
        bind(),
        execute(),
        parseNamed("", "insert into dialogue.t values (1)"),
        bind(),
        execute(),
        SYNC,
        ...once("select count(*) from dialogue.t"),
      ], 2),
      say([query("begin"), ...once("insert into dialogue.t values (2)"), query("commit"), mark], 4),
      ask("table dialogue.t"),
    ],
  },
  "Terminate ends it, whatever stands before it": {
    needs: "transaction",
    exchanges: [
      ask("begin"),
      sayLast([...once("select 1"), TERMINATE]),
    ],
  },
};
