import { equal } from "node:assert/strict";
import {
  functionLines,
  signalLines,
  statementLines,
  tableLines,
} from "../../../src/postgres/parser/analysis_lines.ts";
import { analyser } from "./examples.ts";

Deno.test("statementLines has a line for each statement, with its flags", () => {
  const lines = (text: string) => statementLines(analyser.analyse(text));
  equal(lines("SELECT 1"), "SELECT read");
  equal(
    lines("UPDATE t SET a = 1; SELECT 1 FROM t FOR SHARE; CREATE TABLE n AS TABLE t"),
    "UPDATE write without-where\nSELECT write locking\nCREATE TABLE AS write",
  );
  equal(lines(""), "");
  equal(lines("SELEC"), "");
});

Deno.test("tableLines has a line for each different table, quoted where it has to be", () => {
  const lines = (text: string) => tableLines(analyser.analyse(text));
  equal(lines("INSERT INTO t SELECT * FROM s.u; TABLE s.u"), "write t\nread s.u");
  equal(
    lines('SELECT * FROM "My table", "a.b"."c""d", é'),
    'read "My table"\nread "a.b"."c""d"\nread é',
  );
  equal(lines('SELECT * FROM "a\nwrite secrets"'), 'read "a\ufffdwrite secrets"');
  equal(lines("SELECT 1"), "");
});

Deno.test("signalLines has a line for each different signal", () => {
  const lines = (text: string) => signalLines(analyser.analyse(text));
  equal(lines("SELECT 1; DELETE FROM t WHERE 1 = 1 --"), "stacked\ncomment\ntautology");
  equal(lines("SELECT 1"), "");
});

Deno.test("functionLines has a line for each different function, of all statements", () => {
  const lines = (text: string) => functionLines(analyser.analyse(text));
  equal(
    lines("SELECT lower(a), lower(b) FROM pg_catalog.now() AS t; CALL tidy(1)"),
    "lower\npg_catalog.now\ntidy",
  );
  equal(lines('SELECT U&"\\0070g_sleep"(1), "a\nb"()'), "pg_sleep\na\ufffdb");
  equal(lines("SELECT 1"), "");
});
