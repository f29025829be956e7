/**
 * Which cell counts the clients or server connections in a state: the writers (`fact_counter.ts`,
 * and the connectors of pools) and the readers must agree, so they all look here. And which cells
 * say what is there now, and so end with the worker.
 *
 * @module
 */

import {
  type Cells,
  type CounterLayout,
  LISTENER_CELL,
  POOL_CELL,
  type WorkerCounters,
} from "./counters.ts";
import type { ClientState, ServerState } from "./facts.ts";

/** The gauge in a listener's cells that counts the clients in each state. */
export const CLIENT_STATE_CELL: Readonly<Record<ClientState, number>> = {
  startup: LISTENER_CELL.clientsStartup,
  waiting: LISTENER_CELL.clientsWaiting,
  connecting: LISTENER_CELL.clientsConnecting,
  login: LISTENER_CELL.clientsLogin,
  active: LISTENER_CELL.clientsActive,
  closing: LISTENER_CELL.clientsClosing,
};

/** The gauge in a pool's cells that counts the server connections in each state. */
export const SERVER_STATE_CELL: Readonly<Record<ServerState, number>> = {
  connecting: POOL_CELL.serversConnecting,
  login: POOL_CELL.serversLogin,
  idle: POOL_CELL.serversIdle,
  active: POOL_CELL.serversActive,
  cleaning: POOL_CELL.serversCleaning,
  closing: POOL_CELL.serversClosing,
};

/** All gauges of a listener. */
const LISTENER_GAUGES: readonly number[] = Object.values(CLIENT_STATE_CELL);

/** All gauges of a pool. */
const POOL_GAUGES: readonly number[] = [
  ...Object.values(SERVER_STATE_CELL),
  POOL_CELL.waiters,
  POOL_CELL.relayedWaitSince,
  POOL_CELL.pooledWaitSince,
  POOL_CELL.pooledWaitSeen,
  POOL_CELL.sessionsPinned,
];

/**
 * Sets the gauges of a worker that is gone to zero, for its connections are gone with it; what it
 * counted stays. Only for a worker that has ended: a region has one writer.
 */
export function clearGauges(layout: CounterLayout, counters: WorkerCounters): void {
  for (const name of layout.listeners) zero(counters.listener(name), LISTENER_GAUGES);
  for (const name of layout.pools) zero(counters.pool(name), POOL_GAUGES);
}

function zero(cells: Cells, gauges: readonly number[]): void {
  for (const gauge of gauges) cells.set(gauge, 0);
}
