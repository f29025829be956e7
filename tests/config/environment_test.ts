import { deepEqual, equal, ok } from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { keysOf, SECTIONS } from "../../src/config/declarations.ts";
import { isSettable } from "../../src/config/key_types.ts";
import { variableName } from "../../src/config/environment.ts";
import { exampleText } from "../../src/config/key.ts";
import { POOL_KEYS } from "../../src/config/pool_keys.ts";
import { loadConfig, problemsText } from "../../src/config/load.ts";

const FILE = `servers:
  default:
    address: 127.0.0.1:15432
clients:
  default:
    address: 127.0.0.1:5432
`;

const POOL_KEY_NAMES = Object.keys(POOL_KEYS).join(", ");

type Env = Readonly<Record<string, string>>;

function loadWith(env: Env, text = FILE) {
  const ignoredEnv = ["SLUICE_CONFIG"];
  return loadConfig({ text, fileName: "s.yaml", env, cores: 2, ignoredEnv });
}

function load(env: Env, text = FILE): Config {
  const loaded = loadWith(env, text);
  ok(loaded.ok, loaded.ok ? "" : problemsText(loaded.problems));
  return loaded.config;
}

function problems(env: Env, text = FILE): string {
  const loaded = loadWith(env, text);
  return loaded.ok ? "" : problemsText(loaded.problems);
}

Deno.test("readEnvironment ignores underscores and case", () => {
  const spellings = [
    "SLUICE_SERVERS_DEFAULT_STARTUP_PACKET_SIZE_MAX",
    "SLUICE_SERVERS_DEFAULT_STARTUPPACKETSIZEMAX",
    "SLUICE_SERVERS_DEFAULT_STARTUP_PACKETSIZE_MAX",
    "SLUICE_servers_default_startupPacketSizeMax",
  ];
  for (const name of spellings) {
    equal(load({ [name]: "1KiB" }).servers.get("default")?.startupPacketSizeMax, 1_024, name);
  }
});

Deno.test("readEnvironment can set every key of every section", () => {
  for (const section of SECTIONS) {
    const declared = section.groups === undefined ? [] : Object.entries(section.keys);
    const own = Object.entries(keysOf(section, ""));
    const all = [
      ...declared.map(([key, one]) => ["default", key, one] as const),
      ...own.map(([key, one]) => ["", key, one] as const),
    ];
    for (const [group, key, declared] of all) {
      if (!isSettable(declared.type)) continue;
      const { fallback } = declared;
      const example = exampleText(declared, "default").replaceAll(/["[\]]/g, "");
      const env: Record<string, string> = { [variableName(section.name, group, key)]: example };
      if (fallback.kind === "only with") {
        env[variableName(section.name, group, fallback.key)] = fallback.value;
      }
      equal(problems(env), "", Object.keys(env).join(" "));
    }
  }
});

Deno.test("readEnvironment wins over the file and says so", () => {
  const loaded = loadWith({ SLUICE_CLIENTS_DEFAULT_ADDRESS: "[::1]:6000" });
  ok(loaded.ok);
  deepEqual(loaded.config.clients.get("default")?.address, {
    kind: "tcp",
    host: "::1",
    port: 6000,
  });
  equal(
    problemsText(loaded.notes),
    "s.yaml:6:14: clients.default.address: replaced by SLUICE_CLIENTS_DEFAULT_ADDRESS\n",
  );
});

Deno.test("readEnvironment finds groups with - and _ in their name, also implied ones", () => {
  const text = FILE.replaceAll("default:", "read-only_1:");
  const config = load({
    SLUICE_SERVERS_READ_ONLY_1_CLIENTS_MAX: "5",
    SLUICE_POOLS_READ_ONLY_1_SIZE: "6",
    SLUICE_POOLS_READONLY1_WAITERSMAX: "7",
  }, text);
  equal(config.servers.get("read-only_1")?.clientsMax, 5);
  deepEqual([...config.pools.keys()], ["read-only_1"]);
  equal(config.pools.get("read-only_1")?.size, 6);
  equal(config.pools.get("read-only_1")?.waitersMax, 7);
});

Deno.test("readEnvironment makes a configuration without a file", () => {
  const config = load({
    SLUICE_SERVERS_MAIN_ADDRESS: "127.0.0.1:0",
    SLUICE_SERVERS_MAIN_PROXIES: "main, second",
    SLUICE_CLIENTS_MAIN_ADDRESS: "db1:5432",
    SLUICE_CLIENTS_SECOND_ADDRESS: "db2:5432",
    SLUICE_POOLS_SECOND_SIZE: "3",
    SLUICE_RUNTIME_WORKERS: "3",
    SLUICE_METRICS_ENABLED: "false",
    SLUICE_CONFIG: "ignored",
    PATH: "ignored",
    SLUICER: "ignored",
  }, "");
  deepEqual(config.servers.get("main")?.proxies, ["main", "second"]);
  equal(config.pools.get("main")?.size, 50);
  equal(config.pools.get("second")?.size, 3);
  equal(config.runtime.workers, 3);
  equal(config.metrics.enabled, false);
});

/** Variables beside the file, and every problem they must give. */
const PROBLEMS: readonly (readonly [env: Env, lines: readonly string[]])[] = [
  [{ SLUICE_POOLS_DEFAULT_SIZ: "1" }, [
    'SLUICE_POOLS_DEFAULT_SIZ: unknown variable; did you mean "SLUICE_POOLS_DEFAULT_SIZE"?',
  ]],
  [{ SLUICE_POOL_DEFAULT_SIZE: "1" }, [
    'SLUICE_POOL_DEFAULT_SIZE: unknown variable; did you mean "SLUICE_POOLS_DEFAULT_SIZE"?',
  ]],
  [{ SLUICE_METRICS_ADRESS: ":1" }, [
    'SLUICE_METRICS_ADRESS: unknown variable; did you mean "SLUICE_METRICS_ADDRESS"?',
  ]],
  [{ SLUICE_FOO: "x" }, [
    "SLUICE_FOO: unknown variable; behind SLUICE_ comes one of SERVERS, CLIENTS, " +
    "POOLS, PROXIES, USERS, PLUGINS, ACT, LOGGERS, METRICS, RUNTIME",
  ]],
  [{ SLUICE_: "x" }, [
    "SLUICE_: unknown variable; behind SLUICE_ comes one of SERVERS, CLIENTS, POOLS, " +
    "PROXIES, USERS, PLUGINS, ACT, LOGGERS, METRICS, RUNTIME",
  ]],
  [{ SLUICE_RUNTIME_COLOUR: "x" }, [
    "SLUICE_RUNTIME_COLOUR: unknown variable; the keys of runtime are workers, driver, " +
    "shutdownTimeout, serverConnectionsMax, controlSocket",
  ]],
  [{ SLUICE_POOLS_MY_GROUP_IS_BIG: "1" }, [
    "SLUICE_POOLS_MY_GROUP_IS_BIG: unknown variable; expected SLUICE_POOLS_NAME_KEY " +
    `with the keys ${POOL_KEY_NAMES}, and a NAME that is in the file or one word`,
  ]],
  [{ SLUICE_POOLS_DEFAULT_SIZE: "many" }, [
    'SLUICE_POOLS_DEFAULT_SIZE: expected a whole number from 1 to 10000, such as 50; got "many"',
  ]],
  [{ SLUICE_POOLS_DEFAULT_SIZE: "" }, [
    "SLUICE_POOLS_DEFAULT_SIZE: expected a whole number from 1 to 10000, such as 50; " +
    "got empty text",
  ]],
  [{ SLUICE_POOLS_DEFAULT_SIZE: `1\u001b[31m${"9".repeat(100)}` }, [
    "SLUICE_POOLS_DEFAULT_SIZE: expected a whole number from 1 to 10000, such as 50; got " +
    `"1\\u{1b}[31m${"9".repeat(74)}…"`,
  ]],
  [{ SLUICE_SERVERS_DEFAULT_PROXIES: "default,none" }, [
    'SLUICE_SERVERS_DEFAULT_PROXIES: no proxy or client is named "none"; there are: default',
  ]],
  [{ SLUICE_SERVERS_DEFAULT_PROXIES: "default,," }, [
    "SLUICE_SERVERS_DEFAULT_PROXIES: expected a list of 1 to 100 names of groups in " +
    "proxies, such as [default]; got empty text",
  ]],
  [{ SLUICE_SERVERS_MAIN_CLIENTS_MAX: "5" }, [
    "SLUICE_SERVERS_MAIN_CLIENTS_MAX: servers.main comes from variables alone and needs " +
    "address; set SLUICE_SERVERS_MAIN_ADDRESS too",
    "SLUICE_SERVERS_MAIN_CLIENTS_MAX: proxies is not written, so it is [main], but " +
    "no proxy or client has that name; there are: default",
  ]],
  [{ SLUICE_POOLS_DEFAULT_SIZE: "1", SLUICE_POOLS_DEFAULT_SI_ZE: "1" }, [
    "SLUICE_POOLS_DEFAULT_SI_ZE: sets pools.default.size, and so does " +
    "SLUICE_POOLS_DEFAULT_SIZE; unset one of them",
  ]],
  [{ SLUICE_METRICS_ADDRESS: "127.0.0.1:15432" }, [
    "SLUICE_METRICS_ADDRESS: servers.default already listens on 127.0.0.1:15432; " +
    "choose another address",
  ]],
  [{ SLUICE_LOGGERS_DEFAULT_OUTPUT: "file" }, [
    "SLUICE_LOGGERS_DEFAULT_OUTPUT: loggers.default comes from variables alone and needs " +
    "file with output: file; set SLUICE_LOGGERS_DEFAULT_FILE too",
  ]],
  [{ SLUICE_POOLS_9LIVES_SIZE: "1" }, [
    "SLUICE_POOLS_9LIVES_SIZE: unknown variable; expected SLUICE_POOLS_NAME_KEY with " +
    `the keys ${POOL_KEY_NAMES}, and a NAME that is in the file or one word`,
  ]],
];

Deno.test("readEnvironment names the variable, the rule and the remedy", () => {
  for (const [env, lines] of PROBLEMS) {
    const expected = lines.map((line) => `environment: ${line}\n`).join("");
    equal(problems(env), expected, Object.keys(env).join(" "));
  }
});

Deno.test("loadConfig names variables, and nothing of a file, where there is no file", () => {
  const alone = (env: Env) => {
    const loaded = loadConfig({ text: "", fileName: undefined, env, cores: 1 });
    return loaded.ok ? loaded.config : problemsText(loaded.problems);
  };
  equal(
    alone({ SLUICE_SERVERS_DEFAULT_ADDRESS: "127.0.0.1:1" }),
    "environment: clients: at least one client is required; set SLUICE_CLIENTS_DEFAULT_ADDRESS\n",
  );
  const both = {
    SLUICE_SERVERS_DEFAULT_ADDRESS: "127.0.0.1:1",
    SLUICE_CLIENTS_DEFAULT_ADDRESS: "127.0.0.1:2",
  };
  equal(
    alone({ ...both, SLUICE_SERVERS_DEFAULT_TLS_MODE: "require" }),
    ["CERT", "KEY"].map((name) =>
      "environment: SLUICE_SERVERS_DEFAULT_ADDRESS: servers.default comes from variables alone " +
      `and needs tls.${name.toLowerCase()}File with tls.mode: require; set ` +
      `SLUICE_SERVERS_DEFAULT_TLS_${name}_FILE too\n`
    ).join(""),
  );
  equal(
    alone({ ...both, SLUICE_LOGGERS_A_FILE: "x" }),
    "environment: SLUICE_LOGGERS_A_FILE: only allowed with output: file; " +
      "set SLUICE_LOGGERS_A_OUTPUT=file or unset this variable\n",
  );
  const config = alone({ ...both, SLUICE_LOGGERS_A_OUTPUT: "file", SLUICE_LOGGERS_A_FILE: "x" });
  equal(typeof config === "string" ? config : config.loggers.get("a")?.file, "x");
});

Deno.test("readEnvironment refuses to guess between two groups", () => {
  const text = FILE.replace("servers:", "pools: { a-b: {}, a_b: {} }\nservers:");
  equal(
    problems({ SLUICE_POOLS_A_B_SIZE: "1" }, text),
    "environment: SLUICE_POOLS_A_B_SIZE: could mean pools.a-b.size or pools.a_b.size; " +
      "rename one of them\n",
  );
});

Deno.test("readEnvironment comes after the file in the list, sorted by variable", () => {
  const text = FILE + "foo: 1\n";
  const lines = problems({ SLUICE_POOLS_B_SIZE: "x", SLUICE_METRICS_PATH: "x" }, text).split("\n");
  deepEqual(lines.map((line) => line.split(": ").slice(0, 2).join(" ")), [
    "s.yaml:7:1 foo",
    "environment SLUICE_METRICS_PATH",
    "environment SLUICE_POOLS_B_SIZE",
    "",
  ]);
});

Deno.test("readEnvironment is not fooled by names that every object has", () => {
  const env = { SLUICE_POOLS_CONSTRUCTOR_SIZE: "4", SLUICE_POOLS_DEFAULT___PROTO__: "1" };
  ok(problems(env).startsWith("environment: SLUICE_POOLS_DEFAULT___PROTO__: unknown variable"));
  equal(load({ SLUICE_POOLS_CONSTRUCTOR_SIZE: "4" }).pools.get("constructor")?.size, 4);
  ok(problems({}, `${FILE}constructor: 1\n`).includes("constructor: unknown key"));
  ok(problems({}, `${FILE}pools: { a: { toString: 1 } }\n`).includes("toString: unknown key"));
});

Deno.test("variableName joins words in upper case", () => {
  equal(variableName("pools", "read-only", "waitersMax"), "SLUICE_POOLS_READ_ONLY_WAITERS_MAX");
  equal(variableName("metrics", "", "path"), "SLUICE_METRICS_PATH");
});
