/**
 * Checked groups and what was read from their files as the configuration that everybody else sees,
 * with units in the names of numbers.
 *
 * @module
 */

import { mapValues } from "../base/maps.ts";
import type { CheckedGroup } from "./check.ts";
import type { CLIENT_KEYS } from "./client_keys.ts";
import type { ActConfig } from "./act_settings.ts";
import type {
  AuthConfig,
  ClientConfig,
  ClientTlsConfig,
  Config,
  LoggerConfig,
  PoolConfig,
  PoolLimit,
  ServerConfig,
  ServerTlsConfig,
  UserConfig,
} from "./config.ts";
import type { PluginsConfig } from "./plugin_settings.ts";
import type { RUNTIME_KEYS } from "./declarations.ts";
import { groupOf, proxyOf } from "./routing_config.ts";
import type { GroupScripts, RoutingConfig } from "./routing_settings.ts";
import type { Keys, Values } from "./key.ts";
import type { CheckedGroups } from "./links.ts";
import type { POOL_KEYS, USER_KEYS } from "./pool_keys.ts";
import type { SERVER_KEYS } from "./server_keys.ts";

/** More workers than this rarely pay before somebody measured that they do. */
const AUTO_WORKERS_MAX = 4;

/** Who logs in to a database. */
export type ClientLogin = Pick<ClientConfig, "user" | "password" | "passwordFile" | "database">;

/** What the files of the groups said, by the name of the group. */
export interface BuildParts {
  readonly act: ActConfig;
  readonly auth: ReadonlyMap<string, AuthConfig>;
  readonly routing: ReadonlyMap<string, RoutingConfig>;
  readonly scripts: ReadonlyMap<string, GroupScripts>;
  readonly serverTls: ReadonlyMap<string, ServerTlsConfig>;
  readonly clientTls: ReadonlyMap<string, ClientTlsConfig>;
  readonly logins: ReadonlyMap<string, ClientLogin>;
  /** Paths of log files; "" for none. */
  readonly logFiles: ReadonlyMap<string, string>;
  readonly limitsFiles: ReadonlyMap<string, string>;
  readonly limits: ReadonlyMap<string, readonly PoolLimit[]>;
  readonly plugins: PluginsConfig;
  /** Path of the control socket; "" for none. */
  readonly controlSocket: string;
}

/**
 * Returns the configuration. To be called without any problem only: then no value is missing, and
 * every group has its parts.
 *
 * @param cores Processor cores of this machine, for `workers: auto`.
 */
export function buildConfig(
  groups: CheckedGroups,
  runtime: CheckedGroup<typeof RUNTIME_KEYS>,
  parts: BuildParts,
  cores: number,
): Config {
  const { workers, driver, shutdownTimeout, serverConnectionsMax } = complete(runtime);
  const autoWorkers = Math.min(AUTO_WORKERS_MAX, Math.max(1, Math.trunc(cores) || 1));
  return {
    servers: mapGroups(groups.servers, (values, name) => ({
      ...listener(values),
      routing: parts.routing.get(name)!,
      auth: parts.auth.get(name)!,
      tls: parts.serverTls.get(name)!,
    })),
    clients: mapGroups(groups.clients, (values, name) => ({
      ...reached(values),
      group: groupOf(values, parts.scripts.get(name)!),
      ...parts.logins.get(name)!,
      tls: parts.clientTls.get(name)!,
    })),
    pools: mapGroups(groups.pools, (values, name): PoolConfig => ({
      ...poolOf(values),
      limitsFile: parts.limitsFiles.get(name)!,
      limits: parts.limits.get(name)!,
    })),
    proxies: mapGroups(groups.proxies, proxyOf),
    users: mapGroups(groups.users, userOf),
    act: parts.act,
    plugins: parts.plugins,
    loggers: mapGroups(groups.loggers, (values, name): LoggerConfig => ({
      ...values,
      file: parts.logFiles.get(name)!,
    })),
    metrics: { ...complete(groups.metrics) },
    runtime: {
      workers: workers === "auto" ? autoWorkers : workers,
      driver,
      shutdownTimeoutMs: shutdownTimeout,
      serverConnectionsMax,
      controlSocket: parts.controlSocket,
    },
  };
}

/** Without problems no value is missing; only `checkGroups` knows that, not the type. */
function complete<K extends Keys>(group: CheckedGroup<K>): Values<K> {
  return group.values as Values<K>;
}

function listener(
  values: Values<typeof SERVER_KEYS>,
): Omit<ServerConfig, "auth" | "tls" | "routing"> {
  return {
    address: values.address,
    protocol: values.protocol,
    proxies: values.proxies,
    clientsMax: values.clientsMax,
    loginTimeoutMs: values.loginTimeout,
    clientIdleTimeoutMs: values.clientIdleTimeout,
    startupPacketSizeMax: values.startupPacketSizeMax,
    messageSizeMax: values.messageSizeMax,
    keepAlive: values.keepAlive,
    noDelay: values.noDelay,
    socketMode: values.socketMode,
  };
}

function reached(
  values: Values<typeof CLIENT_KEYS>,
): Omit<ClientConfig, keyof ClientLogin | "tls" | "group"> {
  const [address, ...others] = values.address;
  return {
    address: address!, // it is never empty
    others,
    dialTimeoutMs: values.dialTimeout,
    retries: values.retries,
    backoffMs: values.backoff,
    backoffMultiplier: values.backoffMultiplier,
    keepAlive: values.keepAlive,
    noDelay: values.noDelay,
  };
}

function poolOf(values: Values<typeof POOL_KEYS>): Omit<PoolConfig, "limitsFile" | "limits"> {
  return {
    mode: values.mode,
    size: values.size,
    minSize: values.minSize,
    reserve: values.reserve,
    reserveTimeoutMs: values.reserveTimeout,
    databaseSizeMax: values.databaseSizeMax,
    userSizeMax: values.userSizeMax,
    acquireTimeoutMs: values.acquireTimeout,
    waitersMax: values.waitersMax,
    waitNoticeMs: values.waitNotice,
    idleTimeoutMs: values.idleTimeout,
    maxLifetimeMs: values.maxLifetime,
    validation: values.validation,
    validationIntervalMs: values.validationInterval,
    pin: values.pin,
    preparedStatementsMax: values.preparedStatementsMax,
    queryTimeoutMs: values.queryTimeout,
    transactionTimeoutMs: values.transactionTimeout,
    idleTransactionTimeoutMs: values.idleTransactionTimeout,
    resetQuery: values.resetQuery,
  };
}

function userOf(values: Values<typeof USER_KEYS>): UserConfig {
  return {
    mode: values.mode,
    poolSize: values.poolSize,
    queryTimeoutMs: values.queryTimeout,
    transactionTimeoutMs: values.transactionTimeout,
    idleTransactionTimeoutMs: values.idleTransactionTimeout,
    connectionsMax: values.connectionsMax,
  };
}

function mapGroups<K extends Keys, B>(
  groups: ReadonlyMap<string, CheckedGroup<K>>,
  change: (values: Values<K>, name: string) => B,
): ReadonlyMap<string, B> {
  return mapValues(groups, (group, name) => change(complete(group), name));
}
