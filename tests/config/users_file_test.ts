import { deepEqual, equal, ok } from "node:assert/strict";
import { Problems, problemsText } from "../../src/config/problems.ts";
import { parseUsersFile } from "../../src/config/users_file.ts";

/** As PostgreSQL makes it; of the password "pencil". */
const SCRAM = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" +
  "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

function parse(text: string): { users: ReadonlyMap<string, string>; problems: string } {
  const problems = new Problems();
  const users = parseUsersFile(text, "users.txt", problems);
  return { users, problems: problemsText(problems.sorted("users.txt")) };
}

Deno.test("parseUsersFile reads every kind of secret, and comments", () => {
  const { users, problems } = parse(`; users of the gateway
# another comment

"app" "plain text"
  "report"\t"md5d41d8cd98f00b204e9800998ecf8427e" ; behind a line
"scram" "${SCRAM}"
"with ""quotes""" "pass""word"
"müller" "md5 is how it begins" # and this
"semi;colon" "#;"\r
`);
  equal(problems, "");
  deepEqual(
    users,
    new Map([
      ["app", "plain text"],
      ["report", "md5d41d8cd98f00b204e9800998ecf8427e"],
      ["scram", SCRAM],
      ['with "quotes"', 'pass"word'],
      ["müller", "md5 is how it begins"],
      ["semi;colon", "#;"],
    ]),
  );
});

Deno.test("parseUsersFile takes an empty file and a byte order mark", () => {
  deepEqual(parse(""), { users: new Map(), problems: "" });
  deepEqual(parse('\uFEFF"a" "b"').users, new Map([["a", "b"]]));
});

const WRONG_SCRAM =
  "invalid SCRAM secret: it must be SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey with 1 to " +
  "1000000 iterations and the rest in base64; copy it from pg_authid.rolpassword again";

/** A line with the secret "hunter2", and the problem it must give. */
const WRONG: readonly (readonly [line: string, problem: string])[] = [
  ['hunter2 "x"', '1: expected a double quote; a line is "user" "secret"'],
  ['"hunter2"', '10: expected a double quote; a line is "user" "secret"'],
  ['"app" hunter2', '7: expected a double quote; a line is "user" "secret"'],
  ['"app" "hunter2', '7: this double quote is not closed; a line is "user" "secret"'],
  ['"app "hunter2"', '7: expected a double quote; a line is "user" "secret"'],
  [
    '"app" "x"hunter2"',
    '10: a line is "user" "secret" and nothing else; a quote in either of them is doubled',
  ],
  [
    '"app" "x" "hunter2"',
    '10: a line is "user" "secret" and nothing else; a quote in either of them is doubled',
  ],
  ['"" "hunter2"', "1: the user is empty; write a name"],
  ['"app" ""', "7: the secret is empty; remove the line to refuse the user"],
  [
    '"app" "SCRAM-SHA-256$4096:hunter2"',
    `7: ${WRONG_SCRAM}`,
  ],
  [`"app" "${SCRAM.replace("$4096:", "$2000000:")}"`, `7: ${WRONG_SCRAM}`],
  // The last letter of a key has bits that stand for nothing.
  [`"app" "${SCRAM.replace(/U=$/, "V=")}"`, `7: ${WRONG_SCRAM}`],
  [
    `"${"a".repeat(129)}" "hunter2"`,
    "1: the user has more than 128 bytes, or a NUL character",
  ],
  [
    `"app" "hunter2${"é".repeat(32_765)}"`,
    "7: invalid secret: a password must have at most 65535 bytes, none of them NUL",
  ],
];

Deno.test("parseUsersFile says what is wrong and never what a line says", () => {
  for (const [line, problem] of WRONG) {
    const { users, problems } = parse(`# first\n${line}\n"other" "x"\n`);
    equal(problems, `users.txt:2:${problem}\n`, line);
    ok(!problems.includes("hunter2"));
    deepEqual([...users.keys()], ["other"], line);
  }
});

Deno.test("parseUsersFile refuses a user who is there twice", () => {
  const { problems } = parse('"a" "1"\n"b" "2"\n"a" "1"\n');
  equal(
    problems,
    "users.txt:3:1: this user is already in line 1; remove one of the lines\n",
  );
});

Deno.test("parseUsersFile has a limit on users", () => {
  const lines = Array.from({ length: 100_001 }, (_, i) => `"u${i}" "x"\n`);
  const { users, problems } = parse(lines.join(""));
  equal(users.size, 100_000);
  equal(
    problems,
    "users.txt:100001:1: more than 100000 users; look others up with authQuery\n",
  );
});
