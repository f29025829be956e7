/**
 * What a pooled server connection is made of, and what it tells the session that has it.
 *
 * @module
 */

import type { Clock } from "../../base/clock.ts";
import type { Socket } from "../../net/socket.ts";
import type { Cells } from "../../observe/counters.ts";
import type { ServerState } from "../../observe/facts.ts";
import type { CancelTarget } from "../cancel.ts";
import type { Backend } from "./backend.ts";
import type { ServerParameters, SessionParameters } from "./parameters.ts";

/** The session that a server connection works for. */
export interface BackendOwner {
  /** Where the server's messages go. */
  readonly client: Socket;
  readonly parameters: SessionParameters;
  /** An ErrorResponse for the client. @returns True if the server closes behind it. */
  onError(bytes: Uint8Array): boolean;
  /** What the client gets in place of a whole ErrorResponse, if it is not what it is. */
  translateError(bytes: Uint8Array): Uint8Array | undefined;
  /** A ReadyForQuery has come, and a CancelRequest that held the connection may have ended. */
  onReady(status: number): void;
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
export interface BackendParts {
  readonly clock: Clock;
  readonly pool: BackendPool;
  readonly cells: Cells;
  readonly cancelTarget: CancelTarget;
  /** For the log. */
  readonly address: string;
  /** As reported during the login. */
  readonly parameters: ServerParameters;
  /** The same, under the server's own names, in its order. */
  readonly reported: ReadonlyMap<string, string>;
  readonly messageSizeMax: number;
  readonly preparedStatementsMax: number;
  /** Text of the query that removes what a session leaves behind; empty for none. */
  readonly resetQuery: Uint8Array;
  /** Cancels what it runs for a client that is gone. Never rejects. */
  cancelAbandoned(target: CancelTarget): Promise<unknown>;
  onState(from: BackendState, to: BackendState): void;
  /** It is ended by the gateway, which has this reason. */
  onClosing(backend: Backend, reason: string): void;
  /** It ended by itself. */
  onLost(backend: Backend, message: string): void;
  /** It sent what makes no sense, to nobody. */
  onDefect(error: unknown): void;
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
