/**
 * Dialogues about what a session has beside its transactions: parameters, LISTEN, locks, temporary
 * tables, cursors.
 *
 * @module
 */

import { ask, say, sayUntil } from "./dialogue_recorder.ts";
import type { DialogueScripts } from "./dialogue_scripts.ts";
import { bind, execute, parseNamed } from "./extended_messages.ts";
import { query, SYNC } from "./messages.ts";

const SHOW = ask(
  "select current_setting('TimeZone'), current_setting('DateStyle'), " +
    "current_setting('IntervalStyle'), current_setting('application_name'), " +
    "current_setting('client_encoding'), current_setting('search_path')",
);

/** Parameters that follow the client. */
export const PARAMETER_SCRIPTS: DialogueScripts = {
  "SET outside a transaction": {
    needs: "transaction",
    exchanges: [
      SHOW,
      ask("set timezone = 'Pacific/Auckland'"),
      ask("select timestamptz '2026-01-01 00:00+00'"),
      ask("set datestyle = 'German'; select date '2026-02-28'"),
      ask("set intervalstyle to iso_8601"),
      ask("set application_name = 'renamed'"),
      SHOW,
      ask("set client_encoding = latin1"),
      ask("select 'ä'"),
      ask("select U&'\\20ac'"),
      ask("set client_encoding to 'UTF8'"),
      ask("select 'ä€'"),
      ask("set search_path = dialogue, public"),
      ask("create table t (i int)"),
      ask("insert into t values (1)"),
      ask("table dialogue.t"),
      ask("table t"),
      SHOW,
      ask("reset timezone; reset datestyle"),
      SHOW,
      ask("reset all"),
      SHOW,
      ask("set timezone = 'nowhere/at all'"),
      ask("set nothing_like_it = 1"),
      SHOW,
    ],
  },
  "SET in transactions, committed, rolled back and local": {
    needs: "transaction",
    exchanges: [
      ask("begin; set timezone = 'Asia/Tokyo'"),
      SHOW,
      ask("rollback"),
      SHOW,
      ask("begin; set timezone = 'Asia/Tokyo'; commit"),
      SHOW,
      ask("begin; set local timezone = 'Asia/Seoul'"),
      SHOW,
      ask("commit"),
      SHOW,
      ask("begin; savepoint s; set timezone = 'Asia/Dubai'; rollback to s; commit"),
      SHOW,
      ask("begin; set timezone = 'Asia/Dubai'; select 1/0"),
      ask("rollback"),
      SHOW,
      ask("set timezone = 'Asia/Dubai'; select 1/0"),
      SHOW,
      ask("set local timezone = 'UTC'"),
      SHOW,
      ask("set session characteristics as transaction isolation level serializable"),
      ask("show default_transaction_isolation"),
      ask("select set_config('TimeZone', 'Asia/Seoul', false)"),
      SHOW,
    ],
  },
  "SET by the extended protocol": {
    needs: "statement",
    exchanges: [
      say([parseNamed("", "set timezone = 'Asia/Tokyo'"), bind(), execute(), SYNC]),
      SHOW,
      say([parseNamed("s", "set application_name = 'by name'"), SYNC]),
      say([bind({ statement: "s" }), execute(), SYNC]),
      SHOW,
      say([
        parseNamed("", "set timezone = 'Asia/Dubai'"),
        bind(),
        execute(),
        parseNamed("", "select 1/0"),
        bind(),
        execute(),
        SYNC,
      ]),
      SHOW,
      say([query("set timezone = 'UTC'"), query("show timezone"), query("reset timezone")], 3),
      SHOW,
    ],
  },
  "parameters of the StartupMessage": {
    needs: "statement",
    parameters: {
      "application_name": "from the start, with 'quotes' and \\backslashes",
      "TimeZone": "Asia/Kolkata",
      "datestyle": "SQL, DMY",
      "client_encoding": "LATIN1",
      "options": "-c intervalstyle=iso_8601 -c search_path=dialogue,\\ public --enable_seqscan=off",
    },
    exchanges: [
      SHOW,
      ask("show enable_seqscan"),
      ask("select 'x' as one"),
      SHOW,
      ask("set timezone = 'UTC'; set application_name = ''"),
      SHOW,
      ask("reset all"),
      SHOW,
      ask("discard all"),
      SHOW,
    ],
  },
  "DISCARD ALL takes everything back": {
    needs: "statement",
    exchanges: [
      ask("set timezone = 'Asia/Tokyo'"),
      ask("set search_path = dialogue"),
      ask("discard all"),
      SHOW,
      say([parseNamed("a", "select 1"), SYNC]),
      say([parseNamed("", "discard all"), bind(), execute(), SYNC]),
      say([bind({ statement: "a" }), execute(), SYNC]),
      ask("select 1; discard all"),
      SHOW,
    ],
  },
};

/** What stays in a session. In these the gateway has to keep one server for the client. */
export const SESSION_SCRIPTS: DialogueScripts = {
  "advisory locks": {
    needs: "session",
    exchanges: [
      ask("select pg_advisory_lock(4711)"),
      ask("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"),
      ask("select pg_try_advisory_lock(4711)"),
      ask("select pg_advisory_unlock(4711), pg_advisory_unlock(4711), pg_advisory_unlock(4711)"),
      ask("begin; select pg_advisory_xact_lock(4712)"),
      ask("commit"),
      ask("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"),
      ask("select pg_advisory_lock_shared(1, 2)"),
      ask("select pg_advisory_unlock_all()"),
    ],
  },
  "temporary tables": {
    needs: "session",
    exchanges: [
      ask("create temp table mine (i int)"),
      ask("insert into mine select generate_series(1, 3)"),
      ask("table mine"),
      ask("select 'mine'::regclass"),
      ask("drop table mine"),
      ask("select 1 as i into temp other"),
      ask("table other"),
      ask("discard temp"),
      ask("table other"),
      ask("begin; create temp table short (i int) on commit drop; insert into short values (1)"),
      ask("commit"),
      ask("table short"),
    ],
  },
  "cursors WITH HOLD": {
    needs: "session",
    exchanges: [
      ask("begin"),
      ask("declare held scroll cursor with hold for select generate_series(1, 10) as n"),
      ask("declare gone cursor for select 1"),
      ask("fetch 2 from held"),
      ask("commit"),
      ask("fetch 2 from held"),
      ask("fetch 2 from gone"),
      ask("fetch backward 1 from held"),
      ask("close held"),
      ask("fetch 1 from held"),
      ask("declare outside cursor for select 1"),
    ],
  },
  "LISTEN and NOTIFY": {
    needs: "session",
    exchanges: [
      ask("listen dialogue_channel"),
      sayUntil("A", [query("notify dialogue_channel, 'to myself'")]),
      say([], 1),
      ask("begin; notify dialogue_channel, 'one'; notify dialogue_channel, 'two'"),
      ask("select 'not yet'"),
      sayUntil("A", [query("commit")], 2),
      say([], 1),
      ask("select pg_notify('dialogue_channel', 'never'), 1/0"),
      ask("select pg_listening_channels()"),
      ask("unlisten dialogue_channel"),
      ask("notify dialogue_channel, 'nobody hears'"),
      ask("listen a; listen b; unlisten *; notify a"),
      ask("select 'the end'"),
    ],
  },
  "roles": {
    needs: "session",
    exchanges: [
      ask("set role pg_read_all_data"),
      ask("select current_user, session_user"),
      ask("reset role"),
      ask("select current_user, session_user"),
      ask("set session authorization pg_monitor"),
      ask("select current_user, session_user"),
      ask("reset session authorization"),
      ask("select current_user, session_user"),
    ],
  },
  "sequences and what they remember within a transaction": {
    needs: "session",
    exchanges: [
      ask("create sequence dialogue.s"),
      ask("select nextval('dialogue.s'), currval('dialogue.s')"),
      ask("begin; select nextval('dialogue.s'); select lastval(); commit"),
      ask("discard sequences"),
      ask("begin; select nextval('dialogue.s'); discard sequences; select lastval()"),
      ask("rollback"),
    ],
  },
};
