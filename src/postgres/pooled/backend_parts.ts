/**
 * What a pooled server connection is made of, and what it tells the session that has it.
 *
 * @module
 */

import type { ServerLoad } from "../../upstream/server_loads.ts";
import type { Socket } from "../../net/socket.ts";
import type { Cells } from "../../observe/counters.ts";
import type { ServerState } from "../../observe/facts.ts";
import type { CancelTarget } from "../cancel.ts";
import type { Backend } from "./backend.ts";
import type { CleanerParts } from "./backend_cleaner.ts";
import type { SessionParameters } from "./parameters.ts";
import type { ServerParameters } from "./server_parameters.ts";

/** The session that a server connection works for. */
export interface BackendOwner {
  /** Where the server's messages go. */
  readonly client: Socket;
  readonly parameters: SessionParameters;
  /** An ErrorResponse for the client. @returns True if the server closes behind it. */
  onError(bytes: Uint8Array): boolean;
  /**
   * Whether an ErrorResponse is kept from the client, since what failed is going to be sent again.
   *
   * @param answers How much the client had been answered before.
   */
  retries(bytes: Uint8Array, answers: number): boolean;
  /** The ReadyForQuery behind that error has come: now is the time. */
  onRetry(): void;
  /** What the client gets in place of a whole ErrorResponse, if it is not what it is. */
  translateError(bytes: Uint8Array): Uint8Array | undefined;
  /** A ReadyForQuery is going to be passed on. */
  beforeReady(): void;
  /** A ReadyForQuery has come: for the client, or for a query of the gateway's own. */
  onReady(status: number, isOwn: boolean): void;
  /** What kept the connection from changing hands has ended. */
  onReleasable(): void;
  /** True if the client has sent what waits until the server has answered something. */
  readonly isHeldBack: boolean;
  /** It need not wait any more. */
  onRoom(): void;
  /** The server closed, or the connection broke. `canTell`: an ErrorResponse may be sent. */
  onLost(canTell: boolean): void;
  /** The server sent what makes no sense. */
  onBrokenServer(error: unknown, canTell: boolean): void;
  /** Runs `act`; what it throws costs the session and nobody else. */
  guard(act: () => void): void;
}

/** What a pool needs to know of its connections. */
export interface BackendPool {
  release(backend: Backend): void;
  gone(backend: Backend): void;
}

/** What one connection is made of. */
export interface BackendParts extends CleanerParts {
  readonly pool: BackendPool;
  readonly cells: Cells;
  /** The server's, where somebody asks how long its answers take. */
  readonly load: ServerLoad | undefined;
  readonly cancelTarget: CancelTarget;
  /** For the log. */
  readonly address: string;
  /** As reported during the login. */
  readonly parameters: ServerParameters;
  /** The same, under the server's own names, in its order. */
  readonly reported: ReadonlyMap<string, string>;
  readonly messageSizeMax: number;
  readonly preparedStatementsMax: number;
  onState(from: BackendState, to: BackendState): void;
  /** It is ended by the gateway, which has this reason. */
  onClosing(backend: Backend, reason: string): void;
  /** It ended by itself. */
  onLost(backend: Backend, message: string): void;
}

/** Where a pooled connection is on its way. */
export type BackendState = "idle" | "leased" | "cleaning" | "closing" | "gone";

/** How a state is counted: `undefined` is not there any more. */
export const COUNTED_AS: Readonly<Record<BackendState, ServerState | undefined>> = {
  idle: "idle",
  leased: "active",
  cleaning: "cleaning",
  closing: "closing",
  gone: undefined,
};
