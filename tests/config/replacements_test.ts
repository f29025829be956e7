import { deepEqual, equal, ok } from "node:assert/strict";
import { type ConfigSource, loadConfig, problemsText } from "../../src/config/load.ts";

const TEXT = `
servers:
  default: { address: "127.0.0.1:15432" }
clients:
  default: { address: "127.0.0.1:5432", user: app, password: "sesame-1" }
pools:
  default: { size: 5 }
users:
  a.b: { poolSize: 3 }
plugins:
  tickInterval: 2s
  hello: { priority: 3, config: { token: "sesame-2" } }
act:
  policies:
    - name: tell
      signal: "*"
      action: webhook
      url: "https://example.com/sesame-3"
      headers: { authorization: "sesame-4" }
      retries: 5
    - { name: limit, signal: a, action: rate-limit, rate: 2.5, metadata: { limit: 7 } }
metrics: { enabled: false }
`;

function load(values: Readonly<Record<string, unknown>>, more: Partial<ConfigSource> = {}) {
  const replacements = [{ plugin: "hello", values }];
  return loadConfig({ text: TEXT, fileName: "s.yaml", env: {}, cores: 2, replacements, ...more });
}

/** What is wrong, a line each. */
function problems(values: Readonly<Record<string, unknown>>, more: Partial<ConfigSource> = {}) {
  const loaded = load(values, more);
  return loaded.ok ? [] : problemsText(loaded.problems).trimEnd().split("\n");
}

/** A configuration that is fine. */
function config(values: Readonly<Record<string, unknown>>, more: Partial<ConfigSource> = {}) {
  const loaded = load(values, more);
  if (!loaded.ok) throw new Error(problemsText(loaded.problems));
  return loaded.config;
}

Deno.test("Replacements go before the file, and the environment before them", () => {
  equal(config({}).pools.get("default")!.size, 5);
  equal(config({ "pools.default.size": "20" }).pools.get("default")!.size, 20);
  const env = { SLUICE_POOLS_DEFAULT_SIZE: "30" };
  equal(config({ "pools.default.size": "20" }, { env }).pools.get("default")!.size, 30);
  const both = [{ plugin: "a", values: { "pools.default.size": 7 } }, {
    plugin: "b",
    values: { "pools.default.size": 8 },
  }];
  equal(config({}, { replacements: both }).pools.get("default")!.size, 8, "the last one wins");
});

Deno.test("Replacements can be any JSON that a key has, also of groups that nobody wrote", () => {
  const changed = config({
    "runtime.workers": 3,
    "metrics.enabled": true,
    "metrics.address": "127.0.0.1:0",
    "users.a.b.poolSize": 9,
    "servers.default.tls.mode": "disable",
    "pools.reports.size": 2,
    "proxies.reports.client": "default",
    "servers.default.proxies": ["default", "reports"],
    "clients.default.password": "sesame-5",
  });
  equal(changed.runtime.workers, 3);
  equal(changed.metrics.enabled, true);
  equal(changed.users.get("a.b")!.poolSize, 9);
  equal(changed.pools.get("reports")!.size, 2);
  deepEqual(changed.servers.get("default")!.proxies, ["default", "reports"]);
  equal(changed.clients.get("default")!.password, "sesame-5");
  deepEqual(config({ "servers.default.proxies": "default" }).servers.get("default")!.proxies, [
    "default",
  ]);
});

Deno.test("Replacements that cannot be used are problems with the plugin's name", () => {
  const cases: readonly (readonly [values: Record<string, unknown>, problem: RegExp])[] = [
    [{ "pools.default.size": "many" }, /pools\.default\.size: expected a whole number.*"many"/],
    [{ "pools.default.sise": 1 }, /pools\.default\.sise: unknown key; did you mean "size"\?/],
    [{ "metrics.pat": "/m" }, /metrics\.pat: unknown key; did you mean "path"\?/],
    [{ "pool.default.size": 1 }, /pool\.default\.size: unknown key; expected one such as/],
    [{ size: 1 }, /size: unknown key; expected one such as/],
    [{ "": 1 }, /"hello": unknown key/],
    [{ "plugins.hello.priority": 1 }, /: no plugin can set keys of plugins/],
    [{ "plugins.enabled": false }, /: no plugin can set keys of plugins/],
    [{ "act.defaultPolicy": "passthrough" }, /: no plugin can set keys of act/],
    [{ "loggers.default.level": "off" }, /: no plugin can set keys of loggers/],
    [{ "pools.default.size": null }, /: expected text, a number, true, false, or a list/],
    [{ "servers.default.proxies": [{}] }, /: expected text, a number, true, false, or a list/],
    [{ "pools.Default.size": 1 }, /the name of a pool must be .*; got "Default"/],
    [{ "pools.size": 1 }, /unknown key/],
    [{ "pools.default.mode": "x".repeat(65_537) }, /longer than 65536 characters/],
    [
      Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`users.u${i}.poolSize`, 1])),
      /more than 1000 (keys|groups)/,
    ],
  ];
  for (const [values, problem] of cases) {
    const said = problems(values);
    ok(said.length > 0, String(problem));
    ok(said.some((line) => problem.test(line)), `${problem}: ${said[0]}`);
    ok(said[0]!.startsWith('plugin "hello": '), said[0]);
  }
});

Deno.test("Replacements meet the same checks as the file, beyond single keys", () => {
  const [line, ...others] = problems({ "servers.default.proxies": ["nowhere"] });
  deepEqual(others, []);
  ok(/^plugin "hello": servers\.default\.proxies: no proxy .* "nowhere"/.test(line!), line);
});

Deno.test("LoadedConfig.json() has every default and no secret, in the file's shape", () => {
  const loaded = load({});
  if (!loaded.ok) throw new Error(problemsText(loaded.problems));
  const text = loaded.json();
  ok(!text.includes("sesame"), text);
  const json = JSON.parse(text);
  equal(json.pools.default.size, 5);
  equal(json.pools.default.idleTimeout, "10m", "a default, as somebody would write it");
  equal(json.servers.default.address, "127.0.0.1:15432");
  deepEqual(json.servers.default.proxies, ["default"]);
  deepEqual(json.proxies, {
    default: {
      client: "default",
      pool: "default",
      weight: 1,
      mirror: { proxy: "", share: 1, compare: false, bufferMax: "1MiB" },
    },
  });
  equal(json.clients.default.user, "app");
  equal(json.users["a.b"].poolSize, 3);
  equal(json.metrics.enabled, false);
  equal(json.plugins.tickInterval, "2s");
  equal(json.plugins.hello.priority, 3);
  equal("config" in json.plugins.hello, false);
  deepEqual(json.act.policies, [
    { name: "tell", signal: "*", action: "webhook", retries: 5 },
    { name: "limit", signal: "a", action: "rate-limit", rate: 2.5, metadata: { limit: "7" } },
  ]);
  equal(typeof json.servers.default.tls.mode, "string", "keys below keys");
});

Deno.test("LoadedConfig.json() says nothing twice: a replacement with all of it is fine", () => {
  const loaded = load({});
  if (!loaded.ok) throw new Error(problemsText(loaded.problems));
  const { pools } = JSON.parse(loaded.json());
  const values = Object.fromEntries(
    Object.entries(pools.default).map(([key, value]) => [`pools.default.${key}`, value]),
  );
  deepEqual(config(values).pools.get("default"), config({}).pools.get("default"));
});
