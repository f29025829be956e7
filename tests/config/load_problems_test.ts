import { deepEqual, equal } from "node:assert/strict";
import { POOL_KEYS } from "../../src/config/pool_keys.ts";
import { loadConfig, type Problem, problemsText } from "../../src/config/load.ts";

const SMALLEST = `servers:
  default:
    address: 127.0.0.1:15432
clients:
  default:
    address: 127.0.0.1:5432
`;

function problemsIn(text: string): readonly Problem[] {
  const loaded = loadConfig({ text, fileName: "s.yaml", env: {}, cores: 2 });
  return loaded.ok ? [] : loaded.problems;
}

Deno.test("loadConfig reports every mistake in the order of the file", () => {
  const lines = problemsText(problemsIn(`servers:
  default:
    adress: 127.0.0.1:15432
    proxie: [main]
    clientsMax: 0
    loginTimeout: 30
clients:
  main:
    address: 5432
proxies:
  main:
    client: mian
loggers:
  default: { level: warning, file: x.log }
`)).trimEnd().split("\n");
  deepEqual(lines, [
    's.yaml:3:5: servers.default.adress: unknown key; did you mean "address"?',
    's.yaml:4:5: servers.default.proxie: unknown key; did you mean "proxies"?',
    "s.yaml:5:17: servers.default.clientsMax: expected a whole number from 1 to 100000, such as " +
    '1000; got "0"',
    "s.yaml:6:19: servers.default.loginTimeout: expected a duration from 100ms to 1h, such as " +
    '60s; got "30", which needs a unit: 30s or 30ms',
    "s.yaml:9:14: clients.main.address: expected an address: host:port, [IPv6 address]:port or " +
    '/path/to.sock, or a list of them, such as 127.0.0.1:5432; got "5432", where the host is ' +
    "missing: 127.0.0.1:5432",
    's.yaml:12:13: proxies.main.client: no client is named "mian"; there are: main; ' +
    'did you mean "main"?',
    "s.yaml:14:21: loggers.default.level: expected one of trace, debug, info, warn, error, off; " +
    'got "warning"',
    "s.yaml:14:36: loggers.default.file: only allowed with output: file; " +
    'add "output: file" or remove this key',
  ]);
});

/** What is added to the smallest file, and the one problem that it must give. */
const ONE_PROBLEM: readonly (readonly [added: string, line: string])[] = [
  [
    "pools: { a: { size: 1.5 } }",
    '7:21: pools.a.size: expected a whole number from 1 to 10000, such as 50; got "1.5"',
  ],
  [
    "pools: { a: { size: } }",
    "7:15: pools.a.size: expected a whole number from 1 to 10000, such as 50; got " +
    "nothing; write a value or remove the key",
  ],
  [
    "pools: { a: { size: [1] } }",
    "7:21: pools.a.size: expected a whole number from 1 to 10000, such as 50; got a list",
  ],
  [
    "pools: { a: { size: { b: 1 } } }",
    "7:21: pools.a.size: expected a whole number from 1 to 10000, such as 50; got keys",
  ],
  [
    'pools: { a: { size: "7" } }',
    "7:21: pools.a.size: expected a whole number from 1 to 10000, such as 50; got " +
    '"7" in quotes, which makes it text',
  ],
  [
    "pools: { a: { size: 010 } }",
    '7:21: pools.a.size: expected a whole number from 1 to 10000, such as 50; got "010"',
  ],
  [
    "pools: { a: { acquireTimeout: 1.5s } }",
    "7:31: pools.a.acquireTimeout: expected a duration from 10ms to 1h, such as 30s; " +
    'got "1.5s"; write 1s500ms',
  ],
  [
    "pools: { a: { acquireTimeout: 5ms } }",
    "7:31: pools.a.acquireTimeout: expected a duration from 10ms to 1h, such as 30s; " +
    'got "5ms", which is too short',
  ],
  [
    "pools: { a: { acquireTimeout: 2h } }",
    "7:31: pools.a.acquireTimeout: expected a duration from 10ms to 1h, such as 30s; " +
    'got "2h", which is too long',
  ],
  [
    "pools: { Main: {} }",
    "7:10: pools.Main: the name of a pool must be 1 to 63 of a-z, 0-9, _ and -, a " +
    'letter first; got "Main"; did you mean "main"?',
  ],
  ["pools: { a: 5 }", '7:13: pools.a: expected the keys of a pool; got "5"'],
  [
    "pools: [a]",
    '7:8: pools: expected pools by name, such as "default:" with its keys below; got a list',
  ],
  [
    "pools: { a: { idleTimeout: 5 min } }",
    "7:28: pools.a.idleTimeout: expected a duration from 0ms to 168h, such as 10m; " +
    'got "5 min"; write it with h, m, s and ms, such as 1m30s',
  ],
  [
    "plugins: { a: { outputMax: 16M } }",
    "7:28: plugins.a.outputMax: expected a size from 1KiB to 1GiB, such as 16MiB; " +
    'got "16M"; write it with B, KiB, MiB or GiB, such as 64KiB',
  ],
  [
    "plugins: { a: { permissions: log } }",
    "7:30: plugins.a.permissions: expected a list of at most 11 words: each one of replace, " +
    "respond, reject, close, route, parse, signal, log, kv, session, http; " +
    'got "log", which is no list: write [log]',
  ],
  ["pool: { a: { size: 5 } }", '7:1: pool: unknown key; did you mean "pools"?'],
  ["workers: 3", "7:1: workers: unknown key; it belongs to runtime"],
  ["pools: { a: { client: x } }", "7:15: pools.a.client: unknown key; it belongs to proxies.NAME"],
  [
    "pools: { a: { lifetime: 5 } }",
    "7:15: pools.a.lifetime: unknown key; the keys here are " +
    Object.keys(POOL_KEYS).join(", "),
  ],
  [
    "pools: { a: { size: 5, size: 6 } }",
    "7:24: pools.a.size: this key is already in line 7; remove one",
  ],
  ["clients: { a: { address: a:1 } }", "7:1: clients: this key is already in line 4; remove one"],
  [
    "metrics: { path: / }",
    "7:18: metrics.path: expected a path: / and then 1 to 255 of a-z, A-Z, 0-9, ., _, " +
    '~, - and /, such as /metrics; got "/"',
  ],
  [
    "metrics: { path: metrics }",
    "7:18: metrics.path: expected a path: / and then 1 to 255 of a-z, A-Z, 0-9, ., _, " +
    '~, - and /, such as /metrics; got "metrics"',
  ],
  [
    "metrics: { address: /run/m.sock }",
    "7:21: metrics.address: expected an address: host:port or [IPv6 address]:port, " +
    'such as 127.0.0.1:9090; got "/run/m.sock", which is the path of a Unix socket',
  ],
  [
    "metrics: { address: 127.0.0.1:15432 }",
    "7:21: metrics.address: servers.default already listens on 127.0.0.1:15432; " +
    "choose another address",
  ],
  ["metrics: { enabled: on }", '7:21: metrics.enabled: expected true or false; got "on"'],
  ["metrics: 5", '7:10: metrics: expected the keys of metrics; got "5"'],
  [
    "runtime: { workers: 65 }",
    '7:21: runtime.workers: expected a whole number from 1 to 64 or auto, such as auto; got "65"',
  ],
  [
    "loggers: { a: { output: file } }",
    "7:12: loggers.a.file: this key is required with output: file; add it, as in " +
    '"file: sluice.log"',
  ],
  [
    "loggers: { a: { output: stdout, file: x } }",
    '7:39: loggers.a.file: only allowed with output: file; add "output: file" or remove this key',
  ],
  [
    "loggers: { a: { output: file, file: /dev/stdout } }",
    '7:37: loggers.a.file: a log file cannot be "/dev/stdout"; write output: stdout without a file',
  ],
  [
    "loggers: { a: { output: file, file: /dev/../proc/self/fd/1 } }",
    '7:37: loggers.a.file: a log file cannot be "/dev/../proc/self/fd/1"; choose another path, ' +
    "or write output: stdout or stderr",
  ],
  [
    "loggers: { a: { format: jsn } }",
    '7:25: loggers.a.format: expected one of auto, text, json; got "jsn"; did you mean "json"?',
  ],
  [
    "proxies: { default: { pool: pol }, a: { client: default, pool: a } }",
    '7:29: proxies.default.pool: no pool is named "pol"; there are: a',
  ],
  [
    "proxies: { a: {} }",
    "7:12: proxies.a.client: client is not written, so it is the proxy's own name, " +
    'but no client is named "a"; there are: default',
  ],
  ["? [a]\n: b", "7:3: a key must be a word"],
  [
    "pools: *a",
    '7:8: there is no anchor of this name above; text that begins with "*" needs quotes',
  ],
  [
    "pools: !!map {}\nruntime: { workers: !!int 5 }",
    '8:21: not valid YAML: tags such as "!!int" have no meaning here; remove the tag',
  ],
  [
    "---\na: b",
    '7:1: not valid YAML: a file holds one configuration; remove the second "---" and what follows',
  ],
];

Deno.test("loadConfig names place, rule and remedy of each kind of mistake", () => {
  for (const [added, line] of ONE_PROBLEM) {
    equal(problemsText(problemsIn(`${SMALLEST}${added}\n`)), `s.yaml:${line}\n`, added);
  }
});

/** What replaces the address of the smallest file's server, and the problems that it must give. */
const SERVER_PROBLEMS: readonly (readonly [keys: string, lines: readonly string[]])[] = [
  ["", [
    '2:3: servers.default.address: this key is required; add it, as in "address: 127.0.0.1:15432"',
  ]],
  ["address: a:1\n    proxies: []", [
    "4:14: servers.default.proxies: expected a list of 1 to 100 names of groups in " +
    "proxies, such as [default]; got an empty list",
  ]],
  ["address: a:1\n    proxies: default", [
    "4:14: servers.default.proxies: expected a list of 1 to 100 names of groups in " +
    'proxies, such as [default]; got "default", which is no list: write [default]',
  ]],
  ["address: a:1\n    proxies: [default, default]", [
    "4:24: servers.default.proxies: expected a list of 1 to 100 names of groups in " +
    'proxies, such as [default]; got "default" twice',
  ]],
  ["address: a:1\n    proxies: [default, defualt]", [
    '4:24: servers.default.proxies: no proxy or client is named "defualt"; there ' +
    'are: default; did you mean "default"?',
  ]],
  ["address: a:1\n    startupPacketSizeMax: 64KiB", [
    "4:27: servers.default.startupPacketSizeMax: expected a size from 512B to " +
    '65535B, such as 10000B; got "64KiB", which is too large',
  ]],
  ["address: a:1\n    socketMode: 0800", [
    "4:17: servers.default.socketMode: expected octal permission bits from 0000 to " +
    '0777, such as "0700"; got "0800"',
  ]],
  ["address: [::1]:5432", ['3:19: not valid YAML: an IPv6 address needs quotes: "[::1]:5432"']],
  ["address: a:1\n\tclientsMax: 5", ["4:1: not valid YAML: a tab cannot indent; use spaces"]],
  ["address: a:1\n    clientsMax:5\n    noDelay: true", [
    '4:5: not valid YAML: a key needs a colon and a space behind it, as in "size: 50"',
  ]],
  ["clientsMax:5", [
    '3:5: servers.default: expected the keys of a server; got "clientsMax:5"; a ' +
    "colon needs a space behind it",
    '2:3: servers.default.address: this key is required; add it, as in "address: 127.0.0.1:15432"',
  ]],
];

Deno.test("loadConfig explains what is wrong with a server", () => {
  for (const [keys, lines] of SERVER_PROBLEMS) {
    const text = SMALLEST.replace("address: 127.0.0.1:15432", keys);
    const expected = lines.map((line) => `s.yaml:${line}\n`).toSorted().join("");
    equal(problemsText(problemsIn(text)), expected, keys);
  }
});

Deno.test("loadConfig says what is missing from nothing", () => {
  for (const text of ["", "# nothing\n", "---\n", "~"]) {
    deepEqual(problemsIn(text).map(({ path, line, column }) => [path, line, column]), [
      ["servers", 1, 1],
      ["clients", 1, 1],
    ], text);
  }
});

Deno.test("loadConfig blames one mistake once, not its consequences", () => {
  const misspelt = SMALLEST.replaceAll("clients:", "client:").replaceAll("address:", "adress:");
  deepEqual(problemsIn(misspelt).map(({ path }) => path), [
    "servers.default.adress",
    "client",
    "client.default.adress",
  ]);
  const wrongName = SMALLEST.replaceAll("default:", "Default:");
  deepEqual(problemsIn(wrongName).map(({ path }) => path), ["servers.Default", "clients.Default"]);
  const both = `${SMALLEST}pools: { a: { size: 5, sise: many } }\n`;
  deepEqual(problemsIn(both).map(({ path }) => path), ["pools.a.sise"]);
});
