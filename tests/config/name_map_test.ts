import { deepEqual, equal } from "node:assert/strict";
import type { NameMapEntry } from "../../src/config/config.ts";
import { linesOf } from "../../src/config/lines.ts";
import { parseNameMap } from "../../src/config/name_map.ts";
import { Problems, problemsText } from "../../src/config/problems.ts";

function parse(text: string): { entries: readonly NameMapEntry[]; problems: string } {
  const problems = new Problems();
  const entries = parseNameMap(linesOf(text, "map"), problems);
  return { entries, problems: problemsText(problems.sorted("map")) };
}

Deno.test("parseNameMap reads lines with and without the name of a map", () => {
  const { entries, problems } = parse(`# comment
app.example.com app
people "Alice A" alice
people /^(.*)@example\\.com$ \\1
people /^ops- "all"
`);
  equal(problems, "");
  deepEqual(entries, [
    { map: "", certificateName: "app.example.com", user: "app" },
    { map: "people", certificateName: "Alice A", user: "alice" },
    { map: "people", certificateName: "/^(.*)@example\\.com$", user: "\\1" },
    { map: "people", certificateName: "/^ops-", user: "all" },
  ]);
});

Deno.test("parseNameMap says what is wrong", () => {
  const rule = "expected a certificate's name and a user, or a map's name in front of them";
  const cases: readonly (readonly [line: string, problem: string])[] = [
    ["app", `1:1: ${rule}; got "app"`],
    ["a b c d", `1:1: ${rule}; got "a b c d"`],
    ["a,b c", `1:1: ${rule}; got "a,b c"`],
    ["/( app", '1:1: "/(" is no regular expression that can be used: a group is not closed'],
    [
      "/^(?:a{256})$ app",
      '1:1: "/^(?:a{256})$" is no regular expression that can be used: "{" must be followed by ' +
      "n}, n,} or n,m} up to 255",
    ],
    ['"" app', "1:1: a name is empty; write it"],
    ['app ""', "1:5: a name is empty; write it"],
    [
      "app +admins",
      '1:5: expected one user, or a text with \\1 for what matched; got "+admins"',
    ],
    ["app all", '1:5: expected one user, or a text with \\1 for what matched; got "all"'],
    [
      "app \\1",
      "1:5: \\1 needs a regular expression with parentheses in front of it, such as " +
      '"/^(.*)@example\\.com$"',
    ],
    [
      "/^a \\1",
      "1:5: \\1 needs a regular expression with parentheses in front of it, such as " +
      '"/^(.*)@example\\.com$"',
    ],
  ];
  for (const [line, problem] of cases) {
    deepEqual(parse(line), { entries: [], problems: `map:${problem}\n` }, line);
  }
});
