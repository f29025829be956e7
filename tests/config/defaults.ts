/**
 * What every key of a group is when nobody writes it, files that exist in a test only, and a short
 * way to load a configuration.
 *
 * @module
 */

import { ok } from "node:assert/strict";
import type {
  ClientConfig,
  Config,
  PoolConfig,
  ProxyConfig,
  ServerConfig,
} from "../../src/config/config.ts";
import type { PluginsConfig } from "../../src/config/plugin_settings.ts";
import type { FileReader } from "../../src/config/config_files.ts";
import { loadConfig, type LoadedConfig, problemsText } from "../../src/config/load.ts";

/** The smallest configuration. */
export const SMALLEST = `servers:
  default:
    address: 127.0.0.1:15432
clients:
  default:
    address: 127.0.0.1:5432
`;

/** A server's, without what every test says by itself. */
export const SERVER_DEFAULTS: Omit<ServerConfig, "address" | "proxies"> = {
  protocol: "postgres",
  clientsMax: 1_000,
  loginTimeoutMs: 60_000,
  clientIdleTimeoutMs: 0,
  startupPacketSizeMax: 10_000,
  messageSizeMax: 1_073_741_824,
  keepAlive: true,
  noDelay: true,
  socketMode: 0o700,
  routing: {
    targetSessionAttrs: "any",
    readWriteSplit: false,
    readFunctions: [],
    causality: "session",
    hints: true,
    strategy: "ORDERED",
    key: "client-address",
    per: "transaction",
    rules: [],
  },
  auth: {
    method: "relay",
    usersFile: "",
    users: new Map(),
    rulesFile: "",
    rules: [],
    nameMap: [],
    query: undefined,
    failuresMax: 10,
    failureWindowMs: 60_000,
    banTimeMs: 30_000,
  },
  tls: {
    mode: "disable",
    minVersion: "TLSv1.2",
    certFile: "",
    keyFile: "",
    caFile: "",
    cert: "",
    key: "",
    ca: "",
  },
};

/** A client's. */
export const CLIENT_DEFAULTS: Omit<ClientConfig, "address"> = {
  others: [],
  group: {
    failoverTimeoutMs: 30_000,
    failoverScript: "",
    switchoverScript: "",
    patroni: [],
    lagMaxMs: 0,
    lagSizeMax: 0,
    health: {
      check: "off",
      intervalMs: 1_000,
      timeoutMs: 2_000,
      rise: 2,
      fall: 3,
      slowStartMs: 0,
      panic: "try",
      user: "",
      password: "",
      database: "",
    },
  },
  dialTimeoutMs: 5_000,
  retries: 3,
  backoffMs: 200,
  backoffMultiplier: 2,
  keepAlive: true,
  noDelay: true,
  user: "",
  password: "",
  passwordFile: "",
  database: "",
  tls: { ...SERVER_DEFAULTS.tls, mode: "prefer", negotiation: "postgres" },
};

/** A proxy's. */
export const PROXY_DEFAULTS: Omit<ProxyConfig, "client" | "pool"> = {
  weight: 1,
  mirror: undefined,
};

/** A pool's. */
export const POOL_DEFAULTS: PoolConfig = {
  mode: "session",
  size: 50,
  minSize: 0,
  reserve: 0,
  reserveTimeoutMs: 5_000,
  databaseSizeMax: 0,
  userSizeMax: 0,
  limitsFile: "",
  limits: [],
  acquireTimeoutMs: 30_000,
  waitersMax: 1_000,
  waitNoticeMs: 5_000,
  idleTimeoutMs: 600_000,
  maxLifetimeMs: 3_600_000,
  validation: "off",
  validationIntervalMs: 30_000,
  resetQuery: "DISCARD ALL",
  pin: true,
  preparedStatementsMax: 200,
  queryTimeoutMs: 0,
  transactionTimeoutMs: 0,
  idleTransactionTimeoutMs: 0,
};

/** Of a file that says nothing of plugins. */
export const PLUGINS_DEFAULTS: PluginsConfig = {
  directory: "plugins",
  isDirectoryWritten: false,
  enabled: true,
  tickIntervalMs: 1_000,
  plugins: new Map(),
  others: {
    enabled: true,
    sha256: "",
    priority: 100,
    onFailure: "open",
    isOnFailureWritten: false,
    fuelPerCall: 5_000_000,
    isFuelWritten: false,
    memoryMax: 16 * 1_048_576,
    isMemoryWritten: false,
    outputMax: 16 * 1_048_576,
    kvMax: 1_048_576,
    failuresMax: 10,
    failureWindowMs: 60_000,
    permissions: [],
    hosts: [],
    config: {
      json: {},
      places: new Map([["", { file: "s.yaml", line: 1, column: 1, path: "plugins" }]]),
    },
    place: { file: "s.yaml", line: 1, column: 1, path: "plugins" },
  },
};

/** A certificate as far as the configuration looks into it. */
export const CERT = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/** A private key as far as the configuration looks into it. */
export const KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n";

/** Files by path, with contents, or with contents and permission bits. */
export type Files = Readonly<Record<string, string | readonly [text: string, mode: number]>>;

/** Reads what is in `files` and nothing from the disk. */
function readerOf(files: Files): FileReader {
  return (path, sizeMax) => {
    const file = Object.hasOwn(files, path) ? files[path]! : undefined;
    if (file === undefined) throw new Deno.errors.NotFound(`open '${path}'`);
    const [text, mode] = typeof file === "string" ? [file, 0o600] : file;
    if (text.length > sizeMax) throw new Error("it is too large");
    return { text, mode };
  };
}

/** Loads `text` on a machine with two cores. */
export function tryLoad(
  text: string,
  files: Files = {},
  env: Readonly<Record<string, string>> = {},
  fileName = "s.yaml",
): LoadedConfig {
  return loadConfig({ text, fileName, env, cores: 2, readFile: readerOf(files) });
}

/** Returns the configuration; a problem fails the test with all of them. */
export function load(text: string, files: Files = {}, env: Record<string, string> = {}): Config {
  const loaded = tryLoad(text, files, env);
  ok(loaded.ok, loaded.ok ? "" : problemsText(loaded.problems));
  return loaded.config;
}

/** Returns a line for each problem; "" when there is none. */
export function problemsOf(text: string, files: Files = {}, env: Record<string, string> = {}) {
  const loaded = tryLoad(text, files, env);
  return loaded.ok ? "" : problemsText(loaded.problems);
}

/** Returns a line for each note; a problem fails the test with all of them. */
export function notesOf(text: string, files: Files = {}): string {
  const loaded = tryLoad(text, files);
  ok(loaded.ok, loaded.ok ? "" : problemsText(loaded.problems));
  return problemsText(loaded.notes);
}
