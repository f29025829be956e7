/**
 * Plugins have opinions, operators decide: a plugin's signals meet the policies, and what those
 * that match do changes the verdict, or tells somebody.
 *
 * - Each signal goes through the policies in their order; all that match do what they do, up to one
 *   that says `stop`.
 * - A signal that no policy matches follows `defaultPolicy`, and so does one that a policy cannot
 *   be evaluated for: a broken policy that should refuse does not let pass what is refused by
 *   default.
 * - Without signals, the plugin's verdict stands.
 *
 * @module
 */

import { messageOf } from "../base/errors.ts";
import type { VariableValues } from "../expressions/expression.ts";
import { type ExpressionValue, expressionValue } from "../expressions/value.ts";
import type { HookEvent } from "../hooks/event.ts";
import type { Signal } from "../hooks/signal.ts";
import type { Verdict } from "../hooks/verdict.ts";
import { type ActCells, POLICY_CELL } from "../observe/act_cells.ts";
import { LOG_LEVELS, type LogLevel, type LogSink } from "../observe/log_record.ts";
import { Decision, DELAY_MAX_MS } from "./decision.ts";
import { eventFields, eventValues, hookName } from "./event_values.ts";
import { type ActOptions, allPolicies, DEFAULT_POLICY_NAME } from "./options.ts";
import { Policy } from "./policy.ts";
import { signalFields } from "./signal_fields.ts";
import { Webhook, type WebhookPorts, type WebhookResult } from "./webhook.ts";

/** What policies need of the rest. */
export interface ActPorts extends Omit<WebhookPorts, "onResult"> {
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly epochMs: () => number;
  /** Has cells for as many policies as `policyLabels` names. */
  readonly cells: ActCells;
}

/** Signals of one call that are heard; more are a fault of the plugin. */
const SIGNALS_MAX = 64;

/** The variable that holds it. */
const SIGNAL_NAME = "signal_name";

const WEBHOOK_CELL: Readonly<Record<WebhookResult, number>> = {
  delivered: POLICY_CELL.webhooksDelivered,
  failed: POLICY_CELL.webhooksFailed,
  dropped: POLICY_CELL.webhooksDropped,
};

/** One signal on its way through the policies. */
interface Call {
  readonly plugin: string;
  readonly signal: Signal;
  readonly event: HookEvent;
  readonly decision: Decision;
  readonly values: VariableValues;
}

/** The policies of one worker. */
export class Act {
  readonly #options: ActOptions;
  readonly #ports: ActPorts;
  readonly #policies: readonly Policy[];
  /** Variables that some policy uses. */
  readonly #uses: ReadonlySet<string>;
  /** What was logged once and is not logged again, by policy and message. */
  readonly #logged = new Set<string>();

  /** @throws {ExpressionError} If an expression is wrong: a configuration was not checked. */
  constructor(options: ActOptions, ports: ActPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#policies = allPolicies(options).map((policy, index) => {
      const { action, name } = policy;
      const webhook = action.kind !== "webhook" ? undefined : new Webhook(
        action,
        options.actionTimeoutMs,
        { ...ports, onResult: (result, reason) => this.#onWebhook(index, name, result, reason) },
      );
      return new Policy(policy, ports.cells.policy(index), webhook);
    });
    this.#uses = new Set(this.#policies.flatMap(({ uses }) => [...uses]));
  }

  /**
   * Returns what becomes of a plugin's verdict after the signals that came with it. May set the
   * event's delay, and its payload where the verdict can no longer hold it. Never throws.
   */
  decide(plugin: string, signals: readonly Signal[], event: HookEvent, verdict: Verdict): Verdict {
    if (signals.length === 0) return verdict;
    const decision = new Decision();
    const shared = { ...eventValues(event, this.#uses), plugin };
    for (const signal of signals.slice(0, SIGNALS_MAX)) {
      this.#ports.cells.addSignal(plugin, signal.name);
      const values = { ...shared, [SIGNAL_NAME]: signal.name };
      this.#meet({ plugin, signal, event, decision, values });
    }
    return decision.verdict(plugin, event, verdict, (index) => {
      const name = this.#policies[index]?.options.name ?? DEFAULT_POLICY_NAME;
      this.#ports.cells.policy(index).add(POLICY_CELL.impossibleActions, 1);
      const fields = { policy: name, plugin, hook: hookName(event) };
      this.#warnOnce("a policy's action is not possible at this hook", name, fields);
    });
  }

  /** Gives up what webhooks have not sent yet. */
  close(): void {
    for (const { webhook } of this.#policies) webhook?.close();
  }

  #meet(call: Call): void {
    const { signal, plugin } = call;
    let [hasMatched, hasFailed] = [false, false];
    let metadata: ExpressionValue | undefined;
    for (const [index, policy] of this.#policies.entries()) {
      if (!policy.hears(signal.name)) continue;
      try {
        if (policy.uses.has("signal")) metadata ??= expressionValue(signal.metadata);
        const values = { ...call.values, signal: metadata ?? EMPTY };
        if (!policy.matches(values)) continue;
        this.#carryOut(policy, index, { ...call, values });
        policy.cells.add(POLICY_CELL.matches, 1);
        hasMatched = true;
        if (policy.options.stop) break;
      } catch (error) {
        hasFailed = true;
        const { name } = policy.options;
        policy.cells.add(POLICY_CELL.evaluationErrors, 1);
        const fields = { policy: name, plugin, signal: signal.name, reason: messageOf(error) };
        this.#warnOnce("a policy cannot be evaluated", name, fields);
      }
    }
    if (hasMatched && !hasFailed) return;
    const byDefault = this.#policies.length;
    this.#ports.cells.policy(byDefault).add(POLICY_CELL.matches, 1);
    if (this.#options.defaultPolicy === "terminate") call.decision.end(byDefault, "terminate");
  }

  /** @throws {ExpressionError} If the key of a limit cannot be evaluated. */
  #carryOut(policy: Policy, index: number, call: Call): void {
    const { action } = policy.options;
    const { decision } = call;
    switch (action.kind) {
      case "passthrough":
        break;
      case "terminate":
        decision.end(index, "terminate");
        break;
      case "reject":
        decision.end(index, "reject", action);
        break;
      case "route":
        decision.route(index, action.proxy);
        break;
      case "delay":
        decision.delay(index, action.delayMs);
        break;
      case "rate-limit": {
        const key = policy.key(call.values);
        // What is refused anyway takes nothing away from what is not.
        if (decision.isEnding) break;
        const waitMaxMs = action.exceeded === "delay" ? DELAY_MAX_MS : 0;
        const waitMs = policy.buckets!.take(key, this.#ports.clock.nowMs(), waitMaxMs);
        if (waitMs === undefined) decision.end(index, "rate-limit", action);
        else if (waitMs > 0) decision.delay(index, Math.ceil(waitMs));
        break;
      }
      case "log":
        this.#log(policy, action.level, action.message, call);
        break;
      case "webhook":
        policy.webhook!.send(this.#webhookBody(policy, call));
        break;
    }
  }

  #log(policy: Policy, level: LogLevel | "signal", message: string, call: Call): void {
    const { plugin, signal, event } = call;
    const asked = LOG_LEVELS.find((one) => one === signal.metadata["level"]) ?? "info";
    this.#ports.log.write({
      level: level === "signal" ? asked : level,
      message: message === "" ? "a policy matched" : message,
      fields: {
        policy: policy.options.name,
        plugin,
        signal: signal.name,
        ...eventFields(event),
        ...signalFields(signal.metadata),
      },
      timeMs: this.#ports.epochMs(),
    });
  }

  #webhookBody(policy: Policy, { plugin, signal, event }: Call): string {
    return JSON.stringify({
      time: new Date(this.#ports.epochMs()).toISOString(),
      policy: policy.options.name,
      plugin,
      signal: signal.name,
      metadata: signal.metadata,
      ...eventFields(event),
    });
  }

  #onWebhook(index: number, policy: string, result: WebhookResult, reason: string): void {
    this.#ports.cells.policy(index).add(WEBHOOK_CELL[result], 1);
    const message = `a policy's webhook ${result === "failed" ? "failed" : "was dropped"}`;
    if (result !== "delivered") this.#warnOnce(message, policy, { policy, reason });
  }

  #warnOnce(message: string, policy: string, fields: Readonly<Record<string, string>>): void {
    const key = `${policy} ${message}`;
    if (this.#logged.has(key)) return;
    this.#logged.add(key);
    this.#ports.log.write({ level: "warn", message, fields, timeMs: this.#ports.epochMs() });
  }
}

const EMPTY: ExpressionValue = new Map();
