/**
 * Texts that are hard to cut into statements and words.
 *
 * @module
 */

import type { Example } from "./examples.ts";

const SET_X = { parameters: ["app.x"] } as const;

/** With standard_conforming_strings on. Those that a server takes, with nothing around them. */
export const LEXICAL_EXAMPLES: readonly Example[] = [
  // Nothing, and white space.
  ["", { command: "none", count: 0 }],
  [" \t\r\n\f", { command: "none", count: 0 }],
  [";", { command: "none", count: 0 }],
  [" ; ;; ", { command: "none", count: 0 }],
  ["-- nothing", { command: "none", count: 0 }],
  ["/* nothing */", { command: "none", count: 0 }],
  ["; SELECT 1", { command: "select" }],
  ["SELECT 1;", { command: "select" }],
  ["SELECT 1;;;", { command: "select" }],
  ["SELECT 1; SELECT 2", { command: "select", count: 2 }],
  ["SELECT 1;;SELECT 2;--;", { command: "select", count: 2 }],
  ["\r\n\tSELECT\f1;\tSELECT\n2;", { command: "select", count: 2 }],
  ["sElEcT 1", { command: "select" }],
  ["(SELECT 1)", { command: "select" }],
  ["((SELECT 1) UNION (SELECT 2)); ( SELECT 3 )", { command: "select", count: 2 }],
  ["/* a */ (/* b */ SELECT 1)", { command: "select" }],
  // Comments.
  ["SELECT 1 -- ; SET app.x = 1", { command: "select" }],
  ["SELECT 1 -- a\n; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 -- a\r; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 --", { command: "select" }],
  ["SELECT 1 - -1", { command: "select" }],
  ["SELECT 1 /* ; SET app.x = 1 */", { command: "select" }],
  ["SELECT 1 /* /* ; */ ; SET app.x = 1 */", { command: "select" }],
  ["SELECT 1 /* /* */ */; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 /*/ ; */; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 /**/; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 /***/; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 /* ' */; SET app.x = '/*'", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 /* -- */; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 -- /*\n; SET app.x = 1 -- */", { command: "select", count: 2, ...SET_X }],
  ["SELECT 2*/* ; */3", { command: "select" }],
  ["SELECT 2---; SET app.x = 1\n-3", { command: "select" }],
  ["SELECT 2/1; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SET/**/app.x/**/=/**/1", { command: "set", ...SET_X }],
  ["SET--\napp--\n.--\nx--\nTO 1", { command: "set", ...SET_X }],
  // Strings.
  ["SELECT ';'", { command: "select" }],
  ["SELECT '--'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT '/*'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 'it''s;'", { command: "select" }],
  ["SELECT ''''; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT ''';'''", { command: "select" }],
  ["SELECT ''; SET app.x = ''", { command: "select", count: 2, ...SET_X }],
  ["SELECT 'a'\n';b'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT '\"'; SET app.x = '\"'", { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT '\'; SET app.x = '\'`, { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT E'\'; SET app.x = \''`, { command: "select" }],
  [String.raw`SELECT e'\\'; SET app.x = e'\\'`, { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT E'a''b\''''; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  ["SELECT E'a'\n'\\';b'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT E'a' -- c\n -- d\n'\\';b'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT E'a'\n AS b, '\\'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT E'a' AS e, '\'; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT N'\'; SET app.x = '\'`, { command: "select", count: 2, ...SET_X }],
  ["SELECT B'01', b'1', X'1F', x'0'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT U&'\0061;'; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  ["SELECT u&'d!0061;' UESCAPE '!'", { command: "select" }],
  ["SELECT text 'a;', date '2026-01-01'", { command: "select" }],
  ["SELECT name'\\'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  [`SELECT '${"a".repeat(200)};${"b".repeat(200)}'`, { command: "select" }],
  [`SELECT '${"a".repeat(200)}''; ${"b''".repeat(90)}'; SET app.x = 1`, {
    command: "select",
    count: 2,
    ...SET_X,
  }],
  [`SELECT E'${"a".repeat(200)}\\'; ${"b\\'".repeat(90)}'`, { command: "select" }],
  ["SELECT 'héllo; wörld'; SET app.x = 'ü'", { command: "select", count: 2, ...SET_X }],
  // Quoted identifiers.
  ['SELECT 1 AS ";"', { command: "select" }],
  ['SELECT 1 AS "a"";b"', { command: "select" }],
  [`SELECT 1 AS "'"; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  ['SELECT 1 AS "--"; SET app.x = 1', { command: "select", count: 2, ...SET_X }],
  ['SELECT 1 AS "\\"; SET app.x = 1', { command: "select", count: 2, ...SET_X }],
  ['SELECT 1 AS U&";\\0061"; SET app.x = 1', { command: "select", count: 2, ...SET_X }],
  [`SELECT 1 AS "${"é;".repeat(20)}"; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  // Dollar quoting.
  ["SELECT $$;$$", { command: "select" }],
  ["SELECT $$'$$; SET app.x = $$'$$", { command: "select", count: 2, ...SET_X }],
  ["SELECT $a$;$$;$b$;$a$; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT $a$;$A$;$aa$;$a$", { command: "select" }],
  ["SELECT $a$ $ab$ $a; $a$; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT $_1é$;$_1é$; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT $a$$$a$; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT $$$a$$; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 AS a$b$; SET app.x = '$b$'", { command: "select", count: 2, ...SET_X }],
  ["SELECT 1 AS a$$, 2 AS b$$; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["DO $do$ BEGIN PERFORM 1; PERFORM 2; END $do$", { command: "do", flags: ["isOpaque"] }],
  // Parentheses, brackets and bodies.
  ["CREATE RULE r AS ON INSERT TO t1 DO ALSO (SELECT 1; SELECT 2)", {
    command: "create",
    flags: ["changesSchema"],
  }],
  ["SELECT (1), ARRAY[1, (2)], ((3)); SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["CREATE FUNCTION f1() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SET app.x = 1", {
    command: "create",
    count: 2,
    flags: ["changesSchema"],
    ...SET_X,
  }],
  [
    "CREATE OR REPLACE FUNCTION f2() RETURNS int LANGUAGE sql BEGIN ATOMIC; " +
    "SELECT CASE WHEN true THEN (CASE 1 WHEN 1 THEN 2 END) END; SELECT 3 AS end; END; " +
    "SELECT 1; SET app.x = 1",
    { command: "create", count: 3, flags: ["changesSchema"], ...SET_X },
  ],
  ["CREATE PROCEDURE p1() BEGIN ATOMIC SELECT set_config('a.b', 'c', false); END", {
    command: "create",
    flags: ["changesSchema"],
  }],
  ["CREATE FUNCTION f3(begin int) RETURNS int AS 'SELECT 1; SELECT 2' LANGUAGE sql; SELECT 1", {
    command: "create",
    count: 2,
    flags: ["changesSchema"],
  }],
  ["CREATE FUNCTION f4() RETURNS int LANGUAGE sql SET app.y = '1' RETURN 1; SELECT 1", {
    command: "create",
    count: 2,
    flags: ["changesSchema"],
  }],
];

/** What servers refuse, in one version or in all: it must be taken without harm. */
export const REFUSED_EXAMPLES: readonly Example[] = [
  ["RESET TRANSACTION ISOLATION LEVEL", { command: "reset" }],
  ["RESET transaction_isolation", { command: "reset" }],
  ["SELECT 'a", { command: "select", flags: ["isOpaque"] }],
  ["SELECT 'a''", { command: "select", flags: ["isOpaque"] }],
  ["SELECT E'a\\", { command: "select", flags: ["isOpaque"] }],
  ["SELECT E'a\\'", { command: "select", flags: ["isOpaque"] }],
  ['SELECT "a', { command: "select", flags: ["isOpaque"] }],
  ['SET "a', { command: "set", parameters: [""], flags: ["isOpaque"] }],
  ["SELECT $a$ $", { command: "select", flags: ["isOpaque"] }],
  ["SELECT $a$ $a", { command: "select", flags: ["isOpaque"] }],
  ["SELECT E'a' '\\'; SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["SELECT set_config('app.x', '1', true", {
    command: "select",
    ...SET_X,
    flags: ["isOpaque"],
  }],
  ["SELECT 1 /*", { command: "select", flags: ["isOpaque"] }],
  ["SELECT 1 /*/", { command: "select", flags: ["isOpaque"] }],
  ["SELECT 1 /* /* */", { command: "select", flags: ["isOpaque"] }],
  ["/*", { command: "none", count: 0, flags: ["isOpaque"] }],
  ["SELECT (1; SET app.x = 1", { command: "select", flags: ["isOpaque"] }],
  ["SELECT 1); SET app.x = 1", { command: "select", count: 2, ...SET_X }],
  ["(", { command: "other", flags: ["isOpaque"] }],
  [")", { command: "other" }],
  ["$", { command: "other" }],
  ["$a", { command: "other" }],
  ["'a'", { command: "other" }],
  ["\0", { command: "other" }],
  ["CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", {
    command: "create",
    flags: ["changesSchema", "isOpaque"],
  }],
  ["\u00a0SELECT 1", { command: "other" }],
  ['"select" 1', { command: "other" }],
  ["SELECTED", { command: "other" }],
  ["_select", { command: "other" }],
  ["select$", { command: "other" }],
  ["sélect", { command: "other" }],
  ["SELECT 1e'\\'; SET app.x = 1", { command: "select", flags: ["isOpaque"] }],
  [String.raw`SELECT U&'\0061\'; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  ["SELECT\v1", { command: "select" }],
];

/** With standard_conforming_strings off. */
export const BACKSLASH_EXAMPLES: readonly Example[] = [
  [String.raw`SELECT '\'; SET app.x = \''`, { command: "select" }],
  [String.raw`SELECT '\\'; SET app.x = '\\'`, { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT E'\'; SET app.x = \''`, { command: "select" }],
  [String.raw`SELECT N'\'; SET app.x = \''`, { command: "select" }],
  [String.raw`SELECT 1 AS "\"; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT $$\$$; SET app.x = 1`, { command: "select", count: 2, ...SET_X }],
  [String.raw`SELECT set_config('app.\x', '1', false)`, {
    command: "select",
    flags: ["setsUnknownParameter"],
  }],
];
