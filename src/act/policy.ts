/**
 * A policy, compiled: whether it matches, and the state that its action keeps.
 *
 * @module
 */

import { compile, type Expression, type VariableValues } from "../expressions/expression.ts";
import { POLICY_VARIABLES } from "../expressions/policy_variables.ts";
import { type ExpressionValue, expressionValue } from "../expressions/value.ts";
import type { Cells } from "../observe/counters.ts";
import type { PolicyOptions } from "./options.ts";
import { TokenBuckets } from "./token_buckets.ts";
import type { Webhook } from "./webhook.ts";

/** One policy in one worker. */
export class Policy {
  readonly options: PolicyOptions;
  readonly cells: Cells;
  /** Of action `webhook`. */
  readonly webhook: Webhook | undefined;
  /** Of action `rate-limit`. */
  readonly buckets: TokenBuckets | undefined;
  readonly #when: Expression;
  readonly #key: Expression | undefined;
  readonly #metadata: ExpressionValue;
  /** Names of the variables that its expressions use. */
  readonly uses: ReadonlySet<string>;

  /** @throws {ExpressionError} If an expression is wrong: a configuration was not checked. */
  constructor(options: PolicyOptions, cells: Cells, webhook: Webhook | undefined) {
    this.options = options;
    this.cells = cells;
    this.webhook = webhook;
    const { action } = options;
    if (action.kind === "rate-limit") {
      this.buckets = new TokenBuckets(action.ratePerSecond, action.burst);
      this.#key = compile(action.key, POLICY_VARIABLES, "string");
    }
    this.#when = compile(options.when, POLICY_VARIABLES);
    this.#metadata = expressionValue(Object.fromEntries(options.metadata));
    this.uses = new Set([...this.#when.uses, ...this.#key?.uses ?? []]);
  }

  /** Whether it is asked about signals of this name. */
  hears(signalName: string): boolean {
    return this.options.signal === "*" || this.options.signal === signalName;
  }

  /** @throws {ExpressionError} If its condition cannot be evaluated. */
  matches(values: VariableValues): boolean {
    return this.#when.evaluate({ ...values, policy: this.#metadata });
  }

  /** @throws {ExpressionError} If its key cannot be evaluated. */
  key(values: VariableValues): string {
    return this.#key!.evaluateText({ ...values, policy: this.#metadata });
  }
}
