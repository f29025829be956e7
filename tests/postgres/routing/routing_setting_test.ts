import { deepEqual, equal } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { routingSetting } from "../../../src/postgres/routing/routing_setting.ts";

Deno.test("routingSetting finds what a text does to sluice.role", () => {
  const table: readonly (readonly [text: string, role: string | undefined])[] = [
    ["SET sluice.role = 'replica'", "replica"],
    ["SET sluice.role TO 'primary'", "primary"],
    ["set Sluice . Role to auto;", "auto"],
    ["SET SESSION sluice.role TO replica", "replica"],
    ["SET sluice.role = REPLICA", "replica"],
    ['SET "sluice"."role" = "primary"', "primary"],
    ['SET "sluice.role" = primary', "primary"],
    ["SET /* x */ sluice.role /* y */ = 'auto' -- z", "auto"],
    ["SET sluice.role = DEFAULT", "default"],
    ["RESET sluice.role", "default"],
    ["RESET ALL", "default"],
    ["DISCARD ALL", "default"],
    ["SET work_mem = 1; SET sluice.role = 'replica'; SET a.b = 2", "replica"],
    ["SET sluice.role = 'replica'; SET sluice.role = 'primary'", "primary"],
    ["SET sluice.role = 'replica'; RESET ALL", "default"],
    ["SELECT 1; SET sluice.role = 'replica'", "replica"],
    // Nothing that lasts, or nothing of ours.
    ["SET LOCAL sluice.role = 'replica'", undefined],
    ["SET sluice.roles = 'replica'", undefined],
    ["SET sluice = 'replica'", undefined],
    ["SET role = 'replica'", undefined],
    ["SET ROLE replica", undefined],
    ["SET other.role = 'replica'", undefined],
    ["SET sluice.role", undefined],
    ["SET sluice.role FROM CURRENT", undefined],
    ["SET", undefined],
    ["RESET", undefined],
    ["RESET role", undefined],
    ['RESET "all"', undefined],
    ["DISCARD PLANS", undefined],
    ["SHOW sluice.role", undefined],
    ["SELECT 'SET sluice.role = replica'", undefined],
    ["SELECT $$;SET sluice.role = replica$$", undefined],
    ["-- SET sluice.role = replica", undefined],
    ["UPDATE t SET sluice.role = 'replica'", undefined],
    ["", undefined],
    [";;", undefined],
  ];
  for (const [text, role] of table) {
    deepEqual(routingSetting(utf8(text)), role === undefined ? undefined : { role }, text);
  }
});

Deno.test("routingSetting says what is wrong with a value", () => {
  const values: readonly (readonly [value: string, shown: string])[] = [
    ["'standby'", "standby"],
    ["'Replica'", "Replica"],
    ["''", ""],
    ["1", ""],
    ["E'replica'", ""],
    ["replica, primary", "replica"],
    ["'rep'\n'lica'", "rep"],
    ["'é\x07'", "??"],
    [`'${"a".repeat(100)}'`, "a".repeat(60)],
  ];
  for (const [value, shown] of values) {
    const problem = `sluice.role must be "primary", "replica" or "auto", not "${shown}"`;
    deepEqual(routingSetting(utf8(`SET sluice.role = ${value}`)), { problem }, value);
  }
});

Deno.test("routingSetting reads strings as the session's server does", () => {
  const text = utf8("SET a.b = '\\'; SET sluice.role = replica; --'");
  deepEqual(routingSetting(text, true), { role: "replica" });
  equal(routingSetting(text, false), undefined);
});
