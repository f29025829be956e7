/**
 * What sessions are given to work with: the parts that `data_plane.ts` builds for one worker.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { HookSwitch } from "../hooks/hook_switch.ts";
import type { Driver } from "../net/socket.ts";
import type { TlsServerContext } from "../net/tls/server_context.ts";
import type { Cells } from "../observe/counters.ts";
import type { Observer } from "../observe/facts.ts";
import type { Pool } from "../pool/pool.ts";
import type { ServerAddress } from "../upstream/dial.ts";
import type { ServerTls } from "./server_dial.ts";
import type { CancelKeys, CancelResult, CancelTarget } from "./cancel.ts";
import type { GateContext } from "./client_gate.ts";

/** One way to a database: how it is reached, and how many connections there may be. */
export interface Route {
  /** Name in `proxies` of the configuration. */
  readonly proxy: string;
  readonly server: ServerAddress;
  /** How TLS is spoken to it now, or undefined if it is not. */
  readonly tls: () => ServerTls | undefined;
  readonly pool: Pool;
  /** The pool's counters. */
  readonly cells: Cells;
}

/** TLS towards clients. */
export interface ListenerTls {
  /** Whether clients must use it. A Unix socket's need not. */
  readonly isRequired: boolean;
  /** The newest: its certificate may have been renewed. */
  context(): TlsServerContext;
}

/** What a listener asks of its clients and where it sends them. */
export interface ListenerContext {
  readonly name: string;
  /** In the order they are tried; at least one. */
  readonly routes: readonly Route[];
  /** One place for each client that may be served, over all workers. */
  readonly clients: Pool;
  /** Undefined where servers authenticate clients. */
  readonly authentication: GateContext | undefined;
  readonly tls: ListenerTls | undefined;
  readonly loginTimeoutMs: number;
  readonly startupPacketSizeMax: number;
  readonly messageSizeMax: number;
}

/** One worker's parts. */
export interface Gateway {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly cancelKeys: CancelKeys;
  /** Undefined where plugins are switched off. */
  readonly hooks: HookSwitch | undefined;
  /** Cancels what the owner of a key runs, in whichever worker it is. Never rejects. */
  cancel(processId: number, key: Uint8Array): Promise<CancelResult>;
  /** Cancels what a server runs for a client that is gone. Never rejects. */
  cancelAbandoned(target: CancelTarget): Promise<CancelResult>;
}

/** The routes with one of them, by its proxy's name, first. */
export function routesFrom(
  routes: readonly Route[],
  proxy: string | undefined,
): readonly Route[] {
  return routes.toSorted((a, b) => Number(b.proxy === proxy) - Number(a.proxy === proxy));
}
