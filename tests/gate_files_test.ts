import { deepEqual, equal, throws } from "node:assert/strict";
import type { AuthConfig, HbaRule, ServerConfig } from "../src/config/config.ts";
import { GateFiles } from "../src/gate_files.ts";
import { SERVER_DEFAULTS } from "./support/configs.ts";

function server(auth: Partial<AuthConfig>): ServerConfig {
  return {
    ...SERVER_DEFAULTS,
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    proxies: [],
    auth: { ...SERVER_DEFAULTS.auth, ...auth },
  };
}

function rule(changes: Partial<HbaRule>): HbaRule {
  const options = { map: "", clientCertificate: undefined };
  const all = { databases: ["all"], users: ["all"], address: undefined };
  return { type: "host", ...all, method: "cert", options, ...changes };
}

Deno.test("GateFiles says which file cannot be used, and what is wrong with it", () => {
  const rules = [rule({}), rule({ users: ["/("] })];
  const wrong: readonly (readonly [Partial<AuthConfig>, RegExp])[] = [
    [
      { method: "rules", rules, rulesFile: "/etc/rules" },
      /^Error: Cannot use \/etc\/rules: rule 2: regular expression "\/\(": a group is not closed$/,
    ],
    [{ method: "rules", rules }, /^Error: Cannot use auth\.rules: rule 2: /],
    [
      { method: "cert", nameMap: [{ map: "", certificateName: "/^a", user: "\\1" }] },
      /^Error: Cannot use auth\.nameMap: invalid name map: user "\\1" has \\1, but "\/\^a" has no/,
    ],
    [
      {
        method: "scram-sha-256",
        usersFile: "/etc/users",
        users: new Map([["bob", "x"], ["ann", "SCRAM-SHA-256$hunter2"]]),
      },
      /^Error: Cannot use \/etc\/users: user "ann": invalid SCRAM secret: (?!.*hunter2)/,
    ],
  ];
  for (const [auth, message] of wrong) throws(() => new GateFiles(server(auth)), message);
});

Deno.test("GateFiles knows the secrets of users and of which kinds they are", () => {
  const users = new Map([["ann", "x"], ["bob", `md5${"a".repeat(32)}`]]);
  using files = new GateFiles(server({ method: "password", users }));
  deepEqual([...files.secrets.keys()], ["ann", "bob"]);
  deepEqual([...files.kinds], ["plain", "md5"]);
});

const CONNECTION = {
  isUnix: false,
  isTls: false,
  database: "app",
  user: "ann",
  address: "192.0.2.1",
};

Deno.test("GateFiles has one rule for everybody where the method is no list of rules", () => {
  using files = new GateFiles(server({ method: "password" }));
  const { isUnix: _, address: __, ...local } = { ...CONNECTION };
  for (
    const connection of [
      CONNECTION,
      { ...CONNECTION, isTls: true, address: "::1" },
      { ...CONNECTION, isPhysicalReplication: true },
      { ...local, isUnix: true },
      { ...local, isUnix: true, isPhysicalReplication: true },
    ]
  ) equal(files.rules.find(connection)?.gateRule.method, "password");
});

Deno.test("GateFiles passes on what a rule asks of a certificate", () => {
  for (const clientCertificate of ["verify-ca", "verify-full", undefined] as const) {
    const rules = [rule({ method: "password", options: { map: "", clientCertificate } })];
    using files = new GateFiles(server({ method: "rules", rules }));
    equal(files.rules.find(CONNECTION)?.gateRule.clientCertificate, clientCertificate);
  }
});

Deno.test("GateFiles gives a rule the lines of its own map, and none of another's", () => {
  const nameMap = [
    { map: "", certificateName: "laptop", user: "ann" },
    { map: "ops", certificateName: "root", user: "ann" },
  ];
  const rulesOf = (...maps: readonly string[]) =>
    maps.map((map) => {
      return rule({ users: [`u${map}`], options: { map, clientCertificate: undefined } });
    });
  const rules = rulesOf("", "ops", "none");
  using files = new GateFiles(server({ method: "rules", rules, nameMap }));
  const allowed = ["", "ops", "none"].map((map) => {
    const found = files.rules.find({ ...CONNECTION, user: `u${map}` });
    return ["laptop", "root", "ann"].filter((name) => found?.gateRule.isNameRight(name, "ann"));
  });
  deepEqual(allowed, [["laptop"], ["root"], ["ann"]]);
});

Deno.test("GateFiles expects of users that are asked for the secrets that PostgreSQL stores", () => {
  const users = new Map([["ann", "x"]]);
  const query = { sql: "select $1, ''", user: "lookup", password: "", database: "" };
  using files = new GateFiles(server({ method: "scram-sha-256", users, query }));
  deepEqual([...files.kinds], ["plain", "scram-sha-256", "md5"]);
});
