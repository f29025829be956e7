/**
 * Every section of a configuration with its keys, each declared once. The loader, the environment
 * variables, the JSON Schema, the template and the reference page all follow from here; a new key
 * is one entry.
 *
 * @module
 */

import { ACT_KEYS } from "./act_keys.ts";
import { CLIENT_KEYS } from "./client_keys.ts";
import { key, type Keys } from "./key.ts";
import {
  bool,
  duration,
  GROUP_NAME_PATTERN,
  GROUP_NAME_RULE,
  int,
  intOrWord,
  name,
  oneOf,
  tcpAddress,
} from "./key_types.ts";
import { PLUGIN_KEYS, PLUGIN_NAME_PATTERN, PLUGIN_NAME_RULE, PLUGINS_KEYS } from "./plugin_keys.ts";
import { POOL_KEYS, USER_KEYS } from "./pool_keys.ts";
import { PROXY_ROUTING_KEYS } from "./routing_keys.ts";
import { SERVER_KEYS } from "./server_keys.ts";
import { path, text, USER_NAME_PATTERN, USER_NAME_RULE } from "./text_types.ts";

/** Prefix of every environment variable that sets a key. */
export const ENVIRONMENT_PREFIX = "SLUICE_";

/** Groups in one section. Every group costs metrics and, as a server, sockets. */
export const GROUPS_MAX = 1_000;

/** Size of a configuration file in bytes. */
export const FILE_SIZE_MAX = 1_048_576;

/** Name of a section. */
export type SectionName =
  | "servers"
  | "clients"
  | "pools"
  | "proxies"
  | "users"
  | "act"
  | "plugins"
  | "loggers"
  | "metrics"
  | "runtime";

/** What the groups of a section are called. */
export interface GroupNames {
  /** What a name must look like, as the source of a regular expression. */
  readonly pattern: string;
  /** {@linkcode GroupNames.pattern} in words. */
  readonly rule: string;
  /** Of the one group in the template. */
  readonly example: string;
}

/**
 * One section: groups by name (`servers.default.address`), keys (`metrics.address`), or groups and
 * keys of its own beside them (`plugins.hello.file`, `plugins.directory`).
 */
export interface Section {
  readonly name: SectionName;
  /** Undefined for a section without groups. */
  readonly groups: GroupNames | undefined;
  /** Word for one group, such as `server`; the section's own name where there are no groups. */
  readonly singular: string;
  /** True when a configuration without any group in this section cannot work. */
  readonly isRequired: boolean;
  readonly doc: string;
  /** Of each group; of the section itself where it has no groups. */
  readonly keys: Keys;
  /** Of a section with groups: what is beside them. No group has such a name. */
  readonly ownKeys?: Keys;
}

/** Returns the keys of a group; "" is the section itself. */
export function keysOf(section: Section, group: string): Keys {
  return group === "" && section.groups !== undefined ? section.ownKeys ?? {} : section.keys;
}

/** Keys of `proxies.NAME`. */
export const PROXY_KEYS = {
  client: key(name("clients"), { kind: "own name" }, "How the database is reached."),
  pool: key(
    name("pools"),
    { kind: "own name" },
    "How many server connections there may be. A pool of the proxy's own name that is not " +
      "declared has every default.",
  ),
  ...PROXY_ROUTING_KEYS,
};

/** Keys of `loggers.NAME`. */
export const LOGGER_KEYS = {
  level: key(
    oneOf("trace", "debug", "info", "warn", "error", "off"),
    "info",
    "Least important record that is written.",
  ),
  format: key(
    oneOf("auto", "text", "json"),
    "auto",
    "What a record looks like. auto is text on a terminal and json elsewhere.",
  ),
  output: key(oneOf("stdout", "stderr", "file"), "stderr", "Where records go."),
  file: key(
    path(1),
    { kind: "only with", key: "output", value: "file", example: "sluice.log" },
    "Path of the file that records are appended to. Required with output: file, an error without.",
  ),
};

/** Keys of `metrics`. */
export const METRICS_KEYS = {
  enabled: key(bool(), "true", "Whether metrics are served."),
  address: key(
    tcpAddress(0),
    "127.0.0.1:9090",
    "Where Prometheus scrapes. Port 0 takes any free port.",
  ),
  path: key(
    text(
      "a path: / and then 1 to 255 of a-z, A-Z, 0-9, ., _, ~, - and /",
      "^/[A-Za-z0-9._~/-]{1,255}$",
    ),
    "/metrics",
    "Path of the metrics' URL.",
  ),
};

/** Keys of `runtime`. */
export const RUNTIME_KEYS = {
  workers: key(
    intOrWord(1, 64, "auto"),
    "auto",
    "Threads that serve clients. auto is one for each core, at most 4.",
  ),
  driver: key(
    oneOf("auto", "epoll", "io_uring", "deno"),
    "auto",
    "How sockets are used. io_uring has Linux 6.1 or newer do many calls at once, where that is " +
      "allowed, and takes the least CPU time; epoll calls any Linux itself; deno works on every " +
      "system, and takes the most. auto is the first of them for which a test at the start shows " +
      "that it works.",
  ),
  shutdownTimeout: key(
    duration("0ms", "1h"),
    "30s",
    "How long clients may finish what they began when the gateway is asked to stop.",
  ),
  serverConnectionsMax: key(
    int(0, 100_000),
    "0",
    "Largest number of server connections of all pools together. 0 is without limit.",
  ),
  controlSocket: key(
    path(),
    "",
    "Unix socket that sluice admin talks to, which only the gateway's own user may use. Empty " +
      "is none.",
  ),
};

/** Names of groups that are somebody's own choice. */
const OWN_NAMES: GroupNames = {
  pattern: GROUP_NAME_PATTERN,
  rule: GROUP_NAME_RULE,
  example: "default",
};

/** Every section, in the order it is shown. */
export const SECTIONS: readonly Section[] = [
  {
    name: "servers",
    groups: OWN_NAMES,
    singular: "server",
    isRequired: true,
    doc: "Listeners: where clients connect to, and what they may do before they are let through.",
    keys: SERVER_KEYS,
  },
  {
    name: "clients",
    groups: OWN_NAMES,
    singular: "client",
    isRequired: true,
    doc: "How each database server is reached.",
    keys: CLIENT_KEYS,
  },
  {
    name: "pools",
    groups: OWN_NAMES,
    singular: "pool",
    isRequired: false,
    doc: "How many server connections there may be, who gets one, and for how long.",
    keys: POOL_KEYS,
  },
  {
    name: "proxies",
    groups: OWN_NAMES,
    singular: "proxy",
    isRequired: false,
    doc: "Tie a client (how a database is reached) to a pool (how many connections to it).",
    keys: PROXY_KEYS,
  },
  {
    name: "users",
    groups: { pattern: USER_NAME_PATTERN, rule: USER_NAME_RULE, example: "app" },
    singular: "user",
    isRequired: false,
    doc:
      "What is different for single users, by the name that they log in with. It makes no user: " +
      "who may log in is up to auth in servers.",
    keys: USER_KEYS,
  },
  {
    name: "plugins",
    groups: { pattern: PLUGIN_NAME_PATTERN, rule: PLUGIN_NAME_RULE, example: "hello" },
    singular: "plugin",
    isRequired: false,
    doc: "WebAssembly plugins. Each module of the directory is loaded under its file's name; a " +
      "group says what is different for one.",
    keys: PLUGIN_KEYS,
    ownKeys: PLUGINS_KEYS,
  },
  {
    name: "act",
    groups: undefined,
    singular: "act",
    isRequired: false,
    doc: "Policies: what becomes of requests that plugins send signals about.",
    keys: ACT_KEYS,
  },
  {
    name: "loggers",
    groups: OWN_NAMES,
    singular: "logger",
    isRequired: false,
    doc: "Where log records go. Without any there is one called default, with every default.",
    keys: LOGGER_KEYS,
  },
  {
    name: "metrics",
    groups: undefined,
    singular: "metrics",
    isRequired: false,
    doc: "Metrics for Prometheus.",
    keys: METRICS_KEYS,
  },
  {
    name: "runtime",
    groups: undefined,
    singular: "runtime",
    isRequired: false,
    doc: "The process as a whole.",
    keys: RUNTIME_KEYS,
  },
];
