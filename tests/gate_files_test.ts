import { deepEqual, throws } from "node:assert/strict";
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
