/**
 * Which cell counts the clients or server connections in a state: the writer (`recorder.ts`) and
 * the reader (`metric_declarations.ts`) must agree, so they both look here.
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

/**
 * Sets the gauges of a worker that is gone to zero, for its connections are gone with it; what it
 * counted stays. Only for a worker that has ended: a region has one writer.
 */
export function clearGauges(layout: CounterLayout, counters: WorkerCounters): void {
  for (const name of layout.listeners) {
    zero(counters.listener(name), Object.values(CLIENT_STATE_CELL));
  }
  for (const name of layout.pools) {
    zero(counters.pool(name), [...Object.values(SERVER_STATE_CELL), POOL_CELL.waiters]);
  }
}

function zero(cells: Cells, gauges: readonly number[]): void {
  for (const gauge of gauges) cells.add(gauge, -cells.get(gauge));
}
