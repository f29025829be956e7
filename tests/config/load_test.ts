import { deepEqual, equal, ok } from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { loadConfig, type Problem, problemsText } from "../../src/config/load.ts";
import {
  CLIENT_DEFAULTS,
  PLUGINS_DEFAULTS,
  POOL_DEFAULTS,
  PROXY_DEFAULTS,
  SERVER_DEFAULTS,
  SMALLEST,
} from "./defaults.ts";

/** Loads `text` and returns the configuration; a problem fails the test with all of them. */
function load(text: string, cores = 2): Config {
  const loaded = loadConfig({ text, fileName: "s.yaml", env: {}, cores });
  ok(loaded.ok, loaded.ok ? "" : problemsText(loaded.problems));
  return loaded.config;
}

function problemsIn(text: string): readonly Problem[] {
  const loaded = loadConfig({ text, fileName: "s.yaml", env: {}, cores: 2 });
  return loaded.ok ? [] : loaded.problems;
}

function notesIn(text: string): string {
  const loaded = loadConfig({ text, fileName: "s.yaml", env: {}, cores: 2 });
  ok(loaded.ok);
  return problemsText(loaded.notes);
}

Deno.test("loadConfig fills in everything that the smallest file leaves out", () => {
  deepEqual(load(SMALLEST), {
    servers: new Map([["default", {
      ...SERVER_DEFAULTS,
      address: { kind: "tcp", host: "127.0.0.1", port: 15_432 },
      proxies: ["default"],
    }]]),
    clients: new Map([["default", {
      ...CLIENT_DEFAULTS,
      address: { kind: "tcp", host: "127.0.0.1", port: 5_432 },
    }]]),
    pools: new Map([["default", POOL_DEFAULTS]]),
    users: new Map(),
    plugins: PLUGINS_DEFAULTS,
    proxies: new Map([["default", { ...PROXY_DEFAULTS, client: "default", pool: "default" }]]),
    act: { defaultPolicy: "passthrough", actionTimeoutMs: 5_000, policies: [] },
    loggers: new Map([["default", { level: "info", format: "auto", output: "stderr", file: "" }]]),
    metrics: {
      enabled: true,
      address: { kind: "tcp", host: "127.0.0.1", port: 9_090 },
      path: "/metrics",
    },
    runtime: {
      workers: 2,
      driver: "auto",
      shutdownTimeoutMs: 30_000,
      serverConnectionsMax: 0,
      controlSocket: "",
    },
  });
});

Deno.test("loadConfig reads every key of a file that relays", () => {
  const config = load(`servers:
  main:
    address: /run/sluice/main.sock
    protocol: postgres
    proxies: [primary, replica]
    clientsMax: 100000
    loginTimeout: 1m30s
    startupPacketSizeMax: 1KiB
    messageSizeMax: 1000000
    keepAlive: false
    noDelay: false
    socketMode: 0770
clients:
  primary: { address: "[::1]:5432", dialTimeout: 10ms, retries: 0, backoff: 0,
    backoffMultiplier: 1.5, keepAlive: false, noDelay: false }
  replica: { address: db.example.com:65535 }
pools:
  shared: { size: 7, acquireTimeout: 1h, waitersMax: 0 }
proxies:
  primary: { pool: shared }
loggers:
  console: { level: debug, format: text, output: stdout }
  archive: { output: file, file: /var/log/sluice.log }
metrics: { enabled: false, address: "[::]:0", path: /internal/metrics }
runtime: { workers: 64, shutdownTimeout: 0ms }
`);
  deepEqual(config.servers.get("main"), {
    ...SERVER_DEFAULTS,
    address: { kind: "unix", path: "/run/sluice/main.sock" },
    protocol: "postgres",
    proxies: ["primary", "replica"],
    clientsMax: 100_000,
    loginTimeoutMs: 90_000,
    startupPacketSizeMax: 1_024,
    messageSizeMax: 1_000_000,
    keepAlive: false,
    noDelay: false,
    socketMode: 0o770,
  });
  deepEqual(config.clients.get("primary"), {
    ...CLIENT_DEFAULTS,
    address: { kind: "tcp", host: "::1", port: 5_432 },
    dialTimeoutMs: 10,
    retries: 0,
    backoffMs: 0,
    backoffMultiplier: 1.5,
    keepAlive: false,
    noDelay: false,
  });
  deepEqual([...config.clients.keys()], ["primary", "replica"]);
  deepEqual(config.pools.get("shared"), {
    ...POOL_DEFAULTS,
    size: 7,
    acquireTimeoutMs: 3_600_000,
    waitersMax: 0,
  });
  deepEqual(config.proxies.get("primary"), {
    ...PROXY_DEFAULTS,
    client: "primary",
    pool: "shared",
  });
  deepEqual(config.loggers.get("archive"), {
    level: "info",
    format: "auto",
    output: "file",
    file: "/var/log/sluice.log",
  });
  equal(config.loggers.size, 2);
  deepEqual(config.metrics, {
    enabled: false,
    address: { kind: "tcp", host: "::", port: 0 },
    path: "/internal/metrics",
  });
  deepEqual(config.runtime, {
    workers: 64,
    driver: "auto",
    shutdownTimeoutMs: 0,
    serverConnectionsMax: 0,
    controlSocket: "",
  });
});

Deno.test("loadConfig implies a proxy for a client, and a pool for a proxy", () => {
  const config = load(`servers: { front: { address: a:1, proxies: [one, two] } }
clients: { one: { address: b:1 }, two: { address: c:1 } }
proxies: { zero: { client: one, pool: two }, two: { client: one } }
`);
  deepEqual(config.proxies.get("one"), { ...PROXY_DEFAULTS, client: "one", pool: "one" });
  deepEqual(config.proxies.get("two"), { ...PROXY_DEFAULTS, client: "one", pool: "two" });
  deepEqual([...config.pools.keys()].toSorted(), ["one", "two"]);
});

Deno.test("loadConfig gives the same result when a default is written", () => {
  const written = SMALLEST.replace(":15432\n", ":15432\n    proxies: [default]\n") +
    "proxies: { default: { client: default, pool: default } }\n";
  deepEqual(load(written), load(SMALLEST));
});

Deno.test("loadConfig takes one worker for each core, from 1 to 4, unless told", () => {
  const cases = [[1, 1], [2, 2], [4, 4], [64, 4], [0, 1], [Number.NaN, 1]] as const;
  for (const [cores, workers] of cases) equal(load(SMALLEST, cores).runtime.workers, workers);
  equal(load(`${SMALLEST}runtime: { workers: "auto" }`, 3).runtime.workers, 3);
  equal(load(`${SMALLEST}runtime: { workers: 1 }`, 3).runtime.workers, 1);
});

Deno.test("loadConfig takes sections and groups without anything below them", () => {
  deepEqual(load(`${SMALLEST}pools:\nloggers: ~\nmetrics:\nruntime: null\n`), load(SMALLEST));
  equal(load(`${SMALLEST}pools:\n  default:\n`).pools.get("default")?.size, 50);
});

Deno.test("loadConfig refuses two listeners on one address", () => {
  const cases: readonly (readonly [a: string, b: string, collides: boolean])[] = [
    ["127.0.0.1:7000", "127.0.0.1:7000", true],
    ["0.0.0.0:7000", "127.0.0.1:7000", true],
    ["'[::1]:7000'", "'[::]:7000'", true],
    ["localhost:7000", "LOCALHOST:7000", true],
    ["/run/a.sock", "/run/a.sock", true],
    ["127.0.0.1:7000", "127.0.0.2:7000", false],
    ["127.0.0.1:7000", "127.0.0.1:7001", false],
    ["127.0.0.1:0", "127.0.0.1:0", false],
    ["/run/a.sock", "/run/b.sock", false],
    ["/run/a.sock", "a:1", false],
    ["0.0.0.0:7000", "'[::1]:7000'", false],
  ];
  for (const [a, b, collides] of cases) {
    const text =
      `servers: { a: { address: ${a}, proxies: [c] }, b: { address: ${b}, proxies: [c] } }
clients: { c: { address: db:5432 } }
`;
    const problems = problemsIn(text);
    equal(problems.length, collides ? 1 : 0, `${a} ${b}`);
    if (collides) ok(problems[0]?.message.startsWith("servers.a already listens on"));
  }
});

Deno.test("loadConfig does not mind metrics on a server's address when they are off", () => {
  load(`${SMALLEST}metrics: { enabled: false, address: 127.0.0.1:15432 }\n`);
});

Deno.test("loadConfig notes what is allowed but may surprise", () => {
  equal(notesIn(SMALLEST), "");
  equal(
    notesIn(`${SMALLEST}pools: { a: {}, default: {} }
proxies: { b: { client: default, pool: default } }
`),
    "s.yaml:7:10: pools.a: no proxy uses this pool\n" +
      "s.yaml:8:12: proxies.b: no server uses this proxy\n",
  );
  equal(
    notesIn(`${SMALLEST}  spare: { address: a:1 }
pools: { spare: {}, lone: {} }
proxies: { default: { pool: spare } }
`),
    "s.yaml:7:3: clients.spare: no proxy uses this client\n" +
      "s.yaml:8:21: pools.lone: no proxy uses this pool\n",
  );
  equal(
    notesIn(SMALLEST.replace(":15432", ":15432\n    socketMode: '0770'")),
    "s.yaml:4:17: servers.default.socketMode: not used, because the address is not a Unix socket\n",
  );
});

Deno.test("loadConfig finds scripts and the control socket beside the file", () => {
  const text = `servers: { default: { address: "a:1" } }
clients: { default: { address: "b:1", failoverScript: fail, switchoverScript: /opt/switch } }
runtime: { controlSocket: run/control.sock }
`;
  const loaded = loadConfig({ text, fileName: "/etc/sluice/s.yaml", env: {}, cores: 1 });
  ok(loaded.ok);
  const { failoverScript, switchoverScript } = loaded.config.clients.get("default")!.group;
  deepEqual([failoverScript, switchoverScript], ["/etc/sluice/fail", "/opt/switch"]);
  equal(loaded.config.runtime.controlSocket, "/etc/sluice/run/control.sock");
});

for (
  const [path, problem] of [
    ["/run/sluice/", /cannot be "\/run\/sluice\/", which is a folder; write the path of a file/],
    [`/${"é".repeat(54)}`, /, which is longer than 107 bytes; choose a shorter one/],
  ] as const
) {
  Deno.test(`loadConfig refuses the control socket ${path.slice(0, 12)}`, () => {
    const [first, ...others] = problemsIn(`${SMALLEST}runtime: { controlSocket: "${path}" }\n`);
    deepEqual(others, []);
    ok(problem.test(first!.message), first!.message);
    equal(first!.path, "runtime.controlSocket");
  });
}
