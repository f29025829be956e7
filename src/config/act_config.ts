/**
 * Policies: each checked like a group of its own, with expressions that are compiled here once, so
 * that a wrong one is a problem of the file and not of a request.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import { compile, type ResultType } from "../expressions/expression.ts";
import { ExpressionError } from "../expressions/expression_error.ts";
import { POLICY_VARIABLES } from "../expressions/policy_variables.ts";
import { type ACT_KEYS, ACTION_KEYS, ACTIONS, POLICY_KEYS } from "./act_keys.ts";
import { type CheckedGroup, checkObject, placeOf } from "./check.ts";
import type { ActConfig, PolicyActionConfig, PolicyConfig } from "./act_settings.ts";
import type { Values } from "./key.ts";
import type { WrittenObject } from "./object_types.ts";
import { didYouMean, keyPlace, type Place, type Problems, quote } from "./problems.ts";
import { recognize } from "./read_file.ts";
import type { WrittenValue } from "./settings.ts";

type PolicyGroup = CheckedGroup<typeof POLICY_KEYS>;
type PolicyValues = Values<typeof POLICY_KEYS>;

/** Checked policies, and what they are in. */
export interface CheckedAct {
  readonly group: CheckedGroup<typeof ACT_KEYS>;
  readonly policies: readonly PolicyGroup[];
}

/** Checks every policy. */
export function checkAct(
  group: CheckedGroup<typeof ACT_KEYS>,
  proxies: ReadonlySet<string>,
  problems: Problems,
): CheckedAct {
  const policies = (group.values.policies ?? []).map((written) => policyOf(written, problems));
  const firsts = new Map<string, Place>();
  for (const policy of policies) {
    if (problems.isFull) break;
    checkName(policy, firsts, problems);
    checkAction(policy, problems);
    checkProxy(policy, proxies, problems);
    checkUrl(policy, problems);
    checkHeaders(policy, problems);
    checkExpression(policy, "when", "bool", problems);
    if (policy.values.action === "rate-limit") checkExpression(policy, "key", "string", problems);
  }
  return { group, policies };
}

/** Returns what a checked `act` means. To be called without any problem only. */
export function actConfig({ group, policies }: CheckedAct): ActConfig {
  // Without problems no value is missing.
  const values = group.values as Values<typeof ACT_KEYS>;
  return {
    defaultPolicy: values.defaultPolicy,
    actionTimeoutMs: values.actionTimeout,
    policies: policies.map((policy) => policyConfig(policy.values as PolicyValues)),
  };
}

function policyConfig(values: PolicyValues): PolicyConfig {
  const { name, signal, when, stop, metadata } = values;
  return { name, signal, when, stop, metadata, action: actionConfig(values) };
}

function actionConfig(values: PolicyValues): PolicyActionConfig {
  const { action, sqlstate: sqlState, message, hint } = values;
  switch (action) {
    case "passthrough":
    case "terminate":
      return { kind: action };
    case "reject":
      return { kind: action, sqlState, message, hint };
    case "log":
      return { kind: action, level: values.level, message };
    case "route":
      return { kind: action, proxy: values.proxy };
    case "delay":
      return { kind: action, delayMs: values.delay };
    case "rate-limit": {
      const { key, rate: ratePerSecond, burst, exceeded } = values;
      return { kind: action, key, ratePerSecond, burst, exceeded, sqlState, message, hint };
    }
    case "webhook":
      return { kind: action, url: values.url, headers: values.headers, retries: values.retries };
  }
}

function policyOf(written: WrittenObject, problems: Problems): PolicyGroup {
  const known = Object.keys(POLICY_KEYS);
  const keys = new Map<string, WrittenValue>();
  for (const [key, { value }] of recognize(written.entries, known, problems, () => undefined)) {
    keys.set(key, value);
  }
  return checkObject("act", { place: written.place, keys }, POLICY_KEYS, problems);
}

function checkName(policy: PolicyGroup, firsts: Map<string, Place>, problems: Problems): void {
  const { name } = policy.values;
  if (name === undefined) return;
  const place = placeOf(policy, "name");
  const first = firsts.get(name);
  if (first === undefined) firsts.set(name, place);
  else problems.add(place, `${quote(name)} is already in line ${first.line}; rename one of them`);
}

/** A key that the action does not look at is a mistake, and so is one that it misses. */
function checkAction(policy: PolicyGroup, problems: Problems): void {
  const { action } = policy.values;
  if (action === undefined) return;
  const { needed, others } = ACTION_KEYS[action];
  for (const key of policy.written.keys()) {
    const actions = ACTIONS.filter((one) => {
      const keys = ACTION_KEYS[one];
      return keys.needed === key || keys.others.includes(key);
    });
    if (actions.length === 0 || key === needed || others.includes(key)) continue;
    const rule = `only allowed with action: ${actions.join(" or ")}`;
    problems.add(policy.written.get(key)!.place, `${rule}; remove this key`);
  }
  if (needed === undefined) return;
  const value = policy.values[needed];
  if (value !== "" && value !== 0) return;
  const place = policy.written.get(needed)?.place ?? keyPlace(policy.place, needed);
  problems.add(place, `action: ${action} needs ${needed}; add it`);
}

function checkProxy(policy: PolicyGroup, proxies: ReadonlySet<string>, problems: Problems): void {
  const { action, proxy = "" } = policy.values;
  if (action !== "route" || proxy === "" || proxies.has(proxy)) return;
  const hint = didYouMean(nearest(proxy, [...proxies]));
  problems.add(placeOf(policy, "proxy"), `no proxy is named ${quote(proxy)}${hint}`);
}

/** What is wrong is said without the address: it may hold a token. */
function checkUrl(policy: PolicyGroup, problems: Problems): void {
  const { action, url = "" } = policy.values;
  if (action !== "webhook" || url === "") return;
  const place = placeOf(policy, "url");
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    problems.add(place, "expected an address such as https://example.com/hook");
  } else if (parsed.username !== "" || parsed.password !== "") {
    problems.add(place, "an address must not have a user or a password; put them into headers");
  }
}

function checkHeaders(policy: PolicyGroup, problems: Problems): void {
  const place = placeOf(policy, "headers");
  for (const [name, value] of policy.values.headers ?? []) {
    try {
      new Headers([[name, value]]);
    } catch {
      problems.add(place, `the header ${quote(name)} has a value that HTTP cannot send`);
    }
  }
}

function checkExpression(
  policy: PolicyGroup,
  key: "when" | "key",
  result: ResultType,
  problems: Problems,
): void {
  const text = policy.values[key];
  if (text === undefined) return;
  try {
    compile(text, POLICY_VARIABLES, result);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const column = error.offset + 1;
    const message = `${error.message} (in column ${column} of the expression)`;
    problems.add(placeOf(policy, key), withGuess(message));
  }
}

/** An unknown variable is most likely one that was misspelt. */
function withGuess(message: string): string {
  const unknown = /^Unknown variable: (\w+)/.exec(message)?.[1];
  if (unknown === undefined) return message;
  const names = Object.keys(POLICY_VARIABLES);
  const guess = didYouMean(nearest(unknown, names));
  return message + (guess === "" ? `; there are ${names.join(", ")}` : guess);
}
