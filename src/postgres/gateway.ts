/**
 * What sessions are given to work with: the parts that `data_plane.ts` builds for one worker.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { HookSwitch } from "../hooks/hook_switch.ts";
import type { Driver, PeerAddress } from "../net/socket.ts";
import type { TlsServerContext } from "../net/tls/server_context.ts";
import type { Cells } from "../observe/counters.ts";
import type { Observer } from "../observe/facts.ts";
import type { Pool } from "../pool/pool.ts";
import type { ServerAddress } from "../upstream/dial.ts";
import type { Need, ServerRoute } from "../upstream/router.ts";
import type { ServerTls } from "./server_dial.ts";
import type { CancelKeys, CancelResult, CancelTarget } from "./cancel.ts";
import type { GateContext } from "./client_gate.ts";
import type { StartupMemory } from "./wire/startup_packet.ts";

/** One way to a database: how it is reached, and how many connections there may be. */
export interface Route extends ServerRoute {
  readonly server: ServerAddress;
  /** How TLS is spoken to it now, or undefined if it is not. */
  readonly tls: () => ServerTls | undefined;
  readonly pool: Pool;
  /** The pool's counters. */
  readonly cells: Cells;
  /** It could not be reached. */
  onUnreachable(): void;
  /** Whether it may go on serving whom it was chosen for. */
  mayStay(): boolean;
}

/** Whose connection is relayed. */
export interface RelayedClient {
  readonly address: PeerAddress;
  /** What it called the gateway in its TLS handshake; "" without TLS, or without a name. */
  readonly tlsServerName: string;
  /** Of its StartupMessage. */
  readonly parameters: ReadonlyMap<string, string>;
  /** A proxy to take first. */
  readonly proxy: string | undefined;
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
  /** Which servers a client may be relayed to now, in the order they are tried. */
  routesFor(client: RelayedClient): readonly Route[];
  /** What they have to be. */
  readonly need: Need;
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
  readonly startups: StartupMemory;
  /** Undefined where plugins are switched off. */
  readonly hooks: HookSwitch | undefined;
  /** Cancels what the owner of a key runs, in whichever worker it is. Never rejects. */
  cancel(processId: number, key: Uint8Array): Promise<CancelResult>;
  /** Cancels what a server runs for a client that is gone. Never rejects. */
  cancelAbandoned(target: CancelTarget): Promise<CancelResult>;
}
