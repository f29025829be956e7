import { deepEqual, equal } from "node:assert/strict";
import type { PoolLimit } from "../../src/config/config.ts";
import { limitsFor, parseLimitsFile, realDatabase } from "../../src/config/limits_file.ts";
import { Problems, problemsText } from "../../src/config/problems.ts";

function parse(text: string): { limits: readonly PoolLimit[]; problems: string } {
  const problems = new Problems();
  const placed = parseLimitsFile(text, "limits.conf", problems);
  return {
    limits: placed.map(({ limit }) => limit),
    problems: problemsText(problems.sorted("limits.conf")),
  };
}

function limit(changes: Partial<PoolLimit>): PoolLimit {
  return {
    database: undefined,
    aliases: [],
    user: undefined,
    sizeMax: undefined,
    initialSize: 0,
    minSize: 0,
    isDisabled: false,
    ...changes,
  };
}

Deno.test("parseLimitsFile reads sizes, aliases, all and disabled", () => {
  const { limits, problems } = parse(`# DATABASE USER MAX_SIZE INITIAL_SIZE MIN_SIZE
mydb    myuser  10  5  2
otherdb=o1,o2, o3 all all
all     admin   3   1          # nobody needs more
"all"   "all"   4
old     all     1   disabled
gone    me      2 2 0 disabled
all     all     7
`);
  equal(problems, "");
  deepEqual(limits, [
    limit({ database: "mydb", user: "myuser", sizeMax: 10, initialSize: 5, minSize: 2 }),
    limit({ database: "otherdb", aliases: ["o1", "o2", "o3"] }),
    limit({ user: "admin", sizeMax: 3, initialSize: 1 }),
    limit({ database: "all", user: "all", sizeMax: 4 }),
    limit({ database: "old", sizeMax: 1, isDisabled: true }),
    limit({ database: "gone", user: "me", sizeMax: 2, initialSize: 2, isDisabled: true }),
    limit({ sizeMax: 7 }),
  ]);
});

/** Lines, and the problem they must give. */
const WRONG: readonly (readonly [lines: string, problem: string])[] = [
  [
    "db app",
    "1:4: the line has 2 words; it should be " +
    "DATABASE[=ALIAS,ALIAS] USER MAX_SIZE [INITIAL_SIZE [MIN_SIZE]] [disabled]",
  ],
  [
    "db app 1 1 1 1",
    "1:14: the line has 6 words; it should be " +
    "DATABASE[=ALIAS,ALIAS] USER MAX_SIZE [INITIAL_SIZE [MIN_SIZE]] [disabled]",
  ],
  ["db app disabled", '1:8: expected a whole number from 1 to 10000 or all; got "disabled"'],
  ["db app 0", '1:8: expected a whole number from 1 to 10000 or all; got "0"'],
  ["db app 10001", '1:8: expected a whole number from 1 to 10000 or all; got "10001"'],
  ["db app 07", '1:8: expected a whole number from 1 to 10000 or all; got "07"'],
  ["db app 5 all", '1:10: expected a whole number from 0 to 10000; got "all"'],
  ["db app 5 -1", '1:10: expected a whole number from 0 to 10000; got "-1"'],
  ["db app 5 6", "1:10: INITIAL_SIZE 6 is above MAX_SIZE 5; lower it"],
  ["db app 5 1 6", "1:12: MIN_SIZE 6 is above MAX_SIZE 5; lower it"],
  ["db app 5 1 2", "1:10: INITIAL_SIZE 1 is below MIN_SIZE 2; raise it"],
  ["db= app 5", "1:1: an alias is empty; write a name, or remove the comma or the ="],
  [
    "=a app 5",
    "1:1: the name of the database is missing; " +
    "DATABASE[=ALIAS,ALIAS] USER MAX_SIZE [INITIAL_SIZE [MIN_SIZE]] [disabled]",
  ],
  [
    "a,b app 5",
    '1:1: aliases follow a "=", as in DATABASE[=ALIAS,ALIAS] USER MAX_SIZE ' +
    "[INITIAL_SIZE [MIN_SIZE]] [disabled]; several databases need a line each",
  ],
  [
    "a b,c 5",
    "1:3: only a database can have a list, of its aliases; " +
    "DATABASE[=ALIAS,ALIAS] USER MAX_SIZE [INITIAL_SIZE [MIN_SIZE]] [disabled]",
  ],
  ["all=x app 5", "1:1: all cannot have aliases; name the database"],
  ["db=1,2,3,4,5,6,7,8,9 app 5", "1:1: the database has 9 aliases; at most 8 are allowed"],
  ["db=x,x app 5", '1:1: the alias "x" is there twice; remove one of them'],
  ["a=x app 5\nb=x app 5", '2:1: the alias "x" is there twice; remove one of them'],
  ["a=b app 5\nb app 5", '1:1: the alias "b" is the name of a database; choose another'],
  ["a app 5\na app 6", "2:1: line 1 is for the same database and user; remove one of them"],
  ['db "app 5', '1:4: a double quote is not closed; add a " behind the name'],
];

Deno.test("parseLimitsFile says what is wrong, where, and what to do", () => {
  for (const [lines, problem] of WRONG) {
    equal(parse(lines).problems, `limits.conf:${problem}\n`, lines);
  }
});

Deno.test("parseLimitsFile lets users of one database share its aliases", () => {
  const { limits, problems } = parse("db=x app 5\ndb=x,y report 5\ndb other 1\n");
  equal(problems, "");
  equal(limits.length, 3);
});

Deno.test("parseLimitsFile has a limit on limits", () => {
  const lines = Array.from({ length: 10_001 }, (_, i) => `db${i} app 1\n`);
  const { limits, problems } = parse(lines.join(""));
  equal(limits.length, 10_000);
  equal(problems, "limits.conf:10001:1: more than 10000 limits; remove some\n");
});

Deno.test("limitsFor takes the most exact line, a user before a database", () => {
  const lines = ["all all 1", "db all 2", "all app 3", "db app 4"];
  const size = (count: number, database: string, user: string) =>
    limitsFor(parse(lines.slice(0, count).join("\n")).limits, database, user)?.sizeMax;
  deepEqual([0, 1, 2, 3, 4].map((count) => size(count, "db", "app")), [undefined, 1, 2, 3, 4]);
  equal(size(4, "db", "other"), 2);
  equal(size(4, "other", "app"), 3);
  equal(size(4, "other", "other"), 1);
});

Deno.test("realDatabase is the database behind an alias", () => {
  const { limits } = parse("db=x,y app 5\nall all 3\n");
  deepEqual(["x", "y", "db", "z"].map((name) => realDatabase(limits, name)), [
    "db",
    "db",
    "db",
    "z",
  ]);
});
