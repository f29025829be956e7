/**
 * Which server serves whom, as the configuration says it: rules, groups and mirrors, each checked
 * against what it needs.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import { compile } from "../expressions/expression.ts";
import { ExpressionError } from "../expressions/expression_error.ts";
import { ROUTING_VARIABLES } from "../expressions/routing_variables.ts";
import { relays } from "./auth_config.ts";
import { type CheckedGroup, checkObject, placeOf } from "./check.ts";
import type { CLIENT_KEYS } from "./client_keys.ts";
import type { AuthConfig, ProxyConfig } from "./config.ts";
import type { PROXY_KEYS } from "./declarations.ts";
import type { Keys, Values } from "./key.ts";
import type { CheckedGroups } from "./links.ts";
import type { WrittenObject } from "./object_types.ts";
import { didYouMean, keyPlace, nameList, printable, type Problems, quote } from "./problems.ts";
import { recognize } from "./read_file.ts";
import { RULE_KEYS, SHARE_KEYS } from "./routing_keys.ts";
import type {
  BalancingRuleConfig,
  GroupConfig,
  GroupScripts,
  HealthConfig,
  RoutingConfig,
  ShareConfig,
} from "./routing_settings.ts";
import type { SERVER_KEYS } from "./server_keys.ts";
import type { WrittenValue } from "./settings.ts";

type ServerGroup = CheckedGroup<typeof SERVER_KEYS>;
type ClientGroup = CheckedGroup<typeof CLIENT_KEYS>;

/** Returns how a listener finds servers. */
export function routingConfig(
  { values, ...group }: ServerGroup,
  problems: Problems,
): RoutingConfig {
  const names = new Set(values.proxies ?? []);
  const written = values["loadBalancer.loadBalancingRules"] ?? [];
  return {
    targetSessionAttrs: values.targetSessionAttrs ?? "any",
    readWriteSplit: values.readWriteSplit ?? false,
    readFunctions: values.readFunctions ?? [],
    causality: values.causality ?? "session",
    hints: values.routingHints ?? true,
    strategy: values["loadBalancer.strategy"] ?? "ORDERED",
    key: values["loadBalancer.key"] ?? "client-address",
    per: values["loadBalancer.per"] ?? "transaction",
    rules: written.map((rule) => ruleOf(rule, group.section, names, problems)),
  };
}

function ruleOf(
  written: WrittenObject,
  section: ServerGroup["section"],
  names: ReadonlySet<string>,
  problems: Problems,
): BalancingRuleConfig {
  const rule = objectOf(written, section, RULE_KEYS, problems);
  const { condition = "DEFAULT", distribution = [] } = rule.values;
  if (condition !== "DEFAULT") {
    try {
      compile(condition, ROUTING_VARIABLES, "bool");
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const column = `in column ${error.offset + 1} of the expression`;
      problems.add(placeOf(rule, "condition"), `${error.message} (${column})`);
    }
  }
  if (distribution.length === 0) {
    const example = "as in distribution: [ { proxyName: reads } ]";
    problems.add(
      keyPlace(rule.place, "distribution"),
      `a rule needs one proxy at least, ${example}`,
    );
  }
  return {
    condition,
    distribution: distribution.map((share) => shareOf(share, section, names, problems)),
  };
}

function shareOf(
  written: WrittenObject,
  section: ServerGroup["section"],
  names: ReadonlySet<string>,
  problems: Problems,
): ShareConfig {
  const share = objectOf(written, section, SHARE_KEYS, problems);
  const { proxyName = "", weight = 1 } = share.values;
  if (proxyName !== "" && !names.has(proxyName)) {
    const rule = `${quote(proxyName)} is not one of the listener's proxies: ${nameList(names)}`;
    problems.add(placeOf(share, "proxyName"), rule + didYouMean(nearest(proxyName, [...names])));
  }
  return { proxyName, weight };
}

function objectOf<K extends Keys>(
  written: WrittenObject,
  section: ServerGroup["section"],
  declared: K,
  problems: Problems,
): CheckedGroup<K> {
  const keys = new Map<string, WrittenValue>();
  const known = Object.keys(declared);
  for (const [key, { value }] of recognize(written.entries, known, problems, () => undefined)) {
    keys.set(key, value);
  }
  return checkObject(section, { place: written.place, keys }, declared, problems);
}

/** Returns what holds for the servers of a client. To be called without any problem only. */
export function groupOf(values: Values<typeof CLIENT_KEYS>, scripts: GroupScripts): GroupConfig {
  return {
    failoverTimeoutMs: values.failoverTimeout,
    ...scripts,
    patroni: values.patroni.map((url) => url.replace(/\/$/, "")),
    lagMaxMs: values.lagMax,
    lagSizeMax: values.lagSizeMax,
    health: {
      check: checkOf(values),
      intervalMs: values["health.interval"],
      timeoutMs: values["health.timeout"],
      rise: values["health.rise"],
      fall: values["health.fall"],
      slowStartMs: values["health.slowStart"],
      panic: values["health.panic"],
      user: values["health.user"],
      password: values["health.password"],
      database: values["health.database"],
    },
  };
}

/** With Patroni, servers are only asked whether they can be reached unless more is written. */
function checkOf(values: Partial<Values<typeof CLIENT_KEYS>>): HealthConfig["check"] {
  const check = values["health.check"] ?? "auto";
  if (check !== "auto") return check;
  if ((values.patroni ?? []).length > 0) return "connect";
  return (values.address ?? []).length > 1 ? "query" : "off";
}

/** Returns what a proxy is. To be called without any problem only. */
export function proxyOf(values: Values<typeof PROXY_KEYS>): ProxyConfig {
  const proxy = values["mirror.proxy"];
  const share = values["mirror.share"];
  const mirror = proxy === "" || share === 0 ? undefined : {
    proxy,
    share,
    compare: values["mirror.compare"],
    bufferMax: values["mirror.bufferMax"],
  };
  return { client: values.client, pool: values.pool, weight: values.weight, mirror };
}

/** Checks what routing needs of other groups. */
export function checkRouting(
  groups: CheckedGroups,
  auth: ReadonlyMap<string, AuthConfig>,
  problems: Problems,
): void {
  for (const client of groups.clients.values()) checkHealth(client, problems);
  for (const [name, server] of groups.servers) checkRoles(server, auth.get(name), groups, problems);
  for (const [name, proxy] of groups.proxies) checkMirror(name, proxy, groups, auth, problems);
}

/** A copy must be able to go there, and must take nothing from the real traffic. */
function checkMirror(
  name: string,
  proxy: CheckedGroup<typeof PROXY_KEYS>,
  { proxies, servers }: CheckedGroups,
  auth: ReadonlyMap<string, AuthConfig>,
  problems: Problems,
): void {
  const mirrorName = proxy.values["mirror.proxy"] ?? "";
  if (mirrorName === "") return;
  const place = placeOf(proxy, "mirror.proxy");
  if (mirrorName === name) {
    return problems.add(place, "a proxy cannot be its own mirror; name another one");
  }
  const mirror = proxies.get(mirrorName)?.values;
  if (mirror === undefined) {
    const guess = didYouMean(nearest(mirrorName, [...proxies.keys()]));
    return problems.add(place, `no proxy is named ${quote(mirrorName)}${guess}`);
  }
  for (const key of ["client", "pool"] as const) {
    if (mirror[key] === undefined || mirror[key] !== proxy.values[key]) continue;
    const rule = key === "client"
      ? "a mirror needs other servers, or they would do everything twice"
      : "a mirror needs a pool of its own, or it would take connections from the real traffic";
    const both = `but ${quote(mirrorName)} has ${key} ${quote(mirror[key])}, too`;
    problems.add(place, `${rule}, ${both}; give it another ${key}`);
  }
  for (const [server, { values }] of servers) {
    const relay = auth.get(server)?.method === "relay";
    if (!relay || values.proxies?.includes(name) !== true) continue;
    const who = `servers.${printable(server)} has auth.method: relay`;
    const rule = `a mirror needs a server that authenticates clients itself, but ${who}`;
    problems.add(place, `${rule}; choose another method there`);
  }
}

/** A login needs somebody who logs in. */
function checkHealth(client: ClientGroup, problems: Problems): void {
  const { values } = client;
  if (checkOf(values) !== "query") return;
  if ((values["health.user"] ?? "") !== "" || (values.user ?? "") !== "") return;
  const because = values["health.check"] === "query"
    ? "health.check: query needs a user"
    : "servers of a group are asked for their role, which needs a user";
  const advice = "add health.user and health.password, or choose health.check: connect";
  problems.add(placeOf(client, "health.user"), `${because}; ${advice}`);
}

function checkRoles(
  server: ServerGroup,
  auth: AuthConfig | undefined,
  { proxies, clients, pools }: CheckedGroups,
  problems: Problems,
): void {
  const { values } = server;
  const isSplit = values.readWriteSplit === true;
  const attrs = values.targetSessionAttrs ?? "any";
  if (!isSplit && attrs === "any") return;
  const key = isSplit ? "readWriteSplit" : "targetSessionAttrs";
  const place = placeOf(server, key);
  const what = isSplit ? "readWriteSplit: true" : `targetSessionAttrs: ${attrs}`;
  if (isSplit && auth !== undefined && relays(auth)) {
    const advice = "choose another auth.method, as in auth: { method: scram-sha-256, … }";
    problems.add(place, `${what} needs a server that authenticates clients itself; ${advice}`);
  }
  if (isSplit && attrs !== "any") {
    const rule = `targetSessionAttrs: ${attrs} says where all statements go, and ` +
      "readWriteSplit: true sends them to different servers; remove one of them";
    problems.add(placeOf(server, "targetSessionAttrs"), rule);
  }
  const used = (values.proxies ?? []).map((name) => proxies.get(name)?.values);
  for (const name of new Set(used.map((proxy) => proxy?.client ?? ""))) {
    const client = clients.get(name)?.values;
    if (client === undefined || problems.isFull) continue;
    const isKnown = checkOf(client) === "query" || (client.patroni ?? []).length > 0;
    const advice = `set clients.${name}.health.check: query`;
    if (!isKnown) problems.add(place, `${what} needs servers whose roles are known; ${advice}`);
  }
  for (const name of new Set(used.map((proxy) => proxy?.pool ?? ""))) {
    if (!isSplit || problems.isFull || pools.get(name)?.values.mode !== "session") continue;
    const advice = `set pools.${name}.mode: transaction`;
    problems.add(place, `${what} needs pools that give servers back; ${advice}`);
  }
}
