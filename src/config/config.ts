/**
 * What a checked configuration looks like: every key present, every default filled in,
 * every name resolved. Durations are in milliseconds and sizes in bytes, and say so.
 *
 * The keys as people write them, with their ranges and documentation, are in `declarations.ts`.
 *
 * @module
 */

import type { Address, TcpAddress } from "../base/address.ts";

/** A listener: where clients connect to, and what they may do before they are let through. */
export interface ServerConfig {
  readonly address: Address;
  readonly protocol: "postgres";
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
}

/** How one database server is reached. */
export interface ClientConfig {
  readonly address: Address;
  readonly dialTimeoutMs: number;
  /** Further attempts after the first one failed. */
  readonly retries: number;
  /** Pause before the first further attempt. */
  readonly backoffMs: number;
  /** What each further pause is multiplied by. */
  readonly backoffMultiplier: number;
  readonly keepAlive: boolean;
  readonly noDelay: boolean;
}

/** How many server connections there may be over all workers, and who may wait for one. */
export interface PoolConfig {
  readonly size: number;
  readonly acquireTimeoutMs: number;
  readonly waitersMax: number;
}

/** Ties a client (how a database is reached) to a pool (how many connections). */
export interface ProxyConfig {
  readonly client: string;
  readonly pool: string;
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
  readonly shutdownTimeoutMs: number;
}

/** A whole configuration. Maps are keyed by group name and keep the order of the file. */
export interface Config {
  readonly servers: ReadonlyMap<string, ServerConfig>;
  readonly clients: ReadonlyMap<string, ClientConfig>;
  readonly pools: ReadonlyMap<string, PoolConfig>;
  readonly proxies: ReadonlyMap<string, ProxyConfig>;
  readonly loggers: ReadonlyMap<string, LoggerConfig>;
  readonly metrics: MetricsConfig;
  readonly runtime: RuntimeConfig;
}
