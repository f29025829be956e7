/**
 * Configurations as the loader gives them when nothing is written but what must be, for tests that
 * make their own.
 *
 * @module
 */

import { writeMarksBuffer } from "../../src/upstream/write_marks.ts";
import { threadMemory } from "../../src/net/native/thread_memory.ts";
import type {
  ClientConfig,
  PoolConfig,
  ProxyConfig,
  ServerConfig,
  TlsFiles,
} from "../../src/config/config.ts";
import type { PluginsConfig } from "../../src/config/plugin_settings.ts";

const NO_FILES: TlsFiles = { certFile: "", keyFile: "", caFile: "", cert: "", key: "", ca: "" };

/** A listener, but for its address and where it leads. */
export const SERVER_DEFAULTS: Omit<ServerConfig, "address" | "proxies"> = {
  protocol: "postgres",
  clientsMax: 100,
  loginTimeoutMs: 60_000,
  startupPacketSizeMax: 10_000,
  messageSizeMax: 1024 ** 3,
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
  clientIdleTimeoutMs: 0,
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
  tls: { ...NO_FILES, mode: "disable", minVersion: "TLSv1.2" },
};

/** A way to a database, but for its address. */
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
  dialTimeoutMs: 1_000,
  retries: 0,
  backoffMs: 100,
  backoffMultiplier: 2,
  keepAlive: true,
  noDelay: true,
  user: "",
  password: "",
  passwordFile: "",
  database: "",
  tls: { ...NO_FILES, mode: "disable", minVersion: "TLSv1.2", negotiation: "postgres" },
};

/** No plugins. */
export const NO_PLUGINS: PluginsConfig = {
  directory: "plugins",
  isDirectoryWritten: false,
  enabled: false,
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
    memoryMax: 16 * 65_536,
    isMemoryWritten: false,
    outputMax: 1_048_576,
    kvMax: 1_048_576,
    failuresMax: 10,
    failureWindowMs: 60_000,
    permissions: [],
    hosts: [],
    config: { json: {}, places: new Map() },
    place: { file: "s.yaml", line: 1, column: 1, path: "plugins" },
  },
};

/** A proxy's. */
export const PROXY_DEFAULTS: Omit<ProxyConfig, "client" | "pool"> = {
  weight: 1,
  mirror: undefined,
};

/** A pool, with a small queue and no upkeep. */
export const POOL_DEFAULTS: PoolConfig = {
  mode: "session",
  size: 10,
  minSize: 0,
  reserve: 0,
  reserveTimeoutMs: 5_000,
  databaseSizeMax: 0,
  userSizeMax: 0,
  acquireTimeoutMs: 5_000,
  waitersMax: 10,
  waitNoticeMs: 0,
  idleTimeoutMs: 0,
  maxLifetimeMs: 0,
  validation: "off",
  validationIntervalMs: 30_000,
  pin: true,
  preparedStatementsMax: 200,
  queryTimeoutMs: 0,
  transactionTimeoutMs: 0,
  idleTransactionTimeoutMs: 0,
  resetQuery: "DISCARD ALL",
  limitsFile: "",
  limits: [],
};

/** What a worker is told beside the configuration, where a test has nothing to say to it. */
export const SNAPSHOT_DEFAULTS = {
  driver: "deno",
  /** Nobody waits in the kernel. */
  threads: threadMemory(8),
  users: new Map(),
  userBudgets: new Map(),
  mockKey: new Uint8Array(32),
  writeMarks: writeMarksBuffer(),
  plugins: [],
  tickIntervalMs: 1_000,
  arePluginsEnabled: true,
  act: { defaultPolicy: "passthrough", actionTimeoutMs: 5_000, policies: [] },
} as const;
