/**
 * What a checked configuration looks like: every key present, every default filled in,
 * every name resolved. Durations are in milliseconds and sizes in bytes, and say so.
 *
 * What files say is here too: certificates, users, rules, limits. Paths are absolute or relative to
 * the working directory, and kept beside the contents so that a change of the file can be noticed.
 *
 * The object survives a structured clone to a worker, which is why secrets are plain text in it.
 * It must never be logged, printed or dumped, neither as a whole nor the parts marked as secret.
 *
 * The keys as people write them, with their ranges and documentation, are in `declarations.ts`.
 *
 * @module
 */

import type { Address, TcpAddress } from "../base/address.ts";
import type { ActConfig } from "./act_settings.ts";
import type { PluginsConfig } from "./plugin_settings.ts";
import type { GroupConfig, MirrorConfig, RoutingConfig } from "./routing_settings.ts";

/** A listener: where clients connect to, and what they may do before they are let through. */
export interface ServerConfig {
  readonly address: Address;
  readonly protocol: "postgres" | "raw";
  /** Names in `Config.proxies`, in the order they are tried. Never empty. */
  readonly proxies: readonly string[];
  readonly clientsMax: number;
  readonly loginTimeoutMs: number;
  readonly startupPacketSizeMax: number;
  readonly messageSizeMax: number;
  readonly keepAlive: boolean;
  readonly noDelay: boolean;
  /** Permission bits of a Unix socket's file; unused for TCP. */
  readonly socketMode: number;
  /** How long a client may say nothing outside of a transaction; 0 is for ever. */
  readonly clientIdleTimeoutMs: number;
  readonly routing: RoutingConfig;
  readonly auth: AuthConfig;
  readonly tls: ServerTlsConfig;
}

/** How a client shows who it is, where one rule says so for everybody, or a rule of a list. */
export type AuthMethod = "trust" | "password" | "md5" | "scram-sha-256" | "cert" | "relay";

/** How clients of a listener are authenticated. */
export interface AuthConfig {
  /** `relay` leaves it to the server behind the gateway; `rules` takes the first rule that fits. */
  readonly method: AuthMethod | "rules";
  /** "" for none. */
  readonly usersFile: string;
  /**
   * Secrets by user, from `usersFile`: plain text, `md5` and 32 hexadecimal digits, or
   * `SCRAM-SHA-256$...`. Secret.
   */
  readonly users: ReadonlyMap<string, string>;
  /** "" when the rules are in the configuration itself. */
  readonly rulesFile: string;
  /** In the order they are tried; no rule that fits refuses. Empty unless `method` is `rules`. */
  readonly rules: readonly HbaRule[];
  readonly nameMap: readonly NameMapEntry[];
  /** Undefined when secrets come from the users file only. */
  readonly query: AuthQueryConfig | undefined;
  /** Failures of one address within `failureWindowMs` before it is refused; 0 is without limit. */
  readonly failuresMax: number;
  readonly failureWindowMs: number;
  /** How long an address with too many failures is refused. */
  readonly banTimeMs: number;
}

/** How secrets are looked up in the database. */
export interface AuthQueryConfig {
  /** One parameter, `$1`, is the user's name; a row has the name and the secret. */
  readonly sql: string;
  /** Who runs it. */
  readonly user: string;
  /** Secret; "" for none. */
  readonly password: string;
  /** Where it runs; "" is the database that the client asks for. */
  readonly database: string;
}

/** What a rule of pg_hba.conf does: PostgreSQL manual, section 20.1. */
export type HbaMethod = AuthMethod | "reject";

/**
 * A rule in the syntax of pg_hba.conf.
 *
 * A database is a name, `all`, `sameuser`, `replication`, or a regular expression with `/` in
 * front; a user is a name, `all` or a regular expression. A quoted keyword, which is a plain name
 * to PostgreSQL, is here as the regular expression of this one name: `"all"` is `/^all$`.
 */
export interface HbaRule {
  readonly type: "local" | "host" | "hostssl" | "hostnossl";
  /** Never empty. */
  readonly databases: readonly string[];
  /** Never empty. */
  readonly users: readonly string[];
  /**
   * Such as `10.0.0.0/8` or `2001:db8::/32`, without bits behind the mask; undefined is every
   * address. Always undefined for `local`.
   */
  readonly address: string | undefined;
  readonly method: HbaMethod;
  readonly options: HbaOptions;
}

/** What stands behind a rule's method. */
export interface HbaOptions {
  /** `map` of {@linkcode NameMapEntry}; "" for those without a name. */
  readonly map: string;
  /** What a client's certificate must show beside the method; undefined for nothing. */
  readonly clientCertificate: "verify-ca" | "verify-full" | undefined;
}

/**
 * Who a certificate's owner may log in as: a line of pg_ident.conf, as in section 20.2 of
 * PostgreSQL's manual. A map without any entry lets the certificate's name log in as the user of
 * the same name.
 */
export interface NameMapEntry {
  /** Which map the entry belongs to; "" where no rule names one. */
  readonly map: string;
  /** The certificate's common name, or a regular expression with `/` in front. */
  readonly certificateName: string;
  /** A user; `\1` in it is what the regular expression's first group matched. */
  readonly user: string;
}

/** Oldest version of TLS that is spoken. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** Words of libpq's sslmode: PostgreSQL manual, section 32.19.3. */
export type TlsMode = "disable" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full";

/** Certificates and a private key as PEM. Paths and contents are "" where there is none. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  /** Contents of `certFile`. */
  readonly cert: string;
  /** Contents of `keyFile`. Secret. */
  readonly key: string;
  /** Contents of `caFile`. */
  readonly ca: string;
}

/**
 * TLS towards clients. `allow` and `prefer` are the same: a client may. `require` and above: it
 * must. `verify-ca` and `verify-full` are the same too: its certificate must be signed by `ca`.
 */
export interface ServerTlsConfig extends TlsFiles {
  readonly mode: TlsMode;
  readonly minVersion: TlsVersion;
}

/** TLS towards a database. Without `ca`, `verify-ca` and `verify-full` trust the system's. */
export interface ClientTlsConfig extends TlsFiles {
  /** Never used on a Unix socket, as in libpq. */
  readonly mode: TlsMode;
  readonly minVersion: TlsVersion;
  /** `postgres` asks with an SSLRequest first; `direct` begins with TLS (PostgreSQL 17 and up). */
  readonly negotiation: "postgres" | "direct";
}

/** How one database server is reached, or several that replicate one another. */
export interface ClientConfig {
  readonly address: Address;
  /** Further servers of the group. */
  readonly others: readonly Address[];
  readonly group: GroupConfig;
  readonly dialTimeoutMs: number;
  /** Further attempts after the first one failed. */
  readonly retries: number;
  /** Pause before the first further attempt. */
  readonly backoffMs: number;
  /** What each further pause is multiplied by. */
  readonly backoffMultiplier: number;
  readonly keepAlive: boolean;
  readonly noDelay: boolean;
  /** Who logs in to the server; "" is the client's own user. */
  readonly user: string;
  /** Secret, from `password` or the first line of `passwordFile`; "" for none. */
  readonly password: string;
  /** "" for none. */
  readonly passwordFile: string;
  /** "" is the database that the client asks for. */
  readonly database: string;
  readonly tls: ClientTlsConfig;
}

/** For how long a client keeps a server connection. */
export type PoolMode = "session" | "transaction" | "statement";

/**
 * How many server connections there may be over all workers, who may wait for one, and how long
 * each of them lives. A pool has a part for each pair of a database and a user.
 */
export interface PoolConfig {
  readonly mode: PoolMode;
  /** For each pair; for the pool as a whole where authentication is relayed. */
  readonly size: number;
  /** Kept open for each pair, from 0 to `size`. */
  readonly minSize: number;
  /** Further ones for each pair, while somebody waits longer than `reserveTimeoutMs`. */
  readonly reserve: number;
  readonly reserveTimeoutMs: number;
  /** For all pairs of one database; 0 is without limit. */
  readonly databaseSizeMax: number;
  /** For all pairs of one user; 0 is without limit. */
  readonly userSizeMax: number;
  readonly acquireTimeoutMs: number;
  readonly waitersMax: number;
  /** A client that waits longer is told so by a NoticeResponse; 0 is never. */
  readonly waitNoticeMs: number;
  /** Unused for longer, it is closed; 0 is never. */
  readonly idleTimeoutMs: number;
  /** Older, it is closed when nobody uses it; 0 is never. */
  readonly maxLifetimeMs: number;
  readonly validation: "off" | "foreground" | "background";
  readonly validationIntervalMs: number;
  /** Whether a client whose session holds state keeps its server; otherwise it is refused. */
  readonly pin: boolean;
  /** For each server connection; 0 does not track prepared statements. */
  readonly preparedStatementsMax: number;
  /** 0 is without limit, and so it is for the next two. */
  readonly queryTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  readonly idleTransactionTimeoutMs: number;
  /** Runs when a session that changed something goes back; "" runs nothing. */
  readonly resetQuery: string;
  /** "" for none. */
  readonly limitsFile: string;
  /** In the order of the file; `limitsFor` finds the one that counts. */
  readonly limits: readonly PoolLimit[];
}

/** A line of a limits file: what one pair of a database and a user, or several, may have. */
export interface PoolLimit {
  /** Undefined is every database. */
  readonly database: string | undefined;
  /** Other names that clients may use for the database; they share what it may have. */
  readonly aliases: readonly string[];
  /** Undefined is every user. */
  readonly user: string | undefined;
  /** From 1; undefined is what the pool has. */
  readonly sizeMax: number | undefined;
  /** Opened when the gateway starts, from `minSize` to `sizeMax`. */
  readonly initialSize: number;
  /** Kept open once there were as many, from 0 to `sizeMax`. */
  readonly minSize: number;
  /** True when new clients are refused. */
  readonly isDisabled: boolean;
}

/** What is different for one user of PostgreSQL, by the name that clients log in with. */
export interface UserConfig {
  /** `pool` is what the pool says. */
  readonly mode: "pool" | PoolMode;
  /** 0 is what the pool says, and so it is for the timeouts. */
  readonly poolSize: number;
  readonly queryTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  readonly idleTransactionTimeoutMs: number;
  /** Client connections over all listeners and workers; 0 is without limit. */
  readonly connectionsMax: number;
}

/** Ties a client (how a database is reached) to a pool (how many connections). */
export interface ProxyConfig {
  readonly client: string;
  readonly pool: string;
  /** From 0; 0 is the last resort. */
  readonly weight: number;
  readonly mirror: MirrorConfig | undefined;
}

/** One place that log records go to. */
export interface LoggerConfig {
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "off";
  /** `auto` is `text` on a terminal and `json` elsewhere. */
  readonly format: "auto" | "text" | "json";
  readonly output: "stdout" | "stderr" | "file";
  /** Path of the file when `output` is `file`, otherwise "". */
  readonly file: string;
}

/** Where Prometheus scrapes. */
export interface MetricsConfig {
  readonly enabled: boolean;
  readonly address: TcpAddress;
  readonly path: string;
}

/** The process as a whole. */
export interface RuntimeConfig {
  readonly workers: number;
  readonly driver: "auto" | "epoll" | "io_uring" | "deno";
  readonly shutdownTimeoutMs: number;
  /** Server connections of all pools over all workers; 0 is without limit. */
  readonly serverConnectionsMax: number;
  /** Path of the Unix socket that operators' commands come by; "" for none. */
  readonly controlSocket: string;
}

/** A whole configuration. Maps are keyed by group name and keep the order of the file. */
export interface Config {
  readonly servers: ReadonlyMap<string, ServerConfig>;
  readonly clients: ReadonlyMap<string, ClientConfig>;
  readonly pools: ReadonlyMap<string, PoolConfig>;
  readonly proxies: ReadonlyMap<string, ProxyConfig>;
  /** Only users that differ from what their pool says. */
  readonly users: ReadonlyMap<string, UserConfig>;
  readonly act: ActConfig;
  readonly plugins: PluginsConfig;
  readonly loggers: ReadonlyMap<string, LoggerConfig>;
  readonly metrics: MetricsConfig;
  readonly runtime: RuntimeConfig;
}
