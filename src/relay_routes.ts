/**
 * Ways to servers for clients whose one connection is relayed: each server of each proxy.
 *
 * @module
 */

import type { DataPlaneSnapshot } from "./data_plane_messages.ts";
import { serverAddress } from "./destinations.ts";
import type { WorkerCounters } from "./observe/counters.ts";
import type { Pool } from "./pool/pool.ts";
import type { Route } from "./postgres/gateway.ts";
import { isTlsOptional } from "./postgres/server_dial.ts";
import type { ServerRouting } from "./server_routing.ts";
import type { ClientTls } from "./tls_contexts.ts";
import type { ServerRoute } from "./upstream/router.ts";
import type { Member } from "./upstream/members.ts";

/** What routes are made from. */
export interface RelayRouteParts {
  readonly snapshot: DataPlaneSnapshot;
  readonly routing: ServerRouting;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly counters: WorkerCounters;
  readonly tlsOf: (client: string) => ClientTls | undefined;
  /** Whether a route may go on serving whom it was chosen for. */
  readonly mayStay: (route: ServerRoute) => boolean;
}

/** Returns the routes of a listener's proxies, in their order. */
export function relayRoutes(proxies: readonly string[], parts: RelayRouteParts): Route[] {
  return proxies.flatMap((proxy) => {
    const { client } = parts.snapshot.proxies.get(proxy)!;
    return parts.routing.membersOf(client).map((member) => routeOf(proxy, member, parts));
  });
}

function routeOf(proxy: string, member: Member, parts: RelayRouteParts): Route {
  const { snapshot, routing, pools, counters, tlsOf, mayStay } = parts;
  const { pool, client: clientName } = snapshot.proxies.get(proxy)!;
  const client = snapshot.clients.get(clientName)!;
  const serverRoute = routing.routeOf(proxy, member);
  return {
    ...serverRoute,
    mayStay: () => mayStay(serverRoute),
    server: serverAddress(client, member, routing.counterOf(member)),
    onUnreachable: () => routing.onUnreachable(member),
    // A server that could bind a SCRAM exchange to its TLS connection refuses a client that could
    // bind it to ours: TLS is spoken where it is asked for, and not where it is only welcome.
    tls: () => isTlsOptional(client.tls.mode) ? undefined : tlsOf(clientName),
    pool: pools.get(pool)!,
    cells: counters.pool(pool),
  };
}
