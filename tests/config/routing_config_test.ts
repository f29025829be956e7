import { deepEqual, equal } from "node:assert/strict";
import { load, problemsOf } from "./defaults.ts";

const TRUST = "method: trust";

/** A file with a group of servers, and more keys of its parts. */
function file(parts: {
  readonly server?: string;
  readonly client?: string;
  readonly address?: string;
  readonly proxies?: string;
  readonly pool?: string;
  readonly auth?: string;
} = {}): string {
  const { server = "", client = "user: app", address = "[db1:5432, db2:5432]" } = parts;
  const { proxies = "", pool = "mode: transaction", auth = TRUST } = parts;
  return `servers:
  default: { address: 127.0.0.1:15432, auth: { ${auth} }, ${server} }
clients:
  default: { address: ${address}, ${client} }
pools:
  default: { ${pool} }
${proxies}`;
}

/** What is wrong with a file, without the file's name. */
function wrong(parts: Parameters<typeof file>[0]): string[] {
  return problemsOf(file(parts)).trimEnd().split("\n").map((line) => line.slice("s.yaml:".length));
}

Deno.test("loadConfig reads a group of servers with everything filled in", () => {
  const { address, others, group } = load(file()).clients.get("default")!;
  deepEqual([address, ...others], [
    { kind: "tcp", host: "db1", port: 5432 },
    { kind: "tcp", host: "db2", port: 5432 },
  ]);
  equal(group.failoverTimeoutMs, 30_000);
  deepEqual(group.health, {
    check: "query",
    intervalMs: 1_000,
    timeoutMs: 2_000,
    rise: 2,
    fall: 3,
    slowStartMs: 0,
    panic: "try",
    user: "",
    password: "",
    database: "",
  });
});

Deno.test("loadConfig reads every key of a group", () => {
  const client = "user: app, failoverTimeout: 5s, patroni: [http://a:8008/, http://b:8008], " +
    "lagMax: 10s, lagSizeMax: 1MiB, health: { check: query, interval: 2s, timeout: 1s, rise: 1, " +
    "fall: 4, slowStart: 30s, panic: refuse, user: u, password: p, database: d }";
  const { group } = load(file({ client })).clients.get("default")!;
  deepEqual(group, {
    failoverTimeoutMs: 5_000,
    failoverScript: "",
    switchoverScript: "",
    patroni: ["http://a:8008", "http://b:8008"],
    lagMaxMs: 10_000,
    lagSizeMax: 1_048_576,
    health: {
      check: "query",
      intervalMs: 2_000,
      timeoutMs: 1_000,
      rise: 1,
      fall: 4,
      slowStartMs: 30_000,
      panic: "refuse",
      user: "u",
      password: "p",
      database: "d",
    },
  });
});

Deno.test("loadConfig checks servers by what is known of them, unless it is told how", () => {
  const cases = [
    [{}, "query"],
    [{ address: "db1:5432" }, "off"],
    [{ address: "[db1:5432]" }, "off"],
    [{ client: "patroni: [http://a:8008]" }, "connect"],
    [{ client: "health: { check: off }" }, "off"],
    [{ client: "user: a, patroni: [http://a:8008], health: { check: query }" }, "query"],
    [{ address: "db1:5432", client: "health: { check: connect }" }, "connect"],
  ] as const;
  for (const [parts, check] of cases) {
    const { group } = load(file(parts)).clients.get("default")!;
    equal(group.health.check, check, JSON.stringify(parts));
  }
});

Deno.test("loadConfig reads how a listener finds servers, and what proxies weigh", () => {
  const server = "readWriteSplit: true, causality: table, routingHints: false, proxies: [a, b], " +
    "loadBalancer: { strategy: CONSISTENT_HASH, key: 'parameter:app.tenant', per: session, " +
    "loadBalancingRules: [ { condition: 'user == \"x\"', distribution: [ { proxyName: a }, " +
    "{ proxyName: b, weight: 0.5 } ] }, { condition: DEFAULT, " +
    "distribution: [ { proxyName: b } ] } ] }";
  const proxies = "proxies:\n" +
    "  a: { client: default, pool: default, weight: 3, mirror: { proxy: b, share: 0.1 } }\n" +
    "  b: { client: copy, pool: copy, mirror: { proxy: a, share: 0 } }\n";
  const text = file({ server, proxies })
    .replace("clients:", "clients:\n  copy: { address: [c1:5432, c2:5432], user: app }")
    .replace("pools:", "pools:\n  copy: { mode: transaction }");
  const config = load(text);
  deepEqual(config.servers.get("default")!.routing, {
    targetSessionAttrs: "any",
    readWriteSplit: true,
    causality: "table",
    readFunctions: [],
    hints: false,
    strategy: "CONSISTENT_HASH",
    key: "parameter:app.tenant",
    per: "session",
    rules: [
      {
        condition: 'user == "x"',
        distribution: [{ proxyName: "a", weight: 1 }, { proxyName: "b", weight: 0.5 }],
      },
      { condition: "DEFAULT", distribution: [{ proxyName: "b", weight: 1 }] },
    ],
  });
  const mirror = { proxy: "b", share: 0.1, compare: false, bufferMax: 1_048_576 };
  deepEqual([...config.proxies.values()].map((one) => [one.weight, one.mirror]), [
    [3, mirror],
    [1, undefined],
  ]);
});

const LIST = "expected an address: host:port, [IPv6 address]:port or /path/to.sock, or a list of " +
  "them, such as 127.0.0.1:5432; got";

Deno.test("loadConfig says what is wrong with a list of addresses, and where", () => {
  const many = Array.from({ length: 101 }, (_, i) => `d${i}:1`);
  const cases = [
    ["[]", 23, "an empty list"],
    ["[db1:5432, db1:5432]", 34, '"db1:5432" twice'],
    ["[db1:5432, 7]", 34, '"7", where the host is missing: 127.0.0.1:7'],
    ["{ a: b }", 23, "keys"],
    [`[${many}]`, 23, "101 addresses"],
  ] as const;
  for (const [address, column, got] of cases) {
    deepEqual(wrong({ address }), [`4:${column}: clients.default.address: ${LIST} ${got}`]);
  }
  equal(load(file({ address: `[${many.slice(1)}]` })).clients.get("default")!.others.length, 99);
});

Deno.test("loadConfig says who is missing for a check that logs in", () => {
  const advice = "add health.user and health.password, or choose health.check: connect";
  const place = "clients.default.health.user:";
  deepEqual(wrong({ client: "" }), [
    `4:3: ${place} servers of a group are asked for their role, which needs a user; ${advice}`,
  ]);
  deepEqual(wrong({ address: "db1:5432", client: "health: { check: query }" }), [
    `4:3: ${place} health.check: query needs a user; ${advice}`,
  ]);
});

const PROXIES = "proxies:\n  a: { client: default, pool: default }\n" +
  "  b: { client: default, pool: default }\n";

Deno.test("loadConfig says once what a listener needs of its servers", () => {
  const split = "servers.default.readWriteSplit: readWriteSplit: true needs";
  const attrs = "servers.default.targetSessionAttrs: targetSessionAttrs: standby needs";
  const isKnown = "servers whose roles are known; set clients.default.health.check: query";
  const asks = "a server that authenticates clients itself; choose another auth.method, as in " +
    "auth: { method: scram-sha-256, … }";
  const cases = [
    [{ client: "health: { check: connect }", server: "readWriteSplit: true" }, [
      `2:81: ${split} ${isKnown}`,
    ]],
    [{ address: "db1:5432", server: "targetSessionAttrs: standby" }, [`2:85: ${attrs} ${isKnown}`]],
    [{ pool: "mode: session", server: "readWriteSplit: true" }, [
      `2:81: ${split} pools that give servers back; set pools.default.mode: transaction`,
    ]],
    [{ pool: "", server: "readWriteSplit: true" }, [
      `2:81: ${split} pools that give servers back; set pools.default.mode: transaction`,
    ]],
    [{ pool: "mode: session", server: "targetSessionAttrs: standby" }, [""]],
    [{ pool: "mode: session", auth: "method: relay", server: "readWriteSplit: true" }, [
      `2:81: ${split} ${asks}`,
      `2:81: ${split} pools that give servers back; set pools.default.mode: transaction`,
    ]],
    [{ server: "readWriteSplit: true, targetSessionAttrs: primary" }, [
      "2:107: servers.default.targetSessionAttrs: targetSessionAttrs: primary says where all " +
      "statements go, and readWriteSplit: true sends them to different servers; remove one of " +
      "them",
    ]],
  ] as const;
  for (const [parts, expected] of cases) {
    deepEqual(wrong(parts), expected, JSON.stringify(parts));
    const server = `proxies: [a, b], ${"server" in parts ? parts.server : ""}`;
    const twice = wrong({ ...parts, proxies: PROXIES, server });
    equal(twice.length, expected.length, `each message once: ${twice}`);
  }
});

Deno.test("loadConfig says what is wrong with rules, each with its place", () => {
  const rules = "{ condition: 'user == ', distribution: [ { proxyName: defalt, weight: -1 } ] }, " +
    "{ condition: DEFAULT, distribution: [] }, { distribution: [ { proxy: x } ] }";
  const at = "servers.default.loadBalancer.loadBalancingRules";
  deepEqual(wrong({ server: `loadBalancer: { loadBalancingRules: [ ${rules} ] }` }), [
    `2:116: ${at}[0].condition: Unexpected token: EOF (in column 9 of the expression)`,
    `2:157: ${at}[0].distribution[0].proxyName: "defalt" is not one of the listener's proxies: ` +
    'default; did you mean "default"?',
    `2:173: ${at}[0].distribution[0].weight: expected a number from 0 to 1000, such as 1; got "-1"`,
    `2:183: ${at}[1].distribution: a rule needs one proxy at least, as in distribution: ` +
    "[ { proxyName: reads } ]",
    `2:225: ${at}[2].condition: this key is required; add it, as in "condition: DEFAULT"`,
    `2:243: ${at}[2].distribution[0].proxyName: this key is required; add it, as in ` +
    '"proxyName: reads"',
    `2:245: ${at}[2].distribution[0].proxy: unknown key; the keys here are proxyName, weight`,
  ]);
});

Deno.test("loadConfig says which mirror there is not", () => {
  const proxies = "proxies:\n" +
    "  default: { client: default, pool: default, mirror: { proxy: default } }\n" +
    "  b: { client: default, pool: default, mirror: { proxy: defalt } }\n";
  deepEqual(wrong({ proxies }), [
    "8:63: proxies.default.mirror.proxy: a proxy cannot be its own mirror; name another one",
    '9:57: proxies.b.mirror.proxy: no proxy is named "defalt"; did you mean "default"?',
  ]);
});

Deno.test("loadConfig says what is wrong with the numbers of a group", () => {
  const client =
    "user: app, patroni: [ftp://x], lagMax: -1s, lagSizeMax: -1, failoverTimeout: 2h, " +
    "health: { check: maybe, interval: 1ms, timeout: 1ms, rise: 0, fall: 0, slowStart: -1, " +
    "panic: run }";
  const places = wrong({ client }).map((line) => line.split(" ")[1]);
  const keys = ["patroni", "lagMax", "lagSizeMax", "failoverTimeout", "health.check"];
  const health = ["interval", "timeout", "rise", "fall", "slowStart", "panic"];
  const all = [...keys, ...health.map((key) => `health.${key}`)];
  deepEqual(places, all.map((key) => `clients.default.${key}:`));
});
