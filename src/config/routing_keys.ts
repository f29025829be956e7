/**
 * Keys of `servers.NAME` and `proxies.NAME` that say which server serves whom.
 *
 * @module
 */

import { key } from "./key.ts";
import { bool, number, oneOf, size } from "./key_types.ts";
import { listOf } from "./list_type.ts";
import { objects } from "./object_types.ts";
import { text } from "./text_types.ts";

/** Rules of one listener. */
const RULES_MAX = 100;

/** Proxies that one rule can name. */
const DISTRIBUTION_MAX = 100;

/** Strategies, as GatewayD calls those that it has. */
export const STRATEGIES = [
  "ORDERED",
  "ROUND_ROBIN",
  "RANDOM",
  "WEIGHTED_ROUND_ROBIN",
  "LEAST_CONNECTIONS",
  "LEAST_LATENCY",
  "CONSISTENT_HASH",
] as const;

/** Functions that one listener can name. */
const FUNCTIONS_MAX = 1_000;

/** Keys of each object of a rule's `distribution`. */
export const SHARE_KEYS = {
  proxyName: key(
    text("the name of a group in proxies", "^[a-z][a-z0-9_-]{0,62}$"),
    { kind: "required", example: "reads" },
    "One of the listener's proxies.",
  ),
  weight: key(number(0, 1000), "1", "Its weight among those of the rule. 0 is the last resort."),
};

/** Keys of each object of `loadBalancer.loadBalancingRules`. */
export const RULE_KEYS = {
  condition: key(
    text("a condition in CEL, or DEFAULT, of at most 2000 characters", "^[^\\u0000]{1,2000}$"),
    { kind: "required", example: "DEFAULT" },
    'Whom it is for: a condition such as `user == "reporting"`, or DEFAULT for all. The first ' +
      "rule that holds counts.",
  ),
  distribution: key(
    objects("share", DISTRIBUTION_MAX, SHARE_KEYS),
    { kind: "empty list" },
    "Proxies that serve them, with their weights.",
  ),
};

/** Keys of `servers.NAME`. */
export const ROUTING_KEYS = {
  // Words of libpq's target_session_attrs: PostgreSQL manual, section 34.1.2.
  targetSessionAttrs: key(
    oneOf("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "any",
    "Which servers clients are served by, in the words of libpq. With health checks off it is " +
      "not known which are which, and any is the only choice.",
  ),
  readWriteSplit: key(
    bool(),
    "false",
    "Whether statements that only read go to replicas, and all others to the primary. It needs " +
      "pools of mode transaction or statement.",
  ),
  readFunctions: key(
    listOf(
      text("a function as queries call it", "^[a-z_][a-z0-9_$]{0,62}(\\.[a-z_][a-z0-9_$]{0,62})?$"),
      "names of functions",
      FUNCTIONS_MAX,
    ),
    { kind: "empty list" },
    "With readWriteSplit: functions of the database that change nothing, such as area_of or " +
      "geo.area_of. A query that calls another function than these and the built-in ones goes to " +
      "the primary.",
  ),
  causality: key(
    oneOf("session", "user", "table", "off"),
    "session",
    "With readWriteSplit: who reads what has been written before. The session itself, all " +
      "sessions of its user, or all who read the tables that were written. Replicas that have " +
      "not replayed it do not serve them.",
  ),
  routingHints: key(
    bool(),
    "true",
    "Whether clients may choose themselves, by a comment such as /* sluice: role=replica */ or " +
      "SET sluice.role.",
  ),
  "loadBalancer.strategy": key(
    oneOf(...STRATEGIES),
    "ORDERED",
    "How servers that could serve are chosen among: see docs/routing/strategies.md. ORDERED is " +
      "the first one that can be reached.",
  ),
  "loadBalancer.key": key(
    text(
      "client-address, user, database, or parameter: and the name of a startup parameter",
      "^(client-address|user|database|parameter:[A-Za-z_][A-Za-z0-9_.]{0,62})$",
    ),
    "client-address",
    "With CONSISTENT_HASH: who goes to the same server.",
  ),
  "loadBalancer.per": key(
    oneOf("transaction", "session"),
    "transaction",
    "How often a server is chosen. In pools of mode session, and with auth.method: relay, it is " +
      "once for each session in any case.",
  ),
  "loadBalancer.loadBalancingRules": key(
    objects("rule", RULES_MAX, RULE_KEYS),
    { kind: "empty list" },
    "Which of the proxies serve whom. Without any rule that holds, all of them.",
  ),
};

/** Keys of `proxies.NAME`. */
export const PROXY_ROUTING_KEYS = {
  weight: key(
    number(0, 1000),
    "1",
    "Weight of each of its servers in strategies that have weights. 0 is the last resort.",
  ),
  "mirror.proxy": key(
    text("the name of a group in proxies, or nothing", "^(|[a-z][a-z0-9_-]{0,62})$"),
    "",
    "Proxy that gets a copy of what this one's clients send; its answers are thrown away.",
  ),
  "mirror.share": key(number(0, 1), "1", "Which part of the sessions is copied, from 0 to 1."),
  "mirror.compare": key(
    bool(),
    "false",
    "Whether the answers are compared: SQLSTATE, rows and time are counted.",
  ),
  "mirror.bufferMax": key(
    size(65_536, 1_073_741_824),
    "1MiB",
    "What may wait for the copy of one session; beyond it, that copy ends.",
  ),
};
