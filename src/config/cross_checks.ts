/**
 * What groups demand of each other beyond their names: modes and sizes that only work together.
 *
 * @module
 */

import { isLocal, relays } from "./auth_config.ts";
import { type CheckedGroup, placeOf } from "./check.ts";
import type { AuthConfig } from "./config.ts";
import type { RUNTIME_KEYS } from "./declarations.ts";
import type { PlacedLimit } from "./limits_file.ts";
import type { CheckedGroups } from "./links.ts";
import type { POOL_KEYS, USER_KEYS } from "./pool_keys.ts";
import { keyPlace, printable, type Problems } from "./problems.ts";
import { checkRaw } from "./raw_checks.ts";

type PoolGroup = CheckedGroup<typeof POOL_KEYS>;
type UserGroup = CheckedGroup<typeof USER_KEYS>;

/** Keys of a pool that need connections which the gateway can open by itself. */
const OWN_CONNECTION_KEYS = ["minSize", "reserve", "databaseSizeMax", "userSizeMax"] as const;

/** What the files of the groups said. */
export interface ResolvedParts {
  /** By server. */
  readonly auth: ReadonlyMap<string, AuthConfig>;
  /** By pool. */
  readonly limits: ReadonlyMap<string, readonly PlacedLimit[]>;
}

/** Checks pools against their servers, their limits and the runtime. */
export function crossCheck(
  groups: CheckedGroups,
  runtime: CheckedGroup<typeof RUNTIME_KEYS>,
  { auth, limits }: ResolvedParts,
  problems: Problems,
  notes: Problems,
): void {
  checkRelays(groups, auth, problems, notes);
  checkLookups(groups, auth, problems);
  checkRaw(groups, problems, notes);
  const connectionsMax = runtime.values.serverConnectionsMax ?? 0;
  for (const [name, pool] of groups.pools) {
    if (problems.isFull) return;
    checkSizes(pool, connectionsMax, problems);
    checkLimits(pool, limits.get(name) ?? [], connectionsMax, problems, notes);
  }
}

/** A connection that a client authenticated is that client's, and no gateway can open it again. */
function checkRelays(
  groups: CheckedGroups,
  auth: ReadonlyMap<string, AuthConfig>,
  problems: Problems,
  notes: Problems,
): void {
  const { servers, proxies, pools, clients, users } = groups;
  const seen = new Set<string>();
  for (const [name, server] of servers) {
    const serverAuth = auth.get(name);
    if (serverAuth === undefined || !relays(serverAuth)) continue;
    if (server.values.protocol === "raw") continue; // nobody authenticates anybody there
    const who = serverAuth.method === "relay"
      ? `servers.${printable(name)} has auth.method: relay`
      : `a rule of servers.${printable(name)} has method relay`;
    for (const user of users.values()) checkMode(user, who, problems);
    for (const proxyName of server.values.proxies ?? []) {
      const proxy = proxies.get(proxyName);
      const pool = pools.get(proxy?.values.pool ?? "");
      const client = clients.get(proxy?.values.client ?? "");
      // One problem is enough, however many servers use the pool.
      const isNew = !seen.has(`pool ${proxy?.values.pool}`);
      seen.add(`pool ${proxy?.values.pool}`);
      if (pool !== undefined && isNew) checkMode(pool, who, problems);
      if (serverAuth.method !== "relay") continue;
      if (pool !== undefined && isNew) checkOwnConnections(pool, who, problems);
      if (client === undefined || (client.values.user ?? "") === "") continue;
      if (seen.has(`client ${proxy?.values.client}`)) continue;
      seen.add(`client ${proxy?.values.client}`);
      notes.add(placeOf(client, "user"), `not used by all, because ${who}`);
    }
  }
}

/** Otherwise any stranger chooses where a query for secrets runs, before it is authenticated. */
function checkLookups(
  { servers, proxies, clients }: CheckedGroups,
  auth: ReadonlyMap<string, AuthConfig>,
  problems: Problems,
): void {
  for (const [name, server] of servers) {
    const { method, query } = auth.get(name) ?? {};
    const { address } = server.values;
    if (query === undefined || query.database !== "" || method === "relay") continue;
    if (server.values["auth.authDatabase"] === undefined) continue; // a problem already
    if (address === undefined || isLocal(address)) continue;
    const isAnyOpen = (server.values.proxies ?? []).some((proxy) =>
      clients.get(proxies.get(proxy)?.values.client ?? "")?.values.database === ""
    );
    if (!isAnyOpen) continue;
    const rule = "authQuery needs authDatabase on an address that is not local, because without " +
      "it every client chooses the database that is asked";
    const advice = 'add it, as in "authDatabase: postgres"';
    problems.add(keyPlace(server.place, "auth.authDatabase"), `${rule}; ${advice}`);
  }
}

function checkMode(group: PoolGroup | UserGroup, who: string, problems: Problems): void {
  const { mode } = group.values;
  if (mode === undefined || mode === "pool" || mode === "session") return;
  const place = group.written.get("mode")?.place ?? group.place;
  problems.add(place, `${mode} ${needsOwn(who)}`);
}

function checkOwnConnections(pool: PoolGroup, who: string, problems: Problems): void {
  for (const key of OWN_CONNECTION_KEYS) {
    if ((pool.values[key] ?? 0) > 0) problems.add(placeOf(pool, key), `${key} ${needsOwn(who)}`);
  }
  if ((pool.values.limitsFile ?? "") === "") return;
  problems.add(placeOf(pool, "limitsFile"), `limitsFile ${needsOwn(who)}`);
}

function needsOwn(who: string): string {
  return `needs a server that authenticates clients itself, but ${who}; choose another method ` +
    "there, as in auth: { method: scram-sha-256, usersFile: users.txt }";
}

/** No pool can keep open more than it may have. */
function checkSizes(pool: PoolGroup, connectionsMax: number, problems: Problems): void {
  const { minSize = 0, size, databaseSizeMax = 0, userSizeMax = 0 } = pool.values;
  const caps: readonly (readonly [name: string, max: number])[] = [
    ["size", size ?? 0],
    ["databaseSizeMax", databaseSizeMax],
    ["userSizeMax", userSizeMax],
    ["runtime.serverConnectionsMax", connectionsMax],
  ];
  const cap = caps.find(([, max]) => max > 0 && minSize > max);
  if (cap === undefined) return;
  const [name, max] = cap;
  problems.add(placeOf(pool, "minSize"), `minSize ${minSize} is above ${name} ${max}; lower it`);
}

function checkLimits(
  pool: PoolGroup,
  limits: readonly PlacedLimit[],
  connectionsMax: number,
  problems: Problems,
  notes: Problems,
): void {
  const { size } = pool.values;
  if (size === undefined) return;
  for (const { limit, place } of limits) {
    // A size that is left out can be set in one place only: the pool's.
    for (
      const [name, value] of [
        ["MAX_SIZE", limit.sizeMax ?? 0],
        ["INITIAL_SIZE", limit.initialSize],
      ] as const
    ) {
      if (value <= size) continue;
      const rule = `${name} ${value} is above size ${size} of ${pool.place.path}`;
      problems.add(place, `${rule}; lower it, or raise size`);
      break;
    }
  }
  if (connectionsMax === 0) return;
  const sum = (of: (one: PlacedLimit) => number) =>
    limits.reduce((total, one) => total + of(one), 0);
  const place = placeOf(pool, "limitsFile");
  const cap = `runtime.serverConnectionsMax ${connectionsMax}`;
  const initial = sum(({ limit }) => limit.initialSize);
  const most = sum(({ limit }) => limit.sizeMax ?? 0);
  if (initial > connectionsMax) {
    problems.add(place, `all INITIAL_SIZE add up to ${initial}, which is above ${cap}; lower them`);
  } else if (most > connectionsMax) {
    notes.add(place, `all MAX_SIZE add up to ${most}, which is above ${cap}`);
  }
}
