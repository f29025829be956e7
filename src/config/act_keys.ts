/**
 * Keys of `act`: policies, and what they do.
 *
 * @module
 */

import { SIGNAL_NAME_PATTERN, SIGNAL_NAME_RULE } from "../base/signal_name.ts";
import { key } from "./key.ts";
import {
  bool,
  duration,
  GROUP_NAME_PATTERN,
  GROUP_NAME_RULE,
  int,
  number,
  oneOf,
} from "./key_types.ts";
import { objects, scalars, secrets } from "./object_types.ts";
import { secret, text } from "./text_types.ts";

/** Policies in one list. Each has cells in every worker's memory. */
const POLICIES_MAX = 500;

const SIGNAL_RULE = `the name of a signal: ${SIGNAL_NAME_RULE}; or "*" for any`;

/** What a policy can do. */
export const ACTIONS = [
  "passthrough",
  "terminate",
  "reject",
  "log",
  "route",
  "delay",
  "rate-limit",
  "webhook",
] as const;

/** One of {@linkcode ACTIONS}. */
export type ActionName = typeof ACTIONS[number];

const MESSAGE = text("text of at most 500 characters", "^[^\\u0000-\\u001f\\u007f]{0,500}$");

const CONDITION_PATTERN = "^[^]{1,2000}$";

/** `true` alone is a condition, too, which editors take for a boolean. */
const CONDITION = {
  ...text("a condition in CEL, at most 2000 characters", CONDITION_PATTERN),
  schema: { type: ["string", "boolean"], pattern: CONDITION_PATTERN },
};

/** Keys of one of `act.policies`. */
export const POLICY_KEYS = {
  name: key(
    text(GROUP_NAME_RULE, GROUP_NAME_PATTERN),
    { kind: "required", example: "block-injection" },
    "Its name in logs and metrics. One of terminate, log or passthrough replaces the built-in one.",
  ),
  signal: key(
    text(SIGNAL_RULE, `^(\\*|${SIGNAL_NAME_PATTERN})$`),
    { kind: "required", example: "sql-injection" },
    "Which signals it is asked about: those of this name, or `*` for all.",
  ),
  when: key(
    CONDITION,
    "true",
    "Whether it matches: see docs/plugins/policies.md for what a condition can use.",
  ),
  action: key(
    oneOf(...ACTIONS),
    { kind: "required", example: "reject" },
    "What it does when it matches.",
  ),
  stop: key(
    bool(),
    "false",
    "Whether the policies behind it are not asked about a signal that it matches.",
  ),
  metadata: key(
    scalars(),
    { kind: "empty keys" },
    "Values that conditions read as policy, such as policy.limit.",
  ),
  sqlstate: key(
    text("five of 0-9 and A-Z, or empty", "^([0-9A-Z]{5})?$"),
    "",
    "With reject and rate-limit: the error's code. Empty is 42501, or 53400 for a limit.",
  ),
  message: key(
    MESSAGE,
    "",
    "With reject and rate-limit: the error's message. With log: the record's.",
  ),
  hint: key(MESSAGE, "", "With reject and rate-limit: the error's hint."),
  level: key(
    oneOf("signal", "trace", "debug", "info", "warn", "error"),
    "signal",
    "With log: the record's level. signal is the one that the signal's metadata names, or info.",
  ),
  proxy: key(
    text("the name of a group in proxies", "^([a-z][a-z0-9_-]{0,62})?$"),
    "",
    "With route, which needs it: where the request goes.",
  ),
  delay: key(
    duration("0ms", "60s"),
    "0ms",
    "With delay, which needs it: how long the request is held back.",
  ),
  key: key(
    text("an expression in CEL that gives text, at most 2000 characters", "^[^]{1,2000}$"),
    "user",
    "With rate-limit: requests count separately for each value of it.",
  ),
  rate: key(
    number(0, 1_000_000),
    "0",
    "With rate-limit, which needs it: requests in a second, in each worker.",
  ),
  burst: key(
    int(1, 1_000_000),
    "1",
    "With rate-limit: requests that may come at once, in each worker.",
  ),
  exceeded: key(
    oneOf("reject", "delay"),
    "reject",
    "With rate-limit: what becomes of requests above it. A delay of over a minute is a reject.",
  ),
  url: key(secret(), "", "With webhook, which needs it: where it posts to, https or http."),
  headers: key(
    secrets(),
    { kind: "empty keys" },
    "With webhook: headers of its requests, by name.",
  ),
  retries: key(
    int(0, 10),
    "2",
    "With webhook: how often a message that failed is sent again.",
  ),
};

/** Keys of `act`. */
export const ACT_KEYS = {
  defaultPolicy: key(
    oneOf("passthrough", "terminate"),
    "passthrough",
    "What becomes of a request with a signal that no policy matches, or that a policy cannot be " +
      "evaluated for.",
  ),
  actionTimeout: key(
    duration("100ms", "5m"),
    "5s",
    "How long one attempt of a webhook may take.",
  ),
  policies: key(
    objects("policy", POLICIES_MAX, POLICY_KEYS),
    { kind: "empty list" },
    "What is done about signals of plugins, in this order.",
  ),
};

/** Keys that mean something with some actions only; a needed one cannot be left out there. */
export const ACTION_KEYS: Readonly<
  Record<
    ActionName,
    { readonly needed?: keyof typeof POLICY_KEYS; readonly others: readonly string[] }
  >
> = {
  passthrough: { others: [] },
  terminate: { others: [] },
  reject: { others: ["sqlstate", "message", "hint"] },
  log: { others: ["level", "message"] },
  route: { needed: "proxy", others: [] },
  delay: { needed: "delay", others: [] },
  "rate-limit": {
    needed: "rate",
    others: ["key", "burst", "exceeded", "sqlstate", "message", "hint"],
  },
  webhook: { needed: "url", others: ["headers", "retries"] },
};
