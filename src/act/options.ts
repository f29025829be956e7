/**
 * What an operator has decided: policies, and what they do. It survives a structured clone.
 *
 * @module
 */

import type { LogLevel } from "../observe/log_record.ts";

/** What a client is told. */
export interface RefusalOptions {
  /** Five of 0-9 and A-Z; "" for the action's own. */
  readonly sqlState: string;
  /** "" for the action's own. */
  readonly message: string;
  /** "" for none. */
  readonly hint: string;
}

/** What a policy does when it matches. */
export type ActionOptions =
  /** Nothing: what the plugin asked for stands. */
  | { readonly kind: "passthrough" }
  /** Ends the request, unless the plugin has ended it itself. */
  | { readonly kind: "terminate" }
  /** Ends the request, whatever the plugin asked for. */
  | { readonly kind: "reject" } & RefusalOptions
  /** Writes a record. Level `signal` is the one that the signal's metadata names, or else info. */
  | { readonly kind: "log"; readonly level: LogLevel | "signal"; readonly message: string }
  | { readonly kind: "route"; readonly proxy: string }
  /** From 0 to 60,000. */
  | { readonly kind: "delay"; readonly delayMs: number }
  | RateLimitOptions
  | WebhookOptions;

/** A limit on requests, for each value of a key. */
export interface RateLimitOptions extends RefusalOptions {
  readonly kind: "rate-limit";
  /** An expression that comes to text. */
  readonly key: string;
  /** Above 0. */
  readonly ratePerSecond: number;
  /** Requests that may come at once, from 1. */
  readonly burst: number;
  /** What becomes of a request above the limit. */
  readonly exceeded: "reject" | "delay";
}

/** An HTTP endpoint that is told. */
export interface WebhookOptions {
  readonly kind: "webhook";
  /** https or http. Secret. */
  readonly url: string;
  /** By name. Secret. */
  readonly headers: ReadonlyMap<string, string>;
  /** Attempts after the first one. */
  readonly retries: number;
}

/** One policy. */
export interface PolicyOptions {
  readonly name: string;
  /** Name of a signal, or `*` for any. */
  readonly signal: string;
  /** A condition: see `POLICY_VARIABLES`. */
  readonly when: string;
  /** Whether the policies behind are not asked about a signal that this one matches. */
  readonly stop: boolean;
  /** What conditions read as `policy`. */
  readonly metadata: ReadonlyMap<string, string | number | boolean>;
  readonly action: ActionOptions;
}

/** All of them. */
export interface ActOptions {
  /** What becomes of a signal that no policy matches, or whose policies cannot be evaluated. */
  readonly defaultPolicy: "passthrough" | "terminate";
  /** One attempt of a webhook. */
  readonly actionTimeoutMs: number;
  /** In the order in which they are asked. */
  readonly policies: readonly PolicyOptions[];
}

/** Stands for `defaultPolicy` where the names of policies are shown; no policy can be called so. */
export const DEFAULT_POLICY_NAME = "(default)";

/** Policies that are there without anybody writing them, unless one has the same name. */
const BUILT_IN: readonly PolicyOptions[] = [
  builtIn("passthrough", "true", { kind: "passthrough" }),
  builtIn("terminate", unlessFalse("terminate"), { kind: "terminate" }),
  builtIn("log", unlessFalse("log"), { kind: "log", level: "signal", message: "" }),
];

/** The operator's policies and, behind them, the built-in ones that none replaces by its name. */
export function allPolicies({ policies }: ActOptions): readonly PolicyOptions[] {
  const names = new Set(policies.map(({ name }) => name));
  return [...policies, ...BUILT_IN.filter(({ name }) => !names.has(name))];
}

/** Names and actions of all policies, and of the default, in the order of their cells. */
export function policyLabels(
  options: ActOptions,
): readonly { readonly policy: string; readonly action: string }[] {
  return [
    ...allPolicies(options).map(({ name, action }) => ({ policy: name, action: action.kind })),
    { policy: DEFAULT_POLICY_NAME, action: options.defaultPolicy },
  ];
}

function builtIn(name: string, when: string, action: ActionOptions): PolicyOptions {
  return { name, signal: name, when, stop: false, metadata: new Map(), action };
}

/** As in GatewayD, where a signal carries its own name as metadata. */
function unlessFalse(key: string): string {
  return `!has(signal.${key}) || signal.${key} != false`;
}
