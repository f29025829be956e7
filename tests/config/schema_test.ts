import { deepEqual, equal, ok } from "node:assert/strict";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import { configSchema } from "../../src/config/schema.ts";
import { configTemplate } from "../../src/config/template.ts";

const SMALLEST = `servers:
  default:
    address: 127.0.0.1:15432
clients:
  default:
    address: 127.0.0.1:5432
`;

const validate = new Ajv({ allErrors: true, allowUnionTypes: true, strictRequired: false })
  .compile(configSchema());

function schemaAccepts(text: string): boolean {
  return validate(parse(text));
}

function loaderAccepts(text: string): boolean {
  return loadConfig({ text, fileName: "s.yaml", env: {}, cores: 1 }).ok;
}

/** What both accept when it is added to the smallest file. */
const ACCEPTED: readonly string[] = [
  "",
  "pools:",
  "pools: { default: }",
  "pools: { default: { size: 1, acquireTimeout: 1m30s, waitersMax: 0 } }",
  "proxies: { default: { client: default, pool: default } }",
  "loggers: { a: { output: file, file: x.log }, b: { level: off } }",
  "metrics: { address: '[::1]:0', path: /m, enabled: false }",
  "runtime: { workers: auto, shutdownTimeout: 0 }",
  "runtime: { workers: 64, shutdownTimeout: 0ms }",
  "runtime:",
  "users: { app: {}, Bob Smith: { mode: session, poolSize: 3 } }",
  "users: { 'a.b': { connectionsMax: 100000 } }",
  "runtime: { serverConnectionsMax: 5 }",
  "pools: { a: { mode: session, validation: foreground, resetQuery: '', pin: false } }",
  "pools: { a: { idleTimeout: 0, maxLifetime: 168h, preparedStatementsMax: 0 } }",
  "act:",
  "act: { defaultPolicy: terminate, actionTimeout: 1s, policies: [] }",
  "act: { policies: [{ name: a, signal: '*', action: terminate }] }",
  `act: { policies: [{ name: a, signal: b, when: "user == 'c'", action: passthrough }] }`,
  "act: { policies: [{ name: a, signal: b, when: true, action: passthrough }] }",
  "act: { policies: [{ name: a, signal: b, action: reject, sqlstate: '42501' }] }",
  "act: { policies: [{ name: a, signal: b, action: log, metadata: { a: 1, b: true, c: d } }] }",
  "act: { policies: [{ name: a, signal: b, action: webhook, url: 'http://a/', headers: { A: b } }] }",
  "plugins:",
  "plugins: { directory: /p, enabled: false, tickInterval: 10ms }",
  "plugins: { hello: }",
  "plugins: { Hello_2: { hosts: ['a.b:80', '[::1]'], config: { a: [{}] } } }",
  "plugins: { enabled: true, hello: { enabled: false, priority: 0, sha256: '' } }",
];

/** What both refuse when it is added to the smallest file. */
const REFUSED: readonly string[] = [
  "foo: 1",
  "pools: []",
  "pools: { Main: {} }",
  "pools: { 1a: {} }",
  `pools: { ${"a".repeat(64)}: {} }`,
  "pools: { a: 5 }",
  "pools: { a: { sise: 5 } }",
  "pools: { a: { size: 0 } }",
  "pools: { a: { size: 10001 } }",
  "pools: { a: { size: 1.5 } }",
  'pools: { a: { size: "5" } }',
  "pools: { a: { size: } }",
  "pools: { a: { acquireTimeout: 30 } }",
  "pools: { a: { acquireTimeout: 0 } }",
  "pools: { a: { acquireTimeout: 30sec } }",
  "pools: { a: { acquireTimeout: '' } }",
  "pools: { a: { acquireTimeout: 1s1m } }",
  "pools: { a: { mode: pool } }",
  "pools: { a: { preparedStatementsMax: 10001 } }",
  "pools: { a: { resetQuery: } }",
  "pools: { a: { pin: 'true' } }",
  "plugins: { directory: { file: x } }",
  "plugins: { directory: '' }",
  "plugins: { directry: ./p }",
  "plugins: { tickInterval: 5 }",
  "plugins: { a.b: {} }",
  "plugins: { a: { priority: -1 } }",
  "plugins: { a: { permissions: [fly] } }",
  "plugins: { a: { permissions: [kv, kv] } }",
  "plugins: { a: { permissions: kv } }",
  "plugins: { a: { hosts: ['http://a'] } }",
  "plugins: { a: { config: [] } }",
  "plugins: { a: { config: } }",
  "plugins: { a: { onFailure: shut } }",
  "plugins: { a: { greeting: hi } }",
  "users: { '': {} }",
  `users: { ${"a".repeat(64)}: {} }`,
  "users: { a: { connectionsMax: -1 } }",
  "users: { a: { password: x } }",
  "runtime: { serverConnectionsMax: none }",
  "proxies: { a: { client: [default] } }",
  "proxies: { a: { client: Default } }",
  "loggers: { a: { level: warning } }",
  "loggers: { a: { output: file } }",
  "loggers: { a: { file: x.log } }",
  "loggers: { a: { output: stdout, file: x.log } }",
  "metrics: { enabled: yes }",
  "metrics: { path: / }",
  "metrics: { path: metrics }",
  "metrics: { address: 9090 }",
  "metrics: { address: localhost }",
  "metrics: { address: /run/m.sock }",
  "runtime: { workers: 0 }",
  "runtime: { workers: 65 }",
  "runtime: { workers: all }",
  "act: { policies: { a: {} } }",
  "act: { policies: [a] }",
  "act: { policies: [{}] }",
  "act: { policies: [{ name: a, signal: b }] }",
  "act: { policies: [{ name: a, signal: b, action: drop }] }",
  "act: { policies: [{ name: a, signal: b, action: reject, sqlstate: abc }] }",
  "act: { policies: [{ name: a, signal: 'b c', action: reject }] }",
  "act: { policies: [{ name: a, signal: b, action: reject, colour: red }] }",
  "act: { policies: [{ name: a, signal: b, action: log, metadata: { a: [1] } }] }",
  "act: { policies: [{ name: a, signal: b, action: delay, delay: 61000 }] }",
];

/** What replaces the server of the smallest file, and whether both accept it. */
const SERVERS: readonly (readonly [keys: string, accepted: boolean])[] = [
  ["address: /run/s.sock\n    socketMode: '0770'", true],
  ["address: a:1\n    startupPacketSizeMax: 512\n    messageSizeMax: 10MiB", true],
  ["address: a:1\n    proxies: [default]", true],
  ["address: a:1\n    auth:\n    tls:", true],
  ["address: a:1\n    auth: { method: relay, usersFile: '', rules: [], nameMap: [] }", true],
  ["address: a:1\n    auth: { failuresMax: 0, failureWindow: 1h, banTime: 1s }", true],
  ["address: a:1\n    tls: { mode: disable, certFile: a.crt, minVersion: TLSv1.3 }", true],
  ["address: a:1\n    auth: { allowRemoteTrust: true, method: trust, authDatabase: '' }", true],
  ["address: a:1\n    auth: relay", false],
  ["address: a:1\n    auth: []", false],
  ["address: a:1\n    auth: { method: peer }", false],
  ["address: a:1\n    auth: { rules: all }", false],
  ["address: a:1\n    auth: { rules: [''] }", false],
  ["address: a:1\n    auth: { rules: [[a]] }", false],
  ["address: a:1\n    auth: { authPassword: }", false],
  ["address: a:1\n    auth: { authQuery: SELECT }", false],
  ["address: a:1\n    auth: { banTime: 0 }", false],
  ["address: a:1\n    tls: { mode: on }", false],
  ["address: a:1\n    tls: { ciphers: x }", false],
  ["clientsMax: 5", false],
  ["", false],
  ["address: a:1\n    protocol: mysql", false],
  ["address: a:1\n    proxies: []", false],
  ["address: a:1\n    proxies: default", false],
  ["address: a:1\n    proxies: [default, default]", false],
  ["address: a:1\n    startupPacketSizeMax: 511", false],
  ["address: a:1\n    startupPacketSizeMax: 1 KiB", false],
  ["address: a:1\n    socketMode: '0800'", false],
  ["address: a:1\n    socketMode: rwx", false],
  ["address: /run/", false],
  ["address: '[::1]'", false],
];

Deno.test("configSchema is a valid schema in which every key has a description", () => {
  equal(new Ajv({ strict: false }).validateSchema(configSchema()), true);
  const { properties } = configSchema() as { properties: Record<string, Record<string, unknown>> };
  deepEqual(Object.keys(properties), [
    "servers",
    "clients",
    "pools",
    "proxies",
    "users",
    "plugins",
    "act",
    "loggers",
    "metrics",
    "runtime",
  ]);
  for (const [name, section] of Object.entries(properties)) {
    equal(typeof section["description"], "string", name);
  }
});

Deno.test("configSchema and loadConfig accept the same files", () => {
  const template = configTemplate();
  const complete = template.replaceAll(/^( *)#(?=[a-z])/gm, "$1");
  for (const text of [template, complete, ...ACCEPTED.map((added) => `${SMALLEST}${added}\n`)]) {
    ok(loaderAccepts(text), text);
    ok(schemaAccepts(text), `${text}${JSON.stringify(validate.errors, null, 2)}`);
  }
});

Deno.test("configSchema and loadConfig refuse the same files", () => {
  for (const added of ["clients: {}\n", "servers:\n", ""].map((text) => `${text}runtime:\n`)) {
    ok(!loaderAccepts(added), added);
    ok(!schemaAccepts(added), added);
  }
  for (const added of REFUSED) {
    ok(!loaderAccepts(`${SMALLEST}${added}\n`), added);
    ok(!schemaAccepts(`${SMALLEST}${added}\n`), added);
  }
});

Deno.test("configSchema and loadConfig agree about servers", () => {
  for (const [keys, accepted] of SERVERS) {
    const text = SMALLEST.replace("address: 127.0.0.1:15432", keys);
    equal(loaderAccepts(text), accepted, keys);
    equal(schemaAccepts(text), accepted, keys);
  }
});
