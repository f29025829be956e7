/**
 * What listeners with `protocol: raw` cannot have: whatever needs to understand what clients say.
 *
 * @module
 */

import { type CheckedGroup, defaultGroup, placeOf } from "./check.ts";
import type { CLIENT_KEYS } from "./client_keys.ts";
import type { CheckedGroups } from "./links.ts";
import type { POOL_KEYS } from "./pool_keys.ts";
import { printable, type Problems } from "./problems.ts";
import { SERVER_KEYS } from "./server_keys.ts";

type ServerGroup = CheckedGroup<typeof SERVER_KEYS>;

/** Keys of a server that mean something to every protocol. */
const COMMON_KEYS: ReadonlySet<string> = new Set<keyof typeof SERVER_KEYS>([
  "address",
  "protocol",
  "proxies",
  "clientsMax",
  "loginTimeout",
  "clientIdleTimeout",
  "keepAlive",
  "noDelay",
  "socketMode",
  "targetSessionAttrs",
  "loadBalancer.strategy",
  "loadBalancer.key",
  "loadBalancer.loadBalancingRules",
  "tls.mode",
  "tls.certFile",
  "tls.keyFile",
  "tls.caFile",
  "tls.minVersion",
]);

/** Keys of a pool for connections that outlive their clients. */
const SHARING_KEYS = ["minSize", "reserve", "databaseSizeMax", "userSizeMax"] as const;

/** Checks listeners with `protocol: raw`, and what they lead to. */
export function checkRaw(groups: CheckedGroups, problems: Problems, notes: Problems): void {
  const { servers, proxies, pools, clients } = groups;
  const seen = new Set<unknown>();
  /** One problem is enough, however many servers use a group. */
  const isNew = <Group>(group: Group | undefined): group is Group => {
    if (group === undefined || seen.has(group)) return false;
    seen.add(group);
    return true;
  };
  for (const [name, server] of servers) {
    if (server.values.protocol !== "raw") continue;
    const who = `servers.${printable(name)} has protocol: raw`;
    checkServer(server, problems);
    for (const proxyName of server.values.proxies ?? []) {
      if (problems.isFull) return;
      const proxy = proxies.get(proxyName);
      if (proxy !== undefined && (proxy.values["mirror.proxy"] ?? "") !== "") {
        const rule = `a mirror needs messages to copy, but ${who}; remove it there`;
        problems.add(placeOf(proxy, "mirror.proxy"), rule);
      }
      const pool = pools.get(proxy?.values.pool ?? "");
      if (isNew(pool)) checkPool(pool, who, problems);
      const client = clients.get(proxy?.values.client ?? "");
      if (isNew(client)) noteClient(client, who, notes);
    }
  }
}

function checkServer(server: ServerGroup, problems: Problems): void {
  const { values: defaults } = defaultGroup("servers", SERVER_KEYS, server.name, server.place);
  for (const [key, { place }] of server.written) {
    if (COMMON_KEYS.has(key) || problems.isFull) continue;
    const of = (values: ServerGroup["values"]) =>
      JSON.stringify(values[key as keyof typeof values]);
    if (of(server.values) === of(defaults)) continue;
    const rule = `${key} needs to understand what clients say, and protocol: raw does not`;
    problems.add(place, `${rule}; remove it, or write "protocol: postgres"`);
  }
  const { values } = server;
  const mode = values["tls.mode"];
  if (mode === "allow" || mode === "prefer") {
    const rule = `${mode} needs a protocol in which clients ask for TLS, and raw has no words`;
    problems.add(placeOf(server, "tls.mode"), `${rule}; write "require" or "disable"`);
  }
  if ((values["loadBalancer.key"] ?? "client-address") !== "client-address") {
    const rule = "with protocol: raw, nothing but client-address is known of a client";
    problems.add(placeOf(server, "loadBalancer.key"), `${rule}; write "client-address"`);
  }
}

function checkPool(
  pool: CheckedGroup<typeof POOL_KEYS>,
  who: string,
  problems: Problems,
): void {
  const advice = "use another pool there";
  const { mode = "session", limitsFile = "" } = pool.values;
  if (mode !== "session") {
    const rule = `mode: ${mode} needs to know where a ${mode} ends, but ${who}`;
    problems.add(placeOf(pool, "mode"), `${rule}; ${advice}`);
  }
  const used = SHARING_KEYS.filter((key) => (pool.values[key] ?? 0) > 0);
  for (const key of limitsFile === "" ? used : [...used, "limitsFile" as const]) {
    const rule = `${key} needs connections that outlive a client, but ${who}`;
    problems.add(placeOf(pool, key), `${rule}; ${advice}`);
  }
}

function noteClient(
  client: CheckedGroup<typeof CLIENT_KEYS>,
  who: string,
  notes: Problems,
): void {
  for (const key of ["user", "database"] as const) {
    if ((client.values[key] ?? "") === "") continue;
    notes.add(placeOf(client, key), `not used for all clients, because ${who}`);
  }
  const mode = client.values["tls.mode"];
  if (!client.written.has("tls.mode") || (mode !== "allow" && mode !== "prefer")) return;
  const reason = `TLS is not used by all, because ${who}, where nobody can ask for it`;
  notes.add(placeOf(client, "tls.mode"), `${reason}; require uses it from the first byte on`);
}
