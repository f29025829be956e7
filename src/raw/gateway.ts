/**
 * What raw sessions are given to work with, in one worker.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { HookSwitch } from "../hooks/hook_switch.ts";
import type { Driver, PeerAddress } from "../net/socket.ts";
import type { TlsClientContext } from "../net/tls/client_context.ts";
import type { TlsServerContext } from "../net/tls/server_context.ts";
import type { Cells } from "../observe/counters.ts";
import type { Observer } from "../observe/facts.ts";
import type { Pool } from "../pool/pool.ts";
import type { ServerAddress } from "../upstream/dial.ts";
import type { ServerLoad } from "../upstream/server_loads.ts";

/** One way to a server: how it is reached, and how many connections there may be. */
export interface RawRoute {
  /** Name in `proxies` of the configuration. */
  readonly proxy: string;
  readonly server: ServerAddress;
  /** How TLS is spoken to it now, from the first byte on; undefined if it is not. */
  readonly tls: () => { readonly context: TlsClientContext } | undefined;
  readonly pool: Pool;
  /** The pool's counters. */
  readonly cells: Cells;
  /** What is known of the server: who uses it is part of that. */
  readonly load: ServerLoad;
  /** It could not be reached. */
  onUnreachable(): void;
  /** Whether it may go on serving whom it was chosen for. */
  mayStay(): boolean;
}

/** What is known of a client when a server is chosen for it. */
export interface RawClient {
  readonly address: PeerAddress;
  /** What it called the gateway in its TLS handshake; "" without TLS, or without a name. */
  readonly tlsServerName: string;
}

/** Gives the route that one session tries next, from the best on; undefined when none is left. */
export type NextRoute = () => RawRoute | undefined;

/** What a listener asks of its clients and where it sends them. */
export interface RawListenerContext {
  readonly name: string;
  /**
   * Called once a session, for routes of its own.
   *
   * @param client Asked once, when the first route is needed.
   */
  readonly routing: (client: () => RawClient) => NextRoute;
  /** One place for each client that may be served, over all workers. */
  readonly clients: Pool;
  /** Undefined where clients do not use TLS; else all do, from the first byte on. */
  readonly tls: { context(): TlsServerContext } | undefined;
  /** How long a client may take for its handshake. */
  readonly loginTimeoutMs: number;
  /** How long a session may last in which nothing passes; 0 is for ever. */
  readonly clientIdleTimeoutMs: number;
}

/** One worker's parts. */
export interface RawGateway {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly observer: Observer;
  /** Undefined where plugins are switched off. */
  readonly hooks: HookSwitch | undefined;
}

/** Routes in the order of a list that is asked for when the first one is needed, each once. */
export function inOrder(routesFor: () => readonly RawRoute[]): NextRoute {
  let routes: readonly RawRoute[] | undefined;
  let index = 0;
  return () => (routes ??= routesFor())[index++];
}
