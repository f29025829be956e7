/**
 * What a checked configuration says about which server serves whom.
 *
 * @module
 */

import type { STRATEGIES } from "./routing_keys.ts";

/** How servers that could serve are chosen among. */
export type StrategyName = typeof STRATEGIES[number];

/** Which servers serve, in the words of libpq's target_session_attrs. */
export type TargetSessionAttrs =
  | "any"
  | "read-write"
  | "read-only"
  | "primary"
  | "standby"
  | "prefer-standby";

/** Who sees what was written before. */
export type Causality = "session" | "user" | "table" | "off";

/** One proxy of a rule. */
export interface ShareConfig {
  readonly proxyName: string;
  /** From 0; 0 is the last resort. */
  readonly weight: number;
}

/** Which proxies serve whom. */
export interface BalancingRuleConfig {
  /** In CEL, and known to compile; or `DEFAULT`. */
  readonly condition: string;
  /** Never empty. */
  readonly distribution: readonly ShareConfig[];
}

/** How one listener finds a server for its clients. */
export interface RoutingConfig {
  readonly targetSessionAttrs: TargetSessionAttrs;
  readonly readWriteSplit: boolean;
  /** Functions that change nothing, as queries call them. */
  readonly readFunctions: readonly string[];
  readonly causality: Causality;
  readonly hints: boolean;
  readonly strategy: StrategyName;
  /** `client-address`, `user`, `database`, or `parameter:` and a name. */
  readonly key: string;
  readonly per: "transaction" | "session";
  readonly rules: readonly BalancingRuleConfig[];
}

/** How servers are watched. */
export interface HealthConfig {
  readonly check: "off" | "connect" | "query";
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  readonly slowStartMs: number;
  readonly panic: "try" | "refuse";
  /** "" is the client's own. */
  readonly user: string;
  /** Secret; "" is the client's own. */
  readonly password: string;
  /** "" is the client's own, or else postgres. */
  readonly database: string;
}

/** Programs of a group, which are told the host and port of its old and of its new primary. */
export interface GroupScripts {
  /** Path of a program; "" for none, and so it is for the next. */
  readonly failoverScript: string;
  readonly switchoverScript: string;
}

/** What holds for all servers of a group. */
export interface GroupConfig extends GroupScripts {
  readonly failoverTimeoutMs: number;
  /** Base addresses of Patroni's REST API. */
  readonly patroni: readonly string[];
  /** 0 is without limit, and so it is for the next. */
  readonly lagMaxMs: number;
  readonly lagSizeMax: number;
  readonly health: HealthConfig;
}

/** Where copies of a proxy's traffic go. */
export interface MirrorConfig {
  /** A name in `Config.proxies`. */
  readonly proxy: string;
  /** Part of the sessions, above 0 and at most 1. */
  readonly share: number;
  readonly compare: boolean;
  readonly bufferMax: number;
}
