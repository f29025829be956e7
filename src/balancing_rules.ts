/**
 * Which of a listener's proxies serve a session: `loadBalancer.loadBalancingRules`, compiled. The
 * first rule whose condition holds counts.
 *
 * @module
 */

import type { BalancingRuleConfig } from "./config/routing_settings.ts";
import type { Expression, VariableValues } from "./expressions/expression.ts";
import { ExpressionError } from "./expressions/expression_error.ts";
import { ROUTING_VARIABLES } from "./expressions/routing_variables.ts";
import { type ExpressionValue, expressionValue } from "./expressions/value.ts";
import type { PeerAddress } from "./net/socket.ts";
import type { Shares } from "./upstream/router.ts";

/** Whose session it is, as far as conditions ask. */
export interface RuledClient {
  readonly listener: string;
  readonly address: PeerAddress;
  /** Of its StartupMessage. */
  readonly parameters: ReadonlyMap<string, string>;
  /** What it called the gateway in its TLS handshake; "" without TLS, or without a name. */
  readonly tlsServerName: string;
}

/** The condition that always holds. */
const DEFAULT = "DEFAULT";

/** A condition that had no answer. */
export interface FailedCondition {
  /** The rule's number, from 1. */
  readonly rule: number;
  readonly condition: string;
  /** Why: one line, without a value of the client's. */
  readonly reason: string;
}

/** How a variable's value is found. */
const READERS: Readonly<Record<keyof typeof ROUTING_VARIABLES, (client: RuledClient) => unknown>> =
  {
    user: userOf,
    // PostgreSQL manual, StartupMessage: a database that is not named is called like the user.
    database: (client) => client.parameters.get("database") || userOf(client),
    application: ({ parameters }) => parameters.get("application_name") ?? "",
    "client_address": ({ address }) => address.kind === "unix" ? "unix" : address.host,
    listener: ({ listener }) => listener,
    "tls_server_name": ({ tlsServerName }) => tlsServerName,
    parameters: ({ parameters }) => Object.fromEntries(parameters),
  };

/** Conditions of rules, parsed, by their texts. */
export type Conditions = ReadonlyMap<string, Expression>;

interface Rule {
  /** Undefined is DEFAULT, which always holds. */
  readonly condition: Expression | undefined;
  readonly shares: Shares;
}

/**
 * Parses what rules are conditioned on. The language is loaded only if there is anything.
 *
 * @throws {ExpressionError} If a condition is wrong: a configuration was not checked.
 */
export async function parseConditions(rules: readonly BalancingRuleConfig[]): Promise<Conditions> {
  const texts = new Set(rules.map(({ condition }) => condition));
  texts.delete(DEFAULT);
  if (texts.size === 0) return new Map();
  const { compile } = await import("./expressions/expression.ts");
  return new Map([...texts].map((text) => [text, compile(text, ROUTING_VARIABLES)]));
}

/** The rules of one listener, in one worker. */
export class BalancingRules {
  readonly #rules: readonly Rule[];
  readonly #onFailure: (failed: FailedCondition) => void;
  readonly #reported = new Set<Rule>();

  /**
   * @param conditions Those of the rules, and maybe more: see {@linkcode parseConditions}.
   * @param onFailure Told of each condition that has no answer, when that happens first.
   */
  constructor(
    rules: readonly BalancingRuleConfig[],
    conditions: Conditions,
    onFailure: (failed: FailedCondition) => void,
  ) {
    this.#onFailure = onFailure;
    this.#rules = rules.map(({ condition, distribution }) => ({
      condition: condition === DEFAULT ? undefined : conditions.get(condition)!,
      shares: sharesOf(distribution),
    }));
  }

  /** @returns Proxies and their weights; undefined, which is all proxies, if no rule holds. */
  choose(client: RuledClient): Shares | undefined {
    return this.#rules.find((rule) => this.#holds(rule, client))?.shares;
  }

  /** What has no answer does not hold: a rule is not for those it cannot tell. */
  #holds(rule: Rule, client: RuledClient): boolean {
    const { condition } = rule;
    if (condition === undefined) return true;
    try {
      return condition.evaluate(valuesOf(client, condition.uses));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.#report(rule, condition.text, error.message);
      return false;
    }
  }

  #report(rule: Rule, condition: string, reason: string): void {
    if (this.#reported.has(rule)) return;
    this.#reported.add(rule);
    this.#onFailure({ rule: this.#rules.indexOf(rule) + 1, condition, reason });
  }
}

/** A proxy that is named twice has both weights. */
function sharesOf(distribution: BalancingRuleConfig["distribution"]): Shares {
  const shares = new Map<string, number>();
  for (const { proxyName, weight } of distribution) {
    shares.set(proxyName, (shares.get(proxyName) ?? 0) + weight);
  }
  return shares;
}

/** @throws {ExpressionError} If one of them is larger than what expressions may work with. */
function valuesOf(client: RuledClient, names: ReadonlySet<string>): VariableValues {
  const values: Record<string, ExpressionValue> = {};
  for (const name of names) {
    values[name] = expressionValue(READERS[name as keyof typeof READERS](client));
  }
  return values;
}

function userOf({ parameters }: RuledClient): string {
  return parameters.get("user") ?? "";
}
