import { deepEqual, equal, ok } from "node:assert/strict";
import type { AuthConfig } from "../../src/config/config.ts";
import { CERT, type Files, KEY, load, notesOf, problemsOf, SMALLEST } from "./defaults.ts";

const USERS = '"app" "secret"\n"report" "md5d41d8cd98f00b204e9800998ecf8427e"\n';
const FILES: Files = {
  "users.txt": USERS,
  "hba.conf": "local all all trust\nhost all all 10.0.0.0/8 md5\n",
  "t.conf": "local all all trust\n",
  "gw.crt": CERT,
  "gw.key": KEY,
  "ca.crt": CERT,
};
const TLS = "certFile: gw.crt, keyFile: gw.key, caFile: ca.crt";

/** The smallest file with more keys in its server. */
function withServer(...keys: readonly string[]): string {
  const lines = keys.map((key) => `    ${key}\n`).join("");
  return SMALLEST.replace("clients:", `${lines}clients:`);
}

function authOf(...keys: readonly string[]): AuthConfig {
  return load(withServer(...keys), FILES).servers.get("default")!.auth;
}

Deno.test("serverAuth reads every key", () => {
  const auth = authOf(
    "auth:",
    "  method: rules",
    "  allowRemoteTrust: true",
    "  usersFile: users.txt",
    "  rules:",
    "    - local all all trust",
    "    - 'host \"my db\",sales /^app_ 10.1.2.3/8 scram-sha-256'",
    "    - hostssl all all all cert map=people",
    "  nameMap: [people /^(.*)@example\\.com$ \\1, app.example.com app]",
    "  authQuery: SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
    "  authUser: sluice_auth",
    "  authPassword: hunter2",
    "  authDatabase: postgres",
    "  failuresMax: 3",
    "  failureWindow: 10s",
    "  banTime: 1h",
    `tls: { mode: prefer, ${TLS} }`,
  );
  const options = { map: "", clientCertificate: undefined };
  deepEqual(auth, {
    method: "rules",
    usersFile: "users.txt",
    users: new Map([
      ["app", "secret"],
      ["report", "md5d41d8cd98f00b204e9800998ecf8427e"],
    ]),
    rulesFile: "",
    rules: [
      {
        type: "local",
        databases: ["all"],
        users: ["all"],
        address: undefined,
        method: "trust",
        options,
      },
      {
        type: "host",
        databases: ["my db", "sales"],
        users: ["/^app_"],
        address: "10.0.0.0/8",
        method: "scram-sha-256",
        options,
      },
      {
        type: "hostssl",
        databases: ["all"],
        users: ["all"],
        address: undefined,
        method: "cert",
        options: { ...options, map: "people" },
      },
    ],
    nameMap: [
      { map: "people", certificateName: "/^(.*)@example\\.com$", user: "\\1" },
      { map: "", certificateName: "app.example.com", user: "app" },
    ],
    query: {
      sql: "SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
      user: "sluice_auth",
      password: "hunter2",
      database: "postgres",
    },
    failuresMax: 3,
    failureWindowMs: 10_000,
    banTimeMs: 3_600_000,
  });
});

Deno.test("serverAuth reads rules from a file and from the environment", () => {
  const auth = authOf("auth: { method: rules, usersFile: users.txt, rulesFile: hba.conf }");
  equal(auth.rulesFile, "hba.conf");
  deepEqual(auth.rules.map((rule) => rule.method), ["trust", "md5"]);
  const config = load(SMALLEST, FILES, {
    SLUICE_SERVERS_DEFAULT_AUTH_METHOD: "rules",
    SLUICE_SERVERS_DEFAULT_AUTH_RULES:
      "local db1,db2 all trust\n\n  host all all ::1/128 trust # x\n",
  });
  const { rules } = config.servers.get("default")!.auth;
  deepEqual(rules.map((rule) => [rule.databases, rule.address]), [
    [["db1", "db2"], undefined],
    [["all"], "::1/128"],
  ]);
});

Deno.test("serverAuth survives a structured clone", () => {
  const config = load(withServer("auth: { method: md5, usersFile: users.txt }"), FILES);
  deepEqual(structuredClone(config), config);
});

/** Keys of a server, and the one problem that they must give. */
const WRONG: readonly (readonly [keys: readonly string[], problem: string])[] = [
  [
    ["auth: { method: scram-sha-256 }"],
    "4:21: servers.default.auth.method: method scram-sha-256 needs the users' secrets; add " +
    "usersFile, as in usersFile: users.txt, or authQuery with authUser",
  ],
  [
    ["auth: { method: rules, rules: [host all all ::1/128 md5] }"],
    "4:21: servers.default.auth.method: method md5 needs the users' secrets; add usersFile, as " +
    "in usersFile: users.txt, or authQuery with authUser",
  ],
  [
    ["auth: { method: rules }"],
    "4:21: servers.default.auth.method: method: rules needs rules or rulesFile; add one, as in " +
    'rules: ["host all all 127.0.0.1/32 scram-sha-256"]',
  ],
  [
    ["auth: { method: trust, rules: [local all all trust] }"],
    "4:35: servers.default.auth.rules: only allowed with method: rules; write " +
    '"method: rules" or remove this key',
  ],
  [
    ["auth: { method: rules, rules: [local all all trust], rulesFile: t.conf }"],
    "4:69: servers.default.auth.rulesFile: rules are written as well; remove one of both",
  ],
  [
    ["auth: { method: rules, rules: [local all all peer] }"],
    "4:36: servers.default.auth.rules: expected a method: one of trust, reject, password, md5, " +
    'scram-sha-256, cert, relay; got "peer"',
  ],
  [
    ["auth: { method: rules, rules: local all all trust }"],
    "4:35: servers.default.auth.rules: expected a list of rules in the syntax of pg_hba.conf " +
    '("host all all 10.0.0.0/8 scram-sha-256"); got "local all all trust"',
  ],
  [
    ["auth: { method: trust, authUser: x }"],
    "4:38: servers.default.auth.authUser: only allowed with authQuery; add authQuery or remove " +
    "this key",
  ],
  [
    ["auth: { method: md5, authQuery: SELECT $1 }"],
    "2:3: servers.default.auth.authUser: this key is required with authQuery; add it, as in " +
    '"authUser: sluice_auth"',
  ],
  [
    ["auth: { method: md5, authQuery: SELECT $10, authUser: x }"],
    "4:37: servers.default.auth.authQuery: expected SQL with the parameter $1, or nothing; got " +
    '"SELECT $10"',
  ],
  [
    ["auth: { method: cert }"],
    "4:21: servers.default.auth.method: cert needs tls.mode: verify-ca or verify-full; it is " +
    "disable; change it and add tls.caFile",
  ],
  [
    ["auth: { method: cert }", `tls: { mode: require, ${TLS} }`],
    "4:21: servers.default.auth.method: cert needs tls.mode: verify-ca or verify-full; it is " +
    "require; change it and add tls.caFile",
  ],
  [
    [
      "auth: { method: rules, rules: [hostssl all all all cert] }",
      "tls: { mode: require, certFile: gw.crt, keyFile: gw.key }",
    ],
    "4:36: servers.default.auth.rules: method cert needs tls.caFile and a tls.mode other than " +
    "disable; add them",
  ],
  [
    [
      "auth: { method: rules, rules: [hostssl all all all cert map=people], nameMap: [a x y] }",
      `tls: { mode: require, ${TLS} }`,
    ],
    '4:36: servers.default.auth.rules: no line of nameMap is for the map "people"; there are: a',
  ],
  [
    ["auth: { method: trust, usersFile: nowhere.txt }"],
    '4:39: servers.default.auth.usersFile: cannot read "nowhere.txt": there is no such file',
  ],
  [
    ["auth: { method: scram }"],
    "4:21: servers.default.auth.method: expected one of trust, password, md5, scram-sha-256, " +
    'cert, rules, relay; got "scram"',
  ],
  [
    ["auth: scram-sha-256"],
    '4:11: servers.default.auth: expected the keys of auth; got "scram-sha-256"',
  ],
  [
    ["auth: { method: trust, method: md5 }"],
    "4:28: servers.default.auth.method: this key is already in line 4; remove one",
  ],
  [
    ["auth: { usersfile: users.txt }"],
    '4:13: servers.default.auth.usersfile: unknown key; did you mean "usersFile"?',
  ],
  [
    ["usersFile: users.txt"],
    "4:5: servers.default.usersFile: unknown key; it belongs to servers.NAME.auth",
  ],
  [
    ["auth.method: trust"],
    "4:5: servers.default.auth.method: unknown key; it belongs to servers.NAME.auth",
  ],
];

Deno.test("serverAuth says what does not fit together, and what to do", () => {
  for (const [keys, problem] of WRONG) {
    equal(problemsOf(withServer(...keys), FILES), `s.yaml:${problem}\n`, keys.join(" "));
  }
});

Deno.test("serverAuth reports everything that is wrong in a rules file where it is", () => {
  const problems = problemsOf(withServer("auth: { method: rules, rulesFile: sub/hba.conf }"), {
    "sub/hba.conf": "hst all\n# fine\nlocal all all peer\n",
  });
  deepEqual(problems.split("\n").map((line) => line.split(": ", 1)[0]), [
    "sub/hba.conf:1:1",
    "sub/hba.conf:3:15",
    "",
  ]);
});

Deno.test("serverAuth refuses trust for other machines unless it is asked for twice", () => {
  const problems = (address: string, auth: string) =>
    problemsOf(
      withServer(`auth: { ${auth} }`).replace("127.0.0.1:15432", `"${address}"`),
      FILES,
    );
  const local = ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "/run/s.sock"];
  for (const address of local) equal(problems(address, "method: trust"), "", address);
  const remote = ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "db.example.com:1", "127.example.com:1"];
  for (const address of remote) {
    equal(
      problems(address, "method: trust"),
      "s.yaml:4:21: servers.default.auth.method: trust lets everybody in who can reach an " +
        "address that is not local; choose another method, or write allowRemoteTrust: true as " +
        "well\n",
      address,
    );
    equal(problems(address, "method: trust, allowRemoteTrust: true"), "", address);
  }
  const rules = (rule: string) => `method: rules, rules: ["${rule}"]`;
  equal(
    problems("0.0.0.0:1", rules("host all all 10.0.0.0/8 trust")),
    "s.yaml:4:36: servers.default.auth.rules: trust lets everybody in from 10.0.0.0/8; choose " +
      "another method, or write allowRemoteTrust: true as well\n",
  );
  ok(problems("0.0.0.0:1", rules("host all all all trust")).includes("from every address"));
  equal(problems("0.0.0.0:1", rules("host all all 127.0.0.0/8 trust")), "");
  equal(problems("0.0.0.0:1", rules("local all all trust")), "");
  equal(problems("127.0.0.1:1", rules("host all all all trust")), "");
});

Deno.test("serverAuth wants authDatabase where strangers would choose the database", () => {
  const keys = "method: md5, authQuery: SELECT $1, authUser: x";
  const problems = (address: string, more = "") =>
    problemsOf(
      withServer(`auth: { ${keys}${more} }`).replace("127.0.0.1:15432", `"${address}"`),
      FILES,
    );
  const rule = "servers.default.auth.authDatabase: authQuery needs authDatabase on an address " +
    "that is not local, because without it every client chooses the database that is asked; add";
  ok(problems("0.0.0.0:1").includes(rule), problems("0.0.0.0:1"));
  equal(problems("0.0.0.0:1", ", authDatabase: postgres"), "");
  equal(problems("127.0.0.1:1"), "");
});

Deno.test("serverAuth notes what has no effect or may surprise", () => {
  const notes = (...keys: readonly string[]) => notesOf(withServer(...keys), FILES);
  equal(notes("auth: { method: md5, usersFile: users.txt }"), "");
  equal(
    notes("auth: { method: scram-sha-256, usersFile: users.txt }"),
    "s.yaml:4:47: servers.default.auth.usersFile: an md5 secret cannot be used with " +
      "scram-sha-256, so these cannot log in: report\n",
  );
  equal(
    notes("auth: { usersFile: users.txt }"),
    "s.yaml:4:24: servers.default.auth.usersFile: not used, because auth.method is relay, where " +
      "the database authenticates clients\n",
  );
  equal(
    notes("auth: { method: trust, nameMap: [a b] }"),
    "s.yaml:4:37: servers.default.auth.nameMap: not used, because it is for method cert\n",
  );
  equal(
    notes("auth: { method: rules, rules: [hostssl all all all reject] }"),
    "s.yaml:4:36: servers.default.auth.rules: not used, because tls.mode is disable\n",
  );
  equal(
    notes(
      "auth: { method: rules, rules: [hostnossl all all all reject] }",
      `tls: { mode: require, ${TLS} }`,
    ),
    "s.yaml:4:36: servers.default.auth.rules: not used, because tls.mode requires TLS\n",
  );
  const remote = withServer("auth: { method: password, usersFile: users.txt }")
    .replace("127.0.0.1:15432", "0.0.0.0:1");
  equal(
    notesOf(remote, FILES),
    "s.yaml:4:21: servers.default.auth.method: without TLS, passwords cross the network as they " +
      "are; write tls.mode: require\n",
  );
  const rules = withServer(
    "auth: { method: rules, usersFile: users.txt, rules: [host all all 10.0.0.0/8 password] }",
  ).replace("127.0.0.1:15432", "0.0.0.0:1");
  ok(notesOf(rules, FILES).includes("write hostssl"));
});
