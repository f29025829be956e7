/**
 * What groups say about each other: which proxy a server uses, which client and pool a proxy ties
 * together, and that no two listeners want one address. Groups that small files leave out are
 * filled in here.
 *
 * @module
 */

import { nearest } from "../base/suggest.ts";
import { addressText } from "../base/address.ts";
import { collides } from "./address.ts";
import { type CheckedGroup, defaultGroup } from "./check.ts";
import type { Address } from "../base/address.ts";
import type { CLIENT_KEYS } from "./client_keys.ts";
import { type LOGGER_KEYS, type METRICS_KEYS, PROXY_KEYS } from "./declarations.ts";
import type { PLUGIN_KEYS } from "./plugin_keys.ts";
import { POOL_KEYS, type USER_KEYS } from "./pool_keys.ts";
import type { SERVER_KEYS } from "./server_keys.ts";
import {
  didYouMean,
  keyPlace,
  nameList,
  type Place,
  printable,
  type Problems,
  quote,
} from "./problems.ts";
import type { WrittenValue } from "./settings.ts";

/** Checked groups by section. Linking adds the proxies and pools that are implied. */
export interface CheckedGroups {
  readonly servers: Map<string, CheckedGroup<typeof SERVER_KEYS>>;
  readonly clients: Map<string, CheckedGroup<typeof CLIENT_KEYS>>;
  readonly pools: Map<string, CheckedGroup<typeof POOL_KEYS>>;
  readonly proxies: Map<string, CheckedGroup<typeof PROXY_KEYS>>;
  readonly users: Map<string, CheckedGroup<typeof USER_KEYS>>;
  readonly plugins: Map<string, CheckedGroup<typeof PLUGIN_KEYS>>;
  readonly loggers: Map<string, CheckedGroup<typeof LOGGER_KEYS>>;
  readonly metrics: CheckedGroup<typeof METRICS_KEYS>;
}

/** Checks every reference and adds implied groups to `groups`. */
export function linkGroups(groups: CheckedGroups, problems: Problems, notes: Problems): void {
  linkServers(groups, problems);
  linkProxies(groups, problems);
  checkAddresses(groups, problems);
  noteUnused(groups, notes);
  noteSocketModes(groups, notes);
}

function linkServers({ servers, proxies, clients }: CheckedGroups, problems: Problems): void {
  const known = new Set([...proxies.keys(), ...clients.keys()]);
  for (const { values, written, place } of servers.values()) {
    for (const [i, name] of (values.proxies ?? []).entries()) {
      if (proxies.has(name) || problems.isFull) continue;
      if (clients.has(name)) {
        proxies.set(name, defaultGroup("proxies", PROXY_KEYS, name, place));
        continue;
      }
      // Without any client there is one problem already, and it explains this one.
      if (known.size === 0) continue;
      const value = written.get("proxies");
      const names = nameList(known);
      if (value === undefined) {
        const rule = `proxies is not written, so it is [${printable(name)}]`;
        const message = `${rule}, but no proxy or client has that name; there are: ${names}`;
        problems.add(keyPlace(place, "proxies"), message);
      } else {
        const rule = `no proxy or client is named ${quote(name)}; there are: ${names}`;
        problems.add(itemPlace(value, i), rule + didYouMean(nearest(name, known)));
      }
    }
  }
}

function linkProxies({ proxies, clients, pools }: CheckedGroups, problems: Problems): void {
  for (const [name, { values, place }] of proxies) {
    // Writing a default has to mean the same as leaving it out, so the own name never dangles.
    if (values.pool !== name || pools.has(name)) continue;
    pools.set(name, defaultGroup("pools", POOL_KEYS, name, place));
  }
  for (const { values, written, place } of proxies.values()) {
    if (problems.isFull) return;
    // Without any client there is one problem already, and it explains this one.
    if (values.client !== undefined && !clients.has(values.client) && clients.size > 0) {
      const value = written.get("client");
      const rule = `no client is named ${quote(values.client)}; there are: ` +
        nameList(clients.keys());
      if (value === undefined) {
        const message = `client is not written, so it is the proxy's own name, but ${rule}`;
        problems.add(keyPlace(place, "client"), message);
      } else {
        problems.add(value.place, rule + didYouMean(nearest(values.client, clients.keys())));
      }
    }
    if (values.pool === undefined || pools.has(values.pool)) continue;
    const guess = didYouMean(nearest(values.pool, pools.keys()));
    const rule = `no pool is named ${quote(values.pool)}; there are: ${nameList(pools.keys())}`;
    problems.add(written.get("pool")?.place ?? place, rule + guess);
  }
}

function checkAddresses({ servers, metrics }: CheckedGroups, problems: Problems): void {
  const listeners: { readonly address: Address; readonly path: string }[] = [];
  const check = (address: Address, path: string, place: Place) => {
    const other = listeners.find((listener) => collides(listener.address, address));
    if (other !== undefined) {
      const text = addressText(other.address);
      problems.add(place, `${other.path} already listens on ${text}; choose another address`);
    }
    listeners.push({ address, path });
  };
  for (const [name, { values, written, place }] of servers) {
    if (values.address === undefined) continue;
    check(values.address, `servers.${printable(name)}`, written.get("address")?.place ?? place);
  }
  const { values, written, place } = metrics;
  if (values.address === undefined || values.enabled !== true) return;
  const at = written.get("address")?.place ?? { ...place, path: "metrics.address" };
  check(values.address, "metrics", at);
}

/** Unused groups are allowed, but may be a name that somebody mistyped elsewhere. */
function noteUnused({ servers, proxies, clients, pools }: CheckedGroups, notes: Problems): void {
  const usedProxies = new Set([...servers.values()].flatMap(({ values }) => values.proxies ?? []));
  for (const { values } of proxies.values()) usedProxies.add(values["mirror.proxy"] ?? "");
  const usedClients = new Set([...proxies.values()].map(({ values }) => values.client));
  const usedPools = new Set([...proxies.values()].map(({ values }) => values.pool));
  for (const [name, { place }] of proxies) {
    if (!usedProxies.has(name)) notes.add(place, "no server uses this proxy");
  }
  for (const [name, { place }] of clients) {
    if (!usedClients.has(name)) notes.add(place, "no proxy uses this client");
  }
  for (const [name, { place }] of pools) {
    if (!usedPools.has(name)) notes.add(place, "no proxy uses this pool");
  }
}

function noteSocketModes({ servers }: CheckedGroups, notes: Problems): void {
  for (const { values, written } of servers.values()) {
    const mode = written.get("socketMode");
    if (mode === undefined || values.address?.kind !== "tcp") continue;
    notes.add(mode.place, "not used, because the address is not a Unix socket");
  }
}

function itemPlace(value: WrittenValue, index: number): Place {
  return value.kind === "list" ? value.items[index]?.place ?? value.place : value.place;
}
