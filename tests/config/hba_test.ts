import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { HbaRule } from "../../src/config/config.ts";
import { parseHba } from "../../src/config/hba.ts";
import { linesOf } from "../../src/config/lines.ts";
import { Problems, problemsText } from "../../src/config/problems.ts";
import { HbaRules } from "../../src/postgres/auth/hba.ts";

function parse(text: string): { rules: readonly HbaRule[]; problems: string; lines: number[] } {
  const problems = new Problems();
  const placed = parseHba(linesOf(text, "hba.conf"), problems);
  return {
    rules: placed.map(({ rule }) => rule),
    problems: problemsText(problems.sorted("hba.conf")),
    lines: placed.map(({ place }) => place.line),
  };
}

/** The one rule of `text`, which has no problem. */
function ruleOf(text: string): HbaRule {
  const { rules, problems } = parse(text);
  equal(problems, "", text);
  equal(rules.length, 1, text);
  return rules[0]!;
}

const NO_OPTIONS = { map: "", clientCertificate: undefined };

Deno.test("parseHba reads what PostgreSQL's sample and manual write", () => {
  const { rules, problems, lines } = parse(`# TYPE  DATABASE        USER            ADDRESS   METHOD
local   all             all                                     trust
\thost\tall\tall\t127.0.0.1/32\tscram-sha-256  # IPv4 local connections:

host    all             all             ::1/128                 scram-sha-256
local   replication     all                                     reject
host    postgres        all             192.168.12.10/32        md5
host    postgres        all             192.168.93.0 255.255.255.0  password
hostssl db1,db2,@quoted all             all                     cert map=people
hostnossl sameuser      bob, alice      0.0.0.0/0               reject
`);
  equal(
    problems,
    'hba.conf:9:17: "@quoted" would include a file; put its names here instead\n',
  );
  deepEqual(lines, [2, 3, 5, 6, 7, 8, 10]);
  const rule = (
    type: HbaRule["type"],
    databases: string[],
    users: string[],
    address: string | undefined,
    method: HbaRule["method"],
  ): HbaRule => ({ type, databases, users, address, method, options: NO_OPTIONS });
  deepEqual(rules, [
    rule("local", ["all"], ["all"], undefined, "trust"),
    rule("host", ["all"], ["all"], "127.0.0.1/32", "scram-sha-256"),
    rule("host", ["all"], ["all"], "::1/128", "scram-sha-256"),
    rule("local", ["replication"], ["all"], undefined, "reject"),
    rule("host", ["postgres"], ["all"], "192.168.12.10/32", "md5"),
    rule("host", ["postgres"], ["all"], "192.168.93.0/24", "password"),
    rule("hostnossl", ["sameuser"], ["bob", "alice"], "0.0.0.0/0", "reject"),
  ]);
});

Deno.test("parseHba keeps quoted keywords apart from keywords", () => {
  const rule = ruleOf('host "all",all,"sameuser","a b","it""s" "+admins","all" all trust');
  deepEqual(rule.databases, ["/^all$", "all", "/^sameuser$", "a b", 'it"s']);
  deepEqual(rule.users, ["/^\\+admins$", "/^all$"]);
  equal(new RegExp(rule.users[0]!.slice(1)).test("+admins"), true);
  deepEqual(ruleOf('host "samegroup" "+a.(b" all trust'), {
    ...ruleOf("host all all all trust"),
    databases: ["/^samegroup$"],
    users: ["/^\\+a\\.\\(b$"],
  });
  // Only a keyword's own place makes it one.
  deepEqual(ruleOf("local all sameuser,replication trust").users, ["sameuser", "replication"]);
  deepEqual(ruleOf('host a"b c"d all all trust').databases, ["ab cd"]);
});

Deno.test("parseHba reads regular expressions, also quoted ones with commas", () => {
  const rule = ruleOf('host "/^db[0-9]{2,4}$" /^app_,bob,/^\\d+\\.\\++$ all trust');
  deepEqual(rule.databases, ["/^db[0-9]{2,4}$"]);
  deepEqual(rule.users, ["/^app_", "bob", "/^\\d+\\.\\++$"]);
});

Deno.test("parseHba reads options", () => {
  deepEqual(ruleOf("hostssl all all all cert map=people").options, {
    map: "people",
    clientCertificate: undefined,
  });
  deepEqual(ruleOf("hostssl all all all cert clientcert=verify-full").options, {
    map: "",
    clientCertificate: "verify-full",
  });
  deepEqual(ruleOf("hostssl all all all scram-sha-256 clientcert=verify-ca").options, {
    map: "",
    clientCertificate: "verify-ca",
  });
  deepEqual(ruleOf('hostssl all all all cert map="a b"').options.map, "a b");
});

Deno.test("parseHba joins lines that end with a backslash", () => {
  const { rules, lines, problems } = parse("# one\nhost all \\\n all all \\\n trust\nhost x \\");
  equal(rules.length, 1);
  deepEqual(lines, [2]);
  match(problems, /^hba\.conf:5:6: the rule ends where a user or all should follow; /);
});

/** A line, and the one problem it must give. */
const WRONG: readonly (readonly [line: string, problem: string])[] = [
  [
    "hst all all all trust",
    '1: expected local, host, hostssl, hostnossl in front of a rule; got "hst"; did you mean ' +
    '"host"?',
  ],
  [
    "hostgssenc all all all trust",
    '1: expected local, host, hostssl, hostnossl in front of a rule; got "hostgssenc"',
  ],
  [
    "include other.conf",
    '1: expected local, host, hostssl, hostnossl in front of a rule; got "include", which ' +
    "would include a file; put its rules here instead",
  ],
  [
    "@file",
    '1: expected local, host, hostssl, hostnossl in front of a rule; got "@file", which would ' +
    "include a file; put its rules here instead",
  ],
  ["host,local all all all trust", "6: the connection type of a rule cannot be a list"],
  [
    "host",
    "1: the rule ends where a database or all should follow; a rule is TYPE DATABASE USER " +
    "ADDRESS METHOD, where local has no ADDRESS",
  ],
  [
    "host all",
    "6: the rule ends where a user or all should follow; a rule is TYPE DATABASE USER ADDRESS " +
    "METHOD, where local has no ADDRESS",
  ],
  [
    "host all all",
    "10: the rule ends where the address should follow; a rule is TYPE DATABASE USER ADDRESS " +
    "METHOD, where local has no ADDRESS",
  ],
  [
    "local all all",
    "11: the rule ends where the method should follow; a rule is TYPE DATABASE USER ADDRESS " +
    "METHOD, where local has no ADDRESS",
  ],
  [
    "host all all trust",
    "14: expected all, an address with a prefix such as 10.0.0.0/8, or an address and a mask; " +
    'got "trust", which is no IP address; names of hosts are not looked up',
  ],
  [
    "host all all samenet trust",
    "14: expected all, an address with a prefix such as 10.0.0.0/8, or an address and a mask; " +
    'got "samenet", which is no IP address; names of hosts are not looked up',
  ],
  [
    "host all all 10.0.0.1 trust",
    "14: expected all, an address with a prefix such as 10.0.0.0/8, or an address and a mask; " +
    'got "10.0.0.1", where the mask is missing; for one address: 10.0.0.1/32',
  ],
  [
    "host all all 10.0.0.0/33 trust",
    "14: expected all, an address with a prefix such as 10.0.0.0/8, or an address and a mask; " +
    'got "10.0.0.0/33", where behind the / is no number from 0 to 32',
  ],
  [
    "host all all all peer",
    "18: expected a method: one of trust, reject, password, md5, scram-sha-256, cert, relay; " +
    'got "peer"',
  ],
  [
    "host all all all scram-sha256",
    "18: expected a method: one of trust, reject, password, md5, scram-sha-256, cert, relay; " +
    'got "scram-sha256"; did you mean "scram-sha-256"?',
  ],
  [
    "host all +admins all trust",
    '10: "+admins" means the members of a role, which the gateway does not know; name the ' +
    "users, or write a regular expression such as /^app_",
  ],
  [
    "host samerole all all trust",
    "6: samerole needs the roles of the database, which the gateway does not know; supported " +
    "are names, regular expressions and all, sameuser, replication",
  ],
  ['host "" all all trust', "6: the name of a database is empty; write all for every database"],
  [
    "host all /( all trust",
    '10: "/(" is no regular expression that can be used: a group is not closed',
  ],
  [
    'host all "/^app_[a-z]{1,300}$" all trust',
    '10: "/^app_[a-z]{1,300}$" is no regular expression that can be used: "{" must be followed ' +
    "by n}, n,} or n,m} up to 255",
  ],
  [
    `host all "+${"x".repeat(1_000)}" all trust`,
    `10: as a name, "+${"x".repeat(79)}…" is no regular expression that can be used: it must ` +
    "have at most 1000 characters",
  ],
  ["host all / all trust", '10: "/" is no regular expression; something must follow the /'],
  [
    "host all /a+?$ all trust",
    '10: "/a+?$" is no regular expression that can be used: a repetition cannot be repeated, ' +
    "and none is reluctant",
  ],
  [
    "host all /a[] all trust",
    '10: "/a[]" is no regular expression that can be used: a bracket is not closed',
  ],
  [
    "host all /(?!a) all trust",
    '10: "/(?!a)" is no regular expression that can be used: of the groups that begin with ' +
    '"(?", only "(?:" is supported',
  ],
  [
    "host all /\\bapp all trust",
    '10: "/\\bapp" is no regular expression that can be used: a backslash must come before ' +
    "d, w, s, D, W, S, or a sign that stands for itself",
  ],
  [
    "host all /[[:alpha:]]+ all trust",
    '10: "/[[:alpha:]]+" is no regular expression that can be used: classes like [:alpha:] are ' +
    "not supported in brackets: write [A-Za-z]",
  ],
  ["host all all all cert", "18: method cert needs TLS; write hostssl in front of the rule"],
  [
    "host all all all md5 clientcert=verify-ca",
    "22: clientcert= needs TLS; write hostssl in front of the rule",
  ],
  [
    "hostssl all all all cert clientcert=verify-ca",
    "26: method cert always checks the name; remove clientcert=verify-ca",
  ],
  ["hostssl all all all md5 map=x", "25: map= has a meaning with method cert only"],
  [
    "hostssl all all all cert map=",
    "26: expected map=NAME, clientcert=verify-ca or clientcert=verify-full behind the method; " +
    'got "map="',
  ],
  [
    "hostssl all all all md5 clientcert=1",
    "25: expected map=NAME, clientcert=verify-ca or clientcert=verify-full behind the method; " +
    'got "clientcert=1"',
  ],
  [
    "host all all all trust please",
    "24: expected map=NAME, clientcert=verify-ca or clientcert=verify-full behind the method; " +
    'got "please"',
  ],
  ["hostssl all all all cert map=a map=b", '32: "map" is there twice; remove one'],
  ['host "all all all trust', '6: a double quote is not closed; add a " behind the name'],
  ["host a, ,b all all trust", "9: a name is missing in front of this comma"],
  ["host all all all trust,", "23: a name is missing behind this comma"],
];

Deno.test("parseHba says what is wrong with a rule, where, and what is supported", () => {
  for (const [line, problem] of WRONG) {
    const { rules, problems } = parse(line);
    equal(problems, `hba.conf:1:${problem}\n`, line);
    deepEqual(rules, [], line);
  }
});

Deno.test("parseHba reports every wrong rule and keeps the right ones", () => {
  const { rules, problems } = parse("x\nhost all all all trust\nhost all all all y z\n");
  equal(rules.length, 1);
  deepEqual(problems.split("\n").map((line) => line.split(" ", 1)[0]), [
    "hba.conf:1:1:",
    "hba.conf:3:18:",
    "",
  ]);
});

Deno.test("parseHba takes no rule that HbaRules cannot use", () => {
  const patterns = [
    "a{300}",
    `^${"(a)".repeat(21)}$`,
    `${"(".repeat(51)}a${")".repeat(51)}`,
    "^(?:(?:(?:a{1,200}){1,200}){1,200})$",
    "[a-z&&[b]]",
    "[\\w-z]",
    "[a\\d-z]",
    "[]a]",
    "a]",
    "a}",
    "{",
    "^\\-$",
    "()",
    "a|",
    "a".repeat(1_001),
  ];
  const names = [
    "+",
    "+(",
    "+a[b",
    "samerole",
    "samegroup",
    "all",
    "@a",
    "a\\b",
    "x".repeat(2_000),
  ];
  let taken = 0;
  for (const word of [...patterns.map((pattern) => `/${pattern}`), ...names]) {
    const { rules } = parse(`host "${word}" all all trust\nhost all "${word}" all trust\n`);
    taken += rules.length;
    new HbaRules(rules);
  }
  ok(taken > 10, `${taken} rules say something`);
});

Deno.test("parseHba has a limit on rules", () => {
  const { rules, problems } = parse("local all all trust\n".repeat(10_001));
  equal(rules.length, 10_000);
  equal(problems, "hba.conf:10001:1: more than 10000 rules; remove some\n");
});
