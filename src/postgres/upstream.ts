/**
 * What stands between a client's session and servers: one connection that is relayed, or pooled
 * ones that change. The session knows its client; this knows what its messages are for.
 *
 * @module
 */

import type { ClientState } from "../observe/facts.ts";
import type { ErrorFields } from "./wire/messages.ts";

/** Where a session's messages go. */
export interface UpstreamPlace {
  /** Name in `proxies` of the configuration. */
  readonly proxy: string;
  /** Address of the server. */
  readonly server: string;
}

/** One session's way to servers. */
export interface Upstream {
  /** Begins. Called once. */
  start(): void;
  /** Bytes of the client. @returns How many are done with; the others are shown again. */
  onClientData(view: Uint8Array): number;
  /** False while a large message is on its way to the client: nothing else may be sent to it. */
  readonly isClientBetweenMessages: boolean;
  /** Whether server connections are shared. */
  readonly isPooled: boolean;
  /** Where it has got to; undefined before that. */
  readonly place: UpstreamPlace | undefined;
  /** True if nothing is under way, and no transaction open. */
  readonly isIdle: boolean;
  /** Whether what comes next can be sent to another proxy. */
  readonly canRoute: boolean;
  /** Sends what comes next to a proxy; undefined takes that back. @returns False if it cannot. */
  sendTo(proxy: string | undefined): boolean;
  /** True once nothing is left of it that the end of the session has to wait for. */
  readonly isGone: boolean;
  /** The session is over for its client. */
  release(): void;
  /** The gateway stops. @returns True if the client may finish what it has begun. */
  mayFinish(): boolean;
}

/** What an upstream tells its session. @typeParam End The reasons that it has. */
export interface UpstreamOwner<End extends string = string> {
  setState(to: ClientState): void;
  /** Stops or starts the time that a login may take. */
  runLoginTime(isRunning: boolean): void;
  /**
   * Tells the client why, unless it is in the middle of a message, and winds up.
   *
   * @param isQuoted The text is a server's, and may hold what the client keeps there: it is not
   * logged.
   */
  fail(fields: ErrorFields, reason: End, isQuoted?: boolean): void;
  /** As `fail`, with an ErrorResponse that is encoded already, or none to tell. */
  end(message: Uint8Array | undefined, reason: End, isQuoted?: boolean): void;
  /** The client has said Terminate. */
  onTerminate(): void;
  /** The last thing that the session had to wait for is gone. */
  onGone(): void;
  /** Runs `act`; what it throws costs the session and nobody else. */
  guard(act: () => void): void;
}
