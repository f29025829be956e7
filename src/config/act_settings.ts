/**
 * What a checked configuration says about signals of plugins.
 *
 * @module
 */

/** What a client is told that a policy refuses; "" for what the action itself says. */
export interface RefusalConfig {
  readonly sqlState: string;
  readonly message: string;
  readonly hint: string;
}

/** What a policy does when it matches. */
export type PolicyActionConfig =
  | { readonly kind: "passthrough" | "terminate" }
  | { readonly kind: "reject" } & RefusalConfig
  | {
    readonly kind: "log";
    readonly level: "signal" | "trace" | "debug" | "info" | "warn" | "error";
    readonly message: string;
  }
  /** A name in `Config.proxies`. */
  | { readonly kind: "route"; readonly proxy: string }
  | { readonly kind: "delay"; readonly delayMs: number }
  | {
    readonly kind: "rate-limit";
    /** An expression that gives text. */
    readonly key: string;
    /** Above 0. */
    readonly ratePerSecond: number;
    readonly burst: number;
    readonly exceeded: "reject" | "delay";
  } & RefusalConfig
  | {
    readonly kind: "webhook";
    /** Secret. */
    readonly url: string;
    /** Secret. */
    readonly headers: ReadonlyMap<string, string>;
    readonly retries: number;
  };

/** What is done about signals. Expressions are text here, and known to compile. */
export interface PolicyConfig {
  readonly name: string;
  /** `*` for any. */
  readonly signal: string;
  readonly when: string;
  readonly stop: boolean;
  readonly metadata: ReadonlyMap<string, string | number | boolean>;
  readonly action: PolicyActionConfig;
}

/** What becomes of requests that plugins send signals about. */
export interface ActConfig {
  readonly defaultPolicy: "passthrough" | "terminate";
  readonly actionTimeoutMs: number;
  readonly policies: readonly PolicyConfig[];
}
