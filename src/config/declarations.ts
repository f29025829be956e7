/**
 * Every key of a configuration, declared once. The loader, the environment variables, the JSON
 * Schema, the template and the reference page all follow from here; a new key is one entry.
 *
 * @module
 */

import {
  address,
  bool,
  duration,
  int,
  intOrWord,
  type KeyType,
  mode,
  name,
  names,
  number,
  oneOf,
  size,
  tcpAddress,
  text,
} from "./key_types.ts";

/** Prefix of every environment variable that sets a key. */
export const ENVIRONMENT_PREFIX = "SLUICE_";

/** Groups in one section. Every group costs metrics and, as a server, sockets. */
export const GROUPS_MAX = 1_000;

/** Size of a configuration file in bytes. */
export const FILE_SIZE_MAX = 1_048_576;

/** What a key is when nobody writes it. */
export type Fallback =
  /** It must be written; `example` is what the template and messages show. */
  | { readonly kind: "required"; readonly example: string }
  /** A value, as somebody would write it. */
  | { readonly kind: "value"; readonly text: string }
  /** The name of the group that the key is in. */
  | { readonly kind: "own name" }
  /** Required when another key of the group has a certain value, an error when it has not. */
  | {
    readonly kind: "only with";
    readonly key: string;
    readonly value: string;
    readonly example: string;
  };

/** One key: its type, what it is when nobody writes it, and what it means. */
export interface Key<T> {
  readonly type: KeyType<T>;
  readonly fallback: Fallback;
  /** Whole sentences; the first one stands alone. */
  readonly doc: string;
}

/** The keys of a group in the order they are shown. */
export type Keys = { readonly [key: string]: Key<unknown> };

/** What a group looks like when every key is read and every default filled in. */
export type Values<K extends Keys> = {
  readonly [N in keyof K]: K[N] extends Key<infer T> ? T : never;
};

/** Name of a section. */
export type SectionName =
  | "servers"
  | "clients"
  | "pools"
  | "proxies"
  | "loggers"
  | "metrics"
  | "runtime";

/** One section: groups by name (`servers.default.address`) or keys (`metrics.address`). */
export interface Section {
  readonly name: SectionName;
  readonly hasGroups: boolean;
  /** Word for one group, such as `server`; the section's own name where there are no groups. */
  readonly singular: string;
  /** True when a configuration without any group in this section cannot work. */
  readonly isRequired: boolean;
  readonly doc: string;
  readonly keys: Keys;
}

function key<T>(type: KeyType<T>, fallback: Fallback | string, doc: string): Key<T> {
  const isText = typeof fallback === "string";
  return { type, fallback: isText ? { kind: "value", text: fallback } : fallback, doc };
}

const KEEP_ALIVE = key(
  bool(),
  "true",
  "Whether TCP keep-alive finds out about peers that vanished.",
);

const NO_DELAY = key(
  bool(),
  "true",
  "Whether small packets are sent at once instead of being gathered (TCP_NODELAY).",
);

/** Keys of `servers.NAME`. */
export const SERVER_KEYS = {
  address: key(
    address({ portMin: 0, allowsUnix: true }),
    { kind: "required", example: "127.0.0.1:15432" },
    "Where clients connect to. Port 0 takes any free port.",
  ),
  protocol: key(oneOf("postgres"), "postgres", "What clients speak."),
  proxies: key(
    names("proxies"),
    { kind: "own name" },
    "Proxies in the order they are tried: the first one whose database can be reached gets the " +
      "client. A client of that name stands in for a proxy that is not declared.",
  ),
  clientsMax: key(int(1, 100_000), "1000", "Largest number of clients at the same time."),
  // authentication_timeout in PostgreSQL's postgresql.conf.sample is 1min.
  loginTimeout: key(
    duration("100ms", "1h"),
    "60s",
    "How long a client may take to say what it wants and to log in. The time that it waits for a " +
      "place in the pool, or for the server to be reached, does not count.",
  ),
  // MAX_STARTUP_PACKET_LENGTH in PostgreSQL's src/include/libpq/pqcomm.h is 10000.
  startupPacketSizeMax: key(
    size(512, 65_535),
    "10000B",
    "Largest startup packet. The default is what PostgreSQL itself accepts.",
  ),
  // PG_LARGE_MESSAGE_LIMIT, src/include/libpq/libpq.h: MaxAllocSize - 1, two bytes below 1 GiB.
  messageSizeMax: key(
    size(65_536, 1_073_741_824),
    "1GiB",
    "Largest message in either direction. PostgreSQL itself accepts none above 1GiB.",
  ),
  keepAlive: KEEP_ALIVE,
  noDelay: NO_DELAY,
  socketMode: key(
    mode(),
    "0700",
    "Permission bits of the socket's file. Only used when the address is a Unix socket.",
  ),
};

/** Keys of `clients.NAME`. */
export const CLIENT_KEYS = {
  address: key(
    address({ portMin: 1, allowsUnix: true }),
    { kind: "required", example: "127.0.0.1:5432" },
    "Where the database listens: a host and a port, or the full path of its Unix socket such as " +
      "/run/postgresql/.s.PGSQL.5432.",
  ),
  dialTimeout: key(duration("10ms", "10m"), "5s", "How long one attempt to connect may take."),
  retries: key(int(0, 100), "3", "Further attempts after the first one failed."),
  backoff: key(duration("0ms", "1m"), "200ms", "Pause before the first further attempt."),
  backoffMultiplier: key(number(1, 10), "2", "What every further pause is multiplied by."),
  keepAlive: KEEP_ALIVE,
  noDelay: NO_DELAY,
};

/** Keys of `pools.NAME`. */
export const POOL_KEYS = {
  size: key(int(1, 10_000), "50", "Largest number of server connections, over all workers."),
  acquireTimeout: key(
    duration("10ms", "1h"),
    "30s",
    "How long a client waits for a server connection before it is turned away.",
  ),
  waitersMax: key(
    int(0, 100_000),
    "1000",
    "Largest number of clients that wait at the same time. 0 turns a client away at once.",
  ),
};

/** Keys of `proxies.NAME`. */
export const PROXY_KEYS = {
  client: key(name("clients"), { kind: "own name" }, "How the database is reached."),
  pool: key(
    name("pools"),
    { kind: "own name" },
    "How many server connections there may be. A pool of the proxy's own name that is not " +
      "declared has every default.",
  ),
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
    // PATH_MAX in linux/limits.h is 4096 with the NUL at the end.
    text("a path of 1 to 4095 characters", "^[^\\u0000-\\u001f\\u007f]{1,4095}$"),
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
    text("a path that begins with / and goes on after it", "^/[A-Za-z0-9._~/-]{1,255}$"),
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
  shutdownTimeout: key(
    duration("0ms", "1h"),
    "30s",
    "How long clients may finish what they began when the gateway is asked to stop.",
  ),
};

/** Every section, in the order it is shown. */
export const SECTIONS: readonly Section[] = [
  {
    name: "servers",
    hasGroups: true,
    singular: "server",
    isRequired: true,
    doc: "Listeners: where clients connect to, and what they may do before they are let through.",
    keys: SERVER_KEYS,
  },
  {
    name: "clients",
    hasGroups: true,
    singular: "client",
    isRequired: true,
    doc: "How each database server is reached.",
    keys: CLIENT_KEYS,
  },
  {
    name: "pools",
    hasGroups: true,
    singular: "pool",
    isRequired: false,
    doc: "How many server connections there may be, and who may wait for one.",
    keys: POOL_KEYS,
  },
  {
    name: "proxies",
    hasGroups: true,
    singular: "proxy",
    isRequired: false,
    doc: "Tie a client (how a database is reached) to a pool (how many connections to it).",
    keys: PROXY_KEYS,
  },
  {
    name: "loggers",
    hasGroups: true,
    singular: "logger",
    isRequired: false,
    doc: "Where log records go. Without any there is one called default, with every default.",
    keys: LOGGER_KEYS,
  },
  {
    name: "metrics",
    hasGroups: false,
    singular: "metrics",
    isRequired: false,
    doc: "Metrics for Prometheus.",
    keys: METRICS_KEYS,
  },
  {
    name: "runtime",
    hasGroups: false,
    singular: "runtime",
    isRequired: false,
    doc: "The process as a whole.",
    keys: RUNTIME_KEYS,
  },
];

/**
 * Returns the value that shows how a key is written in YAML: its default, or an example where it
 * has none. Text that YAML would take for a number is in quotes.
 */
export function exampleText(declared: Key<unknown>, groupName: string): string {
  const { fallback, type } = declared;
  if (fallback.kind === "own name") return type.isList ? `[${groupName}]` : groupName;
  const example = fallback.kind === "value" ? fallback.text : fallback.example;
  const looksLikeNumber = !Number.isNaN(Number(example));
  return looksLikeNumber && typeof type.json(example) === "string" ? `"${example}"` : example;
}
