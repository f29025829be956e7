/**
 * What one session's server connection tells observers: the pool's and the server's names go with
 * it.
 *
 * @module
 */

import { addressText } from "../base/address.ts";
import type { TlsInfo } from "../net/tls/tls_connection.ts";
import type { Fact, ServerLoginFailure, ServerState } from "../observe/facts.ts";
import type { FailedAttempt } from "../upstream/dial.ts";
import type { ServerConnectionParts } from "./server_connection_parts.ts";

/** One connection's. */
export class ServerConnectionFacts {
  readonly #parts: Pick<ServerConnectionParts, "gateway" | "route" | "session">;

  constructor(parts: Pick<ServerConnectionParts, "gateway" | "route" | "session">) {
    this.#parts = parts;
  }

  /** Undefined is not there. */
  state(from: ServerState | undefined, to: ServerState | undefined): void {
    const { pool, server } = this.#parts.route;
    this.#emit({ kind: "server_state", pool: pool.options.name, from, to });
    server.connections?.move(from, to);
  }

  /** It is encrypted. */
  secured({ protocol: version, cipher }: TlsInfo): void {
    this.#emit({ kind: "server_secured", ...this.#names, version, cipher });
  }

  /** An attempt to reach the server came to nothing. */
  dialFailed(failed: FailedAttempt): void {
    this.#emit({ kind: "server_dial_failed", ...this.#names, ...failed });
  }

  /** The server was reached, and there will be no login. */
  loginFailed(message: string, cause: ServerLoginFailure): void {
    const who = { user: "", database: "" }; // nobody has heard yet whether the client is this user
    this.#emit({ kind: "server_login_failed", ...this.#names, ...who, cause, message });
  }

  /** The server has sent an ErrorResponse. */
  errorReported(sqlState: string): void {
    const { session } = this.#parts;
    this.#emit({ kind: "error_reported", source: "server", sqlState, session, message: undefined });
  }

  /** It has ended without being asked to. */
  lost(message: string): void {
    this.#emit({ kind: "server_lost", session: this.#parts.session, ...this.#names, message });
  }

  /** What runs for a session that is over could not be cancelled. */
  abandonedQuery(message: string): void {
    this.#emit({ kind: "abandoned_query", session: this.#parts.session, ...this.#names, message });
  }

  get #names(): { readonly pool: string; readonly server: string } {
    const { pool, server } = this.#parts.route;
    return { pool: pool.options.name, server: addressText(server.address) };
  }

  #emit(fact: Fact): void {
    this.#parts.gateway.observer.emit(fact);
  }
}
