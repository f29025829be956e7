/**
 * The same script with and without the gateway: every byte of the answers is the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import { psql } from "../support/psql.ts";
import { testThroughGateway } from "../support/stories.ts";

/** Scripts whose answers do not depend on when, or how often, they are run. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "types and nulls": `
    select 1::int2, 2::int8, 3.50::numeric, 'NaN'::float8, true, null, 'x'::char(5), ''::text;
    select array[1,2,null], '{"a": [1, {"b": null}]}'::jsonb, '\\xdeadbeef'::bytea, 'a=>1'::text;
    select date '2026-02-28' + 1, interval '1 day 2 hours', timestamptz '2026-01-01 00:00+00';
    select row(1, 'two', null), int4range(1, 10), point(1, 2), inet '10.0.0.1/8', 'a b'::tsvector;`,
  "many statements in one message": `
    \\set SINGLELINE off
    select 1\\; select 2\\; select 3;
    begin\\; create temp table t (i int)\\; insert into t values (1), (2)\\; commit\\; table t;
    select 1\\; select 1/0\\; select 3;
    select 'after';`,
  "errors of every kind": `
    select from where;
    select * from does_not_exist;
    select 'x'::int;
    select 1/0;
    create table pg_catalog.forbidden (i int);
    set statement_timeout = '20ms';
    select pg_sleep(60);
    reset statement_timeout;
    do $$ begin raise exception 'mine' using errcode = 'P0042', detail = 'd', hint = 'h'; end $$;
    select 'still here';`,
  "notices and warnings": `
    do $$ begin raise notice 'n'; raise warning 'w'; raise info 'i'; raise log 'l'; end $$;
    rollback;
    begin; begin; commit;
    set client_min_messages = debug1;
    create temp table d (i int primary key);
    reset client_min_messages;`,
  "transactions and savepoints": `
    create temp table s (i int);
    begin; insert into s values (1); savepoint a; insert into s values (2);
    select bad; rollback to a; insert into s values (3); commit; select * from s order by 1;
    begin isolation level serializable read only; insert into s values (4); rollback;
    prepare transaction 'p'; commit and chain; abort;`,
  "cursors, prepared statements and describing": `
    begin; declare c scroll cursor for select * from generate_series(1, 10);
    fetch 3 from c; fetch backward 2 from c; move last in c; fetch from c; commit;
    prepare p (int, text) as select $1 + 1, $2 || '!'; execute p (1, 'a'); execute p ('x', 1);
    deallocate p; execute p (1, 'b');
    select 1 as a, 'b' as b \\gdesc
    select $1::int + $2 \\bind 1 2 \\g
    select 'x' as \\gset
    \\d pg_class
    \\df lower
    \\l template*
    \\du`,
  "COPY in its formats, and its errors": `
    create temp table c (i int, t text);
    copy c from stdin;
1\tone
2\t\\N
\\.
    copy c from stdin csv;
3,"three, or so"
\\.
    copy c from stdin;
bad
\\.
    copy c to stdout; copy c to stdout csv header; copy (select 1 where false) to stdout;
    copy c from '/etc/passwd' with (format nothing);`,
  "settings the client is told of": `
    show server_version_num; show client_encoding; show standard_conforming_strings;
    set client_encoding = latin1; select 'ä'; show client_encoding;
    set timezone = 'Pacific/Auckland'; select timestamptz '2026-01-01 00:00+00';
    set application_name = 'renamed'; select application_name from pg_stat_activity
      where pid = pg_backend_pid();
    set role pg_read_all_data; select current_user, session_user; reset role; discard all;`,
  "wide rows, long texts, empty results": `
    select ${Array.from({ length: 300 }, (_, i) => `${i} as c${i}`).join(", ")};
    select repeat('0123456789', 30000);
    select md5(string_agg(md5(i::text), '')) from generate_series(1, 20000) i;
    select i, repeat(chr(64 + i), i * 1000) from generate_series(1, 25) i;
    select;
    ;
    select 1 where false;
    table pg_largeobject;`,
  "large objects and functions": `
    begin; select lo_from_bytea(0, '\\x00ff10') > 0; rollback;
    create function pg_temp.f(i int) returns setof int language sql as 'select i union select 2';
    select * from pg_temp.f(1) order by 1;
    explain (costs off) select * from pg_class where oid = 1;
    vacuum pg_class; analyze pg_class; checkpoint;`,
};

/** Ways in which psql shows things: they ask the server in different ways. */
const MANNERS: readonly (readonly string[])[] = [
  [],
  ["-v", "FETCH_COUNT=7"],
  ["-v", "ON_ERROR_ROLLBACK=on", "-x", "-E"],
];

await testThroughGateway("a script through the gateway", { workers: [2] }, {
  ...Object.fromEntries(
    Object.entries(SCRIPTS).map(([name, script]) => [
      `${name}: the same answer as without`,
      async ({ direct, via }) => {
        for (const args of MANNERS) {
          const options = { args: ["-o", "/dev/stdout", ...args] };
          const expected = await psql(direct, script, options);
          const actual = await psql(via, script, options);
          assert.equal(actual.stdout, expected.stdout);
          assert.equal(actual.stderr, expected.stderr);
          assert.equal(actual.code, expected.code);
          assert.ok(expected.stdout.length + expected.stderr.length > 50, "it says something");
        }
      },
    ]),
  ),

  "exit codes are the same": async (
    { direct, via },
  ) => {
    for (const script of ["select 1/0;\nselect 2;", "\\q", "\\connect - - - 1", ""]) {
      const options = { args: ["-v", "ON_ERROR_STOP=1"] };
      const expected = await psql(direct, script, options);
      const actual = await psql(via, script, options);
      assert.equal(actual.code, expected.code);
      assert.equal(actual.stdout, expected.stdout);
    }
  },

  "nothing is left behind": ({ gateway }) => gateway.untilIdle(),
});
