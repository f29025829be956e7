/**
 * What the connection of one session to its server is made of, and whom it tells what.
 *
 * @module
 */

import type { Socket } from "../net/socket.ts";
import type { Lease } from "../pool/pool.ts";
import type { Gateway, Route } from "./gateway.ts";
import type { ProtocolError } from "./wire/errors.ts";
import type { StartupMessage } from "./wire/startup_packet.ts";

/** Told what becomes of the connection. `canTell`: an ErrorResponse may be sent to the client. */
export interface ServerOwner {
  /** The server is reached and has the StartupMessage. */
  onLogin(): void;
  /** Whether the StartupMessage is all that the server has got. */
  mayAskAgain(): boolean;
  /** As `mayAskAgain`, and there is another server. */
  maySendElsewhere(): boolean;
  /** The server cannot serve yet: it is dialled again after a pause. */
  onDialAgain(): void;
  /** It has answered, whatever it says: that is on its way to the client. */
  onAnswer(): void;
  /** The first ReadyForQuery is on its way to the client. */
  onReady(): void;
  /** It could not be reached, or did not answer; the place is given back: there is no `onGone`. */
  onUnreachable(): void;
  /** It was reached, but there is no agreement on TLS; else as `onUnreachable`. */
  onDisagreed(): void;
  /** It closed without being asked to, or broke. */
  onLost(canTell: boolean): void;
  onBrokenProtocol(error: ProtocolError, canTell: boolean): void;
  /** The socket is gone and the place given back: the last call. */
  onGone(): void;
  /** Runs `act`; what it throws costs the session and nobody else. */
  guard(act: () => void): void;
}

/** What a connection is made of. */
export interface ServerConnectionParts {
  readonly gateway: Gateway;
  readonly route: Route;
  readonly lease: Lease;
  readonly session: number;
  readonly startup: StartupMessage;
  readonly messageSizeMax: number;
  /** Where the server's messages go. */
  readonly client: Socket;
  readonly owner: ServerOwner;
}
