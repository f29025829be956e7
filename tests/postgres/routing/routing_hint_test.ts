import { deepEqual, equal, match, ok } from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { hintOf } from "../../../src/postgres/routing/routing_hint.ts";

const REPLICA = { role: "replica" };
const PRIMARY = { role: "primary" };

Deno.test("hintOf finds what comments around a text say", () => {
  const table: readonly (readonly [text: string, hint: object | undefined])[] = [
    ["/* sluice: role=replica */ SELECT 1", REPLICA],
    ["/*sluice:role=primary*/SELECT 1", PRIMARY],
    ["/* SLUICE : Role = replica */ SELECT 1", REPLICA],
    ["SELECT 1 /* sluice: role=replica */", REPLICA],
    ["SELECT 1; /* sluice: role=replica */;", REPLICA],
    ["  \n/* sluice: role=replica */\n", REPLICA],
    ["/* app:web */ /* sluice: role=replica */ SELECT 1 /* traceparent='00' */", REPLICA],
    ["-- one\n/* sluice: role=replica */ SELECT 1", REPLICA],
    ["SELECT 1 /* sluice: role=replica */ -- last", REPLICA],
    ["SELECT 1 -- last\n/* sluice: role=replica */", REPLICA],
    ["/* sluice: proxy=reports */ SELECT 1", { proxy: "reports" }],
    ["/* sluice: role=primary, proxy=a.b-c_1 */ SELECT 1", { role: "primary", proxy: "a.b-c_1" }],
    ["/* sluice: role=primary */ SELECT 1 /* sluice: proxy=a */", { role: "primary", proxy: "a" }],
    ["/* sluice: role=replica */ SELECT 1 /* sluice: role=replica */", REPLICA],
    ["/* sluice: role=replica */ SELECT $$/* sluice: role=primary */$$", REPLICA],
    // No hints.
    ["SELECT 1", undefined],
    ["", undefined],
    ["/* role=replica */ SELECT 1", undefined],
    ["/* about sluice: role=replica */ SELECT 1", undefined],
    ["/* sluices: role=replica */ SELECT 1", undefined],
    ["-- sluice: role=replica\nSELECT 1", undefined],
    ["-- /* sluice: role=replica */\nSELECT 1", undefined],
    ["SELECT 1 -- /* sluice: role=replica */", undefined],
    ["/* /* sluice: role=replica */ */ SELECT 1", undefined],
    ["/* /* a */ /* sluice: role=replica */ */ SELECT 1", undefined],
    ["SELECT /* sluice: role=replica */ 1", undefined],
    ["SELECT 1; /* sluice: role=replica */ SELECT 2", undefined],
    ["SELECT '/* sluice: role=replica */'", undefined],
    ["SELECT $$/* sluice: role=replica */$$", undefined],
    ['SELECT 1 AS "/* sluice: role=replica */"', undefined],
    ["SELECT '\n/* sluice: role=replica */", undefined],
    ["SELECT E'\\'/* sluice: role=replica */'", undefined],
    ["/* sluice: role=replica", undefined],
    ["SELECT 1 /* sluice: role=replica", undefined],
  ];
  for (const [text, hint] of table) deepEqual(hintOf(utf8(text)), hint, text);
});

Deno.test("hintOf reads strings as the session's server does", () => {
  const text = utf8("SELECT '\\' /* sluice: role=replica */");
  deepEqual(hintOf(text, true), REPLICA);
  equal(hintOf(text, false), undefined);
});

Deno.test("hintOf says what is wrong with a hint", () => {
  const table: readonly (readonly [hint: string, problem: RegExp])[] = [
    ["role=standby", /^role must be "primary" or "replica", not "standby"$/],
    ["role=Replica", /not "Replica"$/],
    ["rule=replica", /^there is no "rule": a hint has role and proxy$/],
    ["role", /^"role" must be KEY=VALUE, such as role=replica$/],
    ["role=", /must be KEY=VALUE/],
    ["", /must be KEY=VALUE/],
    ["role=replica,", /must be KEY=VALUE/],
    ["role=replica role=replica", /must be KEY=VALUE/],
    ["role=replica, role=primary", /^role is both "replica" and "primary"$/],
    ["proxy=a/b", /^proxy must be the name of a proxy, not "a\/b"$/],
    [`proxy=${"a".repeat(101)}`, /not "a{60}\.\.\."$/],
    ["proxy=é\x07", /not "\?\?"$/],
    ["proxy=a".padEnd(600), /^a hint may have 500 characters, and has 609$/],
  ];
  for (const [hint, problem] of table) {
    const found = hintOf(utf8(`SELECT 1 /* sluice:${hint} */`));
    match(found?.problem ?? "", problem, hint);
  }
  const apart = hintOf(utf8("/* sluice: role=primary */ SELECT 1 /* sluice: role=replica */"));
  equal(apart?.problem, 'role is both "primary" and "replica"');
});

Deno.test("hintOf takes any bytes, and not long", () => {
  ok(hintOf(Uint8Array.from({ length: 300 }, (_, i) => i % 256)) === undefined);
  const many = `${"/* sluice: role=replica */".repeat(2_000)} SELECT 1 ${"/*".repeat(2_000)}`;
  equal(hintOf(utf8(many)), undefined, "the last comment is not closed");
  deepEqual(hintOf(utf8("/* sluice: role=replica */".repeat(2_000))), REPLICA);
});
